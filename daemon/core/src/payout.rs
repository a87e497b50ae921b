//! What becomes of an open withdrawal: confirmed, signed, sent, cared for, and in the end expired.
//!
//! The contract pays an id at most once, so nothing here decides about safety but this: nothing is
//! signed before the ledger showed the pending, and no bytes leave before they are durable.

use crate::{
    block::{Millis, Seq},
    book::Queue,
    bridge::{Bridge, WORK_PER_STEP, is_released},
    checkpoint::{Change, SentTransaction},
    command::{Call, ChainCommand, Command, Notice, Output, PayoutCommand, TransactionPlan},
    event::{Head, PayoutEvent},
    halt::{Entry, Evidence},
    obstacle::Obstacle,
    op::Op,
    posting::Standing,
    submitter::{Care, Funds},
    withdrawal::{Authorization, Next, RefusalReason, Verdict, Withdrawal, Work},
};

impl Bridge {
    pub(crate) fn on_confirmed(
        &mut self,
        seq: Seq,
        standing: Standing,
        entry: Option<Entry>,
        now: Millis,
    ) -> Result<(), Evidence> {
        let going_on = self.book.get(seq).filter(|w| !is_released(w));
        let Some(verdict) = going_on.and_then(Withdrawal::verdict) else { return Ok(()) };
        match (verdict, standing) {
            (Verdict::Pay, Standing::Open)
            | (Verdict::Refuse(_), Standing::Absent)
            | (Verdict::Refuse(RefusalReason::Superseded), _) => {
                self.book.set_work(seq, Work::Confirmed);
            }
            // Ended already: our store is older than the ledger, and the chain will tell how.
            (Verdict::Pay, Standing::Posted | Standing::Voided) => {
                self.book.set_work(seq, Work::Idle);
                self.back_off(seq, now);
            }
            (Verdict::Pay, Standing::Absent | Standing::Contradiction)
            | (
                Verdict::Refuse(_),
                Standing::Open | Standing::Posted | Standing::Voided | Standing::Contradiction,
            ) => return Err(self.withdrawal_differs(seq, None, entry)),
        }
        Ok(())
    }

    pub(crate) fn on_payout(&mut self, event: PayoutEvent, now: Millis, out: &mut Output) {
        match event {
            PayoutEvent::Authorized { seq, verdict, signatures } => {
                if self.book.get(seq).is_some_and(|w| w.work == Work::Signing) {
                    self.book.change(seq, |w| {
                        w.authorization = Some(Authorization { verdict, signatures });
                        w.work = Work::Idle;
                    });
                    out.changes.extend(self.book.take_changes());
                }
            }
            PayoutEvent::NotAuthorized { seq } => {
                if self.book.get(seq).is_some_and(|w| w.work == Work::Signing) {
                    self.hold(seq, Obstacle::SignersAway, now, out);
                }
            }
            PayoutEvent::Built { nonce, raw, hash } => {
                let sent = self.submitter.as_mut().and_then(|s| s.built(nonce, raw, hash));
                if let Some(sent) = sent {
                    self.send(sent, out);
                }
            }
            PayoutEvent::NotBuilt { nonce, obstacle } => {
                if obstacle == Obstacle::SignersChanged {
                    self.drop_authorization(nonce, out);
                }
                let seq = self.submitter.as_mut().and_then(|s| s.not_built(nonce, obstacle));
                let submitted = |w: &Withdrawal| w.work == Work::Submitted;
                if let Some(seq) = seq.filter(|s| self.book.get(*s).is_some_and(submitted)) {
                    self.hold(seq, obstacle, now, out);
                }
            }
        }
    }

    /// Durable first, then sent.
    fn send(&mut self, sent: SentTransaction, out: &mut Output) {
        let (nonce, raw) = (sent.nonce, sent.raw.clone());
        out.notices.push(match sent.seq {
            Some(seq) => Notice::Submitted { seq, nonce },
            None => Notice::NonceFilled { nonce },
        });
        if let Some(seq) = sent.seq {
            self.book.set_obstacle(seq, None);
        }
        out.changes.push(Change::Transaction(sent));
        out.commands.push(Command::Payout(PayoutCommand::Broadcast { nonce, raw }));
    }

