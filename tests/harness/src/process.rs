//! Child processes that end with their owner.
//!
//! A server is killed when its value is dropped, and by the kernel when the whole process dies
//! without dropping anything. Servers of the local stack are the exception: they are meant to go on.

use crate::wait;
use anyhow::{Context, Result, anyhow, bail};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    ffi::OsString,
    fs::{self, File},
    io,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Mutex, OnceLock, mpsc},
    thread,
    time::Duration,
};

const TAIL_LINES: usize = 30;

/// A detached server's process id and start time stand beside its log in a file with this ending.
pub const PID_EXTENSION: &str = "pid";

/// Whether a server ends with whoever started it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// Killed on drop, and by the kernel when its owner dies.
    Owned,
    /// Goes on in the background when its owner has ended.
    Detached,
}

/// What to start.
#[derive(Clone, Debug)]
pub struct Launch {
    /// The name used in messages.
    pub name: String,
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Variables on top of this process's own environment.
    pub env: Vec<(String, String)>,
    /// Where standard output and error go; appended to.
    pub log: PathBuf,
    /// How long it lives.
    pub lifetime: Lifetime,
}

/// A running server.
#[derive(Debug)]
pub struct Server {
    name: String,
    log: PathBuf,
    /// Where this run's part of the log begins.
    log_start: u64,
    lifetime: Lifetime,
    child: Child,
}

impl Server {
    /// Starts it. Nothing is known yet about whether it works: see [`Server::wait_for_log`].
    ///
    /// # Errors
    /// When the program cannot be run or the log cannot be written.
    pub fn start(launch: &Launch) -> Result<Self> {
        let log = open_log(&launch.log)?;
        let log_start = log.metadata()?.len();
        let child = spawn(command(launch, log)?).with_context(|| {
            format!("cannot start {}: {}", launch.name, launch.program.display())
        })?;
        if launch.lifetime == Lifetime::Detached {
            record(&launch.log, child.id())?;
        }
        let (name, log, lifetime) = (launch.name.clone(), launch.log.clone(), launch.lifetime);
        Ok(Self { name, log, log_start, lifetime, child })
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, or `None` while it runs.
    ///
    /// # Errors
    /// When the system cannot say.
    pub fn exit_status(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Waits for the first line of this run's log that holds `text`.
    ///
    /// # Errors
    /// When it ends before, or does not say it within `limit`; with the last lines of the log.
    pub fn wait_for_log(&mut self, text: &str, limit: Duration) -> Result<String> {
        let what = format!("{} to log {text:?}", self.name);
        let waited = wait::until(&what, limit, || {
            let found = self.log_text().lines().find(|line| line.contains(text)).map(str::to_owned);
            if found.is_none()
                && let Some(status) = self.exit_status()?
            {
                bail!("{} ended at once: {status}", self.name);
            }
            Ok(found)
        });
        waited.map_err(|error| self.with_log(&error))
    }

    /// Waits until it has ended by itself.
    ///
    /// # Errors
    /// When it still runs after `limit`; with the last lines of the log.
    pub fn wait_exit(&mut self, limit: Duration) -> Result<ExitStatus> {
        let what = format!("{} to end", self.name);
        let waited = wait::until(&what, limit, || self.exit_status());
        waited.map_err(|error| self.with_log(&error))
    }

    /// SIGKILL: no chance to clean up. Returns when it is gone.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn kill9(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// SIGTERM, then waits for the end.
    ///
    /// # Errors
    /// When it still runs after `limit`; with the last lines of the log.
    pub fn terminate(&mut self, limit: Duration) -> Result<ExitStatus> {
        if self.exit_status()?.is_none() {
            self.signal(Signal::TERM)?;
        }
        self.wait_exit(limit)
    }

    /// SIGSTOP: it keeps its connections and answers nothing.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn pause(&self) -> Result<()> {
        self.signal(Signal::STOP)
    }

    /// SIGCONT: goes on after [`Server::pause`].
    ///
    /// # Errors
    /// When the system refuses.
    pub fn resume(&self) -> Result<()> {
        self.signal(Signal::CONT)
    }

    /// What this run has logged so far.
    #[must_use]
    pub fn log_text(&self) -> String {
        let bytes = fs::read(&self.log).unwrap_or_default();
        let start = usize::try_from(self.log_start).unwrap_or(usize::MAX).min(bytes.len());
        String::from_utf8_lossy(bytes.get(start..).unwrap_or_default()).into_owned()
    }

    /// An error with the last lines of the log under it.
    #[must_use]
    pub fn with_log(&self, error: &anyhow::Error) -> anyhow::Error {
        let text = self.log_text();
        let lines: Vec<&str> = text.lines().collect();
        let tail = lines.get(lines.len().saturating_sub(TAIL_LINES)..).unwrap_or_default();
        anyhow!("{error:#}\n--- last lines of {}:\n{}", self.log.display(), tail.join("\n"))
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).with_context(|| format!("cannot signal {}", self.name))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.lifetime == Lifetime::Owned {
            let _ = self.kill9();
        }
    }
}

