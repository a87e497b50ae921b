//! What makes the bridge read again, and in the end stop.

use crate::block::{BlockNumber, Seq};
use alloy_primitives::B256;
use serde::{Deserialize, Serialize};
use std::fmt;

/// An answer that contradicts what is known: both versions of what disagrees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
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
    },
    /// The ledger holds another story of a deposit.
    DepositDiffers {
        /// Its number.
        seq: Seq,
    },
    /// The ledger holds another story of a withdrawal, or none where there must be one.
    WithdrawalDiffers {
        /// `seq` of its request.
        seq: Seq,
    },
    /// Paid on chain without a reservation in the ledger.
    PaidWithoutReservation {
        /// `seq` of its request.
        seq: Seq,
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
    },
    /// Too few endpoints say the same.
    NoAgreement {
        /// About this block.
        number: BlockNumber,
    },
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
            Self::ImpossibleEvent { seq } => {
                write!(f, "event {seq} breaks a rule that the vault enforces")
            }
            Self::DepositDiffers { seq } => {
                write!(f, "the ledger holds another story of deposit {seq}")
            }
            Self::WithdrawalDiffers { seq } => {
                write!(f, "the ledger holds another story of withdrawal {seq}")
            }
            Self::PaidWithoutReservation { seq } => {
                write!(f, "withdrawal {seq} was paid on chain without a reservation in the ledger")
            }
            Self::NotFinalThere { number, asked } => {
                write!(f, "the node that gave the logs up to {asked} is only final at {number}")
            }
            Self::EventReplaced { seq } => {
                write!(f, "event {seq} is another one than was taken in as final")
            }
            Self::NoAgreement { number } => {
                write!(f, "too few endpoints say the same about block {number}")
            }
        }
    }
}
