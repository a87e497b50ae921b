//! What becomes of an open withdrawal: confirmed, signed, sent, cared for, and in the end expired.
//!
//! The contract pays an id at most once, so nothing here decides about safety but this: nothing is
//! signed before the ledger showed the pending, and no bytes leave before they are durable.

use crate::{
    asset::LedgerId,
    block::{Millis, Seq},
    book::Queue,
    bridge::{Bridge, WORK_PER_STEP, is_released},
    checkpoint::{Change, SentTransaction},
    command::{
        Asked, Call, Carried, ChainCommand, Command, Fees, Finishing, Notice, Output,
        PayoutCommand, TransactionPlan,
    },
    event::{Head, PayoutEvent, Signed},
    gas,
    halt::{Entry, Evidence},
    obstacle::Obstacle,
    op::Op,
    posting::Standing,
    submitter::{Care, Funds, Submitter},
    withdrawal::{Authorization, Next, RefusalReason, Reservation, Verdict, Withdrawal, Work},
};
use std::collections::{BTreeMap, BTreeSet};

/// Most withdrawals under one root and in one transaction: the gas that the contract keeps for each has
/// to fit a block many times over.
pub(crate) const BATCH_MAX: usize = 16;

/// One pass through a queue.
struct Turn<'a> {
    queue: Queue,
    head: &'a Head,
    now: Millis,
    /// For the signers.
    asked: Vec<Asked>,
    /// The submitter has no room.
    is_full: bool,
}

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
            // Refused for another reason too: what signers find is the pending of the old history.
            (Verdict::Refuse(_), _) if self.attempt(seq) > 0 => {
                self.book.change(seq, |w| {
                    w.reservation = Reservation::Refused(RefusalReason::Superseded);
                    w.work = Work::Idle;
                });
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
            PayoutEvent::Authorized { items, signatures } => {
                for Signed { seq, verdict, proof } in items {
                    if self.book.get(seq).is_some_and(|w| w.work == Work::Signing) {
                        let signatures = signatures.clone();
                        self.book.change(seq, |w| {
                            w.authorization = Some(Authorization { verdict, signatures, proof });
                            w.work = Work::Idle;
                        });
                    }
                }
                out.changes.extend(self.book.take_changes());
            }
            PayoutEvent::NotAuthorized { seqs, obstacle } => {
                for seq in seqs {
                    if self.book.get(seq).is_some_and(|w| w.work == Work::Signing) {
                        self.hold(seq, obstacle, now, out);
                    }
                }
            }
            PayoutEvent::Built { nonce, raw, hash, dropped } => {
                let was_sent = self.submitter.as_ref().is_some_and(|s| s.has_sent(nonce));
                let sent =
                    self.submitter.as_mut().and_then(|s| s.built(nonce, raw, hash, &dropped));
                if let Some(sent) = sent {
                    if !was_sent {
                        self.on_dropped(dropped, now, out);
                    }
                    self.send(sent, out);
                }
            }
            PayoutEvent::NotBuilt { nonce, obstacle, dropped } => {
                let reason = |seq: Seq| {
                    let own = dropped.iter().find(|(other, _)| *other == seq);
                    own.map_or(obstacle, |(_, reason)| *reason)
                };
                let carried = self.submitter.as_ref().map(|s| s.carried_by(nonce));
                let changed = |seq: &Seq| reason(*seq) == Obstacle::SignersChanged;
                let changed = carried.into_iter().flatten().filter(changed).collect();
                self.drop_authorizations(changed, out);
                let free = self.submitter.as_mut().map(|s| s.not_built(nonce, obstacle));
                let free = free.into_iter().flatten().map(|seq| (seq, reason(seq)));
                self.on_dropped(free.collect(), now, out);
            }
        }
    }

    /// These are in no transaction after all.
    fn on_dropped(&mut self, dropped: Vec<(Seq, Obstacle)>, now: Millis, out: &mut Output) {
        for (seq, obstacle) in dropped {
            if obstacle == Obstacle::SignersChanged {
                self.drop_authorizations(vec![seq], out);
            }
            if self.book.get(seq).is_some_and(|w| w.work == Work::Submitted) {
                self.hold(seq, obstacle, now, out);
            }
        }
    }

    /// Durable first, then sent.
    fn send(&mut self, sent: SentTransaction, out: &mut Output) {
        let (nonce, raw) = (sent.nonce, sent.raw.clone());
        if sent.seqs.is_empty() {
            out.notices.push(Notice::NonceFilled { nonce });
        }
        for seq in sent.seqs.iter().copied() {
            out.notices.push(Notice::Submitted { seq, nonce });
            self.book.set_obstacle(seq, None);
        }
        out.changes.push(Change::Transaction(sent));
        out.commands.push(Command::Payout(PayoutCommand::Broadcast { nonce, raw }));
    }

    /// Signatures that the vault does not know any more are not tried again.
    fn drop_authorizations(&mut self, seqs: Vec<Seq>, out: &mut Output) {
        for seq in seqs {
            self.book.change(seq, |w| w.authorization = None);
        }
        out.changes.extend(self.book.take_changes());
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
        if submitter.affordable(head, true) > 0 {
            self.book.is_gone(Obstacle::GasMoneyShort);
        }
        for care in submitter.care(head, now) {
            match care {
                Care::Rebroadcast(sent) => {
                    let order = PayoutCommand::Broadcast { nonce: sent.nonce, raw: sent.raw };
                    out.commands.push(Command::Payout(order));
                }
                Care::Replace { nonce, seqs, fees } => {
                    let plan = self.plan(nonce, self.call_of(&seqs, head), fees);
                    out.commands.push(Command::Payout(PayoutCommand::Build(plan)));
                }
                Care::Fill { nonce, fees } => {
                    let plan = self.plan(nonce, Call::Nothing, fees);
                    out.commands.push(Command::Payout(PayoutCommand::Build(plan)));
                }
                Care::Used { nonce, seqs } => self.on_nonce_used(nonce, &seqs, now, out),
            }
        }
    }

    /// The nonce is used at a final block whose events were all taken in: if the withdrawal has not
    /// ended by now, this transaction did nothing for it. Where another one carries it too, it is that
    /// one's: this one may be of a history that was superseded, with another request of that number.
    fn on_nonce_used(&mut self, nonce: u64, seqs: &[Seq], now: Millis, out: &mut Output) {
        out.changes.push(Change::ForgetTransaction(nonce));
        out.withhold(nonce);
        let elsewhere: BTreeSet<Seq> =
            self.submitter.iter().flat_map(Submitter::occupied).collect();
        for seq in seqs.iter().copied().filter(|seq| !elsewhere.contains(seq)) {
            let sent = |w: &&Withdrawal| w.work == Work::Submitted && w.outcome.is_none();
            let Some(withdrawal) = self.book.get(seq).filter(sent) else { continue };
            let is_queued = withdrawal.queued.is_some();
            self.back_off(seq, now);
            // A large payout only got as far as the queue.
            if !is_queued {
                out.notices.push(Notice::TransactionLost { seq, nonce });
            }
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
        self.book.open_windows(head.final_head.timestamp);
        self.work_through(Queue::Finishing, &head, now, out);
        if !head.are_payouts_paused() {
            self.work_through(Queue::Payouts, &head, now, out);
        }
        self.work_through(Queue::Refusals, &head, now, out);
    }

    fn work_through(&mut self, queue: Queue, head: &Head, now: Millis, out: &mut Output) {
        // What may not be paid now must not take the turn of what may.
        let mut after = self.pay_after.remove(&queue);
        let mut turn = Turn { queue, head, now, asked: Vec::new(), is_full: false };
        for n in 0..=WORK_PER_STEP {
            let Some(seq) = self.book.next_after(queue, after) else { break };
            if n == WORK_PER_STEP {
                self.pay_after.extend(after.map(|seq| (queue, seq)));
                break;
            }
            after = Some(seq);
            self.pay_one(seq, &mut turn, out);
        }
        out.commands.extend(batches(turn.asked).map(PayoutCommand::Authorize).map(Command::Payout));
    }

    fn pay_one(&mut self, seq: Seq, turn: &mut Turn<'_>, out: &mut Output) {
        let Some(withdrawal) = self.book.get(seq) else { return };
        if withdrawal.next(turn.now) == Next::Reserve {
            return self.reserve(seq);
        }
        let too_late = withdrawal.request.deadline < turn.head.final_head.timestamp;
        if (too_late && withdrawal.queued.is_none()) || !self.may_sign(withdrawal.request.ledger) {
            return;
        }
        match withdrawal.next(turn.now) {
            Next::Confirm => {
                let op = Op::confirm(self.instance, withdrawal);
                self.pipeline.push(op);
                self.book.set_work(seq, Work::Ledger);
            }
            // It comes again when a signer has answered.
            Next::Authorize(verdict) if self.book.room_to_sign(verdict) == 0 => {}
            Next::Authorize(verdict) => {
                let intent = withdrawal.intent.as_deref().cloned();
                turn.asked.push(Asked { seq, request: withdrawal.request, intent, verdict });
                self.book.set_work(seq, Work::Signing);
            }
            // Without room for a transaction signing goes on: whoever has signatures can help themselves.
            Next::Submit | Next::Finish if turn.is_full => {}
            // A pause stops payments; closing what has expired is never paused.
            Next::Finish if turn.head.are_payouts_paused() && self.is_payable(seq, turn.head) => {}
            Next::Finish => turn.is_full = !self.submit(vec![seq], true, turn, out),
            Next::Submit => {
                let pays = withdrawal.verdict() == Some(Verdict::Pay);
                let seqs = self.under_one_root(withdrawal, turn);
                turn.is_full = !self.submit(seqs, pays, turn, out);
            }
            Next::Wait
            | Next::Reserve
            | Next::Resolve(_)
            | Next::Forget
            | Next::Contradiction(_) => {}
        }
    }

    /// Puts as many of these into a transaction as the gas money is enough for; false if there is no
    /// room for one.
    fn submit(
        &mut self,
        mut seqs: Vec<Seq>,
        pays: bool,
        turn: &Turn<'_>,
        out: &mut Output,
    ) -> bool {
        let Turn { queue, head, now, .. } = *turn;
        let Some(submitter) = &self.submitter else { return false };
        let affordable = submitter.affordable(head, pays);
        if affordable == 0 {
            // What is bound by transactions under way comes free; what is not there does not.
            let short = seqs.first().copied().filter(|_| submitter.in_flight() == 0);
            short.into_iter().for_each(|seq| self.hold(seq, Obstacle::GasMoneyShort, now, out));
            return false;
        }
        seqs.truncate(affordable);
        let call = self.call_of(&seqs, head);
        let gas_limit = gas::limit_of(&call, self.gas_of_one());
        let carried = seqs.clone();
        let submitter = self.submitter.as_mut();
        let slot = submitter.and_then(|s| s.open(carried, gas_limit, queue, head, now));
        let Some((nonce, fees)) = slot else { return false };
        let plan = TransactionPlan { nonce, call, fees, gas_limit };
        out.commands.push(Command::Payout(PayoutCommand::Build(plan)));
        seqs.into_iter().for_each(|seq| self.book.set_work(seq, Work::Submitted));
        true
    }

    fn gas_of_one(&self) -> u64 {
        self.config.submitter.map_or(0, |submitter| submitter.gas_limit)
    }

    fn plan(&self, nonce: u64, call: Call, fees: Fees) -> TransactionPlan {
        let gas_limit = gas::limit_of(&call, self.gas_of_one());
        TransactionPlan { nonce, call, fees, gas_limit }
    }

    /// This one and others after it that can go in the same transaction.
    fn under_one_root(&self, first: &Withdrawal, turn: &Turn<'_>) -> Vec<Seq> {
        let mut seqs = vec![first.seq];
        let Some(root) = &first.authorization else { return seqs };
        let fits = |w: &Withdrawal| {
            w.authorization.as_ref().is_some_and(|a| a.shares_root(root))
                && w.next(turn.now) == Next::Submit
                && w.request.deadline >= turn.head.final_head.timestamp
                && self.may_sign(w.request.ledger)
        };
        let mut after = first.seq;
        for _ in 0..BATCH_MAX.saturating_mul(2) {
            let Some(seq) = self.book.next_after(turn.queue, Some(after)) else { break };
            after = seq;
            seqs.extend(self.book.get(seq).filter(|w| fits(w)).map(|w| w.seq));
            if seqs.len() == BATCH_MAX {
                break;
            }
        }
        seqs
    }

    /// What a transaction for these does; nothing where none of them is open and signed any more.
    fn call_of(&self, seqs: &[Seq], head: &Head) -> Call {
        let carried = |seq: &Seq| {
            let withdrawal = self.book.get(*seq).filter(|w| w.queued.is_none())?;
            let authorization = withdrawal.authorization.clone()?;
            let intent = withdrawal.intent.as_deref().cloned();
            Some(Carried { seq: *seq, request: withdrawal.request, intent, authorization })
        };
        let mut items: Vec<Carried> = seqs.iter().filter_map(carried).collect();
        // Signed anew meanwhile, some may stand under another root.
        if let Some(root) = items.first().map(|first| first.authorization.clone()) {
            items.retain(|item| item.authorization.shares_root(&root));
        }
        if !items.is_empty() {
            return Call::Withdrawals(items);
        }
        let finishing = seqs.iter().find_map(|seq| self.finishing(*seq, head));
        finishing.map_or(Call::Nothing, |finishing| Call::Finish(Box::new(finishing)))
    }

    fn is_payable(&self, seq: Seq, head: &Head) -> bool {
        self.finishing(seq, head).is_none_or(|finishing| finishing.pays)
    }

    /// What ends a large payout's wait in the contract's queue, by the final head's time.
    fn finishing(&self, seq: Seq, head: &Head) -> Option<Finishing> {
        let withdrawal = self.book.get(seq).filter(|w| w.outcome.is_none())?;
        let (request, window) = (withdrawal.request, withdrawal.queued?);
        let time = head.final_head.timestamp;
        let (intent, pays) = (withdrawal.intent.as_deref().cloned(), time <= window.expires);
        (window.opens <= time).then_some(Finishing { seq, request, intent, pays })
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

/// Payouts of one token under one root each, and all refusals under another; none too large.
fn batches(asked: Vec<Asked>) -> impl Iterator<Item = Vec<Asked>> {
    let mut groups: BTreeMap<Option<LedgerId>, Vec<Vec<Asked>>> = BTreeMap::new();
    for item in asked {
        let token = (item.verdict == Verdict::Pay).then_some(item.request.ledger);
        let chunks = groups.entry(token).or_default();
        match chunks.last_mut().filter(|chunk| chunk.len() < BATCH_MAX) {
            Some(chunk) => chunk.push(item),
            None => chunks.push(vec![item]),
        }
    }
    groups.into_values().flatten()
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