/// When a process was started, in clock ticks since the system's start; `None` when it has ended.
#[must_use]
pub fn start_time(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the program's name in parentheses and may hold anything.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    // A zombie has ended; only its parent has not asked yet.
    if state == "Z" { None } else { fields.nth(18)?.parse().ok() }
}

fn record(log: &Path, pid: u32) -> Result<()> {
    let started = start_time(pid).ok_or_else(|| anyhow!("process {pid} ended at once"))?;
    Ok(fs::write(log.with_extension(PID_EXTENSION), format!("{pid} {started}\n"))?)
}

fn open_log(path: &Path) -> Result<File> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    let file = File::options().create(true).append(true).open(path);
    file.with_context(|| format!("cannot write the log {}", path.display()))
}

fn command(launch: &Launch, log: File) -> Result<Command> {
    let mut command = match launch.lifetime {
        Lifetime::Owned => dying_with_us(&launch.program),
        Lifetime::Detached => Command::new(&launch.program),
    };
    command.args(&launch.args).envs(launch.env.iter().map(|(key, value)| (key, value)));
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    if launch.lifetime == Lifetime::Detached {
        // Out of the terminal's group, or Ctrl-C there would end it.
        command.process_group(0);
    }
    Ok(command)
}

/// `setpriv` (of util-linux) asks the kernel to kill the program when its parent dies, then
/// becomes the program; the process id stays. Where it is missing, only dropping protects.
fn dying_with_us(program: &Path) -> Command {
    static HAS_SETPRIV: OnceLock<bool> = OnceLock::new();
    let works = HAS_SETPRIV.get_or_init(|| {
        let mut probe = Command::new("setpriv");
        probe.args(["--pdeathsig", "KILL", "--", "true"]);
        probe.output().is_ok_and(|output| output.status.success())
    });
    if !works {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).arg(program);
    command
}

/// The kernel's "parent" is the thread that spawned, and a test's thread ends before others need a
/// shared server. One thread that lasts as long as the process spawns for everybody.
fn spawn(command: Command) -> io::Result<Child> {
    type Order = (Command, mpsc::Sender<io::Result<Child>>);
    static SPAWNER: OnceLock<Mutex<mpsc::Sender<Order>>> = OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| {
        let (sender, orders) = mpsc::channel::<Order>();
        thread::spawn(move || {
            for (mut command, reply) in orders {
                let _ = reply.send(command.spawn());
            }
        });
        Mutex::new(sender)
    });
    let gone = |_| io::Error::other("the thread that starts servers is gone");
    let (reply, answer) = mpsc::channel();
    let sender = spawner.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
    sender.send((command, reply)).map_err(|_| gone(mpsc::RecvError))?;
    answer.recv().map_err(gone)?
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::temp::TempDir;

    fn launch(dir: &TempDir, script: &str) -> Launch {
        Launch {
            name: "a shell".into(),
            program: "sh".into(),
            args: vec!["-c".into(), script.into()],
            env: vec![],
            log: dir.path().join("log"),
            lifetime: Lifetime::Owned,
        }
    }

    fn alive(pid: u32) -> bool {
        Path::new("/proc").join(pid.to_string()).exists()
    }

    #[test]
    fn ends_with_its_owner_even_when_the_starting_thread_is_gone() {
        let dir = TempDir::new("process").unwrap();
        let order = launch(&dir, "echo up; exec sleep 60");
        let started = thread::spawn(move || Server::start(&order).unwrap()).join();
        let mut server = started.unwrap();
        server.wait_for_log("up", Duration::from_secs(5)).unwrap();
        assert!(server.exit_status().unwrap().is_none());
        let pid = server.pid();
        drop(server);
        assert!(!alive(pid));
    }

    #[test]
    fn an_early_end_is_reported_with_the_log() {
        let dir = TempDir::new("process").unwrap();
        let mut server = Server::start(&launch(&dir, "echo no luck; exit 3")).unwrap();
        let error = server.wait_for_log("ready", Duration::from_secs(5)).unwrap_err().to_string();
        assert!(error.contains("exit status: 3") && error.contains("no luck"), "{error}");
    }

    #[test]
    fn terminate_tells_how_it_ended() {
        let dir = TempDir::new("process").unwrap();
        let script = "trap 'exit 7' TERM; echo up; while :; do sleep 0.02; done";
        let mut server = Server::start(&launch(&dir, script)).unwrap();
        server.wait_for_log("up", Duration::from_secs(5)).unwrap();
        let status = server.terminate(Duration::from_secs(5)).unwrap();
        assert_eq!(status.code(), Some(7));
    }
}
