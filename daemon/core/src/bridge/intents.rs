//! Gasless withdrawals: taken in from their owners, found again in the ledger, ended by their nonce.

use super::Bridge;
use crate::{
    amount::{LedgerAmount, TokenAmount},
    asset::{LedgerId, Listing},
    block::{Seq, UnixSeconds},
    checkpoint::Change,
    command::{Notice, Output},
    event::{ContractState, FoundOpen},
    gasless::{self, Fault, Intent, Submission},
    op::Op,
    vault_event::{Outcome, Payment, Progress, Request, SpentNonce, WithdrawalEvent},
    withdrawal::{RefusalReason, Withdrawal, Work},
};
use alloy_primitives::{Address, B256, Bytes};

/// Refusals that are remembered for whoever asked.
const REFUSED_MAX: usize = 1_024;

/// Ends that are remembered, so that the proof of reserves need not doubt them.
const ENDED_MAX: usize = 1_024;

/// Open gasless withdrawals of all owners: they cost nothing to ask for.
const OPEN_MAX: usize = 10_000;

/// Why an intent is not taken in now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotTaken {
    /// It cannot be paid as it is signed.
    Faults(Vec<Fault>),
    /// Not now: the bridge is behind, compares its history, has halted, or takes no intents.
    NotNow(&'static str),
    /// The chain has ended it, or waits with it.
    Known,
}

impl Bridge {
    /// The id of an intent.
    #[must_use]
    pub fn intent_id(&self, intent: &Intent) -> B256 {
        intent.id(&self.domain)
    }

    /// Whether an intent could be taken in now.
    ///
    /// # Errors
    /// With everything that is wrong with it, or why it must wait.
    pub fn judge_intent(&self, submission: &Submission) -> Result<(), NotTaken> {
        let Submission { intent, facts } = submission;
        let Some(config) = &self.config.gasless else {
            return Err(NotTaken::NotNow("this daemon pays nobody"));
        };
        if self.halted.is_some() {
            return Err(NotTaken::NotNow("the bridge has halted"));
        }
        if self.book.intents().count() >= OPEN_MAX || self.pipeline.depth() >= self.config.queue_max
        {
            return Err(NotTaken::NotNow("too many withdrawals are under way"));
        }
        // A nonce made unusable below what was taken in will not be told of again.
        let cursor = self.view.cursor().block.number;
        if !self.is_up_to_date() || self.is_comparing() || facts.block < cursor {
            return Err(NotTaken::NotNow("the bridge is catching up with the chain"));
        }
        if facts.state != Some(ContractState::None) {
            return Err(NotTaken::Known);
        }
        let mut faults = gasless::faults(submission, self.config.identity.vault, config);
        let id = self.intent_id(intent);
        let seq = Seq::of_intent(id);
        match self.book.get(seq) {
            Some(open) if open.request.id != id => faults.push(Fault::IdTaken),
            Some(_) => {}
            None if self.was_refused(id).is_some() => faults.push(Fault::RefusedBefore),
            None => {
                let theirs = |w: &&Withdrawal| w.request.owner == intent.owner;
                let open = self.book.intents().filter(theirs).count();
                let most = config.open_per_owner_max;
                faults.extend((open >= most).then_some(Fault::TooManyOpen(most)));
            }
        }
        let listing = facts.terms.map(|terms| terms.listing);
        if let Some(listing) = listing.filter(|_| faults.is_empty()) {
            let ours = self.listings.get(&listing.ledger);
            if ours != Some(&listing) || self.blocked.contains_key(&listing.ledger) {
                return Err(NotTaken::NotNow("the token's ledger is not served just now"));
            }
        }
        if faults.is_empty() { Ok(()) } else { Err(NotTaken::Faults(faults)) }
    }

    /// Why the ledger refused an intent lately.
    #[must_use]
    pub fn was_refused(&self, id: B256) -> Option<RefusalReason> {
        self.refused.iter().find(|(other, _)| *other == id).map(|(_, reason)| *reason)
    }

    pub(super) fn note_ended(&mut self, seq: Seq) {
        if self.ended_intents.len() >= ENDED_MAX {
            self.ended_intents.pop_front();
        }
        self.ended_intents.push_back(seq);
    }

