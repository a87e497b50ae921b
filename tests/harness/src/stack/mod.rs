//! The local stack: the same servers as in tests, but they stay up until told otherwise.

mod file;
mod pids;

use crate::{
    config::{DaemonConfig, Parts},
    contracts::{DeployOptions, Deployment, deploy},
    keys::{Role, SIGNERS},
    paths, port,
    process::Lifetime,
    rpc::Rpc,
    servers::{Anvil, AnvilOptions, Mining, Sovrd, TigerBeetle, TigerBeetleOptions},
};
use anyhow::{Context, Result, bail};
use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

pub use file::{Daemon, Ledger, StackFile, StackKey, StackToken};

const READY_LIMIT: Duration = Duration::from_secs(60);

/// How to bring the stack up.
#[derive(Clone, Debug)]
pub struct UpOptions {
    /// The daemon's program; without it everything but the daemon is started.
    pub sovrd: Option<PathBuf>,
    /// When the node makes blocks.
    pub mining: Mining,
}

/// Starts everything, writes `.local/stack.json` and returns what it says.
///
/// # Errors
/// When a stack is up already, or a part does not start; then nothing is left running.
pub fn up(options: &UpOptions) -> Result<StackFile> {
    if pids::recorded(&folder())?.iter().any(pids::Recorded::runs) {
        bail!(
            "a local stack is up already: scripts/stack status shows it, scripts/stack down ends it"
        );
    }
    remove_files()?;
    let started = start(options);
    if started.is_err() {
        down().context("ending what had been started")?;
    }
    started
}

/// Ends everything and removes its files; fine when nothing runs.
///
/// # Errors
/// When a process does not end.
pub fn down() -> Result<()> {
    let mut recorded = pids::recorded(&folder())?;
    // The daemon first: it shall not see the others vanish.
    recorded.sort_by_key(|process| process.name != "sovrd");
    for process in &recorded {
        process.end()?;
    }
    remove_files()
}

/// One line for each part, and whether all of them run.
///
/// # Errors
/// When the stack's files cannot be read.
pub fn status() -> Result<(Vec<String>, bool)> {
    let recorded = pids::recorded(&folder())?;
    let Ok(file) = StackFile::read() else {
        return Ok((vec!["no local stack: scripts/stack up starts one".into()], false));
    };
    let mut lines: Vec<String> = recorded.iter().map(pids::Recorded::describe).collect();
    let mut all = recorded.iter().all(pids::Recorded::runs);
    match Rpc::new(&file.rpc_url).block_number() {
        Ok(number) => lines.push(format!("chain        block {number} at {}", file.rpc_url)),
        Err(error) => {
            all = false;
            lines.push(format!("chain        {error:#}"));
        }
    }
    if let Some(url) = &file.api_url {
        let answer = crate::http::get(&format!("{url}/ready"), Duration::from_secs(5));
        let ready = answer.as_ref().is_ok_and(|answer| answer.status == 200);
        all &= ready;
        lines.push(format!("api          {} at {url}", if ready { "ready" } else { "not ready" }));
    }
    Ok((lines, all))
}

fn folder() -> PathBuf {
    paths::local().join("stack")
}

fn remove_files() -> Result<()> {
    let gone = |result: io::Result<()>| match result {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    };
    gone(fs::remove_file(StackFile::path())).context("cannot remove stack.json")?;
    gone(fs::remove_dir_all(folder())).context("cannot remove the stack's folder")
}

fn start(options: &UpOptions) -> Result<StackFile> {
    let folder = folder();
    let ledger = TigerBeetle::start(TigerBeetleOptions {
        lifetime: Lifetime::Detached,
        folder: Some(folder.join("tigerbeetle")),
        ..TigerBeetleOptions::default()
    })?;
    let anvil = Anvil::start(AnvilOptions {
        mining: options.mining,
        lifetime: Lifetime::Detached,
        folder: Some(folder.join("anvil")),
        ..AnvilOptions::default()
    })?;
    let deployment = deploy(&anvil.rpc(), &DeployOptions::two_of_three()?)?;
    let daemon = match &options.sovrd {
        Some(binary) => Some(start_daemon(binary, &folder, &deployment, &anvil, &ledger)?),
        None => None,
    };
    let file = StackFile::new(&deployment, &anvil, &ledger, daemon)?;
    file.write()?;
    Ok(file)
}

fn start_daemon(
    binary: &Path,
    folder: &Path,
    deployment: &Deployment,
    anvil: &Anvil,
    ledger: &TigerBeetle,
) -> Result<(String, Daemon)> {
    let folder = folder.join("sovrd");
    fs::create_dir_all(&folder)?;
    let mut config = DaemonConfig::development(Parts {
        deployment,
        rpc_url: &anvil.url(),
        ws_url: Some(&anvil.ws_url()),
        cluster_id: ledger.cluster_id(),
        ledger_addresses: &[ledger.address()],
        api_port: port::free()?,
        folder: &folder,
    })?;
    for role in SIGNERS {
        start_signer(binary, &folder, &mut config, role)?;
    }
    let path = folder.join("sovrd.toml");
    config.write(&path)?;
    let log = folder.join("sovrd.log");
    let mut sovrd = Sovrd::start_detached(binary, &path, &config.api_url(), &log)?;
    sovrd.wait_ready(READY_LIMIT)?;
    let daemon =
        Daemon { pid: sovrd.pid(), config: path, log, data_dir: config.store.path.clone() };
    Ok((config.api_url(), daemon))
}

fn start_signer(binary: &Path, folder: &Path, daemon: &mut DaemonConfig, role: Role) -> Result<()> {
    let folder = folder.with_file_name(role.name());
    let config = daemon.add_signer(role, &folder)?;
    let (path, log) = (folder.join("signer.toml"), folder.join(format!("{}.log", role.name())));
    config.write(&path)?;
    let url = config.api_url();
    Sovrd::start_signer(binary, &path, &url, &log, Lifetime::Detached)?.wait_ready(READY_LIMIT)
}
