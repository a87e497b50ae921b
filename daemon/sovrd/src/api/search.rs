//! The vault's events that a reference names, as the chain shows them now, final or not.

use super::{Part, Sources, problem::Problem, reference::Reference};
use crate::chain::{
    bindings::{self, Shown},
    error::ReadError,
    node::Node,
    search::{self, Enough, Found, Scope},
};
use alloy::{
    primitives::{B256, U256},
    rpc::types::Filter,
    sol_types::SolEvent,
};
use bridge_core::{endpoint::ReadFault, vault_event::VaultEvent};
use std::{collections::BTreeSet, time::Duration};

/// Searches of all clients at the same time.
pub(super) const SEARCHES_MAX: usize = 8;
/// Longest wait for a turn.
const TURN_MAX: Duration = Duration::from_secs(2);

/// Searches the part of a history that is asked for, for at most so many things.
///
/// # Errors
/// If too many search already, or no node answers.
pub(super) async fn run(
    sources: &Sources,
    reference: Reference,
    part: &Part,
    items_max: usize,
) -> Result<Found, Problem> {
    let turn = tokio::time::timeout(TURN_MAX, sources.shared.searches.acquire()).await;
    let Ok(Ok(_turn)) = turn else {
        return Err(Problem::busy(format!("{SEARCHES_MAX} searches are under way; try again")));
    };
    let summary = sources.now();
    let deployed = sources.chain.deploy_block;
    let latest = summary.latest_block.unwrap_or(deployed).max(deployed);
    let mut last = ReadFault::Unreachable;
    for (node, standing) in sources.nodes.in_order(&summary.endpoints) {
        let size = standing.range_blocks.min(sources.chain.range_blocks_max).max(1);
        // Nodes do not like to be asked for blocks that are far from there yet.
        let before = part.before_block.filter(|before| *before <= latest);
        let scope = Scope { deployed, latest, before, size };
        match one(node, reference, scope, (part, items_max)).await {
            Ok(found) => return Ok(found),
            Err(error) => last = error.fault(),
        }
    }
    Err(Problem::unavailable(format!("no node answered: {last}")))
}

async fn one(
    node: &Node,
    reference: Reference,
    scope: Scope,
    (part, items_max): (&Part, usize),
) -> Result<Found, ReadError> {
    let filter = match reference {
        Reference::Deposit(seq) => Filter::new()
            .event_signature(bindings::abi::IVault::Deposited::SIGNATURE_HASH)
            .topic1(B256::from(U256::from(seq.0))),
        Reference::Withdrawal(id) => Filter::new().topic1(id),
        Reference::Address(owner) => Filter::new().topic3(owner.into_word()),
        Reference::Transaction(hash) => {
            let mut logs = node.vault_logs_of(hash).await?;
            logs.truncate(part.of(&logs).len());
            return Ok(Found { logs, from: scope.deployed, is_complete: true });
        }
    };
    let enough = |logs: &[Shown]| {
        if is_whole(reference, logs) {
            Enough::Entirely
        } else if things(part.of(logs)) > items_max {
            Enough::ForNow
        } else {
            Enough::No
        }
    };
    let mut found = search::backwards(node, &filter, scope, enough).await?;
    found.logs.truncate(part.of(&found.logs).len());
    Ok(found)
}

impl Part {
    /// What of these, in the order of their numbers, belongs to it.
    fn of<'a>(&self, logs: &'a [Shown]) -> &'a [Shown] {
        let Some(before) = self.before_seq else { return logs };
        let end = logs.partition_point(|shown| shown.log.seq < before);
        logs.get(..end).unwrap_or(logs)
    }
}

/// The newest of these, no more things than that; and how many are left out.
pub(super) fn newest(logs: &mut Vec<Shown>, items_max: usize) -> usize {
    let before = logs.len();
    // A thing has three events at most: asked for, queued, ended.
    logs.drain(..before.saturating_sub(items_max.saturating_mul(3)));
    while things(logs) > items_max && !logs.is_empty() {
        logs.remove(0);
    }
    before.saturating_sub(logs.len())
}

