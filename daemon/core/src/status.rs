//! What the core shows of itself; for people and metrics, never for decisions.

use crate::{
    amount::LedgerAmount,
    asset::{LedgerId, Listing},
    block::{BlockNumber, Millis, Seq, UnixSeconds},
    bridge::Bridge,
    checkpoint::Cursor,
    endpoint::{EndpointId, EndpointStatus, Reason},
    halt::Evidence,
    obstacle::Obstacle,
    reserves::TokenReserves,
    vault_event::Window,
    withdrawal::Withdrawal,
};
use alloy_primitives::{Address, B256};
use serde::Serialize;
use std::{collections::BTreeMap, fmt};

/// Large payouts in a summary.
const QUEUED_SHOWN: usize = 16;

/// A summary of the core.
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// The instance number.
    pub instance: u32,
    /// Everything up to here is in the ledger.
    pub acknowledged: Cursor,
    /// Everything up to here was read.
    pub read: Cursor,
    /// The newest block of the node.
    pub latest_block: Option<BlockNumber>,
    /// The newest final block.
    pub final_block: Option<BlockNumber>,
    /// Its time.
    pub final_time: Option<UnixSeconds>,
    /// The vault's own count of events at the final block.
    pub contract_seq: Option<Seq>,
    /// True if everything final is in the ledger.
    pub up_to_date: bool,
    /// Operations waiting for the ledger.
    pub queued_operations: usize,
    /// Learned limit of events in a request.
    pub batch_max: usize,
    /// Withdrawals that have not ended.
    pub open_withdrawals: usize,
    /// Transactions waiting for a block.
    pub transactions_in_flight: usize,
    /// The vault pays nothing before this time; absent while payouts run.
    pub payouts_paused_until: Option<UnixSeconds>,
    /// Large payouts that wait in the contract's queue, the first of them.
    pub large_payouts: Vec<QueuedPayout>,
    /// How many withdrawals wait for what.
    #[cfg_attr(feature = "schema", schema(value_type = std::collections::HashMap<String, usize>))]
    pub held: BTreeMap<Obstacle, usize>,
    /// Who pays for gas; absent where this daemon pays nobody.
    pub submitter: Option<SubmitterSummary>,
    /// Known listings.
    pub listings: Vec<Listing>,
    /// Ledgers that stopped.
    pub blocked_ledgers: Vec<LedgerId>,
    /// Where the proof of each token's reserves stands.
    pub reserves: Vec<TokenReserves>,
    /// True while the history is held against the ledger; nothing is signed before that is done.
    pub is_comparing: bool,
    /// What is being read again because it did not fit.
    pub rereading: Vec<Rereading>,
    /// How each endpoint stands; people see it with its address.
    #[serde(skip)]
    pub endpoints: Vec<EndpointStatus>,
    /// Why the bridge halted.
    #[cfg_attr(feature = "schema", schema(value_type = Option<crate::schema::EvidenceObject>))]
    pub halted: Option<Evidence>,
    /// When it halted, milliseconds since 1970.
    pub halted_since: Option<Millis>,
}

/// The submitter's account.
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[derive(Clone, Copy, Debug, Serialize)]
pub struct SubmitterSummary {
    /// Its address.
    #[cfg_attr(feature = "schema", schema(value_type = crate::schema::AddressText))]
    pub address: Address,
    /// Wei, by the newest poll.
    #[serde(with = "crate::amount::decimal")]
    #[cfg_attr(feature = "schema", schema(value_type = crate::schema::NumberText))]
    pub balance: u128,
    /// True while that is less than the configured line.
    pub is_low: bool,
}

/// A large payout that waits in the contract's queue.
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[derive(Clone, Copy, Debug, Serialize)]
pub struct QueuedPayout {
    /// The withdrawal.
    #[cfg_attr(feature = "schema", schema(value_type = crate::schema::Bytes32Text))]
    pub id: B256,
    /// Its ledger.
    pub ledger: LedgerId,
    /// Ledger units.
    pub amount: LedgerAmount,
    /// When it can be made.
    #[serde(flatten)]
    pub window: Window,
    /// From the newest final block to the end of its window.
    pub seconds_left: u64,
}

