//! Everything that can go out: the core's only way to act.

use crate::{
    account::NewAccount,
    asset::LedgerId,
    block::{BlockNumber, BlockRef, Seq},
    checkpoint::Change,
    endpoint::{EndpointId, Reason},
    gasless::Intent,
    halt::Evidence,
    id::{AccountId, Instance, TransferId},
    obstacle::Obstacle,
    reserves::Break,
    transfer::NewTransfer,
    vault_event::{Outcome, Request},
    withdrawal::{Authorization, RefusalReason, Verdict},
};
use alloy_primitives::{Address, B256, Bytes};

/// Names one request to the ledger; only the newest is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RequestId(pub u64);

/// What one step of the core leads to, in the order in which the driver does it.
#[derive(Debug, Default)]
pub struct Output {
    /// Must be durable before anything below happens.
    pub changes: Vec<Change>,
    /// To the adapters.
    pub commands: Vec<Command>,
    /// For people and counters.
    pub notices: Vec<Notice>,
}

/// An order to an adapter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// To the chain adapter.
    Chain(ChainCommand),
    /// To the ledger adapter.
    Ledger(LedgerCommand),
    /// To the payout adapter.
    Payout(PayoutCommand),
}

/// Reads of the chain; each goes to one endpoint and is answered by one event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChainCommand {
    /// The newest heads, and the hash that the node has for `anchor` now.
    Poll {
        /// Whom to ask.
        endpoint: EndpointId,
        /// Our own last block.
        anchor: BlockNumber,
        /// Speak of this final block instead of the newest one.
        at: Option<BlockNumber>,
    },
    /// All vault logs of a range of final blocks.
    FetchRange(RangeRequest),
    /// The contract's state of one withdrawal, at one block named by its hash.
    ReadState {
        /// Whom to ask.
        endpoint: EndpointId,
        /// Which withdrawal.
        seq: Seq,
        /// Its id.
        id: B256,
        /// The final block to read at.
        block: BlockRef,
    },
    /// What the contracts hold of these tokens, at one block named by its hash.
    ReadHoldings {
        /// Whom to ask.
        endpoint: EndpointId,
        /// The final block to read at.
        block: BlockRef,
        /// Ledgers with their tokens.
        tokens: Vec<(LedgerId, Address)>,
    },
}

/// A range of blocks to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RangeRequest {
    /// Whom to ask: all of the answer comes from this endpoint.
    pub endpoint: EndpointId,
    /// First block.
    pub from: BlockNumber,
    /// Last block, included.
    pub to: BlockNumber,
    /// True if every header of the range is wanted, not only the first, the last and those of blocks
    /// with events.
    pub all_headers: bool,
    /// How often this position was read before without a usable answer; a re-read goes by block
    /// hash where the range is short.
    pub attempt: u32,
}

/// Requests to the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LedgerCommand {
    /// Create accounts.
    CreateAccounts {
        /// Names the answer.
        request: RequestId,
        /// What to create.
        accounts: Vec<NewAccount>,
    },
    /// Create transfers, in this order.
    CreateTransfers {
        /// Names the answer.
        request: RequestId,
        /// What to create.
        transfers: Vec<NewTransfer>,
    },
    /// Find transfers.
    LookupTransfers {
        /// Names the answer.
        request: RequestId,
        /// Which.
        ids: Vec<TransferId>,
    },
    /// Find the gasless withdrawals that debit towards one of these VAULT accounts and that nothing
    /// resolves.
    Recover {
        /// Names the answer.
        request: RequestId,
        /// The instance number, part of its VAULT accounts' ids.
        instance: Instance,
    },
    /// Read VAULT accounts, each at one instant, and the sums of their ledgers.
    Survey {
        /// Names the answer.
        request: RequestId,
        /// Ledgers with their VAULT accounts.
        vaults: Vec<(LedgerId, AccountId)>,
    },
}

/// Orders to signers and submitter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PayoutCommand {
    /// Ask the payout signers for one root over all of these: payouts of one token, or refusals.
    Authorize(Vec<Asked>),
    /// Build and sign a transaction with the submitter's key; nothing is sent yet.
    Build(TransactionPlan),
    /// Send these bytes, which are durable. A send error means: unknown.
    Broadcast {
        /// The transaction's nonce.
        nonce: u64,
        /// The signed transaction.
        raw: Bytes,
    },
    /// Pause payouts on chain with the pauser's key, until the contract says that they are.
    Pause,
}

/// A withdrawal for the signers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Which withdrawal.
    pub seq: Seq,
    /// All that is signed.
    pub request: Request,
    /// What its owner signed, if it is gasless.
    pub intent: Option<Intent>,
    /// Pay or refuse.
    pub verdict: Verdict,
}

