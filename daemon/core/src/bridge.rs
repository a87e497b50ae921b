//! `apply`: the only dispatcher. Facts come in, orders go out; nothing else happens here.

mod answers;
mod intake;
mod intents;

pub use intents::NotTaken;

use crate::{
    asset::{LedgerId, Listing},
    block::{BlockRef, Clock, Millis, Seq},
    book::{Book, Queue},
    chain_view::{ChainView, ViewConfig},
    checkpoint::{Change, Checkpoint, Cursor, Persisted, Reach},
    command::{Command, Notice, Output, PayoutCommand},
    eip712::Domain,
    endpoint::{EndpointsConfig, ReadFault},
    event::{ContractState, Event, Range},
    gasless::GaslessConfig,
    halt::{Evidence, Marker},
    id::{Identity, Instance, InstanceKey},
    op::Op,
    people::People,
    pipeline::Pipeline,
    plausible::Rules,
    reserves::{Reserves, ReservesConfig},
    rewind::{self, Replay},
    submitter::{Submitter, SubmitterConfig},
    supersede::Supersede,
    vault_event::Outcome,
    withdrawal::{Next, RefusalReason, Withdrawal, Work},
};
use alloy_primitives::B256;
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
    /// What is asked of gasless withdrawals; `None` to take none in.
    pub gasless: Option<GaslessConfig>,
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
    pub(crate) people: People,
    pub(crate) blocked: BTreeMap<LedgerId, Cursor>,
    /// Ends of ranges, with the number of operations that must be finished before they count.
    pub(crate) marks: VecDeque<(u64, Cursor)>,
    pub(crate) acked: Cursor,
    pub(crate) replay: Replay,
    pub(crate) reach: Reach,
    /// Requests whose payout the ledger has posted, with the event that paid them, as long as a
    /// restart would come upon that event again.
    pub(crate) foretold: BTreeMap<Seq, Seq>,
    /// Gasless withdrawals that the ledger refused lately, oldest first.
    pub(crate) refused: VecDeque<(B256, RefusalReason)>,
    /// Gasless withdrawals that ended lately, oldest first.
    pub(crate) ended_intents: VecDeque<Seq>,
    /// Withdrawals that ended everywhere; written with the next checkpoint, which knows them.
    pub(crate) forgotten: Vec<Seq>,
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
    pub fn new(config: Config, mut persisted: Persisted) -> Result<Self, CannotStart> {
        let ours = config.identity.key();
        let instance = ours.instance().ok_or(CannotStart::InstanceZero)?;
        if let Some(theirs) = persisted.checkpoint.as_ref().map(|c| c.key).filter(|k| *k != ours) {
            return Err(CannotStart::OtherInstance { ours, theirs });
        }
        let forgotten = rewind::forget_superseded(&config, &mut persisted);
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
            forgotten,
            refused: VecDeque::new(),
            ended_intents: VecDeque::new(),
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
            people: People::default(),
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
                let mut next = Some(range);
                while let Some(range) = next.filter(|_| self.halted.is_none()) {
                    self.on_range(range, now, out);
                    next = self.view.take_early();
                }
            }
            Event::RangeFailed { request, fault } => {
                self.view.on_range_failed(request, fault, now);
            }
            Event::State { endpoint, seq, state, .. } => {
                let wanted = self.book.get(seq).map(Withdrawal::payable_from);
                if wanted.is_none_or(|wanted| state != Some(wanted)) {
                    self.view.on_state_failed(endpoint, ReadFault::Missing, now);
                }
                self.on_state(seq, state, now);
            }
            Event::Intent(submission) => self.on_intent(*submission, out),
            Event::Holdings { endpoint, block, readings, fault } => {
                if let Some(fault) = fault {
                    self.view.on_state_failed(endpoint, fault, now);
                }
                self.on_holdings((endpoint, block), &readings, now, out);
            }
            Event::Ledger(event) => self.on_ledger(event, now, out),
            Event::Payout(event) => self.on_payout(event, now, out),
        }
    }

    fn on_range(&mut self, range: Range, now: Millis, out: &mut Output) {
        let rules = Rules { domain: &self.domain, listings: &self.listings };
        let finding = self.view.on_range(range, now, |logs| rules.check(logs));
        self.follow_view();
        self.on_finding(finding, out);
    }

    fn on_state(&mut self, seq: Seq, state: Option<ContractState>, now: Millis) {
        let Some(withdrawal) = self.book.get(seq).filter(|w| w.work == Work::Reading) else {
            return;
        };
        let is_new = !seq.is_intent() && seq >= self.view.untaken();
        if state == Some(withdrawal.payable_from()) {
            self.book.change(seq, |w| {
                w.outcome = w.outcome.or(Some(Outcome::Expired));
                w.work = Work::Idle;
            });
        } else if state == Some(ContractState::None) && is_new {
            // Read in an earlier life, beyond the checkpoint; should its event come again, so does it.
            self.drop_withdrawal(seq);
        } else {
            // All events up to that block were taken in, so any other state contradicts them:
            // a lagging or lying answer. Ask again.
            self.back_off(seq, now);
        }
    }

    pub(crate) fn back_off(&mut self, seq: Seq, now: Millis) {
        self.book.set_work(seq, Work::Backoff(now.plus(self.config.work_backoff_ms)));
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
                // The store knows how it ended, not what the ledger said: that comes first.
                Next::Reserve => self.reserve(seq),
                Next::Wait | Next::Confirm | Next::Authorize(_) | Next::Submit | Next::Finish => {}
            }
        }
    }

    /// False if it was forgotten already.
    pub(crate) fn forget(&mut self, seq: Seq) -> bool {
        let Some(withdrawal) = self.book.remove(seq) else { return false };
        if let Some(end) = withdrawal.ended_by
            && !seq.is_intent()
            && withdrawal.outcome.is_some_and(|o| o.is_payout())
        {
            self.foretold.insert(seq, end);
        }
        self.forgotten.push(seq);
        if seq.is_intent() {
            self.note_ended(seq);
        }
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
            records: self.config.superseded.len(),
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
