//! What the ledger answers, and what follows for deposits and withdrawals.

use super::{Bridge, is_released};
use crate::{
    asset::LedgerId,
    block::{Millis, Seq},
    checkpoint::Change,
    command::{Notice, Output},
    event::LedgerEvent,
    halt::{Entry, Evidence},
    op::{Done, Reserved, Resolved},
    pipeline::Step,
    posting::DepositVerdict,
    withdrawal::{RefusalReason, Reservation, Work},
};

impl Bridge {
    pub(super) fn on_ledger(&mut self, event: LedgerEvent, now: Millis, out: &mut Output) {
        let step = match event {
            LedgerEvent::Accounts { request, accounts, failures } => {
                self.pipeline.on_accounts(request, &accounts, &failures)
            }
            LedgerEvent::Transfers { request, failures } => {
                self.pipeline.on_transfers(request, &failures)
            }
            LedgerEvent::Found { request, transfers } => {
                self.pipeline.on_found(request, &transfers)
            }
            LedgerEvent::Surveyed { request, readings } => {
                self.pipeline.on_surveyed(request, readings)
            }
            LedgerEvent::Recovered { request, open } => self.pipeline.on_recovered(request, open),
            LedgerEvent::Unknown { request } => {
                self.pipeline.on_unknown(request, now);
                return;
            }
            LedgerEvent::TooMuch { request, events } => {
                self.pipeline.on_too_much(request, events);
                return;
            }
        };
        self.on_step(step, now, out);
    }

    /// Starts batches until one has to be waited for.
    pub(super) fn send_batch(&mut self, now: Millis, out: &mut Output) {
        while self.halted.is_none() {
            let step = self.pipeline.poll(now);
            if step.done.is_empty() {
                return out.ledger(step.command);
            }
            self.on_step(step, now, out);
        }
    }

    fn on_step(&mut self, step: Step, now: Millis, out: &mut Output) {
        let Step { command, done } = step;
        out.ledger(command);
        let mut posted = 0_u64;
        let mut last = Seq(0);
        for done in done {
            if let Done::Deposited {
                credit,
                verdict: DepositVerdict::Posted | DepositVerdict::PostedElsewhere,
                ..
            } = &done
            {
                posted = posted.saturating_add(1);
                last = credit.seq;
            }
            if let Err(evidence) = self.on_done(done, now, out) {
                return self.halt(evidence, out);
            }
        }
        if posted > 0 {
            out.notices.push(Notice::DepositsPosted { count: posted, last });
        }
        self.advance_acked();
    }

    fn on_done(&mut self, done: Done, now: Millis, out: &mut Output) -> Result<(), Evidence> {
        match done {
            Done::Listed { listing, served: true } => out.changes.push(Change::Listing(listing)),
            Done::Listed { listing, served: false } => self.block(listing.ledger, out),
            Done::Deposited { credit, verdict, entry } => match verdict {
                DepositVerdict::Posted => {}
                DepositVerdict::PostedElsewhere => {
                    out.notices.push(Notice::DepositReincluded { seq: credit.seq });
                }
                DepositVerdict::Contradiction => return Err(self.deposit_differs(&credit, entry)),
                DepositVerdict::Blocked => self.block(credit.ledger, out),
            },
            Done::Reserved { seq, verdict, entry } => {
                return self.on_reserved(seq, verdict, entry, out);
            }
            Done::Confirmed { seq, standing, entry } => {
                return self.on_confirmed(seq, standing, entry, now);
            }
            Done::Resolved { seq, outcome, verdict: Resolved::Done, .. } => {
                if self.forget(seq) {
                    out.notices.push(Notice::WithdrawalSettled { seq, outcome });
                }
            }
            Done::Resolved { seq, outcome, verdict: Resolved::NothingReserved, .. } => {
                if self.book.get(seq).is_some_and(|w| w.reservation == Reservation::Reserved) {
                    return Err(self.withdrawal_differs(seq, Some(outcome), None));
                }
                self.forget(seq);
            }
            // Nobody here knew of it, and the ledger does not either.
            Done::Resolved { seq, verdict: Resolved::Contradiction, entry: None, .. }
                if seq.is_intent() =>
            {
                let chain = self.told(seq, None);
                return Err(Evidence::PaidWithoutReservation { seq, chain });
            }
            Done::Resolved { seq, outcome, verdict: Resolved::Contradiction, entry: ledger }
            | Done::Audited { seq, outcome, ledger, agrees: false } => {
                return Err(self.withdrawal_differs(seq, Some(outcome), ledger));
            }
            Done::Audited { agrees: true, .. } | Done::Compared | Done::Witnessed => {}
            Done::Surveyed(readings) => self.on_surveyed(&readings, now, out),
            Done::Recovered(open) => self.on_recovered(&open, out),
            Done::Contradicted(evidence) => return Err(evidence),
        }
        Ok(())
    }

