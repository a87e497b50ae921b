//! Carrying out an approved supersede record: errand by errand, so that it can be interrupted and
//! begun again anywhere.

use crate::{
    account::NewAccount,
    amount::LedgerAmount,
    asset::LedgerId,
    audit::Entries,
    id::{AccountId, Instance, TransferId},
    posting::{self, Credit},
    supersede_plan::Plan,
    transfer::{NewTransfer, TransferResult},
};
use std::collections::{BTreeMap, BTreeSet};

/// A repetition, or an account that has nothing left: the rest is a loss.
const REPEATED: &[TransferResult] = &[
    TransferResult::Exists,
    TransferResult::ExistsWithDifferentAmount,
    TransferResult::ExceedsCredits,
    TransferResult::IdAlreadyFailed,
];
/// A deposit that is there already, perhaps seen in another block.
const CREDITED: &[TransferResult] = &[
    TransferResult::Exists,
    TransferResult::ExistsWithDifferentUserData128,
    TransferResult::ExistsWithDifferentUserData64,
    TransferResult::ExistsWithDifferentUserData32,
];

/// What the ledger shows before an errand.
#[derive(Clone, Debug, Default)]
pub struct Shown {
    /// The transfers of [`Work::ids`] that are there.
    pub entries: Entries,
    /// By account of [`Work::vaults`], what it can be credited: posted debits less posted and pending
    /// credits.
    pub room: BTreeMap<AccountId, u128>,
    /// By account of [`Work::owners`], what it can be debited: posted credits less posted and pending
    /// debits.
    pub means: BTreeMap<AccountId, u128>,
    /// Accounts of the last [`Errand::Open`] that belong to somebody else.
    pub taken: BTreeSet<AccountId>,
}

/// The next thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Errand {
    /// Create these; results other than `ok` are as good if they are among `fine`.
    Create {
        /// In this order.
        transfers: Vec<NewTransfer>,
        /// As good as `ok`.
        fine: &'static [TransferResult],
    },
    /// Create these accounts, and see which of them are somebody else's.
    Open(Vec<NewAccount>),
    /// Nothing of the debits was tried: VAULT of this ledger has no room for them yet, and an id that
    /// is tried in vain is burnt.
    Wait(LedgerId),
    /// That was all.
    Done {
        /// Ledger units that were debited back.
        back: u128,
        /// Ledger units borne by LOSS.
        lost: u128,
        /// Ledger units of losses that wait for room in VAULT, untried.
        waiting: u128,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Record,
    Voids,
    Debits,
    Accounts,
    Credits,
    Losses,
    Over,
}

/// A record on its way into the ledger: itself, then voids, debits, the credits of the new history,
/// losses. What was credited anew makes room for the losses.
#[derive(Debug)]
pub struct Work<'a> {
    plan: &'a Plan,
    instance: Instance,
    stage: Stage,
}

impl<'a> Work<'a> {
    /// Begins, or begins again.
    #[must_use]
    pub const fn new(plan: &'a Plan, instance: Instance) -> Self {
        Self { plan, instance, stage: Stage::Record }
    }

    /// What must be looked up before each errand.
    #[must_use]
    pub fn ids(&self) -> Vec<TransferId> {
        let debits = self.plan.debits_back(self.instance).into_iter();
        let losses = self.plan.shortfalls(self.instance, &Entries::new()).into_iter();
        debits.chain(losses).map(|t| t.id).collect()
    }

    /// The VAULT accounts whose room must be read before each errand.
    #[must_use]
    pub fn vaults(&self) -> BTreeSet<AccountId> {
        let vault =
            |ledger| AccountId::vault_chart(ledger, self.instance, crate::account::VAULT.number);
        self.plan.takes.iter().map(|t| vault(t.ledger)).collect()
    }

    /// The accounts that are debited.
    #[must_use]
    pub fn owners(&self) -> BTreeSet<AccountId> {
        self.plan.takes.iter().map(|t| t.account).collect()
    }

    /// What comes next.
    pub fn next(&mut self, shown: &Shown) -> Errand {
        let (plan, instance) = (self.plan, self.instance);
        let create = |transfers, fine| Errand::Create { transfers, fine };
        match self.stage {
            Stage::Record => {
                self.stage = Stage::Voids;
                create(vec![plan.record(instance).to_transfer(instance)], REPEATED)
            }
            Stage::Voids => {
                self.stage = Stage::Debits;
                create(plan.voids(instance), REPEATED)
            }
            Stage::Debits => {
                let debits = plan.debits_back(instance);
                if let Some(first) = without_room(&within_means(&debits, shown), shown).first() {
                    return Errand::Wait(first.ledger);
                }
                self.stage = Stage::Accounts;
                create(debits, REPEATED)
            }
            Stage::Accounts => {
                self.stage = Stage::Credits;
                Errand::Open(plan.credits.iter().map(Credit::new_account).collect())
            }
            Stage::Credits => {
                self.stage = Stage::Losses;
                let credit =
                    |c: &Credit| posting::deposit(instance, c, shown.taken.contains(&c.account));
                create(plan.credits.iter().map(credit).collect(), CREDITED)
            }
            Stage::Losses => {
                self.stage = Stage::Over;
                let mut losses = plan.shortfalls(instance, &shown.entries);
                let waiting = without_room(&losses, shown);
                losses.retain(|t| !waiting.contains(t));
                create(losses, &[TransferResult::Exists])
            }
            Stage::Over => self.done(shown),
        }
    }

    fn done(&self, shown: &Shown) -> Errand {
        let sum = |all: &mut dyn Iterator<Item = u128>| all.fold(0, u128::saturating_add);
        let there = |t: &NewTransfer| shown.entries.get(&t.id).map(|found| found.amount.0);
        let losses = self.plan.shortfalls(self.instance, &shown.entries);
        let missing = losses.iter().filter(|t| there(t).is_none()).map(|t| t.amount.0);
        Errand::Done {
            back: sum(&mut self.plan.debits_back(self.instance).iter().filter_map(there)),
            lost: sum(&mut losses.iter().filter_map(there)),
            waiting: sum(&mut missing.into_iter()),
        }
    }
}

/// What of these debits their owners have.
fn within_means(debits: &[NewTransfer], shown: &Shown) -> Vec<NewTransfer> {
    let mut means = shown.means.clone();
    let mut have = |t: &NewTransfer| {
        let left = means.entry(t.debit).or_default();
        let amount = t.amount.0.min(*left);
        *left = left.saturating_sub(amount);
        NewTransfer { amount: LedgerAmount(amount), ..*t }
    };
    debits.iter().filter(|t| !shown.entries.contains_key(&t.id)).map(&mut have).collect()
}

/// Transfers into VAULT for which it has no room yet. To try them would burn their ids.
fn without_room(transfers: &[NewTransfer], shown: &Shown) -> Vec<NewTransfer> {
    let mut room = shown.room.clone();
    let mut waiting = Vec::new();
    for transfer in transfers.iter().filter(|t| !shown.entries.contains_key(&t.id)) {
        let left = room.entry(transfer.credit).or_default();
        match left.checked_sub(transfer.amount.0) {
            Some(after) => *left = after,
            None => waiting.push(*transfer),
        }
    }
    waiting
}
