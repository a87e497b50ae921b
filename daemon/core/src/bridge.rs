//! `apply`: the only dispatcher. Facts come in, orders go out; nothing else happens here.

use crate::{
    account,
    asset::{LedgerId, Listing},
    block::{BlockRef, Clock, Millis, Seq},
    book::{Book, Queue},
    chain_view::{ChainView, Finding, ViewConfig},
    checkpoint::{Change, Checkpoint, Cursor, Persisted, Reach},
    command::{Command, Notice, Output, PayoutCommand},
    eip712::Domain,
    endpoint::EndpointsConfig,
    event::{ContractState, Event, LedgerEvent},
    halt::{Entry, Evidence, Marker, Told},
    id::{Identity, Instance, InstanceKey},
    op::{Done, Op, Reserved, Resolved},
    pipeline::{Pipeline, Step},
    plausible::Rules,
    posting::DepositVerdict,
    reserves::{Reserves, ReservesConfig},
    rewind::Replay,
    submitter::{Submitter, SubmitterConfig},
    supersede::Supersede,
    vault_event::{
        Deposit, Origin, Outcome, Progress, Request, VaultEvent, VaultLog, WithdrawalEvent,
    },
    withdrawal::{Next, RefusalReason, Reservation, Withdrawal, Work},
};
use std::collections::{BTreeMap, VecDeque};

/// What the core is told once.
#[derive(Clone, Debug)]
pub struct Config {
    /// Which vault on which chain.
    pub identity: Identity,
    /// The parent of the block that created the vault.
    pub origin: BlockRef,
    /// Pause between two polls of the node, milliseconds.
    pub poll_interval_ms: u64,
    /// Most blocks in one range.
    pub range_blocks_max: u64,
    /// Events in a range above which ranges shrink.
    pub range_events_max: u64,
    /// How often a contradiction of the node must repeat before it counts.
    pub suspicions_max: u32,
    /// The endpoints, and how many must agree.
    pub endpoints: EndpointsConfig,
    /// Most events in one request to the ledger; smaller limits are learned.
    pub batch_max: usize,
    /// Operations waiting for the ledger above which no more are fetched.
    pub queue_max: usize,
    /// Open withdrawals above which a range is fetched only when the ledger has nothing left to
    /// do. Never a full stop: only what comes next on chain can end them.
    pub open_withdrawals_max: usize,
    /// Longest time between two checkpoints while there is something new, milliseconds.
    pub checkpoint_interval_ms: u64,
    /// Pause before work on a withdrawal is tried again, milliseconds.
    pub work_backoff_ms: u64,
    /// Longest such pause: it doubles with each attempt that meets an obstacle, milliseconds.
    pub work_backoff_longest_ms: u64,
    /// Payouts; `None` if this daemon only follows.
    pub submitter: Option<SubmitterConfig>,
    /// Proof of reserves; `None` to sign without it.
    pub reserves: Option<ReservesConfig>,
    /// True if this instance has just been registered: the ledger cannot hold anything of it.
    pub is_new: bool,
    /// What operators approved after reorgs past finality, as the ledger has it.
    pub superseded: Vec<Supersede>,
    /// True if payouts can be paused on chain when the bridge halts.
    pub pauser: bool,
}

/// Why a core cannot be built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CannotStart {
    /// The one key in 2^32.
    #[error("the instance number is 0: deploy the vault again, its key starts with 32 zero bits")]
    InstanceZero,
    /// The store belongs to another vault or chain.
    #[error(
        "the store belongs to instance {theirs:?}, this vault is {ours:?}: \
         use the store of this vault, or an empty folder"
    )]
    OtherInstance {
        /// Of the configured vault.
        ours: InstanceKey,
        /// Of the store.
        theirs: InstanceKey,
    },
}

