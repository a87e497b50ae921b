//! What was found, before anybody judges it.

use crate::chain::{node, vault_now::SignerSet};
use alloy::primitives::Address;
use bridge_core::{
    asset::Listing,
    block::{Header, UnixSeconds},
    id::{Identity, InstanceKey},
};
use serde::Deserialize;
use std::{net::SocketAddr, path::PathBuf};

/// Everything at one time.
#[derive(Clone, Debug)]
pub struct Facts {
    /// This machine's clock, milliseconds since 1970.
    pub now_ms: u64,
    /// Who answers at `api.listen`.
    pub port: Port,
    /// All endpoints, in the order of the configuration.
    pub endpoints: Vec<EndpointFacts>,
    /// The vault, by the first endpoint that has it; `None` if none has.
    pub vault: Option<Result<VaultFacts, String>>,
    /// The ledger.
    pub ledger: LedgerFacts,
    /// The store.
    pub store: StoreFacts,
    /// All keystores of the configuration.
    pub keys: Vec<KeyFacts>,
    /// Signers in processes of their own; why they cannot be asked, if so.
    pub signers: Result<Vec<SignerFacts>, String>,
    /// Bytes of memory that are free for use, the control group's limit considered.
    pub memory_free: Option<u64>,
}

/// Who answers at `api.listen`.
#[derive(Clone, Debug)]
pub enum Port {
    /// Nobody, and it can be had.
    Free,
    /// A daemon; what it says of itself.
    Daemon(Box<DaemonSays>),
    /// A payout signer; whose key it has.
    Signer(Address),
    /// Somebody else.
    Stranger,
    /// Nobody, and it cannot be had; what the system says.
    Unusable(String),
}

/// What a running daemon says, as far as it matters here: `/v1/status`.
#[derive(Clone, Debug, Deserialize)]
pub struct DaemonSays {
    /// True if everything final is in the ledger.
    pub ready: bool,
    /// Why not.
    pub waiting_for: Vec<String>,
    /// Its chain.
    pub chain_id: u64,
    /// Its vault.
    pub vault: Address,
    /// Why it halted.
    pub halted_because: Option<String>,
    /// Every listing it knows.
    pub listings: Vec<Listing>,
}

/// One endpoint.
#[derive(Clone, Debug)]
pub struct EndpointFacts {
    /// Where it is, without its secrets.
    pub url: String,
    /// Time of the first answer, milliseconds.
    pub took_ms: u64,
    /// Who it is, or why it did not say.
    pub identity: Result<node::Facts, String>,
    /// The newest block.
    pub latest: Option<Header>,
    /// The newest final block, or why there is none.
    pub final_head: Result<Header, String>,
    /// True while it says that it is still syncing.
    pub is_syncing: bool,
    /// Whether the vault had code in the block before `chain.deploy_block`, and in it; `None` where it
    /// keeps no old state.
    pub vault_before: Option<bool>,
    /// See `vault_before`.
    pub vault_created: Option<bool>,
}

/// The vault, as one endpoint shows it now.
#[derive(Clone, Debug)]
pub struct VaultFacts {
    /// What names of store and ledger are derived from.
    pub identity: Identity,
    /// Nothing is deposited before.
    pub deposits_paused_until: UnixSeconds,
    /// Nothing is paid before.
    pub payouts_paused_until: UnixSeconds,
    /// The payout signers.
    pub signers: SignerSet,
    /// The token whose ledger is `ledger.clearing_ledger`.
    pub clearing_token: Option<Address>,
    /// All listings; `None` where they cannot be had from here.
    pub listings: Option<Vec<Listing>>,
    /// The pauser's key and whether it may pause.
    pub pauser_has_role: Option<bool>,
    /// The pauser's ether, wei.
    pub pauser_balance: Option<u128>,
    /// The submitter's ether, wei.
    pub submitter_balance: Option<u128>,
    /// Base fee of the next block, wei.
    pub base_fee: u128,
}

/// The ledger.
#[derive(Clone, Debug)]
pub struct LedgerFacts {
    /// All replicas, and whether they accept connections.
    pub replicas: Vec<(SocketAddr, bool)>,
    /// Time of the first answer, milliseconds; or why there is none.
    pub answer: Result<u64, String>,
    /// Accounts that should exist; empty where nobody answers, or the vault is not known.
    pub accounts: Vec<AccountFacts>,
    /// Time of its newest transfer, nanoseconds since 1970; `None` without one.
    pub newest_ns: Option<u64>,
}

/// One account that should exist.
#[derive(Clone, Debug)]
pub struct AccountFacts {
    /// Its name.
    pub name: String,
    /// How it stands.
    pub standing: Standing,
    /// What it is for.
    pub part: Part,
}

/// What an account is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Says whose the instance number is.
    Instance,
    /// Says which token a ledger number belongs to.
    Registry,
    /// Part of a chart.
    Chart,
}

/// How an account stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// As it must be.
    AsItMust,
    /// It does not exist.
    Missing,
    /// It exists and says something else.
    Differs,
}

/// The store's folder.
#[derive(Clone, Debug)]
pub struct StoreFacts {
    /// Where.
    pub folder: PathBuf,
    /// True if it exists.
    pub exists: bool,
    /// Why it, or the folder that it would be created in, cannot be written.
    pub not_writable: Option<String>,
    /// The process that has it.
    pub holder: Option<u32>,
    /// What a copy of it says; `None` where it is in use, absent or a signer's.
    pub content: Option<Content>,
    /// Bytes free on its disk.
    pub bytes_free: Option<u64>,
    /// Files that can still be made there; `None` where the file system has no limit.
    pub files_free: Option<u64>,
}

/// What a store says.
#[derive(Clone, Debug)]
pub enum Content {
    /// It can be read.
    Readable {
        /// Whose it is; `None` before the first checkpoint.
        key: Option<InstanceKey>,
        /// Why the bridge halted.
        halted: Option<String>,
    },
    /// A newer program wrote it.
    Newer(String),
    /// It is damaged.
    Damaged(String),
    /// It could not be copied or is too large to be.
    Unread(String),
}

/// One keystore of the configuration.
#[derive(Clone, Debug)]
pub struct KeyFacts {
    /// The key of the configuration, such as `payouts.submitter_keystore`.
    pub field: String,
    /// What it is for.
    pub role: KeyRole,
    /// The keystore's path.
    pub path: PathBuf,
    /// Files of it that other users of the machine may read, with their modes.
    pub open_to_all: Vec<(PathBuf, u32)>,
    /// Whose key it is, or why it does not open.
    pub address: Result<Address, String>,
    /// True if everybody knows the key.
    pub is_well_known: bool,
}

/// What a key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyRole {
    /// Signs payouts.
    Signer,
    /// Pays for gas.
    Submitter,
    /// Pauses payouts.
    Pauser,
}

/// A payout signer in another process.
#[derive(Clone, Debug)]
pub struct SignerFacts {
    /// Where it is.
    pub url: String,
    /// What it says; why it does not answer.
    pub answer: Result<SignerSays, String>,
}

/// What a payout signer says.
#[derive(Clone, Debug)]
pub struct SignerSays {
    /// Whose key it has.
    pub address: Address,
    /// Why it is not ready.
    pub not_ready: Option<String>,
    /// True if it takes our token.
    pub takes_token: bool,
}
