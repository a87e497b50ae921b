//! The operations of the pipeline: what goes to the ledger as a whole, and what became of it.

use crate::{
    account::NewAccount,
    asset::{LedgerId, Listing},
    block::Seq,
    id::Instance,
    pipeline::Stage,
    posting::{self, Credit, DepositVerdict, Standing},
    transfer::NewTransfer,
    vault_event::Outcome,
    withdrawal::{RefusalReason, Withdrawal},
};

/// One thing that goes to the ledger as a whole.
#[derive(Debug)]
pub(crate) enum Op {
    /// Open a token's ledger.
    Listing { listing: Listing, accounts: Vec<NewAccount> },
    /// Credit a deposit.
    Deposit(Credit),
    /// Reserve a withdrawal.
    Reserve { seq: Seq, chain: Box<[NewTransfer; 2]>, accounts: Box<[NewAccount; 2]> },
    /// Look whether a pending stands, before anybody signs.
    Confirm { seq: Seq, pending: Box<NewTransfer> },
    /// Check that the ledger has the end of a withdrawal that was forgotten already.
    Audit { seq: Seq, outcome: Outcome },
    /// Post or void a pending.
    Resolve { seq: Seq, outcome: Outcome, pending: Box<NewTransfer>, end: Box<NewTransfer> },
}

/// What became of an [`Op`].
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Done {
    Listed { listing: Listing, served: bool },
    Deposited { seq: Seq, ledger: LedgerId, verdict: DepositVerdict },
    Reserved { seq: Seq, verdict: Reserved },
    Confirmed { seq: Seq, standing: Standing },
    Resolved { seq: Seq, outcome: Outcome, verdict: Resolved },
    Audited { seq: Seq, agrees: bool },
}

/// What became of a reservation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reserved {
    Standing,
    /// Posted (true) or voided (false) before: this is a replay.
    Ended(bool),
    Refused(RefusalReason),
    Contradiction,
    Blocked,
}

/// What became of a post or void.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Resolved {
    Done,
    /// There is no pending, and none was needed: nothing left the vault.
    NothingReserved,
    Contradiction,
}

impl Op {
    /// An upper bound of the events it adds to any request of its batch.
    pub(crate) const fn weight(&self) -> usize {
        match self {
            Self::Listing { .. } | Self::Deposit(_) => 1,
            Self::Reserve { .. }
            | Self::Confirm { .. }
            | Self::Audit { .. }
            | Self::Resolve { .. } => 2,
        }
    }

    /// When its pending is looked up: reservations after their transfers, the others before.
    pub(crate) fn is_looked_up_in(&self, stage: Stage) -> bool {
        match self {
            Self::Reserve { .. } => stage == Stage::Verify,
            Self::Confirm { .. } | Self::Audit { .. } | Self::Resolve { .. } => {
                stage == Stage::LookUp
            }
            Self::Listing { .. } | Self::Deposit(_) => false,
        }
    }

    /// The ledger on which it begins something new; what was begun goes on if a ledger stops.
    pub(crate) fn new_on(&self) -> Option<LedgerId> {
        match self {
            Self::Deposit(credit) => Some(credit.ledger),
            Self::Reserve { chain, .. } => {
                let [_, main] = &**chain;
                Some(main.ledger)
            }
            Self::Listing { .. }
            | Self::Confirm { .. }
            | Self::Audit { .. }
            | Self::Resolve { .. } => None,
        }
    }

    pub(crate) fn pending(&self) -> Option<&NewTransfer> {
        match self {
            Self::Reserve { chain, .. } => chain.last(),
            Self::Confirm { pending, .. } | Self::Resolve { pending, .. } => Some(pending),
            Self::Listing { .. } | Self::Deposit(_) | Self::Audit { .. } => None,
        }
    }

    pub(crate) const fn withdrawal(&self) -> Option<Seq> {
        match self {
            Self::Reserve { seq, .. }
            | Self::Confirm { seq, .. }
            | Self::Audit { seq, .. }
            | Self::Resolve { seq, .. } => Some(*seq),
            Self::Listing { .. } | Self::Deposit(_) => None,
        }
    }

    /// The reservation of a withdrawal.
    pub(crate) fn reserve(instance: Instance, withdrawal: &Withdrawal) -> Self {
        Self::Reserve {
            seq: withdrawal.seq,
            chain: Box::new(posting::reservation(instance, withdrawal)),
            accounts: Box::new(posting::reservation_accounts(withdrawal)),
        }
    }

    /// The lookup before a signature.
    pub(crate) fn confirm(instance: Instance, withdrawal: &Withdrawal) -> Self {
        let [_, main] = posting::reservation(instance, withdrawal);
        Self::Confirm { seq: withdrawal.seq, pending: Box::new(main) }
    }

    /// The post or void.
    pub(crate) fn resolve(instance: Instance, withdrawal: &Withdrawal, outcome: Outcome) -> Self {
        let [_, main] = posting::reservation(instance, withdrawal);
        let end = posting::resolution(instance, withdrawal, outcome);
        let (pending, end) = (Box::new(main), Box::new(end));
        Self::Resolve { seq: withdrawal.seq, outcome, pending, end }
    }
}
