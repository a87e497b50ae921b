//! Which result codes were hit, and which must be.

use bridge_core::transfer::{AccountResult, TransferResult};
use std::{collections::BTreeMap, fmt::Write as _};

/// Histories from which on every code within reach must have been hit.
pub const REQUIRED_FROM: u64 = 200;

/// Codes of accounts that no history can provoke, and why. All others must be hit: ids are derived
/// from what users choose, so nothing that the server can say is beyond what the bridge can meet.
pub const ACCOUNTS_OUT_OF_REACH: [(AccountResult, &str); 1] =
    [(AccountResult::ReservedField, "the field is always 0: neither daemon nor model has it")];

/// The same for transfers. Codes 56 to 63 of imported events are not listed in the core's enum,
/// and 18 is unused since version 0.16.
pub const TRANSFERS_OUT_OF_REACH: [(TransferResult, &str); 1] = [(
    TransferResult::OverflowsTimeout,
    "the longest timeout (2^32 s) from now passes the last timestamp (2^63 ns) only from 2126 on",
)];

/// How often each side gave each answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// The server.
    pub server: u64,
    /// The model.
    pub model: u64,
}

/// What was seen.
#[derive(Clone, Debug, Default)]
pub struct Hits {
    /// Answers for accounts.
    pub accounts: BTreeMap<AccountResult, Count>,
    /// Answers for transfers.
    pub transfers: BTreeMap<TransferResult, Count>,
    /// Pendings that expired while a history waited for it.
    pub expired: u64,
    /// Histories run again with longer timeouts because the machine was too slow.
    pub slow: u64,
    /// Batches.
    pub batches: u64,
}

impl Hits {
    pub(crate) fn add(&mut self, other: &Self) {
        fn sum<K: Ord + Copy>(all: &mut BTreeMap<K, Count>, more: &BTreeMap<K, Count>) {
            for (code, count) in more {
                let own = all.entry(*code).or_default();
                own.server += count.server;
                own.model += count.model;
            }
        }
        sum(&mut self.accounts, &other.accounts);
        sum(&mut self.transfers, &other.transfers);
        self.expired += other.expired;
        self.slow += other.slow;
        self.batches += other.batches;
    }

    /// Answers counted.
    #[must_use]
    pub fn events(&self) -> u64 {
        let accounts: u64 = self.accounts.values().map(|c| c.server).sum();
        accounts + self.transfers.values().map(|c| c.server).sum::<u64>()
    }

    /// Codes that the server gave at least once.
    #[must_use]
    pub fn codes(&self) -> (usize, usize) {
        let hit = |count: &&Count| count.server > 0;
        (self.accounts.values().filter(hit).count(), self.transfers.values().filter(hit).count())
    }

    /// Codes that must be hit and were not.
    #[must_use]
    pub fn missing(&self) -> Vec<String> {
        let accounts = missing(AccountResult::ALL, &ACCOUNTS_OUT_OF_REACH, &self.accounts);
        let transfers = missing(TransferResult::ALL, &TRANSFERS_OUT_OF_REACH, &self.transfers);
        let accounts = accounts.map(|code| format!("account {} {code:?}", code.number()));
        accounts
            .chain(transfers.map(|code| format!("transfer {} {code:?}", code.number())))
            .collect()
    }

    /// All of it for people.
    #[must_use]
    pub fn table(&self) -> String {
        let mut text =
            String::from("answers for                                        server      model\n");
        for code in with_unknown(AccountResult::ALL, &self.accounts) {
            let why = reason(code, &ACCOUNTS_OUT_OF_REACH);
            let count = self.accounts.get(&code).copied().unwrap_or_default();
            line(&mut text, "account ", code.number(), &format!("{code:?}"), count, why);
        }
        for code in with_unknown(TransferResult::ALL, &self.transfers) {
            let why = reason(code, &TRANSFERS_OUT_OF_REACH);
            let count = self.transfers.get(&code).copied().unwrap_or_default();
            line(&mut text, "transfer", code.number(), &format!("{code:?}"), count, why);
        }
        text
    }
}

fn missing<'a, C: PartialEq + Ord + Copy>(
    all: &'a [C],
    out_of_reach: &'a [(C, &'static str)],
    hits: &'a BTreeMap<C, Count>,
) -> impl Iterator<Item = C> + 'a {
    all.iter()
        .copied()
        .filter(move |code| reason(*code, out_of_reach).is_none())
        .filter(move |code| hits.get(code).is_none_or(|c| c.server == 0 || c.model == 0))
}

fn reason<C: PartialEq>(code: C, out_of_reach: &[(C, &'static str)]) -> Option<&'static str> {
    out_of_reach.iter().find(|(c, _)| *c == code).map(|(_, why)| *why)
}

/// The documented codes, then whatever else was seen.
fn with_unknown<C: PartialEq + Ord + Copy>(all: &[C], hits: &BTreeMap<C, Count>) -> Vec<C> {
    let unknown = hits.keys().filter(|code| !all.contains(code));
    all.iter().chain(unknown).copied().collect()
}

fn line(text: &mut String, of: &str, number: u32, name: &str, count: Count, why: Option<&str>) {
    let Count { server, model } = count;
    let why = why.map(|why| format!("  out of reach: {why}")).unwrap_or_default();
    let _ = writeln!(text, "{of} {number:>3} {name:<36}{server:>10} {model:>10}{why}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_never_hit_is_missing_unless_out_of_reach() {
        let mut hits = Hits::default();
        let reachable = AccountResult::ALL.len() + TransferResult::ALL.len() - 2;
        assert_eq!(hits.missing().len(), reachable);
        hits.transfers.insert(TransferResult::Ok, Count { server: 1, model: 1 });
        hits.accounts.insert(AccountResult::Ok, Count { server: 1, model: 0 });
        assert_eq!(hits.missing().len(), reachable - 1);
        assert!(hits.missing().contains(&"account 0 Ok".to_owned()));
    }
}