/// Something that is read again, until it fits.
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Rereading {
    /// First block of the range; `None` for the final head.
    pub from: Option<BlockNumber>,
    /// Last block of the range.
    pub to: Option<BlockNumber>,
    /// How often it was read in vain.
    pub attempt: u32,
    /// Since when, milliseconds since 1970.
    pub since_ms: u64,
    /// Whose answer was the newest that did not fit.
    pub endpoint: Option<EndpointId>,
    /// What is wrong with it.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub reason: Reason,
}

impl fmt::Display for Rereading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.from, self.to) {
            (Some(from), Some(to)) => write!(f, "reading blocks {from} to {to} again")?,
            _ => f.write_str("asking for the final head again")?,
        }
        write!(f, " after {} attempts: {}", self.attempt, self.reason)
    }
}

impl Bridge {
    /// A summary as of now.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let head = self.view.head();
        Summary {
            instance: self.instance.get(),
            acknowledged: self.acked,
            read: self.view.cursor(),
            latest_block: head.map(|h| h.latest),
            final_block: head.map(|h| h.final_head.block.number),
            final_time: head.map(|h| h.final_head.timestamp),
            contract_seq: head.map(|h| h.last_seq),
            up_to_date: self.is_up_to_date(),
            queued_operations: self.pipeline.depth(),
            batch_max: self.pipeline.batch_max(),
            open_withdrawals: self.book.len(),
            transactions_in_flight: self.submitter.as_ref().map_or(0, |s| s.in_flight()),
            payouts_paused_until: head
                .filter(|h| h.are_payouts_paused())
                .map(|h| h.payouts_paused_until),
            large_payouts: self.large_payouts(),
            held: self.book.held(),
            submitter: self.submitter.as_ref().map(|s| SubmitterSummary {
                address: s.address(),
                balance: head.and_then(|h| h.submitter).map_or(0, |a| a.balance),
                is_low: s.is_low(),
            }),
            listings: self.listings.values().copied().collect(),
            blocked_ledgers: self.blocked.keys().copied().collect(),
            reserves: self.shown_reserves(),
            is_comparing: self.is_comparing(),
            halted: self.halted(),
            halted_since: self.halted.map(|m| m.since),
            rereading: self.view.rereading(),
            endpoints: self.view.endpoints(),
        }
    }

    /// True if everything final is in the ledger.
    #[must_use]
    pub fn is_up_to_date(&self) -> bool {
        self.view.is_caught_up() && self.acked == self.view.cursor()
    }

    /// Why the bridge halted, if it did.
    #[must_use]
    pub fn halted(&self) -> Option<Evidence> {
        self.halted.map(|m| m.evidence)
    }

    /// An open withdrawal by its id.
    #[must_use]
    pub fn withdrawal(&self, id: B256) -> Option<&Withdrawal> {
        self.book.by_id(id)
    }

    /// Large payouts that wait in the contract's queue, and how long still.
    fn large_payouts(&self) -> Vec<QueuedPayout> {
        let now = self.view.head().map_or(UnixSeconds(0), |head| head.final_head.timestamp);
        let one = |w: &Withdrawal| {
            let window = w.queued?;
            let (id, ledger, amount) = (w.request.id, w.request.ledger, w.ledger_amount);
            let seconds_left = window.opens.0.saturating_sub(now.0);
            Some(QueuedPayout { id, ledger, amount, window, seconds_left })
        };
        self.book.queued().filter_map(one).take(QUEUED_SHOWN).collect()
    }

    /// All open withdrawals, in the order of their requests.
    pub fn withdrawals(&self) -> impl Iterator<Item = &Withdrawal> {
        self.book.iter()
    }
}
