//! A clock that can be set, for one process: libfaketime reads it from a file. Only the time of day
//! jumps, as when an operator or a time service sets it; time since the start goes on evenly.

use anyhow::{Context, Result};
use std::{
    fs,
    path::{Path, PathBuf},
};

const LIBRARY: &str = "faketime/libfaketimeMT.so.1";
/// Seconds until a process notices.
const NOTICED_S: u32 = 1;

/// The clock of one process.
#[derive(Debug)]
pub struct Clock {
    library: PathBuf,
    file: PathBuf,
}

impl Clock {
    /// One that goes right.
    ///
    /// # Errors
    /// When libfaketime is not installed.
    pub(super) fn start(folder: &Path) -> Result<Self> {
        let clock = Self { library: library()?, file: folder.join("clock") };
        clock.set(0)?;
        Ok(clock)
    }

    /// From now on so many seconds ahead of the right time, or behind it.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn set(&self, seconds: i64) -> Result<()> {
        let beside = self.file.with_extension("next");
        fs::write(&beside, format!("{seconds:+}\n"))?;
        Ok(fs::rename(beside, &self.file)?)
    }

    pub(super) fn environment(&self) -> Vec<(String, String)> {
        let pair = |name: &str, value: String| (name.to_owned(), value);
        vec![
            pair("LD_PRELOAD", self.library.display().to_string()),
            pair("FAKETIME_TIMESTAMP_FILE", self.file.display().to_string()),
            pair("FAKETIME_CACHE_DURATION", NOTICED_S.to_string()),
            pair("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
        ]
    }
}

/// Debian puts it into a folder for the machine's kind.
fn library() -> Result<PathBuf> {
    let folders = fs::read_dir("/usr/lib").context("no /usr/lib")?.flatten();
    let found = folders.map(|folder| folder.path().join(LIBRARY)).find(|path| path.exists());
    found.context("clock jumps need libfaketime (of Debian's package of that name)")
}
