//! Foundry's development node.

use crate::{
    keys::ROLES,
    paths, port,
    process::{Launch, Lifetime, Server},
    rpc::Rpc,
    temp::TempDir,
};
use anyhow::Result;
use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    time::Duration,
};

const START_LIMIT: Duration = Duration::from_secs(60);

/// When blocks are made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mining {
    /// One for every transaction.
    EveryTransaction,
    /// One every so often.
    Every(Duration),
    /// Only when asked ([`Rpc::mine`]).
    Manual,
}

/// How to start the node.
#[derive(Clone, Debug)]
pub struct AnvilOptions {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// When blocks are made.
    pub mining: Mining,
    /// `finalized` is twice this many blocks behind the head, `safe` once.
    pub slots_in_an_epoch: u64,
    /// Timestamp of block 0, Unix seconds; now if `None`. Two nodes with the same one share their
    /// genesis hash.
    pub genesis_timestamp: Option<u64>,
    /// It also answers at this local socket; a short path, as systems allow about 100 characters.
    pub ipc: Option<PathBuf>,
    /// Blocks whose state is kept, in memory; the node's own choice if `None`. Going back further
    /// than that loses contracts.
    pub states_in_memory: Option<u64>,
    /// State is loaded from this file if it exists and written to it at an orderly end.
    pub state: Option<PathBuf>,
    /// The port; a free one if `None`.
    pub port: Option<u16>,
    /// How long it lives.
    pub lifetime: Lifetime,
    /// Where its log goes; with [`Lifetime::Detached`] it must outlast this process.
    pub folder: Option<PathBuf>,
}

impl Default for AnvilOptions {
    fn default() -> Self {
        Self {
            chain_id: 31337,
            mining: Mining::EveryTransaction,
            slots_in_an_epoch: 1,
            genesis_timestamp: None,
            ipc: None,
            states_in_memory: None,
            state: None,
            port: None,
            lifetime: Lifetime::Owned,
            folder: None,
        }
    }
}

/// A running node with the well-known development keys ([`crate::keys`]).
#[derive(Debug)]
pub struct Anvil {
    // Before the folder: the process ends before its files go.
    server: Server,
    options: AnvilOptions,
    port: u16,
    temp: Option<TempDir>,
}

impl Anvil {
    /// Starts a node and waits until it listens.
    ///
    /// # Errors
    /// When it does not start; with the last lines of its log.
    pub fn start(options: AnvilOptions) -> Result<Self> {
        let temp = if options.folder.is_some() { None } else { Some(TempDir::new("anvil")?) };
        let folder = folder(&options, temp.as_ref());
        let run = |port| Ok((run(&options, &folder, port)?, port));
        let (server, port) = match options.port {
            Some(port) => run(port)?,
            None => port::with_free(run)?,
        };
        Ok(Self { server, options, port, temp })
    }

    /// Where it answers: `http://…`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Where it answers: `ws://…`.
    #[must_use]
    pub fn ws_url(&self) -> String {
        format!("ws://127.0.0.1:{}", self.port)
    }

    /// A client for it.
    #[must_use]
    pub fn rpc(&self) -> Rpc {
        Rpc::new(self.url())
    }

    /// The process, to pause, resume, kill or read the log of.
    #[must_use]
    pub fn server(&mut self) -> &mut Server {
        &mut self.server
    }

    /// Ends the node in order, so that it writes its state file.
    ///
    /// # Errors
    /// When it does not end.
    pub fn stop(&mut self) -> Result<()> {
        self.server.terminate(START_LIMIT).map(drop)
    }

    /// Starts it again on the same port: without a state file, from an empty chain.
    ///
    /// # Errors
    /// As for [`Anvil::start`].
    pub fn restart(&mut self) -> Result<()> {
        self.server.kill9()?;
        let folder = folder(&self.options, self.temp.as_ref());
        self.server = run(&self.options, &folder, self.port)?;
        Ok(())
    }
}

fn folder(options: &AnvilOptions, temp: Option<&TempDir>) -> PathBuf {
    let own = temp.map(|dir| dir.path().to_path_buf());
    options.folder.clone().or(own).unwrap_or_default()
}

fn run(options: &AnvilOptions, folder: &Path, port: u16) -> Result<Server> {
    let mut server = Server::start(&Launch {
        name: "anvil".into(),
        program: paths::tool("anvil")?,
        args: arguments(options, folder, port),
        env: vec![],
        log: folder.join("anvil.log"),
        lifetime: options.lifetime,
    })?;
    server.wait_for_log("Listening on ", START_LIMIT)?;
    Ok(server)
}

fn arguments(options: &AnvilOptions, folder: &Path, port: u16) -> Vec<OsString> {
    let mut args: Vec<OsString> = vec![];
    let mut add = |name: &str, value: OsString| args.extend([name.into(), value]);
    add("--host", "127.0.0.1".into());
    add("--port", port.to_string().into());
    add("--chain-id", options.chain_id.to_string().into());
    add("--accounts", ROLES.len().to_string().into());
    add("--slots-in-an-epoch", options.slots_in_an_epoch.to_string().into());
    add("--cache-path", folder.join("cache").into());
    add("--hardfork", "cancun".into());
    if let Some(seconds) = options.genesis_timestamp {
        add("--timestamp", seconds.to_string().into());
    }
    if let Some(ipc) = &options.ipc {
        add("--ipc", ipc.into());
    }
    if let Some(states) = options.states_in_memory {
        add("--prune-history", states.to_string().into());
    }
    if let Some(state) = &options.state {
        add("--state", state.into());
    }
    match options.mining {
        Mining::EveryTransaction => {}
        Mining::Every(time) => add("--block-time", time.as_secs_f64().to_string().into()),
        Mining::Manual => args.push("--no-mining".into()),
    }
    args
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::ROLES;
    use alloy::primitives::Address;
    use serde_json::json;

    #[test]
    fn mines_reorgs_and_funds_the_development_keys() {
        let options = AnvilOptions { chain_id: 1337, ..AnvilOptions::default() };
        let anvil = Anvil::start(options).unwrap();
        let rpc = anvil.rpc();
        assert_eq!(rpc.chain_id().unwrap(), 1337);

        rpc.mine(5).unwrap();
        let before = rpc.block_hash(5).unwrap();
        rpc.reorg(2).unwrap();
        assert_eq!(rpc.block_number().unwrap(), 5);
        assert_ne!(rpc.block_hash(5).unwrap(), before);

        let accounts = rpc.call("eth_accounts", &json!([])).unwrap();
        let expected: Vec<Address> = ROLES.iter().map(|role| role.address().unwrap()).collect();
        assert_eq!(serde_json::from_value::<Vec<Address>>(accounts).unwrap(), expected);
    }

    #[test]
    fn a_state_file_outlives_the_node() {
        let dir = TempDir::new("state").unwrap();
        let state = Some(dir.path().join("state.json"));
        let mut anvil = Anvil::start(AnvilOptions { state, ..AnvilOptions::default() }).unwrap();
        anvil.rpc().mine(3).unwrap();
        anvil.stop().unwrap();
        anvil.restart().unwrap();
        assert_eq!(anvil.rpc().block_number().unwrap(), 3);
    }
}
