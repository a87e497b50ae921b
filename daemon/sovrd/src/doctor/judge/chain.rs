//! Nodes and vault.

use super::{on_development_chain, vault as of};
use crate::{
    config::Config,
    doctor::{
        Check,
        facts::{EndpointFacts, Facts, VaultFacts},
    },
};
use bridge_core::block::{FinalityPolicy, UnixSeconds};

/// Blocks by which an endpoint may trail the one that is ahead.
const LAG_BLOCKS_MAX: u64 = 3;
/// A newest block older than this is news of the past, seconds.
const BLOCK_AGE_MAX_S: u64 = 600;

/// Every endpoint, and whether enough of them say the same.
pub(super) fn endpoints(config: &Config, facts: &Facts) -> Vec<Check> {
    let best = facts.endpoints.iter().filter_map(final_number).max();
    let mut checks: Vec<Check> = facts
        .endpoints
        .iter()
        .flat_map(|one| endpoint(config, facts, one, best.unwrap_or_default()))
        .collect();
    let quorum = usize::from(config.chain.quorum);
    let said: Vec<_> = facts.endpoints.iter().filter_map(|e| e.identity.as_ref().ok()).collect();
    let agreeing = said.iter().map(|one| said.iter().filter(|other| *other == one).count()).max();
    let agreeing = agreeing.unwrap_or_default();
    if quorum > 1 && agreeing < quorum {
        checks.push(Check::away(
            "node.quorum",
            format!(
                "chain.quorum wants {quorum} endpoints that say the same, {agreeing} of {} do",
                facts.endpoints.len()
            ),
            "bring the missing endpoints back, or replace those that tell of another chain",
        ));
    }
    checks
}

fn final_number(one: &EndpointFacts) -> Option<u64> {
    one.final_head.as_ref().ok().map(|h| h.block.number.0)
}

fn endpoint(config: &Config, facts: &Facts, one: &EndpointFacts, best: u64) -> Vec<Check> {
    let url = &one.url;
    let identity = match &one.identity {
        Ok(identity) => identity,
        Err(error) => {
            return vec![Check::away(
                "node.unreachable",
                format!("{url} does not answer: {error}"),
                "start the node, or correct chain.rpc_url and chain.fallback_urls",
            )];
        }
    };
    let wanted = config.chain.chain_id;
    if identity.chain_id != wanted {
        return vec![Check::wrong(
            "node.other_chain",
            format!("{url} serves chain {}, chain.chain_id is {wanted}", identity.chain_id),
            "correct chain.chain_id, or give a node of that chain",
        )];
    }
    let mut known = facts.endpoints.iter().filter_map(|e| e.identity.as_ref().ok());
    let first = known.find(|identity| identity.chain_id == wanted);
    if first.is_some_and(|first| first.genesis != identity.genesis) {
        return vec![Check::wrong(
            "node.other_genesis",
            format!("{url} has another block 0 than the endpoints before it"),
            "remove the endpoint that serves another network with the same chain id",
        )];
    }
    if let Some(why) = not_synced(config, one) {
        return vec![Check::away(
            "node.not_synced",
            format!("{url} {why}"),
            "wait until it has synced; chain.deploy_block must be the block that created the vault",
        )];
    }
    vec![follows(config, facts, one, best)]
}

fn not_synced(config: &Config, one: &EndpointFacts) -> Option<String> {
    if one.is_syncing {
        return Some("says that it is still syncing".to_owned());
    }
    let lacks = one.identity.as_ref().is_ok_and(|identity| identity.deploy.is_none());
    lacks.then(|| format!("has no block {} (yet)", config.chain.deploy_block))
}

/// Finality, age and lag of an endpoint that is the right one.
fn follows(config: &Config, facts: &Facts, one: &EndpointFacts, best: u64) -> Check {
    let url = &one.url;
    let head = match &one.final_head {
        Ok(head) => head,
        Err(error) => {
            let remedy = match config.chain.finality {
                FinalityPolicy::Confirmations(n) => format!("wait for {n} blocks"),
                FinalityPolicy::Safe | FinalityPolicy::Finalized => {
                    "wait until the chain finalises, or set chain.finality = \"confirmations\""
                        .to_owned()
                }
            };
            return Check::away(
                "node.no_final_block",
                format!("{url} tells of no final block: {error}"),
                remedy,
            );
        }
    };
    let age_s = one.latest.map_or(0, |h| (facts.now_ms / 1_000).saturating_sub(h.timestamp.0));
    if age_s > BLOCK_AGE_MAX_S && !on_development_chain(config) {
        return Check::away(
            "node.old",
            format!("{url}: its newest block is {} minutes old", age_s / 60),
            "the node lags, the chain stands, or this machine's clock is fast: compare with another",
        );
    }
    let lag = best.saturating_sub(head.block.number.0);
    if lag > LAG_BLOCKS_MAX {
        return Check::warning(
            "node.lags",
            format!("{url} is {lag} final blocks behind another endpoint"),
            "the daemon asks another first; look at this node if it lasts",
        );
    }
    let latest = one.latest.map_or(head.block.number, |h| h.block.number);
    Check::fine(
        "node.fine",
        format!("{url} answers in {} ms: block {latest}, final {}", one.took_ms, head.block.number),
    )
}

