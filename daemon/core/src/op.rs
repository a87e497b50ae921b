//! The operations of the pipeline: what goes to the ledger as a whole, and what became of it.

use crate::{
    account::{NewAccount, SUSPENSE},
    amount::LedgerAmount,
    asset::{LedgerId, Listing},
    block::{Seq, UnixSeconds},
    event::FoundOpen,
    halt::{Entry, Evidence, Told},
    id::{AccountId, Instance, TransferId},
    pipeline::Stage,
    posting::{self, Chain, Credit, DepositVerdict, End, Standing, WithdrawalIds, read_standing},
    reserves::VaultReading,
    transfer::{FoundPhase, FoundTransfer, NewTransfer, TransferCode},
    user_data::UserData,
    vault_event::Outcome,
    withdrawal::{RefusalReason, Withdrawal},
};
use alloy_primitives::B256;

/// One thing that goes to the ledger as a whole.
#[derive(Debug)]
pub(crate) enum Op {
    /// Open a token's ledger.
    Listing { listing: Listing, accounts: Vec<NewAccount> },
    /// Credit a deposit.
    Deposit(Credit),
    /// Reserve a withdrawal.
    Reserve { seq: Seq, id: B256, chain: Box<Chain>, accounts: Box<[NewAccount; 2]> },
    /// Look whether a pending stands, before anybody signs.
    Confirm { seq: Seq, id: B256, pending: Box<NewTransfer> },
    /// Check that the ledger has the end of a request that was forgotten already.
    Audit { seq: Seq, outcome: Outcome },
    /// Post or void a pending. How it must look is not known of an intent that is not in the book and
    /// was not paid.
    Resolve {
        seq: Seq,
        id: B256,
        outcome: Outcome,
        pending: Option<Box<NewTransfer>>,
        end: Box<End>,
    },
    /// Find the gasless withdrawals that the ledger holds open: the chain tells of none.
    Recover,
    /// In a replay, before anything of an event is written: hold it against what the ledger has.
    Compare(Box<Comparison>),
    /// Look whether a transfer that was known is still there. Nothing passes it until it is.
    Witness { transfer: TransferId, misses: u32 },
    /// Read VAULT accounts while nothing else is under way.
    Survey { vaults: Vec<(LedgerId, AccountId)> },
}

/// What the ledger may hold under the ids of one event.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Comparison {
    pub(crate) seq: Seq,
    /// What the chain says.
    pub(crate) chain: Told,
    /// The id of its credit, and the credit itself if it is a deposit.
    pub(crate) deposit: (TransferId, Option<NewTransfer>),
    /// The id of its pending, and the pending itself if it is a request.
    pub(crate) main: (TransferId, Option<NewTransfer>),
    /// True under a supersede record: a pending of the old history may stay.
    pub(crate) is_superseded: bool,
}

impl Comparison {
    /// What does not fit: another story under an id, or a story where there must be none.
    pub(crate) fn judge(
        &self,
        look: impl Fn(TransferId) -> Option<FoundTransfer>,
    ) -> Option<Evidence> {
        let Self { seq, chain, .. } = *self;
        let (deposit, main) = (look(self.deposit.0), look(self.main.0));
        if let Some(found) = deposit.filter(|f| !is_credit(f, self.deposit.1.as_ref())) {
            let ledger = Some(Entry {
                account: found.credit,
                amount: found.amount,
                standing: Standing::Posted,
            });
            return Some(Evidence::DepositDiffers { seq, chain, ledger });
        }
        let found = main.filter(|_| !self.is_superseded)?;
        let standing = read_standing(self.main.1.as_ref(), Some(&found), None);
        let fits = self.main.1.is_some() && standing == Standing::Open;
        let ledger = Some(Entry { account: found.debit, amount: found.amount, standing });
        (!fits).then_some(Evidence::WithdrawalDiffers { seq, chain, ledger })
    }
}