/// The state machine.
#[derive(Debug)]
pub struct Bridge {
    pub(crate) config: Config,
    clock: Clock,
    pub(crate) now: Millis,
    key: InstanceKey,
    pub(crate) instance: Instance,
    domain: Domain,
    pub(crate) view: ChainView,
    pub(crate) pipeline: Pipeline,
    pub(crate) book: Book,
    pub(crate) submitter: Option<Submitter>,
    pub(crate) listings: BTreeMap<LedgerId, Listing>,
    pub(crate) blocked: BTreeMap<LedgerId, Cursor>,
    /// Ends of ranges, with the number of operations that must be finished before they count.
    pub(crate) marks: VecDeque<(u64, Cursor)>,
    pub(crate) acked: Cursor,
    pub(crate) replay: Replay,
    pub(crate) reach: Reach,
    /// Requests whose payout the ledger has posted, with the event that paid them, as long as a
    /// restart would come upon that event again.
    pub(crate) foretold: BTreeMap<Seq, Seq>,
    /// Withdrawals that ended everywhere; written with the next checkpoint, which knows them.
    forgotten: Vec<Seq>,
    pub(crate) reserves: Option<Reserves>,
    /// Where the last step stopped looking for withdrawals to pay or refuse.
    pub(crate) pay_after: BTreeMap<Queue, Seq>,
    /// Payouts shall be paused on chain.
    pause_due: bool,
    /// A poll came that the submitter's transactions were not held against yet. Once for each: an
    /// old poll, repeated while the node is away, would raise fees for nothing.
    pub(crate) polled: bool,
    saved: Option<Checkpoint>,
    saved_at: Millis,
    pub(crate) halted: Option<Marker>,
}

/// Withdrawals looked at in one step.
pub(crate) const WORK_PER_STEP: usize = 256;

impl Bridge {
    /// A core that goes on where the store says.
    ///
    /// # Errors
    /// If the store belongs to another instance, or the instance number is 0.
    pub fn new(config: Config, persisted: Persisted) -> Result<Self, CannotStart> {
        let ours = config.identity.key();
        let instance = ours.instance().ok_or(CannotStart::InstanceZero)?;
        if let Some(theirs) = persisted.checkpoint.as_ref().map(|c| c.key).filter(|k| *k != ours) {
            return Err(CannotStart::OtherInstance { ours, theirs });
        }
        let cursor = start_of(&config, persisted.checkpoint.as_ref());
        let mut book = Book::default();
        persisted.withdrawals.into_iter().for_each(|w| book.insert(w));
        let submitter = config.submitter.map(|c| Submitter::new(c, persisted.transactions));
        if let Some(submitter) = &submitter {
            submitter.occupied().for_each(|seq| book.set_work(seq, Work::Submitted));
        }
        let saved = persisted.checkpoint.as_ref();
        let witness = saved.and_then(|c| c.witness);
        let mut pipeline =
            Pipeline::new(instance, config.batch_max, witness, config.suspicions_max);
        pipeline.push_witness();
        Ok(Self {
            clock: Clock::default(),
            now: Millis(0),
            replay: if config.is_new { Replay::Done } else { Replay::History },
            reach: saved.map(|c| c.reach).unwrap_or_default().or(cursor),
            foretold: saved.map(|c| c.foretold.clone()).unwrap_or_default(),
            reserves: config.reserves.map(Reserves::new),
            forgotten: Vec::new(),
            pay_after: BTreeMap::new(),
            pause_due: config.pauser && persisted.halt.is_some(),
            key: ours,
            instance,
            domain: Domain::new(config.identity.chain_id, config.identity.vault),
            view: ChainView::new(view_config(&config), cursor),
            pipeline,
            book,
            submitter,
            listings: persisted.listings.into_iter().map(|l| (l.ledger, l)).collect(),
            blocked: BTreeMap::new(),
            marks: VecDeque::new(),
            acked: cursor,
            polled: false,
            saved: persisted.checkpoint,
            saved_at: Millis(0),
            halted: persisted.halt,
            config,
        })
    }

    /// Takes in one fact and says what to do about it.
    pub fn apply(&mut self, event: Event, now: Millis) -> Output {
        let now = self.clock.at(now);
        self.now = now;
        let mut out = Output::default();
        let stopping = event == Event::Stop;
        self.take_in(event, now, &mut out);
        if self.halted.is_none() {
            self.settle(&mut out);
        }
        if self.halted.is_none() {
            self.pay(now, &mut out);
            self.fetch(now, &mut out);
            self.prove(now);
            self.send_batch(now, &mut out);
        }
        // What a halt leaves is its marker: nothing goes out after it, and no checkpoint moves.
        if self.halted.is_none() {
            self.go_on_comparing();
            self.save(now, stopping, &mut out);
        }
        if std::mem::take(&mut self.pause_due) {
            out.commands.push(Command::Payout(PayoutCommand::Pause));
        }
        out
    }

