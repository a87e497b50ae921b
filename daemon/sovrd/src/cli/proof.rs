//! Reserves as the commands prove them: chain and ledger read at one instant each.

use super::offline::{Offline, Seen};
use crate::exit::Failure;
use bridge_core::{
    account::VAULT,
    amount::TokenAmount,
    asset::{LedgerId, Listing},
    audit::Entries,
    block::{BlockNumber, Seq},
    checkpoint::Reach,
    halt::Evidence,
    invariant::{Books, Holdings},
    reserves::{Break, VaultReading, find_break},
    transfer::FoundTransfer,
};
use serde::Serialize;
use std::collections::BTreeMap;

/// One token, judged.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    pub(super) ledger: LedgerId,
    pub(super) token: alloy::primitives::Address,
    pub(super) holdings: Holdings,
    pub(super) explained: Option<TokenAmount>,
    pub(super) books: Option<Books>,
    pub(super) broken: Option<Break>,
}

/// Everything, judged at one final block.
#[derive(Debug, Serialize)]
pub(super) struct Proof {
    pub(super) block: BlockNumber,
    pub(super) last_seq: Seq,
    pub(super) tokens: Vec<Row>,
    /// Where chain and ledger contradict each other, event by event.
    pub(super) differences: Vec<Evidence>,
}

impl Proof {
    /// True if everything adds up.
    pub(super) fn holds(&self) -> bool {
        self.differences.is_empty() && self.tokens.iter().all(|t| t.broken.is_none())
    }

    /// What does not, in sentences.
    pub(super) fn faults(&self) -> Vec<String> {
        let breaks = self.tokens.iter().filter_map(|t| t.broken);
        let differences = self.differences.iter().map(ToString::to_string);
        differences.chain(breaks.map(|b| b.to_string())).collect()
    }
}

/// Proves everything. The ledger is read first: it follows the chain, so what it held then must be
/// explained by what is final now.
pub(super) async fn prove(offline: &Offline, reach: Reach) -> Result<Proof, Failure> {
    let before = offline.history(offline.records.clone(), reach).await?;
    let readings = offline.survey(&before.history).await?;
    let seen = offline.history(offline.records.clone(), reach).await?;
    let mut entries = offline.lookup(&seen.history.ids()).await?;
    // What came after that instant may be of events that are final by now only there.
    let taken: BTreeMap<LedgerId, u64> = readings.iter().map(|r| (r.ledger, r.taken_ns)).collect();
    entries.retain(|_, t| taken.get(&ledger_of(t)).is_none_or(|at| t.timestamp_ns <= *at));
    let mut tokens = Vec::new();
    for reading in &readings {
        let Some(listing) = seen.history.listings().get(&reading.ledger) else { continue };
        tokens.extend(row(offline, &seen, listing, reading, &entries).await?);
    }
    Ok(Proof {
        block: seen.block.number,
        last_seq: seen.history.last(),
        tokens,
        differences: seen.history.differences(&entries),
    })
}

async fn row(
    offline: &Offline,
    seen: &Seen,
    listing: &Listing,
    reading: &VaultReading,
    entries: &Entries,
) -> Result<Option<Row>, Failure> {
    let Listing { ledger, token, .. } = *listing;
    let holdings = offline.holdings(seen.block.hash, token).await?;
    let Some(position) = seen.history.position(reading, entries) else { return Ok(None) };
    let broken = find_break(ledger, seen.block.number, &position, reading.books, holdings);
    let (explained, books) = (position.explained(), reading.books);
    Ok(Some(Row { ledger, token, holdings, explained, books, broken }))
}

/// The ledger of a transfer, by its VAULT account.
fn ledger_of(transfer: &FoundTransfer) -> LedgerId {
    let chart = [transfer.debit.0, transfer.credit.0];
    let vault = chart
        .into_iter()
        .find(|id| id >> 126 == 0 && id & u128::from(u32::MAX) == u128::from(VAULT.number));
    LedgerId(u32::try_from(vault.unwrap_or_default() >> 64).unwrap_or_default())
}
