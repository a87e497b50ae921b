//! File and environment become a validated [`Config`]; all faults are told at once, nothing is opened.

mod endpoint;
mod fields;
mod sections;

pub use endpoint::Endpoint;

use crate::exit::Failure;
use alloy::primitives::{Address, B256};
use bridge_core::{
    asset::LedgerId,
    block::{BlockNumber, FinalityPolicy},
    gasless::GaslessConfig,
};
use fields::{Faults, Section};
use sections::TransposeAll;
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};
use toml::Table;

/// Everything the daemon is told.
#[derive(Clone, Debug)]
pub struct Config {
    /// `[chain]`
    pub chain: Chain,
    /// `[ledger]`
    pub ledger: Ledger,
    /// `[store] path`: folder of the local store.
    pub store: PathBuf,
    /// `[payouts]`; `None` if the daemon only follows.
    pub payouts: Option<Payouts>,
    /// `[signer]`, for `sovrd sign` only.
    pub signer: Option<Signer>,
    /// `[reserves]`
    pub reserves: Reserves,
    /// `[gasless]`
    pub gasless: GaslessConfig,
    /// `[api] listen`
    pub listen: SocketAddr,
    /// `[api] cors_origins`: web pages that may read the API; `*` for all.
    pub cors_origins: Vec<String>,
    /// `[log]`
    pub log: Log,
}

/// `[chain]`
#[derive(Clone, Debug)]
pub struct Chain {
    /// The nodes' JSON-RPC, the one first that is asked first.
    pub endpoints: Vec<Endpoint>,
    /// How many endpoints must say the same; 1 means that the first in good standing is believed.
    pub quorum: u8,
    /// Time within which an endpoint must reach a final block that another told of, milliseconds.
    pub lag_max_ms: u64,
    /// Longest time for which an endpoint is set aside, milliseconds.
    pub set_aside_max_ms: u64,
    /// Longest answer that is read, bytes.
    pub answer_bytes_max: usize,
    /// WebSocket for wake-ups.
    pub ws_url: Option<Endpoint>,
    /// EIP-155 chain id that the node must have.
    pub chain_id: u64,
    /// The vault.
    pub vault: Address,
    /// Keccak-256 of the vault's runtime code.
    pub vault_code_hash: B256,
    /// The block that created the vault.
    pub deploy_block: BlockNumber,
    /// When a block is final.
    pub finality: FinalityPolicy,
    /// Pause between two polls, milliseconds.
    pub poll_interval_ms: u64,
    /// Longest wait for one answer, milliseconds.
    pub rpc_timeout_ms: u64,
    /// Most blocks in one request for logs.
    pub range_blocks_max: u64,
    /// How often a contradiction must repeat before the bridge halts.
    pub suspicions_max: u32,
}

/// `[ledger]`
#[derive(Clone, Debug)]
pub struct Ledger {
    /// TigerBeetle's cluster id.
    pub cluster_id: u128,
    /// All replicas, in order.
    pub addresses: Vec<SocketAddr>,
    /// Carries the specification's chart of accounts.
    pub clearing: LedgerId,
    /// Longest wait for one answer, milliseconds; after it the outcome is unknown.
    pub reply_timeout_ms: u64,
    /// Longest wait for the first answer at the start, milliseconds.
    pub start_timeout_ms: u64,
    /// Most events in one request.
    pub batch_max: usize,
}

/// `[reserves]`
#[derive(Clone, Copy, Debug)]
pub struct Reserves {
    /// Pause between two proofs, milliseconds.
    pub interval_ms: u64,
    /// Final blocks at which a token must break before the bridge halts.
    pub breaks_max: u32,
}

