//! The bridge's daemon, as people run it.

use crate::{
    http::{self, Response},
    process::{Launch, Lifetime, Server},
    wait,
};
use anyhow::{Result, bail};
use std::{
    path::{Path, PathBuf},
    process::ExitStatus,
    time::Duration,
};

const REPLY_LIMIT: Duration = Duration::from_secs(10);

/// A running daemon.
#[derive(Debug)]
pub struct Sovrd {
    server: Server,
    launch: Launch,
    api_url: String,
}

impl Sovrd {
    /// Starts `binary run --config <config>`; returns before it is ready.
    ///
    /// `api_url` is where the configuration makes it listen. The log is appended to `log`.
    ///
    /// # Errors
    /// When the program cannot be run.
    pub fn start(binary: &Path, config: &Path, api_url: &str, log: &Path) -> Result<Self> {
        Self::start_with(launch(binary, config, log, Lifetime::Owned), api_url)
    }

    /// Starts the daemon of the local stack, which goes on when this process ends.
    ///
    /// # Errors
    /// When the program cannot be run.
    pub fn start_detached(binary: &Path, config: &Path, api_url: &str, log: &Path) -> Result<Self> {
        Self::start_with(launch(binary, config, log, Lifetime::Detached), api_url)
    }

    /// Starts a payout signer: `binary sign --config <config>`; returns before it is ready.
    ///
    /// # Errors
    /// When the program cannot be run.
    pub fn start_signer(
        binary: &Path,
        config: &Path,
        api_url: &str,
        log: &Path,
        lifetime: Lifetime,
    ) -> Result<Self> {
        let args = vec!["sign".into(), "--config".into(), config.into()];
        let name = log.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let launch = Launch { name, args, ..launch(binary, config, log, lifetime) };
        Self::start_with(launch, api_url)
    }

    /// Starts the daemon with arguments or variables of your own.
    ///
    /// # Errors
    /// When the program cannot be run.
    pub fn start_with(launch: Launch, api_url: &str) -> Result<Self> {
        let server = Server::start(&launch)?;
        Ok(Self { server, launch, api_url: api_url.to_owned() })
    }

    /// Waits until `GET /ready` answers 200.
    ///
    /// # Errors
    /// When it ends before, or is not ready within `limit`; with its last answer and the last
    /// lines of its log.
    pub fn wait_ready(&mut self, limit: Duration) -> Result<()> {
        let mut last = "no answer yet".to_owned();
        let waited = wait::until("sovrd to be ready", limit, || {
            if let Some(status) = self.server.exit_status()? {
                bail!("sovrd ended before it was ready: {status}");
            }
            match self.get("/ready") {
                Ok(answer) if answer.status == 200 => return Ok(Some(())),
                Ok(answer) => last = format!("{}: {}", answer.status, answer.body),
                Err(error) => last = format!("{error:#}"),
            }
            Ok(None)
        });
        waited.map_err(|error| {
            self.server.with_log(&error.context(format!("last answer of /ready: {last}")))
        })
    }

    /// Asks the daemon's API; `path` starts with a slash.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn get(&self, path: &str) -> Result<Response> {
        http::get(&format!("{}{path}", self.api_url), REPLY_LIMIT)
    }

    /// Where its API answers: `http://…`.
    #[must_use]
    pub fn api_url(&self) -> &str {
        &self.api_url
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.server.pid()
    }

    /// SIGKILL; returns when it is gone.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn kill9(&mut self) -> Result<()> {
        self.server.kill9()
    }

    /// SIGTERM, then waits for its end.
    ///
    /// # Errors
    /// When it still runs after `limit`; with the last lines of its log.
    pub fn terminate(&mut self, limit: Duration) -> Result<ExitStatus> {
        self.server.terminate(limit)
    }

    /// Waits until it has ended by itself, for example with 65 after a halt.
    ///
    /// # Errors
    /// When it still runs after `limit`; with the last lines of its log.
    pub fn wait_exit(&mut self, limit: Duration) -> Result<ExitStatus> {
        self.server.wait_exit(limit)
    }

    /// Kills it if it runs and starts it again with the same configuration.
    ///
    /// # Errors
    /// When the program cannot be run.
    pub fn restart(&mut self) -> Result<()> {
        self.server.kill9()?;
        self.server = Server::start(&self.launch)?;
        Ok(())
    }

    /// Its program.
    #[must_use]
    pub fn program(&self) -> &Path {
        &self.launch.program
    }

    /// Its log, all runs together.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.launch.log.clone()
    }

    /// The process, to pause and resume it.
    #[must_use]
    pub fn server(&mut self) -> &mut Server {
        &mut self.server
    }
}

fn launch(binary: &Path, config: &Path, log: &Path, lifetime: Lifetime) -> Launch {
    Launch {
        name: "sovrd".into(),
        program: binary.to_path_buf(),
        args: vec!["run".into(), "--config".into(), config.into()],
        env: vec![],
        log: log.to_path_buf(),
        lifetime,
    }
}