    /// Signatures that the vault does not know any more are not tried again.
    fn drop_authorization(&mut self, nonce: u64, out: &mut Output) {
        if let Some(seq) = self.submitter.as_ref().and_then(|s| s.carried_by(nonce)) {
            self.book.change(seq, |w| w.authorization = None);
            out.changes.extend(self.book.take_changes());
        }
    }

    /// Nothing can be sent for it now. The pauses grow, so that what never works costs little.
    fn hold(&mut self, seq: Seq, obstacle: Obstacle, now: Millis, out: &mut Output) {
        let attempts = self.book.get(seq).map_or(0, |w| w.attempts);
        let factor = 1_u64.checked_shl(attempts).unwrap_or(u64::MAX);
        let pause_ms = self.config.work_backoff_ms.saturating_mul(factor);
        let pause_ms = pause_ms.min(self.config.work_backoff_longest_ms);
        self.book.set_obstacle(seq, Some(obstacle));
        self.book.set_work(seq, Work::Backoff(now.plus(pause_ms)));
        out.notices.push(Notice::PayoutHeld { seq, obstacle });
    }

    fn care_for_transactions(&mut self, head: &Head, now: Millis, out: &mut Output) {
        let Some(submitter) = &mut self.submitter else { return };
        if let Some(balance) = head.submitter.map(|account| account.balance) {
            out.notices.extend(submitter.watch(balance).map(|funds| match funds {
                Funds::Low => Notice::SubmitterLow { balance },
                Funds::Filled => Notice::SubmitterFilled { balance },
            }));
        }
        for care in submitter.care(head, now) {
            match care {
                Care::Rebroadcast(sent) => {
                    let order = PayoutCommand::Broadcast { nonce: sent.nonce, raw: sent.raw };
                    out.commands.push(Command::Payout(order));
                }
                Care::Replace { nonce, seq, fees } => {
                    let call = call_of(seq.and_then(|seq| self.book.get(seq)));
                    let plan = TransactionPlan { nonce, call, fees };
                    out.commands.push(Command::Payout(PayoutCommand::Build(plan)));
                }
                Care::Fill { nonce, fees } => {
                    let plan = TransactionPlan { nonce, call: Call::Nothing, fees };
                    out.commands.push(Command::Payout(PayoutCommand::Build(plan)));
                }
                Care::Used { nonce, seq } => self.on_nonce_used(nonce, seq, now, out),
            }
        }
    }

    /// The nonce is used at a final block whose events were all taken in: if the withdrawal has not
    /// ended by now, this transaction did nothing for it.
    fn on_nonce_used(&mut self, nonce: u64, seq: Option<Seq>, now: Millis, out: &mut Output) {
        out.changes.push(Change::ForgetTransaction(nonce));
        out.withhold(nonce);
        let Some(seq) = seq else { return };
        let nothing_came = |w: &Withdrawal| w.work == Work::Submitted && w.outcome.is_none();
        if self.book.get(seq).is_some_and(nothing_came) {
            self.back_off(seq, now);
            out.notices.push(Notice::TransactionLost { seq, nonce });
        }
    }

    /// Transactions that another key sent are its own affair: what they carried starts anew.
    fn forget_foreign(&mut self, out: &mut Output) {
        let Some(submitter) = &mut self.submitter else { return };
        let foreign = submitter.take_foreign();
        if !foreign.is_empty() {
            out.notices.push(Notice::SubmitterChanged { dropped: foreign.len() });
            out.changes.extend(foreign.into_iter().map(Change::ForgetTransaction));
        }
    }