    fn take_in(&mut self, event: Event, now: Millis, out: &mut Output) {
        if self.halted.is_some() {
            return;
        }
        match event {
            Event::Tick | Event::Stop => {}
            Event::Wake => self.view.wake(),
            Event::HeadFailed { endpoint, fault } => {
                let finding = self.view.on_head_failed(endpoint, fault, now);
                self.follow_view();
                self.on_finding(finding, out);
            }
            Event::Head { endpoint, head } => {
                let finding = self.view.on_head(endpoint, head, now);
                self.follow_view();
                self.on_finding(finding, out);
            }
            Event::Range(range) => {
                let rules = Rules { domain: &self.domain, listings: &self.listings };
                let finding = self.view.on_range(range, now, |logs| rules.check(logs));
                self.follow_view();
                self.on_finding(finding, out);
            }
            Event::RangeFailed { request, fault } => {
                self.view.on_range_failed(request, fault, now);
            }
            Event::State { endpoint, seq, state, .. } => {
                if state != Some(ContractState::Requested) {
                    self.view.on_state_failed(endpoint, now);
                }
                self.on_state(seq, state, now);
            }
            Event::Holdings { endpoint, block, readings } => {
                if readings.is_empty() {
                    self.view.on_state_failed(endpoint, now);
                }
                self.on_holdings((endpoint, block), &readings, now, out);
            }
            Event::Ledger(event) => self.on_ledger(event, now, out),
            Event::Payout(event) => self.on_payout(event, now, out),
        }
    }

    fn on_finding(&mut self, finding: Finding, out: &mut Output) {
        match finding {
            Finding::Suspect(evidence) => out.notices.push(Notice::Suspect(evidence)),
            Finding::Contradiction(evidence) => self.on_contradiction(evidence, out),
            Finding::Nothing => {}
            Finding::Adopted => self.polled = true,
            Finding::Events(logs) => {
                for log in &logs {
                    if let Err(evidence) = self.take_log(log) {
                        return self.halt(evidence, out);
                    }
                }
                self.reach = self.reach.or(self.view.cursor());
                self.marks.push_back((self.pipeline.enqueued(), self.view.cursor()));
                self.advance_acked();
            }
        }
    }

    /// One final event, in `seq` order.
    fn take_log(&mut self, log: &VaultLog) -> Result<(), Evidence> {
        self.compare(log);
        match &log.event {
            VaultEvent::Listed(listing) => self.take_listing(listing),
            VaultEvent::Deposited(deposit) => return self.take_deposit(log, deposit),
            VaultEvent::Requested(request) => return self.take_request(log.seq, request),
            VaultEvent::Withdrawal(event) => return self.take_progress(log.seq, event),
            VaultEvent::Delisted(_) | VaultEvent::Claimed | VaultEvent::NonceInvalidated => {}
        }
        Ok(())
    }

    fn take_listing(&mut self, listing: &Listing) {
        self.listings.insert(listing.ledger, *listing);
        let Config { identity, .. } = &self.config;
        let accounts =
            account::of_listing(listing, self.instance, identity.chain_id, identity.vault);
        if listing.ledger.is_listable() {
            self.pipeline.push(Op::Listing { listing: *listing, accounts });
        } else {
            let safe = self.safe();
            self.blocked.entry(listing.ledger).or_insert(safe);
        }
    }