/// `[payouts]`
#[derive(Clone, Debug)]
pub struct Payouts {
    /// Key that authorises payouts and refusals in this process; `None` where only others do.
    pub signer: Option<Keystore>,
    /// Where signers in processes of their own answer.
    pub signer_urls: Vec<Endpoint>,
    /// A file whose first line is the token that they ask for.
    pub signer_token_file: Option<PathBuf>,
    /// Key that pays for gas.
    pub submitter: Keystore,
    /// Key that pauses payouts on chain when the bridge halts; `None` to leave that to people.
    pub pauser: Option<Keystore>,
    /// Most wei for one unit of gas.
    pub fee_cap: u128,
    /// Least tip, wei for one unit of gas.
    pub priority_fee: u128,
    /// A submitter's balance below this is an alarm, wei.
    pub low_balance: u128,
    /// Gas limit of one payout or refusal.
    pub gas_limit: u64,
    /// Transactions that may wait for a block at the same time.
    pub in_flight_max: usize,
    /// Time without inclusion after which the same bytes are sent again, milliseconds.
    pub rebroadcast_ms: u64,
    /// Time without inclusion after which fees are raised, milliseconds.
    pub replace_ms: u64,
}

/// `[signer]`
#[derive(Clone, Debug)]
pub struct Signer {
    /// Key that authorises payouts and refusals.
    pub key: Keystore,
    /// A file whose first line is the token that whoever asks has to show.
    pub token_file: PathBuf,
}

/// A V3 keystore and the file that holds its password.
#[derive(Clone, Debug)]
pub struct Keystore {
    /// The encrypted key.
    pub path: PathBuf,
    /// A file whose first line is the password.
    pub password_file: PathBuf,
}

/// `[log]`
#[derive(Clone, Debug)]
pub struct Log {
    /// JSON lines instead of lines for people.
    pub json: bool,
    /// `error`, `warn`, `info`, `debug` or `trace`, or a filter such as `sovrd=debug`.
    pub level: String,
}

impl Config {
    /// Reads and checks a file; environment variables `SOVR_<SECTION>_<KEY>` win over it.
    ///
    /// # Errors
    /// All faults together, each with its key and what would be right.
    pub fn load(path: &Path) -> Result<Self, Failure> {
        let fail = |problem: String| {
            Failure::configuration(format!("configuration {}:\n  {problem}", path.display()))
        };
        let text = std::fs::read_to_string(path).map_err(|e| fail(e.to_string()))?;
        Self::parse(&text).map_err(|faults| fail(faults.join("\n  ")))
    }

    /// Checks the text of a file.
    ///
    /// # Errors
    /// All faults together.
    pub fn parse(text: &str) -> Result<Self, Vec<String>> {
        let mut file: Table = text.parse().map_err(|e| vec![not_toml(text, &e)])?;
        let mut faults = Faults::default();
        let chain = sections::chain(&mut file, &mut faults);
        let ledger = sections::ledger(&mut file, &mut faults);
        let mut section = Section::take(&mut file, "store", &mut faults);
        let store = section.required("path", "a folder for the local store");
        section.finish();
        let reserves = sections::reserves(&mut file, &mut faults);
        let gasless = sections::gasless(&mut file, &mut faults);
        let has_payouts = Section::is_given(&file, "payouts");
        let payouts = has_payouts.then(|| sections::payouts(&mut file, &mut faults));
        let has_signer = Section::is_given(&file, "signer");
        let signer = has_signer.then(|| sections::signer(&mut file, &mut faults));
        let mut section = Section::take(&mut file, "api", &mut faults);
        let listen = section.required("listen", "an address and port such as 127.0.0.1:8080");
        let cors_origins = sections::origins(&mut section);
        section.finish();
        let log = sections::log(&mut file, &mut faults);
        for key in file.keys() {
            let known = "chain, ledger, store, reserves, gasless, payouts, signer, api, log";
            faults.add(key, format_args!("unknown section; there are {known}"));
        }
        faults.add_strange_variables();
        let faults = faults.into_list();
        let whole = || {
            Some(Self {
                chain: chain?,
                ledger: ledger?,
                store: store?,
                payouts: payouts.transpose_all()?,
                signer: signer.transpose_all()?,
                reserves: reserves?,
                gasless: gasless?,
                listen: listen?,
                cors_origins,
                log: log?,
            })
        };
        if faults.is_empty() { whole().ok_or(faults) } else { Err(faults) }
    }
}

