//! Each section of the file, key by key, with its defaults and bounds.

use super::{
    Chain, Endpoint, Keystore, Ledger, Log, Payouts, Reserves, Signer,
    fields::{Faults, Section},
};
use crate::logging;
use alloy::transports::http::reqwest::Url;
use bridge_core::{
    amount::TokenAmount,
    asset::LedgerId,
    block::{BlockNumber, FinalityPolicy},
    gasless::GaslessConfig,
};
use std::{collections::BTreeMap, path::PathBuf};
use toml::Table;

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

/// A section that is absent is fine; one that is present must be whole.
pub(super) trait TransposeAll<T> {
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

pub(super) fn chain(file: &mut Table, faults: &mut Faults) -> Option<Chain> {
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

pub(super) fn ledger(file: &mut Table, faults: &mut Faults) -> Option<Ledger> {
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

pub(super) fn gasless(file: &mut Table, faults: &mut Faults) -> Option<GaslessConfig> {
    let mut s = Section::take(file, "gasless", faults);
    let lead_s = s.number("lead_s", 300, 10, 86_400);
    let open = s.number("open_per_owner_max", 16, 1, 1_000);
    let mut fees = BTreeMap::new();
    for text in s.optional_list("fees", FEE) {
        match fee(&text) {
            Some((ledger, least)) if fees.insert(ledger, least).is_none() => {}
            Some(_) => s.fault("fees", format_args!("{text:?}: its ledger is there twice")),
            None => s.fault("fees", format_args!("{text:?} is not {FEE}")),
        }
    }
    s.finish();
    Some(GaslessConfig { fees, lead_s, open_per_owner_max: usize::try_from(open).ok()? })
}

/// What a fee looks like.
const FEE: &str = "a ledger and a least fee in token units, such as \"1002:250000\"";

fn fee(text: &str) -> Option<(LedgerId, TokenAmount)> {
    let (ledger, least) = text.split_once(':')?;
    let ledger = LedgerId(ledger.trim().parse().ok()?);
    let least = TokenAmount(least.trim().parse().ok()?);
    ledger.is_listable().then_some((ledger, least))
}

pub(super) fn reserves(file: &mut Table, faults: &mut Faults) -> Option<Reserves> {
    let mut s = Section::take(file, "reserves", faults);
    let interval_ms = s.number("interval_ms", 10_000, 100, 3_600_000);
    let breaks_max = s.number("breaks_max", 3, 1, 1_000);
    s.finish();
    Some(Reserves { interval_ms, breaks_max: u32::try_from(breaks_max).ok()? })
}

pub(super) fn payouts(file: &mut Table, faults: &mut Faults) -> Option<Payouts> {
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

pub(super) fn signer(file: &mut Table, faults: &mut Faults) -> Option<Signer> {
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
pub(super) fn origins(s: &mut Section<'_>) -> Vec<String> {
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

pub(super) fn log(file: &mut Table, faults: &mut Faults) -> Option<Log> {
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
