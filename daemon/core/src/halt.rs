//! What makes the bridge read again, and in the end stop: always with both versions of what
//! disagrees, so that whoever comes to look needs nothing else.

use crate::{
    amount::{LedgerAmount, TokenAmount},
    asset::LedgerId,
    block::{BlockNumber, Millis, Seq},
    id::{AccountId, TransferId},
    posting::Standing,
    reserves::Break,
    vault_event::{Outcome, Progress, Request, VaultEvent},
};
use alloy_primitives::{Address, B256};
use serde::{Deserialize, Serialize};
use std::fmt;
use strum::{EnumDiscriminants, EnumIter, IntoEnumIterator, IntoStaticStr};

/// A halt as the store keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marker {
    /// What disagrees.
    pub evidence: Evidence,
    /// When it was found, by the engine's clock; 0 where an earlier version did not write it down.
    pub since: Millis,
}

/// What the chain says of an event, as far as the ledger is concerned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Told {
    /// Not written down by the version that found it.
    #[default]
    Unrecorded,
    /// There is no event of that number.
    Nothing,
    /// A deposit.
    Deposit {
        /// Who is credited.
        owner: Address,
        /// The token's ledger.
        ledger: LedgerId,
        /// How much.
        amount: TokenAmount,
    },
    /// A request for a withdrawal.
    Request {
        /// Whose balance pays.
        owner: Address,
        /// The token's ledger.
        ledger: LedgerId,
        /// How much.
        amount: TokenAmount,
        /// How it ended on chain; `None` while it is open.
        outcome: Option<Outcome>,
    },
    /// A later step of a withdrawal.
    Step {
        /// `seq` of the request.
        request: Seq,
        /// How it ended; `None` where it was only queued.
        outcome: Option<Outcome>,
    },
    /// An event that moves nothing in a ledger.
    Other,
}

/// What the ledger holds under an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The owner's side: credited by a deposit, debited by a withdrawal.
    pub account: AccountId,
    /// How much.
    pub amount: LedgerAmount,
    /// How it stands.
    pub standing: Standing,
}

/// An answer that contradicts what is known: both versions of what disagrees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, EnumDiscriminants)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[strum_discriminants(
    name(Cause),
    doc = "What a piece of evidence is about, to go through all of them.",
    derive(EnumIter, IntoStaticStr),
    strum(serialize_all = "snake_case"),
    allow(missing_docs)
)]
pub enum Evidence {
    /// Block 0 has another hash than at the start: another chain.
    GenesisChanged {
        /// Known.
        ours: B256,
        /// Answered.
        theirs: B256,
    },
    /// The last block we took as final is not canonical any more.
    FinalBlockReplaced {
        /// Height.
        number: BlockNumber,
        /// Known.
        ours: B256,
        /// Answered.
        theirs: B256,
    },
    /// The events of a range are not contiguous.
    SeqGap {
        /// Next number that must come.
        expected: Seq,
        /// What came.
        found: Seq,
    },
    /// The contract counts more or fewer events than the logs hold.
    CounterMismatch {
        /// By the logs.
        logs: Seq,
        /// By the contract.
        contract: Seq,
        /// At this block.
        number: BlockNumber,
    },
    /// Headers do not link, or a log is not where it says.
    BrokenLink {
        /// At this block.
        number: BlockNumber,
    },
    /// An event breaks a rule that the contract enforces.
    ImpossibleEvent {
        /// Its number.
        seq: Seq,
        /// What it says.
        #[serde(default)]
        chain: Told,
    },
    /// The ledger holds another story of a deposit, or one that the chain does not have.
    DepositDiffers {
        /// Its number.
        seq: Seq,
        /// What the chain says now.
        #[serde(default)]
        chain: Told,
        /// What we once took in.
        #[serde(default)]
        ledger: Option<Entry>,
    },
    /// The ledger holds another story of a withdrawal, or none where there must be one.
    WithdrawalDiffers {
        /// `seq` of its request.
        seq: Seq,
        /// What the chain says now.
        #[serde(default)]
        chain: Told,
        /// What we once took in.
        #[serde(default)]
        ledger: Option<Entry>,
    },
    /// Paid on chain without a reservation in the ledger.
    PaidWithoutReservation {
        /// `seq` of its request; of the payout itself for an intent.
        seq: Seq,
        /// What the chain says.
        #[serde(default)]
        chain: Told,
    },
    /// The node that gave the logs does not hold all of their blocks for final.
    NotFinalThere {
        /// What it holds for final.
        number: BlockNumber,
        /// The end of the range.
        asked: BlockNumber,
    },
    /// Another event stands in the place of one that was taken in.
    EventReplaced {
        /// Their number.
        seq: Seq,
        /// What we took in.
        #[serde(default)]
        ours: Told,
        /// What the chain says now.
        #[serde(default)]
        theirs: Told,
    },
    /// A transfer that the ledger had confirmed is not there any more: it was restored from an
    /// older state.
    LedgerLost {
        /// The last one that was known.
        transfer: TransferId,
    },
    /// Chain and ledger do not add up for a token, over several blocks.
    ReservesBroken(Break),
    /// Too few endpoints say the same.
    NoAgreement {
        /// About this block.
        number: BlockNumber,
    },
}