/// A credit goes to its owner, or to SUSPENSE where the owner's account id was taken.
fn is_credit(found: &FoundTransfer, expected: Option<&NewTransfer>) -> bool {
    expected.is_some_and(|e| {
        let suspense = AccountId::chart(e.ledger, SUSPENSE.number);
        found.phase == FoundPhase::Direct
            && (found.debit, found.amount) == (e.debit, e.amount)
            && (found.credit == e.credit || found.credit == suspense)
    })
}

/// What became of an [`Op`].
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Done {
    Listed {
        listing: Listing,
        served: bool,
    },
    Deposited {
        credit: Credit,
        verdict: DepositVerdict,
        entry: Option<Entry>,
    },
    Reserved {
        seq: Seq,
        verdict: Reserved,
        entry: Option<Entry>,
    },
    Confirmed {
        seq: Seq,
        standing: Standing,
        entry: Option<Entry>,
    },
    Resolved {
        seq: Seq,
        outcome: Outcome,
        verdict: Resolved,
        entry: Option<Entry>,
    },
    Audited {
        seq: Seq,
        outcome: Outcome,
        ledger: Option<Entry>,
        agrees: bool,
    },
    Compared,
    Witnessed,
    Surveyed(Vec<VaultReading>),
    Recovered(Vec<FoundOpen>),
    /// The rest of the batch was not sent.
    Contradicted(Evidence),
}

