//! What approving a supersede record means, in numbers: shown to the operator, confirmed by its
//! hash, and carried out so that it can be interrupted and repeated anywhere.

use crate::{
    account::LOSS,
    amount::LedgerAmount,
    asset::LedgerId,
    audit::{Entries, History},
    block::Seq,
    halt::Told,
    id::{AccountId, Instance, Kind, TransferId},
    posting::{self, Credit, Standing, read_standing},
    supersede::{Supersede, attempt},
    transfer::{NewTransfer, Phase, TransferCode},
};
use alloy_primitives::{B256, keccak256};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Most numbers in one range.
pub const RANGE_MAX: u64 = 10_000;

/// A credit of the old history that is debited back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Take {
    /// Its number.
    pub seq: Seq,
    /// The token's ledger.
    pub ledger: LedgerId,
    /// Who was credited.
    pub account: AccountId,
    /// How much.
    pub credited: LedgerAmount,
    /// How much of it the same history paid out again, and vanished with it.
    pub paid_out: LedgerAmount,
    /// What is debited back: the difference.
    pub take: LedgerAmount,
    /// The attempt under which it was credited.
    pub attempt: u8,
}

/// A reservation of the old history that stands for nothing any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Closed {
    /// `seq` of its request.
    pub seq: Seq,
    /// The token's ledger.
    pub ledger: LedgerId,
    /// Whose it is.
    pub account: AccountId,
    /// How much.
    pub amount: LedgerAmount,
    /// True if it was paid and posted; else it is voided.
    pub posted: bool,
}

/// All of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// First number of the range.
    pub first: Seq,
    /// Last number of the range.
    pub last: Seq,
    /// Credits debited back, by number.
    pub takes: Vec<Take>,
    /// Reservations that end, by number.
    pub closed: Vec<Closed>,
    /// Requests that stand in both histories and go on.
    pub kept: Vec<Seq>,
    /// What the chain says now about every number that the ledger has an entry of, and about every
    /// deposit.
    pub chain: Vec<(Seq, Told)>,
    /// Deposits of the new history on ledgers where something is debited back, credited under the next
    /// attempt: they make room for losses. All others are left to the daemon, which knows whether
    /// their ledger can be served.
    #[serde(skip)]
    pub credits: Vec<Credit>,
}

/// Why a range cannot be superseded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CannotSupersede {
    /// Not a range.
    #[error("--from {first} --to {last}: give a range of 1 to {RANGE_MAX} numbers")]
    BadRange {
        /// First number.
        first: Seq,
        /// Last number.
        last: Seq,
    },
    /// The ledger agrees with the chain.
    #[error(
        "the ledger has nothing in {first} to {last} that the chain does not say: nothing to do"
    )]
    Nothing {
        /// First number.
        first: Seq,
        /// Last number.
        last: Seq,
    },
    /// Posted, its request stands again, and the chain has not paid it.
    #[error(
        "withdrawal {seq} is posted in the ledger, its request stands on chain and is not paid \
         there: have its signed payout mined again, or wait until its deadline has passed and it is \
         cancelled"
    )]
    Unpaid {
        /// `seq` of its request.
        seq: Seq,
    },
    /// The old history paid somebody more than it credited.
    #[error(
        "the old history paid account {account} {amount} ledger units on ledger {ledger} from what \
         was credited before it: begin the range earlier, or correct that by an approved transfer"
    )]
    PaidFromElsewhere {
        /// The token's ledger.
        ledger: LedgerId,
        /// Whose.
        account: AccountId,
        /// How much more.
        amount: LedgerAmount,
    },
}

/// The ids that must be looked up to plan a range.
#[must_use]
pub fn ids(instance: Instance, records: &[Supersede], first: Seq, last: Seq) -> Vec<TransferId> {
    let of = |seq: u64| {
        let seq = Seq(seq);
        let deposit = attempt(records, seq);
        [
            TransferId::attempt(instance, Kind::Deposit, seq, deposit),
            TransferId::chain_event(instance, Kind::Main, seq),
            TransferId::chain_event(instance, Kind::Resolve, seq),
        ]
    };
    (first.0..=last.0).take(usize::try_from(RANGE_MAX).unwrap_or(usize::MAX)).flat_map(of).collect()
}