/// A transaction to build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionPlan {
    /// The submitter's nonce.
    pub nonce: u64,
    /// What it does.
    pub call: Call,
    /// EIP-1559 fees.
    pub fees: Fees,
    /// Most gas that it may use.
    pub gas_limit: u64,
}

/// What a transaction does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// Carries the authorisations of withdrawals to the vault, all under one root; never none.
    Withdrawals(Vec<Carried>),
    /// Ends the wait of a large payout in the contract's queue.
    Finish(Box<Finishing>),
    /// Nothing, to ourselves: uses up a nonce whose withdrawal has ended by another way.
    Nothing,
}

/// A large payout that has waited in the contract's queue; anybody may finish it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finishing {
    /// Its number.
    pub seq: Seq,
    /// Its fields.
    pub request: Request,
    /// What the owner signed, of a gasless one.
    pub intent: Option<Intent>,
    /// Pay it (true), or close it because its time in the queue is over.
    pub pays: bool,
}

/// A withdrawal in a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Carried {
    /// Its number.
    pub seq: Seq,
    /// Its fields.
    pub request: Request,
    /// What its owner signed, if it is gasless.
    pub intent: Option<Intent>,
    /// What the payout signers signed.
    pub authorization: Authorization,
}

/// EIP-1559 fees, wei for one unit of gas.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Fees {
    /// Most that is paid in all.
    #[serde(with = "crate::amount::decimal")]
    pub max_fee: u128,
    /// Most that goes to the block's producer.
    #[serde(with = "crate::amount::decimal")]
    pub priority_fee: u128,
}

/// Something people or counters should know. Never a secret, never needed for correctness.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// Deposits that are in the ledger now.
    DepositsPosted {
        /// How many.
        count: u64,
        /// The highest `seq` of them.
        last: Seq,
    },
    /// A deposit is in the ledger with another transaction or block as its source.
    DepositReincluded {
        /// Its number.
        seq: Seq,
    },
    /// The amount of a withdrawal is set aside.
    WithdrawalReserved {
        /// Which.
        seq: Seq,
    },
    /// The ledger refused a withdrawal.
    WithdrawalRefused {
        /// Which.
        seq: Seq,
        /// Why.
        reason: RefusalReason,
    },
    /// A withdrawal has ended in the ledger too.
    WithdrawalSettled {
        /// Which.
        seq: Seq,
        /// How.
        outcome: Outcome,
    },
    /// A gasless withdrawal is set aside in the ledger, and the text that its owner signed is lost.
    IntentFound {
        /// Which.
        seq: Seq,
    },
    /// A payout or refusal went out.
    Submitted {
        /// Which withdrawal.
        seq: Seq,
        /// With which nonce.
        nonce: u64,
    },
    /// A transaction that only uses up a nonce which nobody uses went out.
    NonceFilled {
        /// The nonce.
        nonce: u64,
    },
    /// A transaction's nonce was used and nothing came of it; the work starts anew.
    TransactionLost {
        /// Which withdrawal.
        seq: Seq,
        /// The nonce.
        nonce: u64,
    },
    /// Nothing was sent for a withdrawal; it is tried again.
    PayoutHeld {
        /// Which.
        seq: Seq,
        /// Why.
        obstacle: Obstacle,
    },
    /// Transactions of another submitter's key were dropped; their withdrawals start anew.
    SubmitterChanged {
        /// How many.
        dropped: usize,
    },
    /// The submitter's gas money runs low.
    SubmitterLow {
        /// Wei.
        balance: u128,
    },
    /// The submitter has enough gas money again.
    SubmitterFilled {
        /// Wei.
        balance: u128,
    },
    /// A ledger stopped: a listing or deposit on it cannot be served.
    LedgerBlocked {
        /// The number of the ledger.
        ledger: LedgerId,
    },
    /// Chain and ledger do not add up: nothing is signed for this token any more.
    ReservesBroken(Break),
    /// They add up again.
    ReservesMended {
        /// The number of the ledger.
        ledger: LedgerId,
    },
    /// A final block was replaced: the whole history is read again and held against the ledger.
    Rereading(Evidence),
    /// An endpoint is set aside for a while.
    EndpointSetAside {
        /// Which.
        endpoint: EndpointId,
        /// Why.
        reason: Reason,
    },
    /// An endpoint is in good standing again.
    EndpointBack {
        /// Which.
        endpoint: EndpointId,
    },
    /// The node's answer does not fit; it is read again.
    Suspect(Evidence),
    /// A contradiction that stays: nothing is written or signed any more.
    Halted(Evidence),
}
