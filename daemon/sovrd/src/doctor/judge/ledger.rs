//! The ledger: whether it answers, and whether it is this vault's.

use super::chain::is_known;
use crate::{
    config::Config,
    doctor::{
        Check,
        facts::{AccountFacts, Facts, LedgerFacts, Part, Standing},
    },
};

pub(super) fn judge(config: &Config, facts: &Facts) -> Vec<Check> {
    let ledger = &facts.ledger;
    let mut checks = vec![answers(config, ledger)];
    if ledger.answer.is_ok() {
        checks.extend(replicas(ledger));
        checks.extend(is_known(facts).then(|| accounts(&ledger.accounts)).flatten());
    }
    checks
}

fn names(list: &[String]) -> String {
    list.join(", ")
}

fn addresses(ledger: &LedgerFacts, connects: bool) -> Vec<String> {
    let chosen = ledger.replicas.iter().filter(|(_, c)| *c == connects);
    chosen.map(|(address, _)| address.to_string()).collect()
}

fn answers(config: &Config, ledger: &LedgerFacts) -> Check {
    let (open, closed) = (addresses(ledger, true), addresses(ledger, false));
    match &ledger.answer {
        Ok(ms) => Check::fine(
            "ledger.answers",
            format!("cluster {} answers in {ms} ms", config.ledger.cluster_id),
        ),
        Err(error) if open.is_empty() => Check::away(
            "ledger.unreachable",
            format!("nobody accepts connections at {}: {error}", names(&closed)),
            "start TigerBeetle, or correct ledger.addresses",
        ),
        Err(error) => Check::wrong(
            "ledger.silent",
            format!(
                "{} accepts connections and does not answer as cluster {}: {error}",
                names(&open),
                config.ledger.cluster_id
            ),
            "correct ledger.cluster_id and the order of ledger.addresses; if both are right, fewer \
             replicas run than a quorum needs, or the server's limit of clients is reached",
        ),
    }
}

fn replicas(ledger: &LedgerFacts) -> Option<Check> {
    let closed = addresses(ledger, false);
    (!closed.is_empty()).then(|| {
        Check::warning(
            "ledger.replica_away",
            format!("these replicas do not accept connections: {}", names(&closed)),
            "bring them back: with fewer than a quorum the ledger stands still",
        )
    })
}

/// What the accounts say, the worst thing first.
fn accounts(list: &[AccountFacts]) -> Option<Check> {
    let with = |standing: Standing, part: Option<Part>| -> Vec<String> {
        let chosen = list.iter().filter(|a| a.standing == standing);
        let chosen = chosen.filter(|a| part.is_none_or(|part| a.part == part));
        chosen.map(|a| a.name.clone()).collect()
    };
    if list.is_empty() {
        return None;
    }
    if !with(Standing::Differs, Some(Part::Instance)).is_empty() {
        return Some(Check::wrong(
            "ledger.instance_taken",
            "this vault's instance number belongs to another vault in this ledger",
            "use a ledger of its own for this vault; correct ledger.cluster_id and addresses",
        ));
    }
    let registry = with(Standing::Differs, Some(Part::Registry));
    if !registry.is_empty() {
        return Some(Check::wrong(
            "ledger.registry_differs",
            format!("{}: given to another token or scale in this ledger", names(&registry)),
            "tokens listed with these numbers are never credited; list them with other numbers",
        ));
    }
    let differing = with(Standing::Differs, None);
    if !differing.is_empty() {
        return Some(Check::wrong(
            "ledger.accounts_differ",
            format!("not as they must be: {}", names(&differing)),
            "this is not a ledger of the bridge's own: correct ledger.cluster_id and addresses",
        ));
    }
    if !with(Standing::Missing, Some(Part::Instance)).is_empty() {
        return Some(Check::fine(
            "ledger.unclaimed",
            "holds nothing of this vault yet; the first start creates what is needed",
        ));
    }
    let missing = with(Standing::Missing, None);
    if !missing.is_empty() {
        return Some(Check::warning(
            "ledger.accounts_missing",
            format!("missing: {}", names(&missing)),
            "the daemon creates them when it starts, or when it takes in the token's listing",
        ));
    }
    Some(Check::fine("ledger.accounts", format!("{} accounts are as they must be", list.len())))
}