    /// Pays, refuses and expires; only while everything final is taken in and acknowledged.
    pub(crate) fn pay(&mut self, now: Millis, out: &mut Output) {
        self.forget_foreign(out);
        self.book.fire_timers(now);
        let Some(head) = self.view.head().cloned() else { return };
        if !self.is_up_to_date() || self.is_comparing() {
            return;
        }
        if std::mem::take(&mut self.polled) {
            self.care_for_transactions(&head, now, out);
        }
        self.expire(&head, out);
        if self.submitter.is_none() {
            return;
        }
        if !head.are_payouts_paused() {
            self.work_through(Queue::Payouts, &head, now, out);
        }
        self.work_through(Queue::Refusals, &head, now, out);
    }

    fn work_through(&mut self, queue: Queue, head: &Head, now: Millis, out: &mut Output) {
        // What may not be paid now must not take the turn of what may.
        let mut after = self.pay_after.remove(&queue);
        for _ in 0..WORK_PER_STEP {
            let Some(seq) = self.book.next_after(queue, after) else { return };
            after = Some(seq);
            if !self.pay_one(seq, queue, head, now, out) {
                return;
            }
        }
        self.pay_after.extend(after.map(|seq| (queue, seq)));
    }

    /// False once the submitter has no room.
    fn pay_one(
        &mut self,
        seq: Seq,
        queue: Queue,
        head: &Head,
        now: Millis,
        out: &mut Output,
    ) -> bool {
        let Some(withdrawal) = self.book.get(seq) else { return true };
        let too_late = withdrawal.request.deadline < head.final_head.timestamp;
        if too_late || !self.may_sign(withdrawal.request.ledger) {
            return true;
        }
        match withdrawal.next(now) {
            Next::Confirm => {
                let op = Op::confirm(self.instance, withdrawal);
                self.pipeline.push(op);
                self.book.set_work(seq, Work::Ledger);
            }
            // It comes again when a signer has answered.
            Next::Authorize(verdict) if self.book.room_to_sign(verdict) == 0 => {}
            Next::Authorize(verdict) => {
                let request = withdrawal.request;
                let order = PayoutCommand::Authorize { seq, request, verdict };
                out.commands.push(Command::Payout(order));
                self.book.set_work(seq, Work::Signing);
            }
            Next::Submit => {
                let call = call_of(Some(withdrawal));
                let slot = self.submitter.as_mut().and_then(|s| s.open(seq, queue, head, now));
                let Some((nonce, fees)) = slot else { return false };
                let plan = TransactionPlan { nonce, call, fees };
                out.commands.push(Command::Payout(PayoutCommand::Build(plan)));
                self.book.set_work(seq, Work::Submitted);
            }
            Next::Wait | Next::Resolve(_) | Next::Forget | Next::Contradiction(_) => {}
        }
        true
    }

    /// Past its deadline by a final block, the contract can't pay any more: its state at that very
    /// block decides.
    fn expire(&mut self, head: &Head, out: &mut Output) {
        let block = head.final_head.block;
        let endpoint = self.view.reader_at(block.number);
        for seq in self.book.expired(head.final_head.timestamp, self.book.room_to_read()) {
            let Some(id) = self.book.get(seq).map(|w| w.request.id) else { continue };
            self.book.set_work(seq, Work::Reading);
            out.commands.push(Command::Chain(ChainCommand::ReadState { endpoint, seq, id, block }));
        }
    }
}

fn call_of(withdrawal: Option<&Withdrawal>) -> Call {
    let Some((w, authorization)) = withdrawal.and_then(|w| Some((w, w.authorization.clone()?)))
    else {
        return Call::Nothing;
    };
    Call::Withdrawal { seq: w.seq, request: Box::new(w.request), authorization }
}

impl Output {
    /// A transaction that was built in this very step, too late: its bytes are not kept, so they
    /// are not sent.
    fn withhold(&mut self, unkept: u64) {
        self.commands.retain(|command| match command {
            Command::Payout(PayoutCommand::Broadcast { nonce, .. }) => *nonce != unkept,
            Command::Chain(_) | Command::Ledger(_) | Command::Payout(_) => true,
        });
    }
}