    pub(crate) const fn rules(&self) -> Rules<'_> {
        Rules { domain: &self.domain, listings: &self.listings }
    }

    fn take_deposit(&mut self, log: &VaultLog, deposit: &Deposit) -> Result<(), Evidence> {
        let attempt = self.attempt(log.seq);
        let credit = self.rules().credit(log, deposit)?.under(attempt);
        if !self.blocked.contains_key(&deposit.ledger) {
            self.pipeline.push(Op::Deposit(credit));
        }
        Ok(())
    }

    fn take_request(&mut self, seq: Seq, request: &Request) -> Result<(), Evidence> {
        let withdrawal = self.rules().withdrawal(seq, request)?;
        if self.book.get(seq).is_none() && !self.blocked.contains_key(&request.ledger) {
            self.pipeline.push(Op::reserve(self.instance, &withdrawal));
            self.book.insert(withdrawal);
        }
        Ok(())
    }

    fn take_progress(&mut self, seq: Seq, event: &WithdrawalEvent) -> Result<(), Evidence> {
        self.rules().progress(seq, event)?;
        match (event.origin, event.progress) {
            (Origin::Intent, _) => {}
            (Origin::Request, Progress::Queued) => {
                self.book.change(event.nonce, |w| w.queued = true);
            }
            (Origin::Request, Progress::Ended(outcome)) => {
                return self.take_end(event.nonce, outcome, seq);
            }
        }
        Ok(())
    }

    fn take_end(&mut self, seq: Seq, outcome: Outcome, by: Seq) -> Result<(), Evidence> {
        match self.book.get(seq).map(|w| w.outcome) {
            // What a record superseded has ended by it, however the chain ends it.
            None if self.attempt(seq) > 0 && !outcome.is_payout() => {}
            // Forgotten because it had ended everywhere: a replay. The ledger must agree.
            None => {
                self.foretold.entry(seq).and_modify(|end| *end = by);
                self.pipeline.push(Op::Audit { seq, outcome });
            }
            Some(None) => {
                self.book.change(seq, |w| (w.outcome, w.ended_by) = (Some(outcome), Some(by)));
                if self.attempt(seq) == 0 {
                    self.release(seq, outcome);
                }
            }
            Some(Some(known)) if known.is_payout() == outcome.is_payout() => {}
            Some(Some(_)) => {
                let chain = Told::Step { request: seq, outcome: Some(outcome) };
                return Err(Evidence::WithdrawalDiffers { seq, chain, ledger: None });
            }
        }
        Ok(())
    }

    /// What was not paid is free again: voided in its place among the events, for the owner's next
    /// request may count on it. A post frees nothing and may come whenever it likes.
    fn release(&mut self, seq: Seq, outcome: Outcome) {
        if let Some(withdrawal) = self.book.get(seq).filter(|w| is_released(w)) {
            self.pipeline.push(Op::resolve(self.instance, withdrawal, outcome));
            self.book.set_work(seq, Work::Ledger);
        }
    }

    fn on_state(&mut self, seq: Seq, state: Option<ContractState>, now: Millis) {
        if self.book.get(seq).is_none_or(|w| w.work != Work::Reading) {
            return;
        }
        match state {
            Some(ContractState::Requested) => {
                self.book.change(seq, |w| {
                    w.outcome = w.outcome.or(Some(Outcome::Expired));
                    w.work = Work::Idle;
                });
            }
            // All events up to that block were taken in, so any other state contradicts them:
            // a lagging or lying answer. Ask again.
            Some(
                ContractState::None
                | ContractState::Queued
                | ContractState::PaidOrDeferred
                | ContractState::RefusedOrCancelled,
            )
            | None => self.back_off(seq, now),
        }
    }

    pub(crate) fn back_off(&mut self, seq: Seq, now: Millis) {
        self.book.set_work(seq, Work::Backoff(now.plus(self.config.work_backoff_ms)));
    }

    fn on_ledger(&mut self, event: LedgerEvent, now: Millis, out: &mut Output) {
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
    fn send_batch(&mut self, now: Millis, out: &mut Output) {
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
            Done::Resolved { seq, outcome, verdict: Resolved::Contradiction, entry: ledger }
            | Done::Audited { seq, outcome, ledger, agrees: false } => {
                return Err(self.withdrawal_differs(seq, Some(outcome), ledger));
            }
            Done::Audited { agrees: true, .. } | Done::Compared | Done::Witnessed => {}
            Done::Surveyed(readings) => self.on_surveyed(&readings, now, out),
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
            Reserved::Contradiction => return Err(self.withdrawal_differs(seq, None, entry)),
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
                if posted && outcome.is_none() {
                    self.foretold.insert(seq, Seq(u64::MAX));
                }
                self.book.remove(seq);
                return Ok(());
            }
        };
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

    /// What ended on chain ends in the ledger.
    fn settle(&mut self, out: &mut Output) {
        for _ in 0..WORK_PER_STEP {
            let Some(seq) = self.book.next_to_settle() else { return };
            let Some(withdrawal) = self.book.get(seq) else { continue };
            match withdrawal.next(Millis(u64::MAX)) {
                Next::Resolve(outcome) => {
                    let op = Op::resolve(self.instance, withdrawal, outcome);
                    self.pipeline.push(op);
                    self.book.set_work(seq, Work::Ledger);
                }
                Next::Forget => {
                    self.forget(seq);
                }
                Next::Contradiction(_) => {
                    let chain = self.told(seq, None);
                    return self.halt(Evidence::PaidWithoutReservation { seq, chain }, out);
                }
                Next::Wait | Next::Confirm | Next::Authorize(_) | Next::Submit => {}
            }
        }
    }

    /// False if it was forgotten already.
    pub(crate) fn forget(&mut self, seq: Seq) -> bool {
        let Some(withdrawal) = self.book.remove(seq) else { return false };
        if let Some(end) = withdrawal.ended_by
            && withdrawal.outcome.is_some_and(|o| o.is_payout())
        {
            self.foretold.insert(seq, end);
        }
        self.forgotten.push(seq);
        true
    }

    fn fetch(&mut self, now: Millis, out: &mut Output) {
        let queued = self.pipeline.depth();
        let crowded = self.book.len() >= self.config.open_withdrawals_max;
        let room = queued < self.config.queue_max && (queued == 0 || !crowded);
        out.commands.extend(self.view.poll(now, room).into_iter().map(Command::Chain));
        let news = self.view.take_news().into_iter();
        out.notices.extend(news.map(|(endpoint, reason)| match reason {
            Some(reason) => Notice::EndpointSetAside { endpoint, reason },
            None => Notice::EndpointBack { endpoint },
        }));
    }

    /// The view may have gone back to what is proven: what was acknowledged beyond it was only read.
    fn follow_view(&mut self) {
        self.view.drop_doubted_head();
        let read = self.view.cursor();
        let beyond = |cursor: &Cursor| cursor.block.number > read.block.number;
        self.marks.retain(|(_, cursor)| !beyond(cursor));
        if beyond(&self.acked) {
            self.acked = read;
        }
    }

    /// Where a restart may go on: proven, and in the ledger.
    fn safe(&self) -> Cursor {
        let proven = self.view.proven();
        if proven.block.number < self.acked.block.number { proven } else { self.acked }
    }

    fn advance_acked(&mut self) {
        while let Some((operations, cursor)) = self.marks.front() {
            if *operations > self.pipeline.finished() {
                break;
            }
            self.acked = *cursor;
            self.marks.pop_front();
        }
    }

    fn save(&mut self, now: Millis, stopping: bool, out: &mut Output) {
        let cursor = self.safe();
        self.foretold.retain(|_, end| *end >= cursor.next_seq);
        let due = stopping
            || self.saved.is_none()
            || !self.forgotten.is_empty()
            || now >= self.saved_at.plus(self.config.checkpoint_interval_ms);
        // A checkpoint says that the ledger has something: not while that is in doubt.
        if !due || (self.pipeline.is_doubtful() && !stopping) {
            return;
        }
        let checkpoint = Checkpoint {
            key: self.key,
            cursor,
            blocked: self.blocked.clone(),
            witness: self.pipeline.witness(),
            reach: self.reach,
            foretold: self.foretold.clone(),
        };
        if self.saved.as_ref() == Some(&checkpoint) && self.forgotten.is_empty() {
            return;
        }
        self.saved_at = now;
        self.saved = Some(checkpoint.clone());
        let forgotten = std::mem::take(&mut self.forgotten);
        out.changes.extend(forgotten.into_iter().map(Change::ForgetWithdrawal));
        out.changes.extend(self.book.take_changes());
        out.changes.push(Change::Checkpoint(checkpoint));
    }

    pub(crate) fn halt(&mut self, evidence: Evidence, out: &mut Output) {
        let marker = Marker { evidence, since: self.now };
        self.halted = Some(marker);
        self.pause_due = self.config.pauser;
        self.pipeline.clear();
        out.commands.clear();
        out.changes.push(Change::Halt(marker));
        out.notices.push(Notice::Halted(evidence));
    }
}

