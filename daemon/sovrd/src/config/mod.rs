//! File and environment become a validated [`Config`]; all faults are told at once, nothing is opened.

mod endpoint;
mod fields;

pub use endpoint::Endpoint;

use crate::{exit::Failure, logging};
use alloy::{
    primitives::{Address, B256},
    transports::http::reqwest::Url,
};
use bridge_core::{
    asset::LedgerId,
    block::{BlockNumber, FinalityPolicy},
};
use fields::{Faults, Section};
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

const GWEI: u64 = 1_000_000_000;
/// The vault keeps 283,175 of gas for a push and what follows it (`PUSH_GAS` × 64/63 and
/// `GAS_AFTER_PUSH`); the rest is for the transaction, its signatures and its storage.
const GAS_LIMIT_LEAST: u64 = 400_000;
/// How the address of a node starts; a path is a local socket (IPC).
const NODE_SCHEMES: [&str; 5] = ["http://", "https://", "ws://", "wss://", "/"];
/// Most signers: the vault takes no more.
const SIGNERS_MAX: usize = 32;
/// What `clearing_ledger` is.
const CLEARING: &str =
    "the ledger of a listed token that carries the chart of accounts, such as 1002";
/// Most endpoints: each is a row of the status page and a label of metrics.
const ENDPOINTS_MAX: usize = 8;

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
        let chain = chain(&mut file, &mut faults);
        let ledger = ledger(&mut file, &mut faults);
        let mut section = Section::take(&mut file, "store", &mut faults);
        let store = section.required("path", "a folder for the local store");
        section.finish();
        let reserves = reserves(&mut file, &mut faults);
        let has_payouts = Section::is_given(&file, "payouts");
        let payouts = has_payouts.then(|| payouts(&mut file, &mut faults));
        let has_signer = Section::is_given(&file, "signer");
        let signer = has_signer.then(|| signer(&mut file, &mut faults));
        let mut section = Section::take(&mut file, "api", &mut faults);
        let listen = section.required("listen", "an address and port such as 127.0.0.1:8080");
        let cors_origins = origins(&mut section);
        section.finish();
        let log = log(&mut file, &mut faults);
        for key in file.keys() {
            let known = "chain, ledger, store, reserves, payouts, signer, api, log";
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

/// A section that is absent is fine; one that is present must be whole.
trait TransposeAll<T> {
    fn transpose_all(self) -> Option<Option<T>>;
}

impl<T> TransposeAll<T> for Option<Option<T>> {
    fn transpose_all(self) -> Option<Option<T>> {
        match self {
            None => Some(None),
            Some(Some(value)) => Some(Some(value)),
            Some(None) => None,
        }
    }
}

fn chain(file: &mut Table, faults: &mut Faults) -> Option<Chain> {
    let mut s = Section::take(file, "chain", faults);
    let endpoints = endpoints(&mut s);
    let most = endpoints.as_ref().map_or(1, |list| u64::try_from(list.len()).unwrap_or(1));
    let quorum = s.number("quorum", 1, 1, most);
    let lag_max_ms = s.number("lag_max_ms", 30_000, 100, 3_600_000);
    let set_aside_max_ms = s.number("set_aside_max_ms", 60_000, 1_000, 3_600_000);
    let answer_bytes = s.number("answer_bytes_max", 64 << 20, 64 << 10, 1 << 30);
    let ws_url: Option<String> = s.optional("ws_url", "text");
    let ws_url = ws_url.and_then(|url| endpoint(&mut s, "ws_url", &url, &["ws://", "wss://"]));
    let chain_id = s.required("chain_id", "the EIP-155 id of the chain, such as 1 or 31337");
    let vault = s.required("vault", "the vault's address, 0x and 40 hex digits");
    let vault_code_hash = s.required(
        "vault_code_hash",
        "the Keccak-256 of the vault's runtime code, 0x and 64 hex digits \
         (cast codehash <vault> prints it)",
    );
    let deploy_block = s.required("deploy_block", "the number of the block that created the vault");
    let finality = finality(&mut s);
    let poll_interval_ms = s.number("poll_interval_ms", 1_000, 10, 60_000);
    let rpc_timeout_ms = s.number("rpc_timeout_ms", 10_000, 100, 120_000);
    let range_blocks_max = s.number("range_blocks_max", 5_000, 1, 1_000_000);
    let suspicions = s.number("suspicions_max", 5, 1, 1_000);
    s.finish();
    Some(Chain {
        endpoints: endpoints?,
        quorum: u8::try_from(quorum).ok()?,
        lag_max_ms,
        set_aside_max_ms,
        answer_bytes_max: usize::try_from(answer_bytes).ok()?,
        ws_url,
        chain_id: chain_id?,
        vault: vault?,
        vault_code_hash: vault_code_hash?,
        deploy_block: BlockNumber(deploy_block?),
        finality: finality?,
        poll_interval_ms,
        rpc_timeout_ms,
        range_blocks_max,
        suspicions_max: u32::try_from(suspicions).ok()?,
    })
}

/// The first endpoint and those to fall back to, in order.
fn endpoints(s: &mut Section<'_>) -> Option<Vec<Endpoint>> {
    let right = format!("where a node answers: {}", NODE_SCHEMES.join(", "));
    let first: Option<String> = s.required("rpc_url", &right);
    let mut list = vec![endpoint(s, "rpc_url", &first?, &NODE_SCHEMES)];
    for more in s.optional_list("fallback_urls", &right) {
        list.push(endpoint(s, "fallback_urls", &more, &NODE_SCHEMES));
    }
    if list.len() > ENDPOINTS_MAX {
        s.fault("fallback_urls", format_args!("more than {ENDPOINTS_MAX} endpoints in all"));
    }
    let list: Vec<Endpoint> = list.into_iter().collect::<Option<_>>()?;
    let twice = list.iter().enumerate().find(|(n, url)| list.iter().take(*n).any(|u| u == *url));
    if let Some((_, url)) = twice {
        s.fault("fallback_urls", format_args!("{url} is there twice: it would vote twice"));
    }
    Some(list)
}

fn endpoint(
    s: &mut Section<'_>,
    field: &'static str,
    value: &str,
    schemes: &[&str],
) -> Option<Endpoint> {
    let read = Endpoint::parse(value, schemes);
    read.map_err(|wrong| s.fault(field, wrong)).ok()
}

fn finality(s: &mut Section<'_>) -> Option<FinalityPolicy> {
    let confirmations = s.number("confirmations", 12, 1, 100_000);
    let kind: String = s.optional("finality", "text").unwrap_or_else(|| "confirmations".to_owned());
    match kind.as_str() {
        "confirmations" => Some(FinalityPolicy::Confirmations(confirmations)),
        "safe" => Some(FinalityPolicy::Safe),
        "finalized" => Some(FinalityPolicy::Finalized),
        other => {
            s.fault("finality", format_args!("{other:?} is not confirmations, safe or finalized"));
            None
        }
    }
}

fn ledger(file: &mut Table, faults: &mut Faults) -> Option<Ledger> {
    let mut s = Section::take(file, "ledger", faults);
    let cluster_id = s.required("cluster_id", "the cluster's id as text, such as \"0\"");
    let list = s.list("addresses", "all replicas in order, such as [\"127.0.0.1:3000\"]");
    let mut addresses = Vec::new();
    for text in &list {
        match text.parse() {
            Ok(address) => addresses.push(address),
            Err(_) => s.fault("addresses", format_args!("{text:?} is not IP:PORT")),
        }
    }
    let clearing: Option<u32> = s.required("clearing_ledger", CLEARING);
    let clearing = clearing.map(LedgerId);
    if let Some(wrong) = clearing.filter(|ledger| !ledger.is_listable()) {
        s.fault("clearing_ledger", format_args!("{wrong} is not {CLEARING}"));
    }
    let reply_timeout_ms = s.number("reply_timeout_ms", 10_000, 100, 600_000);
    let start_timeout_ms = s.number("start_timeout_ms", 10_000, 100, 600_000);
    let batch_max = s.number("batch_max", 8_189, 2, 8_189);
    s.finish();
    Some(Ledger {
        cluster_id: cluster_id?,
        addresses,
        clearing: clearing?,
        reply_timeout_ms,
        start_timeout_ms,
        batch_max: usize::try_from(batch_max).ok()?,
    })
}

fn reserves(file: &mut Table, faults: &mut Faults) -> Option<Reserves> {
    let mut s = Section::take(file, "reserves", faults);
    let interval_ms = s.number("interval_ms", 10_000, 100, 3_600_000);
    let breaks_max = s.number("breaks_max", 3, 1, 1_000);
    s.finish();
    Some(Reserves { interval_ms, breaks_max: u32::try_from(breaks_max).ok()? })
}

fn payouts(file: &mut Table, faults: &mut Faults) -> Option<Payouts> {
    let mut s = Section::take(file, "payouts", faults);
    let (signer, signer_urls, signer_token_file) = signers(&mut s);
    let submitter = keystore(&mut s, "submitter_keystore", "submitter_password_file");
    let pauser = s
        .has("pauser_keystore")
        .then(|| keystore(&mut s, "pauser_keystore", "pauser_password_file"));
    let fee_cap = s.number("fee_cap_gwei", 500, 1, 1_000_000);
    let priority_fee = s.number("priority_fee_gwei", 1, 0, 10_000);
    let low_balance = s.number("low_balance_gwei", 100_000_000, 0, u64::MAX);
    let gas_limit = s.number("gas_limit", 500_000, GAS_LIMIT_LEAST, 10_000_000);
    let in_flight = s.number("in_flight_max", 16, 1, 64);
    let rebroadcast_ms = s.number("rebroadcast_ms", 15_000, 100, 3_600_000);
    let replace_ms = s.number("replace_ms", 60_000, 100, 3_600_000);
    if priority_fee > fee_cap {
        s.fault("priority_fee_gwei", format_args!("{priority_fee} is more than fee_cap_gwei"));
    }
    if rebroadcast_ms > replace_ms {
        s.fault("rebroadcast_ms", format_args!("{rebroadcast_ms} is longer than replace_ms"));
    }
    if let (Some(Some(one)), Some(other)) = (&signer, &submitter)
        && one.path == other.path
    {
        s.fault(
            "submitter_keystore",
            "is the signer's: whoever pays for gas must not sign payouts",
        );
    }
    s.finish();
    Some(Payouts {
        signer: signer?,
        signer_urls: signer_urls?,
        signer_token_file,
        submitter: submitter?,
        pauser: pauser.transpose_all()?,
        fee_cap: u128::from(fee_cap) * u128::from(GWEI),
        priority_fee: u128::from(priority_fee) * u128::from(GWEI),
        low_balance: u128::from(low_balance) * u128::from(GWEI),
        gas_limit,
        in_flight_max: usize::try_from(in_flight).ok()?,
        rebroadcast_ms,
        replace_ms,
    })
}

/// Somebody has to sign: a key here, signers elsewhere, or both.
fn signers(
    s: &mut Section<'_>,
) -> (Option<Option<Keystore>>, Option<Vec<Endpoint>>, Option<PathBuf>) {
    let local =
        s.has("signer_keystore").then(|| keystore(s, "signer_keystore", "signer_password_file"));
    let right = "where signers answer, such as [\"http://10.0.0.5:9000\"]";
    let list = s.optional_list("signer_urls", right);
    let urls: Vec<Option<Endpoint>> =
        list.iter().map(|url| endpoint(s, "signer_urls", url, &["http://", "https://"])).collect();
    let token_file: Option<PathBuf> = s.optional("signer_token_file", "the path of a file");
    if local.is_none() && list.is_empty() {
        s.fault(
            "signer_urls",
            format_args!("missing; give {right}, or a signer_keystore with signer_password_file"),
        );
    }
    let twice = list.iter().enumerate().find(|(n, url)| list.iter().take(*n).any(|u| u == *url));
    if twice.is_some() {
        s.fault("signer_urls", "one of them is there twice: it would be counted twice");
    }
    if list.len() > SIGNERS_MAX {
        s.fault("signer_urls", format_args!("more than {SIGNERS_MAX} signers"));
    }
    if !list.is_empty() && token_file.is_none() {
        s.fault("signer_token_file", "missing; give a file that holds the signers' token");
    }
    (local.transpose_all(), urls.into_iter().collect(), token_file)
}

fn signer(file: &mut Table, faults: &mut Faults) -> Option<Signer> {
    let mut s = Section::take(file, "signer", faults);
    let key = keystore(&mut s, "keystore", "password_file");
    let token_file = s.required("token_file", "the path of a file that holds a token");
    s.finish();
    Some(Signer { key: key?, token_file: token_file? })
}

fn keystore(
    s: &mut Section<'_>,
    path: &'static str,
    password_file: &'static str,
) -> Option<Keystore> {
    let path = s.required(path, "the path of an encrypted V3 keystore file");
    let password_file = s.required(password_file, "the path of a file that holds the password");
    Some(Keystore { path: path?, password_file: password_file? })
}

/// Origins as browsers send them: scheme, host and port, nothing else.
fn origins(s: &mut Section<'_>) -> Vec<String> {
    let right = "origins of web pages such as https://wallet.example, or * for all";
    let list = s.optional_list("cors_origins", right);
    for one in list.iter().filter(|one| *one != "*") {
        let url = one.parse::<Url>().ok().filter(|url| ["http", "https"].contains(&url.scheme()));
        if url.is_none_or(|url| url.origin().ascii_serialization() != *one) {
            s.fault("cors_origins", format_args!("{one:?} is no origin; give {right}"));
        }
    }
    list
}

fn log(file: &mut Table, faults: &mut Faults) -> Option<Log> {
    let mut s = Section::take(file, "log", faults);
    let format: String = s.optional("format", "text").unwrap_or_else(|| "human".to_owned());
    let level: String = s.optional("level", "text").unwrap_or_else(|| "info".to_owned());
    if format != "human" && format != "json" {
        s.fault("format", format_args!("{format:?} is not human or json"));
    }
    if let Err(wrong) = logging::filter(&level) {
        s.fault("level", format_args!("{level:?} is no level or filter: {wrong}"));
    }
    s.finish();
    Some(Log { json: format == "json", level })
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
