//! `.local/stack.json`: what other programs need to know about the running stack.

use crate::{
    contracts::{Deployment, Token},
    keys::{ROLES, Role},
    paths,
    servers::{Anvil, TigerBeetle},
};
use alloy::primitives::{Address, B256};
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::{fs, path::PathBuf};

/// The whole file; a part that does not exist is null.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StackFile {
    /// The node: `http://…`.
    pub rpc_url: String,
    /// The node: `ws://…`.
    pub ws_url: String,
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// The instance number.
    pub instance: u32,
    /// The vault.
    pub vault: Address,
    /// The block that created it.
    pub deploy_block: u64,
    /// What it lists.
    pub tokens: Vec<StackToken>,
    /// The ledger.
    pub tigerbeetle: Ledger,
    /// The daemon's API: `http://…`.
    pub api_url: Option<String>,
    /// The journal mirror's database.
    pub postgres_url: Option<String>,
    /// The node's funded keys.
    pub dev_keys: Vec<StackKey>,
    /// The daemon's process.
    pub daemon: Option<Daemon>,
}

/// A listed token.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StackToken {
    /// Its name for itself.
    pub symbol: String,
    /// Its contract.
    pub address: Address,
    /// Decimal places.
    pub decimals: u8,
    /// Its ledger.
    pub ledger: u32,
    /// Token units in one ledger unit, as a decimal string (it may be wider than 53 bits).
    pub scale_divisor: String,
}

/// The ledger.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Ledger {
    /// The cluster's id, as a decimal string (it may be wider than 53 bits).
    pub cluster_id: String,
    /// All replicas, in order.
    pub addresses: Vec<String>,
}

/// A funded key.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StackKey {
    /// The part it plays.
    pub role: String,
    /// Its address.
    pub address: Address,
    /// The key itself; public knowledge.
    pub private_key: B256,
}

/// The daemon's process.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Daemon {
    /// Process id.
    pub pid: u32,
    /// Its configuration file.
    pub config: PathBuf,
    /// Its log.
    pub log: PathBuf,
    /// Its store.
    pub data_dir: PathBuf,
}

impl StackFile {
    pub(super) fn new(
        deployment: &Deployment,
        anvil: &Anvil,
        ledger: &TigerBeetle,
        daemon: Option<(String, Daemon)>,
    ) -> Result<Self> {
        let (api_url, daemon) = daemon.unzip();
        Ok(Self {
            rpc_url: anvil.url(),
            ws_url: anvil.ws_url(),
            chain_id: deployment.chain_id,
            instance: deployment.instance,
            vault: deployment.vault,
            deploy_block: deployment.deploy_block,
            tokens: deployment.tokens.iter().map(StackToken::from).collect(),
            tigerbeetle: Ledger {
                cluster_id: ledger.cluster_id().to_string(),
                addresses: vec![ledger.address()],
            },
            api_url,
            postgres_url: None,
            dev_keys: ROLES.into_iter().map(StackKey::new).collect::<Result<_>>()?,
            daemon,
        })
    }

    /// Where it is.
    #[must_use]
    pub fn path() -> PathBuf {
        paths::local().join("stack.json")
    }

    /// Reads the file of the running stack.
    ///
    /// # Errors
    /// When no stack is up.
    pub fn read() -> Result<Self> {
        let text = fs::read_to_string(Self::path())
            .context("no .local/stack.json: scripts/stack up starts a local stack")?;
        Ok(serde_json::from_str(&text)?)
    }

    pub(super) fn write(&self) -> Result<()> {
        // Beside it first, so that nobody reads half a file.
        let beside = Self::path().with_extension("json.new");
        fs::write(&beside, serde_json::to_string_pretty(self)? + "\n")?;
        Ok(fs::rename(beside, Self::path())?)
    }
}

impl From<&Token> for StackToken {
    fn from(token: &Token) -> Self {
        Self {
            symbol: token.symbol.clone(),
            address: token.address,
            decimals: token.decimals,
            ledger: token.ledger,
            scale_divisor: token.scale_divisor.to_string(),
        }
    }
}

impl StackKey {
    fn new(role: Role) -> Result<Self> {
        let private_key = role.private_key();
        Ok(Self { role: role.name().to_owned(), address: role.address()?, private_key })
    }
}