/// The vault: code, creation, pauses, listings.
pub(super) fn vault(config: &Config, facts: &Facts) -> Vec<Check> {
    if let Some(fault) = facts.endpoints.iter().find_map(|one| other_contract(config, one)) {
        return vec![fault];
    }
    match &facts.vault {
        // Why is told with the nodes.
        None => Vec::new(),
        Some(Err(error)) => vec![Check::away(
            "vault.unread",
            format!("the vault's state cannot be read: {error}"),
            "look at the node; run this again",
        )],
        Some(Ok(vault)) => {
            let mut checks = vec![Check::fine(
                "vault.fine",
                format!("{} has the code that was audited", config.chain.vault),
            )];
            checks.extend(pauses(facts, vault));
            checks.push(clearing(config, vault));
            checks.push(listings(vault));
            checks
        }
    }
}

fn other_contract(config: &Config, one: &EndpointFacts) -> Option<Check> {
    let identity = one.identity.as_ref().ok().filter(|i| i.chain_id == config.chain.chain_id)?;
    let (vault, deploy) = (config.chain.vault, config.chain.deploy_block);
    let Some(found) = identity.code_hash else {
        return Some(Check::wrong(
            "vault.no_code",
            format!("{}: there is no contract at {vault}", one.url),
            "correct chain.vault, or wait until the node has the block that created it",
        ));
    };
    if found != config.chain.vault_code_hash {
        return Some(Check::wrong(
            "vault.other_code",
            format!("{vault} has code {found}, not chain.vault_code_hash"),
            "check the address; take another hash only after auditing that very code",
        ));
    }
    let wrong = match (one.vault_before, one.vault_created) {
        (Some(true), _) if deploy.0 > 0 => "existed before it",
        (_, Some(false)) => "does not exist in it yet",
        _ => return None,
    };
    Some(Check::wrong(
        "vault.deploy_block",
        format!("chain.deploy_block is {deploy}, but the vault {wrong}"),
        "give the block that created the vault",
    ))
}

fn pauses(facts: &Facts, vault: &VaultFacts) -> Vec<Check> {
    let left = |until: UnixSeconds| {
        let left_s = until.0.saturating_sub(facts.now_ms / 1_000);
        (left_s > 0).then(|| left_s.div_ceil(60))
    };
    let mut checks = Vec::new();
    if let Some(minutes) = left(vault.deposits_paused_until) {
        checks.push(Check::warning(
            "vault.deposits_paused",
            format!("deposits are paused for {minutes} more minutes"),
            "find out who paused them and why; sovrd unpause deposits lifts it",
        ));
    }
    if let Some(minutes) = left(vault.payouts_paused_until) {
        checks.push(Check::warning(
            "vault.payouts_paused",
            format!("payouts are paused for {minutes} more minutes: nothing is paid until then"),
            "find out who paused them and why; sovrd unpause payouts lifts it",
        ));
    }
    checks
}

fn clearing(config: &Config, vault: &VaultFacts) -> Check {
    let ledger = config.ledger.clearing;
    match vault.clearing_token {
        Some(token) => {
            Check::fine("vault.clearing", format!("clearing ledger {ledger} is of token {token}"))
        }
        None => Check::wrong(
            "vault.clearing_unlisted",
            format!("ledger.clearing_ledger is {ledger}, no token was ever listed with it"),
            "give the ledger number of a listed token, or have the vault's admin list one with it",
        ),
    }
}

fn listings(vault: &VaultFacts) -> Check {
    match &vault.listings {
        Some(list) if list.is_empty() => Check::warning(
            "vault.no_listings",
            "the vault lists no token: nobody can deposit anything",
            "have the vault's admin list one (announce, then listToken)",
        ),
        Some(list) => {
            let ledgers: Vec<String> = list.iter().map(|l| l.ledger.to_string()).collect();
            Check::fine("vault.listings", format!("tokens on ledgers {}", ledgers.join(", ")))
        }
        None => Check::warning(
            "vault.listings_unread",
            "the node gives no logs of so many blocks at once: listings were not checked",
            "run this again while the daemon runs; it knows them",
        ),
    }
}

/// Where the vault cannot be known because no node is right.
pub(super) fn is_known(facts: &Facts) -> bool {
    of(facts).is_some()
}
