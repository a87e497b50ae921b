//! Which processes belong to the stack. Each one is recorded by [`crate::process`] the moment it
//! starts, in a file beside its log, with its start time: a process id alone may have passed on to
//! a stranger.

use crate::{process, wait};
use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

const END_LIMIT: Duration = Duration::from_secs(30);

/// A process that was started for the stack; it may have ended since.
#[derive(Debug)]
pub(super) struct Recorded {
    pub(super) name: String,
    pid: u32,
    start_time: u64,
}

impl Recorded {
    /// Whether it is still this process.
    pub(super) fn runs(&self) -> bool {
        process::start_time(self.pid) == Some(self.start_time)
    }

    /// A line for people.
    pub(super) fn describe(&self) -> String {
        let state = if self.runs() { "running" } else { "ended" };
        format!("{:12} {state}, process {}", self.name, self.pid)
    }

    /// SIGTERM, and SIGKILL where that does not help in time.
    pub(super) fn end(&self) -> Result<()> {
        if !self.signal(Signal::TERM)? || self.wait_end(END_LIMIT).is_ok() {
            return Ok(());
        }
        self.signal(Signal::KILL)?;
        self.wait_end(END_LIMIT)
    }

    /// Whether there was somebody to signal.
    fn signal(&self, signal: Signal) -> Result<bool> {
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
        match pid {
            Some(pid) if self.runs() => {
                kill_process(pid, signal).with_context(|| format!("cannot end {}", self.name))?;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    fn wait_end(&self, limit: Duration) -> Result<()> {
        let what = format!("{} (process {}) to end", self.name, self.pid);
        wait::until(&what, limit, || Ok((!self.runs()).then_some(())))
    }
}

/// All processes recorded below `folder`.
pub(super) fn recorded(folder: &Path) -> Result<Vec<Recorded>> {
    let mut found = vec![];
    for entry in list(folder)? {
        let files = if entry.is_dir() { list(&entry)? } else { vec![] };
        found.extend(files.iter().filter_map(|path| read(path)));
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

fn list(folder: &Path) -> Result<Vec<PathBuf>> {
    match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(vec![]),
        entries => Ok(entries?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?),
    }
}

fn read(path: &Path) -> Option<Recorded> {
    if path.extension()? != process::PID_EXTENSION {
        return None;
    }
    let text = fs::read_to_string(path).ok()?;
    let (pid, start_time) = text.trim().split_once(' ')?;
    let name = path.file_stem()?.to_str()?.to_owned();
    Some(Recorded { name, pid: pid.parse().ok()?, start_time: start_time.parse().ok()? })
}