/// Ended without a payout. While something of it is in the pipeline, its void is there too, in the
/// place of the event that said so.
pub(crate) fn is_released(withdrawal: &Withdrawal) -> bool {
    withdrawal.outcome.is_some_and(|o| !o.is_payout())
}

/// Where to go on: behind the checkpoint, or before the first event that a ledger could not serve.
fn start_of(config: &Config, checkpoint: Option<&Checkpoint>) -> Cursor {
    let origin = Cursor { block: config.origin, next_seq: Seq(1) };
    checkpoint.map_or(origin, |c| {
        c.blocked
            .values()
            .copied()
            .chain([c.cursor])
            .min_by_key(|c| c.block.number)
            .unwrap_or(origin)
    })
}

pub(crate) const fn view_config(config: &Config) -> ViewConfig {
    ViewConfig {
        genesis: config.identity.genesis,
        vault: config.identity.vault,
        poll_interval_ms: config.poll_interval_ms,
        range_blocks_max: config.range_blocks_max,
        range_events_max: config.range_events_max,
        suspicions_max: config.suspicions_max,
        endpoints: config.endpoints,
    }
}

impl Output {
    fn ledger(&mut self, command: Option<crate::command::LedgerCommand>) {
        self.commands.extend(command.map(Command::Ledger));
    }
}
