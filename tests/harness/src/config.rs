//! The daemon's configuration file.

use crate::{
    contracts::Deployment,
    keys::{Role, write_keystore},
    port,
};
use alloy::primitives::{Address, B256};
use anyhow::{Context, Result};
use serde::Serialize;
use std::{
    fs,
    path::{Path, PathBuf},
};

const PASSWORD: &str = "development";
/// What signers ask for.
pub const TOKEN: &str = "development-token-of-all-local-signers";

/// All of it; `write` makes the file.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)] // The keys are explained where the daemon reads them.
pub struct DaemonConfig {
    pub chain: Chain,
    pub ledger: Ledger,
    pub store: Store,
    pub reserves: Reserves,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payouts: Option<Payouts>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signer: Option<Signer>,
    pub api: Api,
    pub log: Log,
}

/// `[chain]`
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct Chain {
    pub rpc_url: String,
    pub fallback_urls: Vec<String>,
    pub quorum: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ws_url: Option<String>,
    pub chain_id: u64,
    pub vault: Address,
    pub vault_code_hash: B256,
    pub deploy_block: u64,
    pub finality: String,
    pub confirmations: u64,
    pub poll_interval_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rpc_timeout_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lag_max_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub set_aside_max_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer_bytes_max: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub range_blocks_max: Option<u64>,
}

/// `[ledger]`
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct Ledger {
    pub cluster_id: String,
    pub addresses: Vec<String>,
    pub clearing_ledger: u32,
    pub reply_timeout_ms: u64,
}

/// `[store]`
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct Store {
    pub path: PathBuf,
}

/// `[reserves]`
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct Reserves {
    pub interval_ms: u64,
    pub breaks_max: u32,
}

/// `[payouts]`
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct Payouts {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signer_keystore: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signer_password_file: Option<PathBuf>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub signer_urls: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signer_token_file: Option<PathBuf>,
    pub submitter_keystore: PathBuf,
    pub submitter_password_file: PathBuf,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pauser_keystore: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pauser_password_file: Option<PathBuf>,
}

/// `[signer]`
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct Signer {
    pub keystore: PathBuf,
    pub password_file: PathBuf,
    pub token_file: PathBuf,
}

/// `[api]`
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct Api {
    pub listen: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cors_origins: Vec<String>,
}

/// `[log]`
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct Log {
    pub format: String,
}

/// What a development configuration is made of.
#[derive(Clone, Copy, Debug)]
pub struct Parts<'a> {
    /// The vault.
    pub deployment: &'a Deployment,
    /// The node: `http://…`.
    pub rpc_url: &'a str,
    /// The node's wake-ups: `ws://…`.
    pub ws_url: Option<&'a str>,
    /// The ledger's cluster id.
    pub cluster_id: u128,
    /// The ledger's replicas, in order.
    pub ledger_addresses: &'a [String],
    /// Where the API shall listen.
    pub api_port: u16,
    /// Gets keystores and the store.
    pub folder: &'a Path,
}

impl DaemonConfig {
    /// A configuration for development: one confirmation, quick polls, keystores made of the
    /// development keys. Change fields as you like before [`DaemonConfig::write`].
    ///
    /// # Errors
    /// When the folder or the keystores cannot be written.
    pub fn development(parts: Parts<'_>) -> Result<Self> {
        let Parts { deployment, folder, .. } = parts;
        let payouts = keystores(&folder.join("keys"))?;
        Ok(Self {
            chain: Chain {
                rpc_url: parts.rpc_url.to_owned(),
                fallback_urls: vec![],
                quorum: 1,
                ws_url: parts.ws_url.map(str::to_owned),
                chain_id: deployment.chain_id,
                vault: deployment.vault,
                vault_code_hash: deployment.vault_code_hash,
                deploy_block: deployment.deploy_block,
                finality: "confirmations".into(),
                confirmations: 1,
                poll_interval_ms: 200,
                rpc_timeout_ms: None,
                lag_max_ms: None,
                set_aside_max_ms: None,
                answer_bytes_max: None,
                range_blocks_max: None,
            },
            ledger: Ledger {
                cluster_id: parts.cluster_id.to_string(),
                addresses: parts.ledger_addresses.to_vec(),
                clearing_ledger: 1002,
                reply_timeout_ms: 10_000,
            },
            store: Store { path: folder.join("store") },
            reserves: Reserves { interval_ms: 200, breaks_max: 3 },
            payouts: Some(payouts),
            signer: None,
            api: Api { listen: format!("127.0.0.1:{}", parts.api_port), cors_origins: Vec::new() },
            log: Log { format: "human".into() },
        })
    }

    /// The configuration of a signer beside this daemon, which asks it from now on: its own folder,
    /// its own port.
    ///
    /// # Errors
    /// When the folder or the keystore cannot be written.
    pub fn add_signer(&mut self, role: Role, folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let (password, token) = (folder.join("password"), folder.join("token"));
        fs::write(&password, PASSWORD)?;
        fs::write(&token, TOKEN)?;
        let keystore = write_keystore(folder, "signer.json", role.private_key(), PASSWORD)?;
        let mut signer = self.clone();
        signer.payouts = None;
        signer.chain.ws_url = None;
        signer.store.path = folder.join("signed");
        signer.api.listen = format!("127.0.0.1:{}", port::free()?);
        signer.signer =
            Some(Signer { keystore, password_file: password, token_file: token.clone() });
        let payouts = self.payouts.as_mut().context("this daemon pays nobody")?;
        payouts.signer_keystore = None;
        payouts.signer_password_file = None;
        payouts.signer_urls.push(signer.api_url());
        payouts.signer_token_file = Some(token);
        Ok(signer)
    }

    /// The file's text.
    ///
    /// # Errors
    /// When a path is not text.
    pub fn render(&self) -> Result<String> {
        Ok(toml::to_string(self)?)
    }

    /// Writes the file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        fs::write(path, self.render()?).with_context(|| format!("cannot write {}", path.display()))
    }

    /// Where the API answers: `http://…`.
    #[must_use]
    pub fn api_url(&self) -> String {
        format!("http://{}", self.api.listen)
    }
}

fn keystores(folder: &Path) -> Result<Payouts> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let password = folder.join("password");
    fs::write(&password, PASSWORD)?;
    let store = |role: Role| {
        write_keystore(folder, &format!("{}.json", role.name()), role.private_key(), PASSWORD)
    };
    Ok(Payouts {
        signer_keystore: Some(store(Role::PayoutSigner)?),
        signer_password_file: Some(password.clone()),
        signer_urls: Vec::new(),
        signer_token_file: None,
        submitter_keystore: store(Role::Submitter)?,
        submitter_password_file: password.clone(),
        pauser_keystore: Some(store(Role::Pauser)?),
        pauser_password_file: Some(password),
    })
}
