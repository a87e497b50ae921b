//! What the facts mean: pure, so that every sentence can be provoked.

mod chain;
mod keys;
mod ledger;
mod machine;
mod store;
#[cfg(test)]
mod tests;

use super::{
    Check,
    facts::{Facts, VaultFacts},
};
use crate::{config::Config, payouts::keys::is_development};

/// All checks, in the order in which they are to be read.
#[must_use]
pub fn judge(config: &Config, facts: &Facts) -> Vec<Check> {
    let mut checks = chain::endpoints(config, facts);
    checks.extend(chain::vault(config, facts));
    checks.extend(ledger::judge(config, facts));
    checks.extend(store::judge(facts));
    checks.extend(keys::judge(config, facts));
    checks.extend(machine::judge(config, facts));
    checks
}

/// The vault, if anybody could tell.
fn vault(facts: &Facts) -> Option<&VaultFacts> {
    facts.vault.as_ref().and_then(|v| v.as_ref().ok())
}

const fn on_development_chain(config: &Config) -> bool {
    is_development(config.chain.chain_id)
}

/// Wei as ether, for people.
fn ether(wei: u128) -> String {
    const ONE: u128 = 1_000_000_000_000_000_000;
    let digits = format!("{:018}", wei % ONE);
    let digits = digits.get(..6).unwrap_or_default().trim_end_matches('0');
    let point = if digits.is_empty() { "" } else { "." };
    format!("{}{point}{digits} ETH", wei / ONE)
}

/// Bytes for people.
fn bytes(number: u64) -> String {
    const MIB: u64 = 1 << 20;
    if number >= 10 << 30 {
        format!("{} GiB", number >> 30)
    } else {
        format!("{} MiB", number / MIB)
    }
}