/// Plans a record over `first..=last`; `records` are those that were approved before it.
///
/// # Errors
/// If there is nothing to supersede, or money left the old history that it did not bring.
pub fn plan(
    instance: Instance,
    records: &[Supersede],
    (first, last): (Seq, Seq),
    history: &History,
    entries: &Entries,
) -> Result<Plan, CannotSupersede> {
    if first.0 == 0 || last < first || last.minus(first.0).0 >= RANGE_MAX {
        return Err(CannotSupersede::BadRange { first, last });
    }
    let mut plan = Plan {
        first,
        last,
        takes: Vec::new(),
        closed: Vec::new(),
        kept: Vec::new(),
        chain: Vec::new(),
        credits: Vec::new(),
    };
    for seq in (first.0..=last.0).map(Seq) {
        let deposit = plan.add_deposit(instance, records, seq, entries);
        let main = plan.add_withdrawal(instance, seq, history, entries)?;
        let credit = history.credit(seq).map(|c| c.under(attempt(records, seq).saturating_add(1)));
        if deposit || main || credit.is_some() {
            plan.chain.push((seq, history.told(seq)));
        }
        plan.credits.extend(credit);
    }
    // A ledger that served the old history serves the new one, unless it is listed anew.
    let served: BTreeSet<LedgerId> = plan.takes.iter().map(|t| t.ledger).collect();
    let is_listed_anew = history.lists_in(first, last);
    plan.credits.retain(|c| !is_listed_anew && served.contains(&c.ledger));
    if plan.takes.is_empty() && plan.closed.is_empty() {
        return Err(CannotSupersede::Nothing { first, last });
    }
    plan.net()?;
    Ok(plan)
}

impl Plan {
    fn add_deposit(
        &mut self,
        instance: Instance,
        records: &[Supersede],
        seq: Seq,
        entries: &Entries,
    ) -> bool {
        let attempt = attempt(records, seq);
        let id = TransferId::attempt(instance, Kind::Deposit, seq, attempt);
        let Some(found) = entries.get(&id) else { return false };
        let (ledger, account, credited) = (ledger_of(found.debit), found.credit, found.amount);
        let (paid_out, take) = (LedgerAmount(0), credited);
        self.takes.push(Take { seq, ledger, account, credited, paid_out, take, attempt });
        true
    }

    fn add_withdrawal(
        &mut self,
        instance: Instance,
        seq: Seq,
        history: &History,
        entries: &Entries,
    ) -> Result<bool, CannotSupersede> {
        let id = |kind| TransferId::chain_event(instance, kind, seq);
        let Some(main) = entries.get(&id(Kind::Main)) else { return Ok(false) };
        let resolve = entries.get(&id(Kind::Resolve));
        let posted = read_standing(None, Some(main), resolve) == Standing::Posted;
        let stands = history.withdrawal(seq).is_some_and(|w| {
            let [_, expected] = posting::reservation(instance, &w);
            read_standing(Some(&expected), Some(main), resolve) != Standing::Contradiction
        });
        if stands {
            let paid = history.end(seq).is_some_and(|end| end.is_payout());
            if posted && !paid {
                return Err(CannotSupersede::Unpaid { seq });
            }
            self.kept.push(seq);
            return Ok(true);
        }
        let (ledger, account, amount) = (ledger_of(main.credit), main.debit, main.amount);
        self.closed.push(Closed { seq, ledger, account, amount, posted });
        Ok(true)
    }

