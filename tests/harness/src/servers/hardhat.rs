//! Hardhat's development node: the one that many contract developers run.

use super::{AnvilOptions, Mining};
use crate::{
    keys::ROLES,
    paths, port,
    process::{Launch, Server},
    rpc::Rpc,
    temp::TempDir,
};
use anyhow::{Result, bail};
use serde_json::{Value, json};
use std::{fs, path::Path, time::Duration};

const START_LIMIT: Duration = Duration::from_secs(60);

/// A running node with the well-known development keys ([`crate::keys`]).
#[derive(Debug)]
pub struct Hardhat {
    // Before the folder: the process ends before its files go.
    server: Server,
    port: u16,
    _folder: TempDir,
}

impl Hardhat {
    /// Starts a node and waits until it listens.
    ///
    /// # Errors
    /// When it does not start, with the last lines of its log; when the options ask for what only
    /// Anvil does.
    pub fn start(options: &AnvilOptions) -> Result<Self> {
        let folder = TempDir::new("hardhat")?;
        let config = format!("module.exports = {};\n", configuration(options)?);
        fs::write(folder.path().join("hardhat.config.js"), config)?;
        let (server, port) =
            port::with_free(|port| Ok((run(folder.path(), port, options)?, port)))?;
        let hardhat = Self { server, port, _folder: folder };
        if options.mining == Mining::Manual {
            Rpc::new(hardhat.url()).set_automine(false)?;
        }
        Ok(hardhat)
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

    /// The process, to pause, resume, kill or read the log of.
    #[must_use]
    pub fn server(&mut self) -> &mut Server {
        &mut self.server
    }
}

fn run(folder: &Path, port: u16, options: &AnvilOptions) -> Result<Server> {
    let modules = paths::root().join(".tools/node/node_modules");
    let program = modules.join("hardhat/internal/cli/bootstrap.js");
    if !program.exists() {
        bail!("{} is missing: run scripts/setup first", program.display());
    }
    let config = folder.join("hardhat.config.js");
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let mut server = Server::start(&Launch {
        name: "hardhat".into(),
        program: "node".into(),
        args: vec![
            program.into(),
            "--config".into(),
            config.into(),
            "node".into(),
            "--hostname".into(),
            "127.0.0.1".into(),
            "--port".into(),
            port.to_string().into(),
        ],
        env: vec![
            // Hardhat insists on being found from the folder that it works for.
            ("NODE_PATH".into(), text(&modules)),
            // Its own records; with none of them it would ask about telemetry.
            ("HOME".into(), text(folder)),
            ("XDG_DATA_HOME".into(), text(folder)),
            ("XDG_CONFIG_HOME".into(), text(folder)),
            ("XDG_CACHE_HOME".into(), text(folder)),
            ("HARDHAT_DISABLE_TELEMETRY_PROMPT".into(), "true".into()),
        ],
        log: folder.join("hardhat.log"),
        lifetime: options.lifetime,
    })?;
    server.wait_for_log("Started HTTP and WebSocket", START_LIMIT)?;
    Ok(server)
}

fn configuration(options: &AnvilOptions) -> Result<Value> {
    if options.ipc.is_some() || options.state.is_some() {
        bail!("Hardhat has neither a local socket nor a state file: use Anvil");
    }
    let interval = match options.mining {
        Mining::Every(time) => u64::try_from(time.as_millis())?,
        Mining::EveryTransaction | Mining::Manual => 0,
    };
    let mut network = json!({
        "chainId": options.chain_id,
        "hardfork": "cancun",
        "accounts": {"count": ROLES.len()},
        "mining": {"auto": options.mining == Mining::EveryTransaction, "interval": interval},
    });
    if let Some(seconds) = options.genesis_timestamp {
        network["initialDate"] = json!(format!("@{seconds}"));
    }
    Ok(json!({"solidity": "0.8.37", "networks": {"hardhat": network}}))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy::primitives::Address;

    #[test]
    fn it_mines_and_funds_the_development_keys() {
        let options = AnvilOptions { chain_id: 1337, ..AnvilOptions::default() };
        let hardhat = Hardhat::start(&options).unwrap();
        let rpc = Rpc::new(hardhat.url());
        assert_eq!(rpc.chain_id().unwrap(), 1337);
        rpc.mine(5).unwrap();
        assert_eq!(rpc.block_number().unwrap(), 5);
        let accounts = rpc.call("eth_accounts", &json!([])).unwrap();
        let expected: Vec<Address> = ROLES.iter().map(|role| role.address().unwrap()).collect();
        assert_eq!(serde_json::from_value::<Vec<Address>>(accounts).unwrap(), expected);
    }
}