/// Where a file is no TOML and why; never the line itself, which may hold a secret.
fn not_toml(text: &str, error: &toml::de::Error) -> String {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    let line = before.lines().count().max(1);
    format!("line {line}: {}", error.message())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
        [chain]
        rpc_url = "http://127.0.0.1:8545"
        chain_id = 31337
        vault = "0x00000000000000000000000000000000000000aa"
        vault_code_hash = "0x1111111111111111111111111111111111111111111111111111111111111111"
        deploy_block = 3
        confirmations = 1
        [ledger]
        cluster_id = "0"
        addresses = ["127.0.0.1:3000"]
        clearing_ledger = 1002
        [store]
        path = "data"
        [api]
        listen = "127.0.0.1:8080"
    "#;

    #[test]
    fn a_whole_file_is_taken() {
        let config = Config::parse(GOOD).unwrap();
        assert_eq!(config.chain.finality, FinalityPolicy::Confirmations(1));
        assert_eq!(config.ledger.addresses.len(), 1);
        assert!(config.payouts.is_none());
    }

    #[test]
    fn endpoints_are_taken_in_order_and_held_against_the_quorum() {
        let with = |lines: &str| Config::parse(&GOOD.replace("chain_id = 31337", lines));
        let fallbacks =
            "chain_id = 31337\nfallback_urls = [\"wss://b.example/key\", \"/run/c.ipc\"]";
        let chain = with(&format!("{fallbacks}\nquorum = 2")).unwrap().chain;
        let shown: Vec<String> = chain.endpoints.iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["http://127.0.0.1:8545", "wss://b.example/…", "/run/c.ipc"]);
        assert_eq!(chain.quorum, 2);
        let faults = with(&format!("{fallbacks}\nquorum = 4")).unwrap_err();
        assert_eq!(faults, ["chain.quorum: 4 is not a whole number from 1 to 3"]);
        let same = "chain_id = 31337\nfallback_urls = [\"http://127.0.0.1:8545\"]\nquorum = 2";
        let faults = with(same).unwrap_err().join("\n");
        assert!(faults.contains("is there twice"), "{faults}");
        let wrong = "chain_id = 31337\nfallback_urls = [\"tcp://b\", 7]";
        let faults = with(wrong).unwrap_err().join("\n");
        assert!(faults.contains("fallback_urls: tcp://b does not start with http://"), "{faults}");
        assert!(faults.contains("fallback_urls: not all of it is text"), "{faults}");
    }

    #[test]
    fn all_faults_are_told_at_once() {
        let text = GOOD
            .replace("chain_id = 31337", "chain_id = \"main\"")
            .replace("http://", "ftp://")
            .replace("clearing_ledger", "clearing_leger")
            + "\n[surprise]\n";
        let text = text.replace("[api]", "[log]\nlevel = \"inof\"\n[api]");
        let faults = Config::parse(&text).unwrap_err();
        let all = faults.join("\n");
        assert!(all.contains("log.level: \"inof\" is no level"), "{all}");
        assert!(all.contains("chain.chain_id: \"main\" is not"), "{all}");
        assert!(
            all.contains("chain.rpc_url: ftp://127.0.0.1:8545 does not start with http://"),
            "{all}"
        );
        assert!(all.contains("ledger.clearing_ledger: missing"), "{all}");
        assert!(all.contains("unknown key; did you mean clearing_ledger?"), "{all}");
        assert!(all.contains("surprise: unknown section"), "{all}");
        assert_eq!(faults.len(), 6, "{all}");
    }

    #[test]
    fn the_clearing_ledger_is_one_of_a_listed_token() {
        for wrong in ["0", "900", "2147483648"] {
            let text =
                GOOD.replace("clearing_ledger = 1002", &format!("clearing_ledger = {wrong}"));
            let faults = Config::parse(&text).unwrap_err().join("\n");
            assert!(
                faults.contains("ledger.clearing_ledger: ") && faults.contains(wrong),
                "{faults}"
            );
        }
    }

    #[test]
    fn what_is_no_toml_is_told_by_its_line_and_never_quoted() {
        let text = GOOD.replace("chain_id = 31337", "fallback_urls = [\"https://x/5ecret\"");
        let faults = Config::parse(&text).unwrap_err().join("\n");
        assert!(faults.starts_with("line ") && !faults.contains("5ecret"), "{faults}");
    }
}
