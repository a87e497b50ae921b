//! Everything that can come in.

use crate::{
    block::{BlockNumber, BlockRef, Header, Seq, UnixSeconds},
    command::{RangeRequest, RequestId},
    endpoint::{EndpointId, ReadFault},
    id::{AccountId, TransferId},
    obstacle::Obstacle,
    reserves::{TokenReading, VaultReading},
    transfer::{AccountResult, FoundTransfer, TransferResult},
    vault_event::VaultLog,
    withdrawal::Verdict,
};
use alloy_primitives::{B256, Bytes};
use std::collections::{BTreeMap, BTreeSet};

/// A fact that an adapter brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Time passed; nothing else happened.
    Tick,
    /// There may be a new block (a subscription's hint; never relied upon).
    Wake,
    /// The process is about to end in order: write down what is acknowledged.
    Stop,
    /// Answer to a poll.
    Head {
        /// Whose answer.
        endpoint: EndpointId,
        /// The answer.
        head: Head,
    },
    /// A poll brought nothing usable; the adapter says more in its own log.
    HeadFailed {
        /// Whose.
        endpoint: EndpointId,
        /// Why.
        fault: ReadFault,
    },
    /// Answer to a range request.
    Range(Range),
    /// A range could not be read.
    RangeFailed {
        /// The request.
        request: RangeRequest,
        /// Why.
        fault: ReadFault,
    },
    /// Answer to a state read.
    State {
        /// Whose answer.
        endpoint: EndpointId,
        /// Which withdrawal.
        seq: Seq,
        /// At which block.
        block: BlockNumber,
        /// What the contract says; `None` if it could not be read.
        state: Option<ContractState>,
    },
    /// What the contracts hold at a block.
    Holdings {
        /// Who answers.
        endpoint: EndpointId,
        /// The block that was asked about.
        block: BlockRef,
        /// The tokens that could be read: where a token's own contract refuses, it is missing.
        readings: Vec<TokenReading>,
        /// Why the endpoint could not read some of them, if that is its own fault.
        fault: Option<ReadFault>,
    },
    /// The ledger's answer.
    Ledger(LedgerEvent),
    /// The payout adapter's answer.
    Payout(PayoutEvent),
}

/// One poll of the node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Hash of block 0.
    pub genesis: B256,
    /// Height of the newest block.
    pub latest: BlockNumber,
    /// The newest final block under the configured policy.
    pub final_head: Header,
    /// The vault's own event counter at `final_head`.
    pub last_seq: Seq,
    /// The height that was asked about, and the hash the node has for it.
    pub anchor: Option<(BlockNumber, B256)>,
    /// Base fee of the next block, wei.
    pub base_fee: u128,
    /// What the newest blocks' transactions tipped, by their median, wei.
    pub tip: u128,
    /// The vault pays nothing before this time, by its newest state.
    pub payouts_paused_until: UnixSeconds,
    /// The submitter's account; `None` where payouts are not configured.
    pub submitter: Option<SubmitterAccount>,
}

impl Head {
    /// True while the vault pays nothing. Judged by the final head's time, which lags behind: a
    /// pause that runs out ends a little late, never early.
    #[must_use]
    pub fn are_payouts_paused(&self) -> bool {
        self.final_head.timestamp < self.payouts_paused_until
    }
}

/// The submitter's account as the node sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SubmitterAccount {
    /// Next nonce at the final head.
    pub final_nonce: u64,
    /// Next nonce at the newest block.
    pub latest_nonce: u64,
    /// Next nonce, waiting transactions included.
    pub pending_nonce: u64,
    /// Wei.
    pub balance: u128,
}

/// The logs of a range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    /// What was asked.
    pub request: RangeRequest,
    /// The height that is final in the eyes of the very node that gave the logs.
    pub final_here: BlockNumber,
    /// Headers by height: at least those of [`Range::wanted`].
    pub headers: BTreeMap<BlockNumber, Header>,
    /// Logs in chain order.
    pub logs: Vec<VaultLog>,
}

/// Blocks with events whose headers are asked for in one range: what more of them have is held against
/// numbers and counter alone, so that a backfill costs one call in many.
pub const EVENT_HEADERS_MAX: usize = 64;

impl Range {
    /// The blocks whose headers belong to the answer: all of them, or the first, the last, and those
    /// with events. Where too many have events, as many as allowed, evenly spread.
    #[must_use]
    pub fn wanted(request: &RangeRequest, logs: &[VaultLog]) -> BTreeSet<BlockNumber> {
        let RangeRequest { from, to, all_headers, .. } = *request;
        if all_headers {
            return (from.0..=to.0).map(BlockNumber).collect();
        }
        let numbers = logs.iter().map(|log| log.block.number);
        let numbers: BTreeSet<_> = numbers.filter(|n| (from..=to).contains(n)).collect();
        let step = numbers.len().div_ceil(EVENT_HEADERS_MAX).max(1);
        [from, to].into_iter().chain(numbers.into_iter().step_by(step)).collect()
    }
}

/// `IVaultTypes.State`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContractState {
    /// Never seen.
    None,
    /// Requested.
    Requested,
    /// In the queue of large payouts.
    Queued,
    /// Ended by a payout.
    PaidOrDeferred,
    /// Refused or cancelled.
    RefusedOrCancelled,
}

/// What the ledger answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LedgerEvent {
    /// Accounts were created or refused.
    Accounts {
        /// Which request.
        request: RequestId,
        /// The ids sent.
        accounts: Vec<AccountId>,
        /// By index, those that were not `ok`.
        failures: BTreeMap<usize, AccountResult>,
    },
    /// Transfers were created or refused.
    Transfers {
        /// Which request.
        request: RequestId,
        /// Those that were not `ok`.
        failures: Vec<(TransferId, TransferResult)>,
    },
    /// Transfers found.
    Found {
        /// Which request.
        request: RequestId,
        /// In any order; those not found are missing.
        transfers: Vec<FoundTransfer>,
    },
    /// VAULT accounts read.
    Surveyed {
        /// Which request.
        request: RequestId,
        /// Those that exist.
        readings: Vec<VaultReading>,
    },
    /// No answer in time, or the session ended: the request may still execute.
    Unknown {
        /// Which request.
        request: RequestId,
    },
    /// More events than the server takes; nothing was executed.
    TooMuch {
        /// Which request.
        request: RequestId,
        /// How many were sent.
        events: usize,
    },
}

/// What signers and submitter answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PayoutEvent {
    /// The quorum signed a root.
    Authorized {
        /// What stands under it.
        items: Vec<Signed>,
        /// Ascending by signer.
        signatures: Vec<Bytes>,
    },
    /// The quorum did not sign.
    NotAuthorized {
        /// Which withdrawals.
        seqs: Vec<Seq>,
        /// Why: signers are away or refuse, or the vault has others now.
        obstacle: Obstacle,
    },
    /// A transaction is built.
    Built {
        /// Its nonce.
        nonce: u64,
        /// Its bytes.
        raw: Bytes,
        /// Its hash.
        hash: B256,
        /// Withdrawals that it does not carry after all.
        dropped: Vec<(Seq, Obstacle)>,
    },
    /// A transaction could not be built.
    NotBuilt {
        /// Its nonce.
        nonce: u64,
        /// Why.
        obstacle: Obstacle,
        /// Withdrawals with a reason of their own.
        dropped: Vec<(Seq, Obstacle)>,
    },
}

/// A withdrawal under a signed root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// Which withdrawal.
    pub seq: Seq,
    /// What was signed.
    pub verdict: Verdict,
    /// The way from its leaf to the root.
    pub proof: Vec<B256>,
}
