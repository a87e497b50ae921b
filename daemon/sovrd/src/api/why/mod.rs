//! `/v1/why/{reference}`: what a deposit or withdrawal waits for, since when, and what would move it.

mod because;

use super::{
    LEDGER_SILENCE_MAX, Part, Sources,
    problem::Problem,
    reference::Reference,
    transfers::{self, Item, State},
};
use crate::engine;
use because::{Because, Bridge, Known, Missing, Thing, minutes_until};
use bridge_core::{
    block::{BlockNumber, FinalityPolicy},
    obstacle::Obstacle,
    reserves::Proof,
    status::Summary,
    withdrawal::Withdrawal,
};
use serde::Serialize;
use utoipa::ToSchema;

/// Nanoseconds in a second.
const NS: u64 = 1_000_000_000;

/// What everything that a reference names waits for.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Page {
    /// One for each deposit or withdrawal, oldest first.
    items: Vec<Why>,
}

/// What one thing waits for.
#[derive(Debug, Serialize, ToSchema)]
struct Why {
    #[serde(rename = "ref")]
    reference: String,
    state: State,
    #[serde(flatten)]
    because: Because,
    /// Since when it stands there, Unix seconds: its block's time, or the ledger's.
    #[serde(skip_serializing_if = "Option::is_none")]
    since_s: Option<u64>,
}

/// Explains what a reference names.
///
/// # Errors
/// If the node or the ledger does not answer for the things themselves.
pub(super) async fn explain(sources: &Sources, reference: Reference) -> Result<Page, Problem> {
    let everything = Part { before_block: None, before_seq: None };
    let found = transfers::find(sources, reference, &everything).await?;
    let summary = sources.now();
    let bridge = bridge(sources, &summary);
    let mut items = Vec::new();
    for item in found.items {
        items.push(one(sources, &summary, &bridge, item).await);
    }
    if items.is_empty() {
        items.push(Why {
            reference: reference.to_string(),
            state: State::unseen(),
            because: because::why(&unseen(), &bridge),
            since_s: None,
        });
    }
    Ok(Page { items })
}

const fn unseen() -> Thing {
    Thing {
        state: Known::Unseen,
        unfinal: None,
        is_blocked: false,
        is_unproved: false,
        deadline_in_s: None,
        is_gasless: false,
        is_ended: false,
        obstacle: None,
    }
}

async fn one(sources: &Sources, summary: &Summary, bridge: &Bridge, item: Item) -> Why {
    let open = match item.withdrawal_id() {
        Some(id) => sources.inbox.ask(move |core| core.withdrawal(id).cloned()).await.flatten(),
        None => None,
    };
    let thing = thing(sources, summary, &item, open.as_ref());
    let because = because::why(&thing, bridge);
    let since_s = match (&item.ledger, &item.chain) {
        (Some(ledger), _) => Some(ledger.timestamp_ns / NS),
        (None, Some(chain)) => block_time(sources, chain.block).await,
        (None, None) => None,
    };
    Why { reference: item.reference, state: item.state, because, since_s }
}

async fn block_time(sources: &Sources, block: BlockNumber) -> Option<u64> {
    sources.nodes.time_of(block).await.ok().flatten().map(|time| time.0)
}

fn thing(sources: &Sources, summary: &Summary, item: &Item, open: Option<&Withdrawal>) -> Thing {
    // The chain knows nothing of a gasless withdrawal before it is paid.
    let token = item.chain.as_ref().map(|chain| chain.token);
    let Some(token) = token.or_else(|| open.map(|w| w.request.token)) else {
        let state = if item.ledger.is_some() { item.known() } else { Known::Unseen };
        return Thing { state, ..unseen() };
    };
    let listing = summary.listings.iter().find(|l| l.token == token);
    let ledger = listing.map(|l| l.ledger);
    let proof = summary.reserves.iter().find(|r| r.token == token).map(|r| r.proof);
    let now_s = engine::now().0 / 1_000;
    let deadline = open.map(|w| w.request.deadline.0);
    let until =
        |deadline: u64| i64::try_from(deadline).unwrap_or(i64::MAX).saturating_sub_unsigned(now_s);
    Thing {
        state: item.known(),
        unfinal: item.chain.as_ref().and_then(|chain| unfinal(sources, summary, chain.block)),
        is_blocked: ledger.is_some_and(|ledger| summary.blocked_ledgers.contains(&ledger)),
        is_unproved: proof.is_some_and(|proof| proof != Proof::Proved),
        deadline_in_s: deadline.map(until),
        is_gasless: open.is_some_and(|w| w.seq.is_intent()),
        is_ended: item.chain.as_ref().is_some_and(|chain| chain.outcome.is_some()),
        obstacle: open.and_then(|w| w.obstacle).filter(|o| *o != Obstacle::PayoutsPaused),
    }
}

/// What is missing until a block is final.
fn unfinal(sources: &Sources, summary: &Summary, block: BlockNumber) -> Option<Missing> {
    if summary.final_block.is_some_and(|newest| newest >= block) {
        return None;
    }
    match sources.chain.finality {
        FinalityPolicy::Confirmations(n) => {
            let have = summary.latest_block.unwrap_or_default().plus(1).minus(block.0).0;
            // At least one: what the newest poll told may be older than the block.
            Some(Missing::Blocks(n.saturating_sub(have).max(1)))
        }
        FinalityPolicy::Safe | FinalityPolicy::Finalized => Some(Missing::Tag),
    }
}

fn bridge(sources: &Sources, summary: &Summary) -> Bridge {
    let silent = sources.ledger.silent_for();
    let aside = summary.endpoints.iter().filter(|e| e.set_aside.is_some()).count();
    let paused = summary.payouts_paused_until.map(|until| until.0);
    Bridge {
        halted: summary.halted.map(|evidence| evidence.to_string()),
        is_ledger_silent: silent.is_none_or(|silent| silent > LEDGER_SILENCE_MAX),
        is_node_silent: summary.latest_block.is_none() || aside == summary.endpoints.len(),
        is_comparing: summary.is_comparing,
        is_up_to_date: summary.up_to_date,
        pays: summary.submitter.is_some(),
        queued: summary.queued_operations,
        paused_minutes: paused.and_then(|u| minutes_until(u, engine::now().0 / 1_000)),
    }
}

impl Item {
    /// What it is, for the explanation.
    const fn known(&self) -> Known {
        match self.state {
            State::Deposit(transfers::DepositState::Cleared) => Known::Cleared,
            State::Deposit(transfers::DepositState::Pending) => Known::Deposit,
            State::Withdrawal(status) => Known::Withdrawal(status),
        }
    }

    fn withdrawal_id(&self) -> Option<alloy::primitives::B256> {
        match self.reference.parse() {
            Ok(Reference::Withdrawal(id)) => Some(id),
            _ => None,
        }
    }
}