    pub(super) fn note_refused(&mut self, id: B256, reason: RefusalReason) {
        if self.refused.len() >= REFUSED_MAX {
            self.refused.pop_front();
        }
        self.refused.push_back((id, reason));
    }

    /// The signed text is durable before the ledger hears of it: the chain has no record of it.
    pub(super) fn on_intent(&mut self, submission: Submission, out: &mut Output) {
        if self.judge_intent(&submission).is_err() {
            return;
        }
        let Submission { intent, facts } = submission;
        let Some(listing) = facts.terms.map(|terms| terms.listing) else { return };
        let amounts = listing.divisor.to_ledger(intent.amount);
        let Some(amounts) = amounts.zip(listing.divisor.to_ledger(intent.fee)) else { return };
        let request = intent.request(self.intent_id(&intent), listing.ledger);
        let seq = Seq::of_intent(request.id);
        if self.book.get(seq).is_some() {
            self.book.change(seq, |w| {
                if w.lacks_text() {
                    (w.request, w.ledger_fee) = (request, amounts.1);
                    w.intent = Some(Box::new(intent));
                }
            });
        } else {
            self.book.insert(Withdrawal::gasless(request, amounts, intent));
            self.reserve(seq);
        }
        let kept = self.book.get(seq).cloned();
        out.changes.extend(kept.map(|w| Change::Withdrawal(Box::new(w))));
    }

    /// Asks the ledger to set the amount aside.
    pub(crate) fn reserve(&mut self, seq: Seq) {
        if let Some(withdrawal) = self.book.get(seq) {
            self.pipeline.push(Op::reserve(self.instance, withdrawal));
            self.book.set_work(seq, Work::Ledger);
        }
    }

    /// What the ledger holds open and the store knows nothing of is known by its pending alone.
    pub(super) fn on_recovered(&mut self, open: &[FoundOpen], out: &mut Output) {
        for found in open {
            let Some(withdrawal) = self.found(found) else { continue };
            let seq = withdrawal.seq;
            let (id, deadline) = (withdrawal.request.id, withdrawal.request.deadline);
            if self.book.get(seq).is_none() {
                self.book.insert(withdrawal);
                out.notices.push(Notice::IntentFound { seq });
            } else if self.book.get(seq).is_some_and(|w| w.lacks_text() && w.request.id == id) {
                self.book.change(seq, |w| w.request.deadline = deadline);
                self.complete(seq);
            }
        }
        // What waits in the contract's queue and is not open in the ledger has ended there; should it
        // be paid all the same, its event tells.
        let is_open = |w: &Withdrawal| open.iter().any(|o| o.main.gasless_id() == w.request.id);
        let queued = self.book.intents().filter(|w| w.told.is_some() && !is_open(w));
        let ended: Vec<Seq> = queued.map(|w| w.seq).collect();
        for seq in ended {
            self.forget(seq);
        }
    }

    fn found(&self, FoundOpen { main, fee, owner }: &FoundOpen) -> Option<Withdrawal> {
        let ledger = LedgerId(u32::try_from(main.credit.0 >> 64).ok()?);
        let listing = self.listings.get(&ledger);
        let token = listing.map_or(Address::ZERO, |l| l.token);
        let units = listing.and_then(|l| main.amount.0.checked_mul(l.divisor.get()));
        let request = Request {
            id: main.gasless_id(),
            owner: *owner,
            to: Address::ZERO,
            token,
            amount: TokenAmount(units.unwrap_or_default()),
            deadline: UnixSeconds(main.user_data_64),
            ledger,
        };
        Some(Withdrawal::found(request, (main.amount, *fee)))
    }