    fn block(&mut self, ledger: LedgerId, out: &mut Output) {
        if !self.blocked.contains_key(&ledger) {
            self.blocked.insert(ledger, self.safe());
            self.pipeline.block(ledger);
            out.notices.push(Notice::LedgerBlocked { ledger });
        }
    }

    fn on_reserved(
        &mut self,
        seq: Seq,
        verdict: Reserved,
        entry: Option<Entry>,
        out: &mut Output,
    ) -> Result<(), Evidence> {
        let reservation = match verdict {
            Reserved::Standing => Reservation::Reserved,
            Reserved::Refused(reason) => Reservation::Refused(reason),
            // Its id stands for a request of the history that was superseded.
            Reserved::Contradiction if self.attempt(seq) > 0 => {
                Reservation::Refused(RefusalReason::Superseded)
            }
            // Anybody can look for two texts whose ids begin alike.
            Reserved::Contradiction if seq.is_intent() => {
                Reservation::Refused(RefusalReason::IdTaken)
            }
            Reserved::Contradiction => return Err(self.withdrawal_differs(seq, None, entry)),
            // It waits, in the store, until the ledger is served again.
            Reserved::Blocked if seq.is_intent() => {
                let ledger = self.book.get(seq).map(|w| w.request.ledger);
                self.book.set_work(seq, Work::Idle);
                ledger.into_iter().for_each(|ledger| self.block(ledger, out));
                return Ok(());
            }
            Reserved::Blocked => {
                // Read again from the chain once the ledger can serve it.
                if let Some(withdrawal) = self.book.remove(seq) {
                    self.block(withdrawal.request.ledger, out);
                }
                return Ok(());
            }
            Reserved::Ended(posted) => {
                let outcome = self.book.get(seq).and_then(|w| w.outcome);
                // The event that ended it may still be ahead: it is audited when it comes.
                if outcome.is_some_and(|o| o.is_payout() != posted) {
                    return Err(self.withdrawal_differs(seq, outcome, entry));
                }
                if posted && outcome.is_none() && !seq.is_intent() {
                    self.foretold.insert(seq, Seq(u64::MAX));
                }
                // What an owner asked for stands in the store; a request comes again from the chain.
                if seq.is_intent() {
                    self.forget(seq);
                } else {
                    self.book.remove(seq);
                }
                return Ok(());
            }
        };
        if let (Reservation::Refused(reason), true) = (reservation, seq.is_intent()) {
            out.notices.push(Notice::WithdrawalRefused { seq, reason });
            self.refuse_intent(seq, reason);
            return Ok(());
        }
        out.notices.push(match reservation {
            Reservation::Refused(reason) => Notice::WithdrawalRefused { seq, reason },
            Reservation::Reserved | Reservation::Unknown => Notice::WithdrawalReserved { seq },
        });
        let in_turn = self.attempt(seq) == 0;
        self.book.change(seq, |w| {
            w.reservation = reservation;
            w.work = if is_released(w) && in_turn { Work::Ledger } else { Work::Idle };
        });
        Ok(())
    }
}