impl Cause {
    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::iter()
    }

    /// Its name in `/v1/status` and in the store.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// False for what is only read again, for as long as it takes: a range or a head that does not
    /// fit is an answer like any other, and what it hides will be told by somebody.
    #[must_use]
    pub const fn halts(self) -> bool {
        match self {
            Self::GenesisChanged
            | Self::FinalBlockReplaced
            | Self::ImpossibleEvent
            | Self::DepositDiffers
            | Self::WithdrawalDiffers
            | Self::PaidWithoutReservation
            | Self::EventReplaced
            | Self::LedgerLost
            | Self::ReservesBroken => true,
            Self::SeqGap
            | Self::CounterMismatch
            | Self::BrokenLink
            | Self::NotFinalThere
            | Self::NoAgreement => false,
        }
    }
}

impl Told {
    /// What an event says.
    #[must_use]
    pub const fn of(event: &VaultEvent) -> Self {
        match event {
            VaultEvent::Deposited(d) => {
                Self::Deposit { owner: d.owner, ledger: d.ledger, amount: d.amount }
            }
            VaultEvent::Requested(request) => Self::request(request, None),
            VaultEvent::Withdrawal(w) => {
                let outcome = match w.progress {
                    Progress::Queued(_) => None,
                    Progress::Ended(outcome) => Some(outcome),
                };
                Self::Step { request: w.nonce, outcome }
            }
            VaultEvent::Listed(_)
            | VaultEvent::Delisted(_)
            | VaultEvent::Claimed
            | VaultEvent::NonceInvalidated(_) => Self::Other,
        }
    }

    /// A request and how it ended.
    #[must_use]
    pub const fn request(request: &Request, outcome: Option<Outcome>) -> Self {
        let Request { owner, ledger, amount, .. } = *request;
        Self::Request { owner, ledger, amount, outcome }
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unrecorded => f.write_str("something that was not written down"),
            Self::Nothing => f.write_str("that there is no such event"),
            Self::Deposit { owner, ledger, amount } => {
                write!(f, "a deposit of {amount} token units for {owner} on ledger {ledger}")
            }
            Self::Request { owner, ledger, amount, outcome } => write!(
                f,
                "a withdrawal of {amount} token units by {owner} on ledger {ledger}, {}",
                ended(*outcome)
            ),
            Self::Step { request, outcome } => {
                write!(f, "that withdrawal {request} is {}", ended(*outcome))
            }
            Self::Other => f.write_str("an event that moves nothing"),
        }
    }
}

const fn ended(outcome: Option<Outcome>) -> &'static str {
    match outcome {
        None => "open",
        Some(Outcome::Paid) => "paid",
        Some(Outcome::Deferred) => "deferred",
        Some(Outcome::Refused) => "refused",
        Some(Outcome::Cancelled) => "cancelled",
        Some(Outcome::Expired) => "expired",
        Some(Outcome::Revoked) => "revoked by its owner",
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { account, amount, standing } = self;
        write!(f, "{amount} ledger units of account {account}, {}", standing.word())
    }
}

/// What the ledger holds, for a sentence.
struct Held<'a>(&'a Option<Entry>);

impl fmt::Display for Held<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(entry) => entry.fmt(f),
            None => f.write_str("nothing that fits"),
        }
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::GenesisChanged { ours, theirs } => {
                write!(f, "genesis is {theirs}, not {ours}: the node serves another chain")
            }
            Self::FinalBlockReplaced { number, ours, theirs } => {
                write!(f, "final block {number} is {theirs} now, not {ours}")
            }
            Self::SeqGap { expected, found } => {
                write!(f, "event {expected} must come next, the node sent {found}")
            }
            Self::CounterMismatch { logs, contract, number } => write!(
                f,
                "at block {number} the vault counts {contract} events, the logs end at {logs}"
            ),
            Self::BrokenLink { number } => {
                write!(f, "block {number}: headers do not link or a log is out of place")
            }
            Self::ImpossibleEvent { seq, chain } => {
                write!(f, "event {seq} breaks a rule that the vault enforces: it says {chain}")
            }
            Self::DepositDiffers { seq, chain, ledger } => write!(
                f,
                "deposit {seq}: the ledger holds {}, the chain says {chain}",
                Held(ledger)
            ),
            Self::WithdrawalDiffers { seq, chain, ledger } => write!(
                f,
                "withdrawal {seq}: the ledger holds {}, the chain says {chain}",
                Held(ledger)
            ),
            Self::PaidWithoutReservation { seq, chain } => write!(
                f,
                "withdrawal {seq} was paid on chain without a reservation in the ledger; the chain \
                 says {chain}"
            ),
            Self::NotFinalThere { number, asked } => {
                write!(f, "the node that gave the logs up to {asked} is only final at {number}")
            }
            Self::EventReplaced { seq, ours, theirs } => {
                write!(f, "event {seq} was taken in as {ours}; now the chain says {theirs}")
            }
            Self::LedgerLost { transfer } => write!(
                f,
                "transfer {transfer} is missing in the ledger, which had confirmed it: the ledger \
                 was restored from an older state"
            ),
            Self::ReservesBroken(broken) => broken.fmt(f),
            Self::NoAgreement { number } => {
                write!(f, "too few endpoints say the same about block {number}")
            }
        }
    }
}