    /// What the old history paid out again is not there to be debited back.
    fn net(&mut self) -> Result<(), CannotSupersede> {
        let mut paid: BTreeMap<(LedgerId, AccountId), u128> = BTreeMap::new();
        for closed in self.closed.iter().filter(|c| c.posted) {
            let sum = paid.entry((closed.ledger, closed.account)).or_default();
            *sum = sum.saturating_add(closed.amount.0);
        }
        for take in &mut self.takes {
            let Some(left) = paid.get_mut(&(take.ledger, take.account)) else { continue };
            let offset = (*left).min(take.credited.0);
            *left = left.saturating_sub(offset);
            take.paid_out = LedgerAmount(offset);
            take.take = LedgerAmount(take.credited.0.saturating_sub(offset));
        }
        match paid.into_iter().find(|(_, left)| *left > 0) {
            Some(((ledger, account), left)) => {
                let amount = LedgerAmount(left);
                Err(CannotSupersede::PaidFromElsewhere { ledger, account, amount })
            }
            None => Ok(()),
        }
    }

    /// What the operator confirms: range, every amount, and what the chain says now.
    #[must_use]
    pub fn evidence(&self, instance: Instance) -> B256 {
        let text = serde_json::to_string(self).unwrap_or_default();
        keccak256(format!("sovr.supersede.v1 {instance} {text}"))
    }

    /// The record.
    #[must_use]
    pub fn record(&self, instance: Instance) -> Supersede {
        let evidence = crate::id::be_u128(self.evidence(instance).as_slice());
        Supersede { first: self.first, last: self.last, evidence }
    }

    /// Ends the reservations that stand for nothing: first, for what they hold is debited back.
    #[must_use]
    pub fn voids(&self, instance: Instance) -> Vec<NewTransfer> {
        let void = |c: &Closed| {
            let id = |kind| TransferId::chain_event(instance, kind, c.seq);
            NewTransfer {
                id: id(Kind::Resolve),
                debit: AccountId(0),
                credit: AccountId(0),
                amount: LedgerAmount(0),
                ledger: c.ledger,
                code: TransferCode::Withdrawal,
                phase: Phase::Void(id(Kind::Main)),
                linked: false,
                user_data_128: 0,
                user_data_64: 0,
                user_data_32: 0,
            }
        };
        self.closed.iter().filter(|c| !c.posted).map(void).collect()
    }

    /// Debits the credits back, as far as their owners still have them.
    #[must_use]
    pub fn debits_back(&self, instance: Instance) -> Vec<NewTransfer> {
        let takes = self.takes.iter().filter(|t| t.take.0 > 0);
        takes
            .map(|t| {
                let template = self.template(instance, t, Kind::DebitedBack);
                NewTransfer {
                    debit: t.account,
                    amount: t.take,
                    code: TransferCode::DebitedBack,
                    phase: Phase::Balancing,
                    ..template
                }
            })
            .collect()
    }

    /// What they no longer had is the operator's loss; `entries` are the debits as executed.
    #[must_use]
    pub fn shortfalls(&self, instance: Instance, entries: &Entries) -> Vec<NewTransfer> {
        let mut transfers = Vec::new();
        for t in &self.takes {
            let id = TransferId::attempt(instance, Kind::DebitedBack, t.seq, t.attempt);
            let taken = entries.get(&id).map_or(0, |found| found.amount.0);
            let amount = LedgerAmount(t.take.0.saturating_sub(taken));
            if amount.0 > 0 {
                let template = self.template(instance, t, Kind::Shortfall);
                let debit = AccountId::chart(t.ledger, LOSS.number);
                transfers.push(NewTransfer { debit, amount, ..template });
            }
        }
        transfers
    }

    fn template(&self, instance: Instance, take: &Take, kind: Kind) -> NewTransfer {
        NewTransfer {
            id: TransferId::attempt(instance, kind, take.seq, take.attempt),
            debit: AccountId(0),
            credit: AccountId::vault_chart(take.ledger, instance, crate::account::VAULT.number),
            amount: LedgerAmount(0),
            ledger: take.ledger,
            code: TransferCode::Loss,
            phase: Phase::Direct,
            linked: false,
            user_data_128: 0,
            user_data_64: self.first.0,
            user_data_32: 0,
        }
    }
}

/// The ledger of a VAULT account, from its id.
fn ledger_of(vault: AccountId) -> LedgerId {
    LedgerId(u32::try_from(vault.0 >> 64).unwrap_or_default())
}