/// True if nothing before what was found can belong to it.
fn is_whole(reference: Reference, logs: &[Shown]) -> bool {
    let first = logs.first().map(|shown| shown.log.event);
    match reference {
        Reference::Deposit(_) => first.is_some(),
        Reference::Withdrawal(_) => matches!(first, Some(VaultEvent::Requested(_))),
        Reference::Transaction(_) | Reference::Address(_) => false,
    }
}

/// Deposits and withdrawals among what was found.
fn things(logs: &[Shown]) -> usize {
    let events = logs.iter().map(|shown| &shown.log.event);
    let deposits = events.clone().filter(|e| matches!(e, VaultEvent::Deposited(_))).count();
    let id = |event: &VaultEvent| match event {
        VaultEvent::Requested(request) => Some(request.id),
        VaultEvent::Withdrawal(event) => Some(event.id),
        VaultEvent::Deposited(_)
        | VaultEvent::Listed(_)
        | VaultEvent::Delisted(_)
        | VaultEvent::Claimed
        | VaultEvent::NonceInvalidated(_) => None,
    };
    deposits.saturating_add(events.filter_map(id).collect::<BTreeSet<_>>().len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use bridge_core::{
        amount::TokenAmount,
        asset::LedgerId,
        block::{BlockNumber, BlockRef, Seq, UnixSeconds},
        vault_event::{Deposit, Origin, Outcome, Progress, VaultLog, Window, WithdrawalEvent},
    };

    fn shown(seq: u64, event: VaultEvent) -> Shown {
        let block = BlockRef { number: BlockNumber(7), hash: B256::ZERO };
        let (emitter, tx_hash, log_index) = (Default::default(), B256::ZERO, 0);
        let log = VaultLog { emitter, block, tx_hash, log_index, seq: Seq(seq), event };
        Shown { log, refused: None }
    }

    fn deposit(seq: u64) -> Shown {
        let (token, owner) = (Default::default(), Default::default());
        let (amount, ledger) = (TokenAmount(1), LedgerId(1002));
        shown(seq, VaultEvent::Deposited(Deposit { token, owner, amount, ledger }))
    }

    fn step(seq: u64, id: u8, progress: Progress) -> Shown {
        let (id, origin, nonce) = (B256::repeat_byte(id), Origin::Request, Seq(1));
        let payment = None;
        shown(seq, VaultEvent::Withdrawal(WithdrawalEvent { id, origin, nonce, progress, payment }))
    }

    fn numbers(logs: &[Shown]) -> Vec<u64> {
        logs.iter().map(|shown| shown.log.seq.0).collect()
    }

    /// As a client goes through it, from the newest page on.
    #[test]
    fn pages_of_one_block_show_every_event_once() {
        let all: Vec<Shown> = (1..=25).map(deposit).collect();
        let mut part = Part { before_block: None, before_seq: None };
        let mut pages = Vec::new();
        while pages.len() < 4 {
            let mut page = part.of(&all).to_vec();
            let left_out = newest(&mut page, 10);
            pages.push(numbers(&page));
            if left_out == 0 {
                break;
            }
            part.before_seq = page.first().map(|shown| shown.log.seq);
        }
        let wanted: Vec<Vec<u64>> =
            vec![(16..=25).collect(), (6..=15).collect(), (1..=5).collect()];
        assert_eq!(pages, wanted);
    }

    #[test]
    fn events_of_one_withdrawal_are_one_thing() {
        let ended = Progress::Ended(Outcome::Paid);
        let (opens, expires) = (UnixSeconds(8), UnixSeconds(9));
        let queued = Progress::Queued(Window { opens, expires });
        let mut logs = vec![deposit(1), step(2, 9, queued), step(3, 9, ended), deposit(4)];
        assert_eq!(newest(&mut logs, 2), 1);
        assert_eq!(numbers(&logs), [2, 3, 4]);
        assert_eq!(newest(&mut logs, 0), 3);
    }
}