    /// A step of an intent on chain.
    pub(super) fn take_intent(&mut self, by: Seq, event: &WithdrawalEvent) {
        let WithdrawalEvent { id, nonce: seq, progress, payment, .. } = *event;
        // Two that share the beginning of their ids are never open together: this one has ended.
        let is_another = self.book.get(seq).is_some_and(|w| w.request.id != id);
        let Some((payment, listing)) = payment.zip(self.listing_of(payment)) else { return };
        if is_another {
            return;
        }
        match progress {
            Progress::Queued(window) => {
                self.meet(id, &payment, &listing);
                self.book.change(seq, |w| {
                    w.queued = Some(window);
                    w.told = Some(payment).filter(|_| w.lacks_text());
                });
                self.complete(seq);
            }
            Progress::Ended(outcome) if outcome.is_payout() => {
                self.meet(id, &payment, &listing);
                self.book.change(seq, |w| {
                    w.outcome = w.outcome.or(Some(outcome));
                    w.ended_by = w.ended_by.or(Some(by));
                });
            }
            Progress::Ended(outcome) if self.book.get(seq).is_none() => {
                self.pipeline.push(Op::void_of_unknown(id, listing.ledger, outcome));
            }
            Progress::Ended(outcome) => self.end_intent(seq, outcome, by),
        }
    }

    fn listing_of(&self, payment: Option<Payment>) -> Option<Listing> {
        let token = payment?.token;
        self.listings.values().find(|listing| listing.token == token).copied()
    }

    /// An intent that is not in the book, by what an event tells of it: a replay of one that has ended,
    /// or one of a store that was lost.
    fn meet(&mut self, id: B256, payment: &Payment, listing: &Listing) {
        if self.book.get(Seq::of_intent(id)).is_some() {
            return;
        }
        let Payment { owner, to, token, amount, fee, .. } = *payment;
        let units = |amount| listing.divisor.to_ledger(amount).unwrap_or(LedgerAmount(0));
        let (deadline, ledger) = (UnixSeconds(0), listing.ledger);
        let request = Request { id, owner, to, token, amount, deadline, ledger };
        self.book.insert(Withdrawal::found(request, (units(amount), units(fee))));
    }

    /// What waits in the contract's queue needs its fields and no signature any more: the event told
    /// them, the ledger knows the deadline, and the id proves them.
    fn complete(&mut self, seq: Seq) {
        let Some(open) = self.book.get(seq).filter(|w| w.lacks_text()) else { return };
        let Some(Payment { owner, to, token, amount, fee, nonce }) = open.told else { return };
        let (Request { id, deadline, ledger, .. }, signature) = (open.request, Bytes::new());
        let intent = Intent { owner, to, token, amount, fee, nonce, deadline, signature };
        if self.intent_id(&intent) == id {
            self.book.change(seq, |w| {
                (w.request, w.told) = (intent.request(id, ledger), None);
                w.intent = Some(Box::new(intent));
            });
        }
    }

    fn end_intent(&mut self, seq: Seq, outcome: Outcome, by: Seq) {
        let is_open = self.book.get(seq).is_some_and(|w| w.outcome.is_none());
        if is_open {
            self.book.change(seq, |w| (w.outcome, w.ended_by) = (Some(outcome), Some(by)));
            self.release(seq, outcome);
        }
    }

    /// What its owner withdrew can never be paid, unless it waits in the contract's queue already.
    pub(super) fn take_spent_nonce(&mut self, by: Seq, spent: &SpentNonce) {
        let is_theirs = |w: &&Withdrawal| {
            let intent = w.intent.as_ref();
            intent.is_some_and(|i| (i.owner, i.nonce) == (spent.owner, spent.nonce))
                && w.queued.is_none()
        };
        let ended: Vec<Seq> = self.book.intents().filter(is_theirs).map(|w| w.seq).collect();
        ended.into_iter().for_each(|seq| self.end_intent(seq, Outcome::Revoked, by));
    }

    /// Those that the store knows, as they stand before any of the history: it is read again.
    pub(crate) fn keep_intents(&mut self) -> Vec<Withdrawal> {
        // What was completed in the queue lacks its signature: it is found anew.
        let is_signed =
            |w: &&Withdrawal| w.intent.as_ref().is_some_and(|i| !i.signature.is_empty());
        let intents = self.book.intents().filter(is_signed);
        intents.cloned().map(Withdrawal::as_before_history).collect()
    }

    /// The ledger refused it: nothing is set aside, and whoever asked is told.
    pub(super) fn refuse_intent(&mut self, seq: Seq, reason: RefusalReason) {
        let id = self.book.get(seq).map(|w| w.request.id);
        id.into_iter().for_each(|id| self.note_refused(id, reason));
        self.forget(seq);
    }
}