impl Done {
    /// A transfer that the ledger must have from now on.
    pub(crate) fn proves(
        &self,
        instance: Instance,
        ids: Option<WithdrawalIds>,
    ) -> Option<TransferId> {
        match self {
            Self::Deposited {
                credit,
                verdict: DepositVerdict::Posted | DepositVerdict::PostedElsewhere,
                ..
            } => Some(credit.id(instance)),
            Self::Reserved { verdict: Reserved::Standing | Reserved::Ended(_), .. } => {
                ids.map(|ids| ids.main)
            }
            Self::Resolved { verdict: Resolved::Done, .. } => ids.map(|ids| ids.resolve),
            Self::Listed { .. }
            | Self::Deposited { .. }
            | Self::Reserved { .. }
            | Self::Confirmed { .. }
            | Self::Resolved { .. }
            | Self::Audited { .. }
            | Self::Compared
            | Self::Witnessed
            | Self::Surveyed(_)
            | Self::Recovered(_)
            | Self::Contradicted(_) => None,
        }
    }
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
            Self::Listing { .. }
            | Self::Deposit(_)
            | Self::Witness { .. }
            | Self::Recover
            | Self::Survey { .. } => 1,
            // With the fee's leg.
            Self::Reserve { seq, .. } | Self::Resolve { seq, .. } | Self::Confirm { seq, .. }
                if seq.is_intent() =>
            {
                3
            }
            Self::Compare(_)
            | Self::Reserve { .. }
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
            Self::Listing { .. }
            | Self::Deposit(_)
            | Self::Compare(_)
            | Self::Witness { .. }
            | Self::Recover
            | Self::Survey { .. } => false,
        }
    }

    /// The ledger on which it begins something new; what was begun goes on if a ledger stops.
    pub(crate) fn new_on(&self) -> Option<LedgerId> {
        match self {
            Self::Deposit(credit) => Some(credit.ledger),
            Self::Reserve { chain, .. } => Some(chain.main.ledger),
            Self::Listing { .. }
            | Self::Confirm { .. }
            | Self::Audit { .. }
            | Self::Resolve { .. }
            | Self::Compare(_)
            | Self::Witness { .. }
            | Self::Recover
            | Self::Survey { .. } => None,
        }
    }

    pub(crate) fn comparison(&self) -> Option<&Comparison> {
        if let Self::Compare(comparison) = self { Some(comparison) } else { None }
    }

    pub(crate) fn is_witnessed_by(&self, found: &[FoundTransfer]) -> bool {
        let Self::Witness { transfer, .. } = self else { return false };
        found.iter().any(|t| t.id == *transfer)
    }

    /// True for what shares its batch with nothing.
    pub(crate) const fn is_alone(&self) -> bool {
        matches!(
            self,
            Self::Listing { .. } | Self::Witness { .. } | Self::Survey { .. } | Self::Recover
        )
    }

    pub(crate) fn pending(&self) -> Option<&NewTransfer> {
        match self {
            Self::Reserve { chain, .. } => Some(&chain.main),
            Self::Confirm { pending, .. } => Some(pending),
            Self::Resolve { pending, .. } => pending.as_deref(),
            Self::Listing { .. }
            | Self::Deposit(_)
            | Self::Audit { .. }
            | Self::Recover
            | Self::Compare(_)
            | Self::Witness { .. }
            | Self::Survey { .. } => None,
        }
    }

    pub(crate) const fn withdrawal(&self) -> Option<Seq> {
        match self {
            Self::Reserve { seq, .. }
            | Self::Confirm { seq, .. }
            | Self::Audit { seq, .. }
            | Self::Resolve { seq, .. } => Some(*seq),
            Self::Listing { .. }
            | Self::Recover
            | Self::Deposit(_)
            | Self::Compare(_)
            | Self::Witness { .. }
            | Self::Survey { .. } => None,
        }
    }

    /// What a lookup shows: a pending under the id of a gasless withdrawal must be of that very one.
    pub(crate) fn standing(&self, read: Standing, main: Option<&FoundTransfer>) -> Standing {
        let (Some(main), Self::Resolve { id, pending: None, .. }) = (main, self) else {
            return read;
        };
        let is_its_own = main.user_data_128 == UserData::withdrawal(*id, UnixSeconds(0)).of_128;
        if is_its_own { read } else { Standing::Absent }
    }

    /// The ids of the withdrawal that it is about.
    pub(crate) fn ids(&self, instance: Instance) -> Option<WithdrawalIds> {
        match self {
            Self::Reserve { seq, id, .. }
            | Self::Confirm { seq, id, .. }
            | Self::Resolve { seq, id, .. } => Some(WithdrawalIds::named(instance, *seq, *id)),
            Self::Audit { seq, .. } => Some(WithdrawalIds::of(instance, *seq)),
            Self::Listing { .. }
            | Self::Deposit(_)
            | Self::Recover
            | Self::Compare(_)
            | Self::Witness { .. }
            | Self::Survey { .. } => None,
        }
    }

    /// The reservation of a withdrawal.
    pub(crate) fn reserve(instance: Instance, withdrawal: &Withdrawal) -> Self {
        Self::Reserve {
            seq: withdrawal.seq,
            id: withdrawal.request.id,
            chain: Box::new(posting::reservation(instance, withdrawal)),
            accounts: Box::new(posting::reservation_accounts(withdrawal)),
        }
    }

    /// The lookup before a signature.
    pub(crate) fn confirm(instance: Instance, withdrawal: &Withdrawal) -> Self {
        let pending = Box::new(posting::reservation(instance, withdrawal).main);
        Self::Confirm { seq: withdrawal.seq, id: withdrawal.request.id, pending }
    }

    /// The post or void.
    pub(crate) fn resolve(instance: Instance, withdrawal: &Withdrawal, outcome: Outcome) -> Self {
        let pending = Some(Box::new(posting::reservation(instance, withdrawal).main));
        let end = Box::new(posting::resolution(instance, withdrawal, outcome));
        Self::Resolve { seq: withdrawal.seq, id: withdrawal.request.id, outcome, pending, end }
    }

    /// The void of an intent that is not in the book; done already, or somebody else's.
    pub(crate) fn void_of_unknown(id: B256, ledger: LedgerId, outcome: Outcome) -> Self {
        let nothing = LedgerAmount(0);
        let of = (ledger, TransferCode::Gasless);
        let end = posting::end(WithdrawalIds::gasless(id), of, (nothing, nothing), outcome);
        let seq = Seq::of_intent(id);
        Self::Resolve { seq, id, outcome, pending: None, end: Box::new(end) }
    }
}
