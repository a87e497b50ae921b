//! A single replica of the ledger.

use crate::{
    paths, port,
    process::{Launch, Lifetime, Server},
    temp::TempDir,
};
use anyhow::{Result, bail};
use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

const START_LIMIT: Duration = Duration::from_secs(120);

/// How much memory the server takes and how many clients it bears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// `--development`: 1.4 GB of memory, 8 clients, batches of 253.
    Development,
    /// 3.1 GB of memory, 32 clients, batches of 8189.
    Full,
}

/// How to start the ledger.
#[derive(Clone, Debug)]
pub struct TigerBeetleOptions {
    /// The cluster's id.
    pub cluster_id: u128,
    /// Memory and clients.
    pub size: Size,
    /// The port; a free one if `None`.
    pub port: Option<u16>,
    /// How long it lives.
    pub lifetime: Lifetime,
    /// Where data file and log go; a temporary folder if `None`.
    pub folder: Option<PathBuf>,
}

impl Default for TigerBeetleOptions {
    fn default() -> Self {
        Self {
            cluster_id: 0,
            size: Size::Development,
            port: None,
            lifetime: Lifetime::Owned,
            folder: None,
        }
    }
}

/// A running ledger of one replica.
#[derive(Debug)]
pub struct TigerBeetle {
    // Before the folder: the process ends before its files go.
    server: Server,
    options: TigerBeetleOptions,
    port: u16,
    folder: PathBuf,
    _temp: Option<TempDir>,
}

impl TigerBeetle {
    /// Formats a data file unless the folder holds one, starts the server and waits until it
    /// listens.
    ///
    /// # Errors
    /// When it does not start; with the last lines of its log.
    pub fn start(options: TigerBeetleOptions) -> Result<Self> {
        let temp = if options.folder.is_some() { None } else { Some(TempDir::new("tigerbeetle")?) };
        let own = temp.as_ref().map(|dir| dir.path().to_path_buf());
        let folder = options.folder.clone().or(own).unwrap_or_default();
        if !data_file(&folder).exists() {
            format(&options, &folder)?;
        }
        let run = |port| Ok((run(&options, &folder, port)?, port));
        let (server, port) = match options.port {
            Some(port) => run(port)?,
            None => port::with_free(run)?,
        };
        Ok(Self { server, options, port, folder, _temp: temp })
    }

    /// `127.0.0.1:port`.
    #[must_use]
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The cluster's id.
    #[must_use]
    pub fn cluster_id(&self) -> u128 {
        self.options.cluster_id
    }

    /// The process, to pause, resume or kill it or read its log.
    #[must_use]
    pub fn server(&mut self) -> &mut Server {
        &mut self.server
    }

    /// The data file: copy it while the server is down to restore an older state later.
    #[must_use]
    pub fn data_file(&self) -> PathBuf {
        data_file(&self.folder)
    }

    /// Kills the server if it runs and starts it again on the same port and data file.
    ///
    /// # Errors
    /// As for [`TigerBeetle::start`].
    pub fn restart(&mut self) -> Result<()> {
        self.server.kill9()?;
        self.server = run(&self.options, &self.folder, self.port)?;
        Ok(())
    }
}

fn data_file(folder: &Path) -> PathBuf {
    folder.join("0.tigerbeetle")
}

fn format(options: &TigerBeetleOptions, folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder)?;
    let mut command = Command::new(paths::tool("tigerbeetle")?);
    command.arg("format").arg(format!("--cluster={}", options.cluster_id));
    command.args(["--replica=0", "--replica-count=1"]).args(development(options));
    let output = command.arg(data_file(folder)).output()?;
    if !output.status.success() {
        let reason = String::from_utf8_lossy(&output.stderr);
        bail!("tigerbeetle cannot format a data file in {}:\n{reason}", folder.display());
    }
    Ok(())
}

fn run(options: &TigerBeetleOptions, folder: &Path, port: u16) -> Result<Server> {
    let mut args: Vec<OsString> =
        vec!["start".into(), format!("--addresses=127.0.0.1:{port}").into()];
    args.extend(development(options).map(OsString::from));
    args.push(data_file(folder).into());
    let mut server = Server::start(&Launch {
        name: "tigerbeetle".into(),
        program: paths::tool("tigerbeetle")?,
        args,
        env: vec![],
        log: folder.join("tigerbeetle.log"),
        lifetime: options.lifetime,
    })?;
    server.wait_for_log("listening on ", START_LIMIT)?;
    Ok(server)
}

fn development(options: &TigerBeetleOptions) -> Option<&'static str> {
    (options.size == Size::Development).then_some("--development")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{net::TcpStream, thread};

    #[test]
    fn survives_a_kill_on_the_same_port() {
        let mut ledger = TigerBeetle::start(TigerBeetleOptions::default()).unwrap();
        let address = ledger.address();
        TcpStream::connect(&address).unwrap();
        ledger.server().kill9().unwrap();
        assert!(TcpStream::connect(&address).is_err());
        ledger.restart().unwrap();
        assert_eq!(ledger.address(), address);
        TcpStream::connect(&address).unwrap();
    }

    #[test]
    fn ends_and_cleans_up_when_its_owner_panics() {
        let panicked = thread::spawn(|| {
            let mut ledger = TigerBeetle::start(TigerBeetleOptions::default()).unwrap();
            let pid = ledger.server().pid();
            std::panic::panic_any((pid, ledger.data_file()));
        })
        .join();
        let (pid, data) = *panicked.unwrap_err().downcast::<(u32, PathBuf)>().unwrap();
        assert!(!Path::new(&format!("/proc/{pid}")).exists());
        assert!(!data.exists());
    }
}
