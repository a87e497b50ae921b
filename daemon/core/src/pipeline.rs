//! The one queue towards the ledger: in order, one request in flight, batches as full as they come.
//!
//! Order between concurrent requests of one client is not kept by the ledger, and a request whose
//! answer got lost may still execute later. So the next batch leaves only after this one is
//! answered, and a batch whose outcome is unknown is sent again unchanged: every id is derived.

mod flight;
mod requests;

use crate::{
    account::NewAccount,
    amount::LedgerAmount,
    asset::LedgerId,
    block::Millis,
    command::{LedgerCommand, RequestId},
    halt::{Entry, Evidence},
    id::{AccountId, Instance, TransferId},
    op::{Done, Op},
    posting::{Standing, WithdrawalIds, read_standing},
    reserves::VaultReading,
    transfer::{AccountResult, FoundTransfer, TransferResult},
};
use flight::entry_of_credit;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    mem,
};

/// Accounts remembered as created; past this the memory starts anew (creating again is harmless).
const KNOWN_ACCOUNTS_MAX: usize = 1 << 20;
/// First and longest pause before a request of unknown outcome is sent again, milliseconds.
const RETRY_FIRST_MS: u64 = 50;
const RETRY_LONGEST_MS: u64 = 5_000;
/// A reservation is a chain of two; no batch limit may be smaller.
const BATCH_SMALLEST: usize = 2;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AccountStanding {
    Ready,
    Taken,
}

/// The requests of one batch, in order; a stage that needs none is passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Create what accounts are missing.
    Accounts,
    /// Look up pendings that somebody wants to sign for, post or void.
    LookUp,
    /// Create the transfers.
    Transfers,
    /// Look up reservations that answered `exists`.
    Verify,
}

#[derive(Debug)]
struct Flight {
    ops: Vec<Op>,
    stage: Stage,
    request: RequestId,
    attempt: u32,
    retry_at: Option<Millis>,
    /// What lookups showed, by pending id.
    standings: BTreeMap<TransferId, Standing>,
    /// What the ledger holds under looked-up ids.
    entries: BTreeMap<TransferId, Entry>,
    readings: Vec<VaultReading>,
    /// True if the transfer of a witness was found.
    is_witnessed: bool,
    /// Answers to the transfers that were not `ok`, by transfer id.
    results: BTreeMap<TransferId, TransferResult>,
}

/// The queue and what is in flight.
#[derive(Debug)]
pub(crate) struct Pipeline {
    instance: Instance,
    queue: VecDeque<Op>,
    flight: Option<Flight>,
    known: HashMap<AccountId, AccountStanding>,
    /// Ledgers that stopped: what is queued for them is not sent any more.
    blocked: BTreeSet<LedgerId>,
    batch_max: usize,
    next_request: u64,
    enqueued: u64,
    finished: u64,
    /// The newest transfer that the ledger is known to have.
    witness: Option<TransferId>,
    misses_max: u32,
}

impl Pipeline {
    pub(crate) fn new(
        instance: Instance,
        batch_max: usize,
        witness: Option<TransferId>,
        misses_max: u32,
    ) -> Self {
        Self {
            instance,
            queue: VecDeque::new(),
            flight: None,
            known: HashMap::new(),
            blocked: BTreeSet::new(),
            batch_max: batch_max.max(BATCH_SMALLEST),
            next_request: 1,
            enqueued: 0,
            finished: 0,
            witness,
            misses_max,
        }
    }

    /// Adds an operation; it will be executed after all earlier ones.
    pub(crate) fn push(&mut self, op: Op) {
        self.queue.push_back(op);
        self.enqueued = self.enqueued.saturating_add(1);
    }

    /// Operations ever added.
    pub(crate) const fn enqueued(&self) -> u64 {
        self.enqueued
    }

    /// Operations ever finished; always the first ones that were added.
    pub(crate) const fn finished(&self) -> u64 {
        self.finished
    }

    /// Operations waiting or in flight.
    pub(crate) fn depth(&self) -> usize {
        self.queue.len().saturating_add(self.flight.as_ref().map_or(0, |f| f.ops.len()))
    }

    /// The learned limit of events in one request.
    pub(crate) const fn batch_max(&self) -> usize {
        self.batch_max
    }

    /// Drops everything that has not left yet; what is in flight may still execute.
    pub(crate) fn clear(&mut self) {
        let dropped = u64::try_from(self.queue.len()).unwrap_or(u64::MAX);
        self.enqueued = self.enqueued.saturating_sub(dropped);
        self.queue.clear();
    }

    /// A transfer that the ledger was seen to have.
    pub(crate) const fn witness(&self) -> Option<TransferId> {
        self.witness
    }

    /// True until the ledger is seen to have what it had.
    pub(crate) fn is_doubtful(&self) -> bool {
        let flight = self.flight.as_ref().and_then(|f| f.ops.first());
        let is_witness = |op: &Op| matches!(op, Op::Witness { .. });
        flight.or_else(|| self.queue.front()).is_some_and(is_witness)
    }

    /// Before anything else passes: the ledger must still have what it had.
    pub(crate) fn push_witness(&mut self) {
        if let Some(transfer) = self.witness {
            self.push(Op::Witness { transfer, misses: 0 });
        }
    }

    /// Deposits of a ledger that wait, with their ids.
    pub(crate) fn waiting_deposits(
        &self,
        ledger: LedgerId,
    ) -> impl Iterator<Item = (TransferId, LedgerAmount)> + '_ {
        self.queue.iter().filter_map(move |op| match op {
            Op::Deposit(credit) if credit.ledger == ledger => {
                Some((credit.id(self.instance), credit.amount))
            }
            Op::Deposit(_)
            | Op::Listing { .. }
            | Op::Reserve { .. }
            | Op::Confirm { .. }
            | Op::Audit { .. }
            | Op::Resolve { .. }
            | Op::Compare(_)
            | Op::Witness { .. }
            | Op::Survey { .. } => None,
        })
    }

    /// Nothing is sent any more for this ledger, also what is queued already: a request must not be
    /// refused, its id burnt, for lack of a deposit that the ledger could not take.
    pub(crate) fn block(&mut self, ledger: LedgerId) {
        self.blocked.insert(ledger);
    }

    /// Starts the next batch, or repeats the one whose outcome is unknown.
    pub(crate) fn poll(&mut self, now: Millis) -> Step {
        match &mut self.flight {
            Some(flight) if flight.retry_at.is_some_and(|at| now >= at) => flight.retry_at = None,
            Some(_) => return Step::default(),
            None => {
                let ops = self.take_batch();
                if ops.is_empty() {
                    return Step::default();
                }
                // Only between two batches: within one, what was learned must stay known.
                if self.known.len() > KNOWN_ACCOUNTS_MAX {
                    self.known.clear();
                }
                self.flight = Some(Flight::of(ops));
            }
        }
        self.go_on()
    }

    /// The outcome of a request is unknown: it will be sent again, unchanged.
    pub(crate) fn on_unknown(&mut self, request: RequestId, now: Millis) {
        if let Some(flight) = self.flight.as_mut().filter(|f| f.request == request) {
            flight.retry_at = Some(now.plus(retry_pause_ms(flight.attempt)));
            flight.attempt = flight.attempt.saturating_add(1);
        }
    }

    /// The request held more events than the server takes; nothing of it was executed.
    pub(crate) fn on_too_much(&mut self, request: RequestId, events: usize) {
        if self.flight.as_ref().is_none_or(|f| f.request != request) {
            return;
        }
        let half = events.min(self.batch_max).checked_div(2).unwrap_or_default();
        self.batch_max = half.max(BATCH_SMALLEST);
        if let Some(flight) = self.flight.take() {
            for op in flight.ops.into_iter().rev() {
                self.queue.push_front(op);
            }
        }
    }

    /// Answers to `create_accounts`, for those that were not `ok`.
    pub(crate) fn on_accounts(
        &mut self,
        request: RequestId,
        accounts: &[AccountId],
        failures: &BTreeMap<usize, AccountResult>,
    ) -> Step {
        if !self.expects(request, Stage::Accounts) {
            return Step::default();
        }
        for (index, id) in accounts.iter().enumerate() {
            let result = failures.get(&index).copied().unwrap_or(AccountResult::Ok);
            let standing =
                if result.is_usable() { AccountStanding::Ready } else { AccountStanding::Taken };
            self.known.insert(*id, standing);
        }
        self.advance(Stage::LookUp)
    }

    /// Answers to `create_transfers`, for those that were not `ok`.
    pub(crate) fn on_transfers(
        &mut self,
        request: RequestId,
        failures: &[(TransferId, TransferResult)],
    ) -> Step {
        if !self.expects(request, Stage::Transfers) {
            return Step::default();
        }
        if let Some(flight) = &mut self.flight {
            flight.results = failures.iter().copied().collect();
        }
        self.advance(Stage::Verify)
    }

    /// Transfers found by a lookup.
    pub(crate) fn on_found(&mut self, request: RequestId, found: &[FoundTransfer]) -> Step {
        let Some(flight) = self.flight.as_mut().filter(|f| f.request == request) else {
            return Step::default();
        };
        let by_id: BTreeMap<_, _> = found.iter().map(|t| (t.id, t)).collect();
        let look = |id| by_id.get(&id).copied();
        if flight.stage == Stage::LookUp {
            let mut comparisons = flight.ops.iter().filter_map(Op::comparison);
            if let Some(evidence) = comparisons.find_map(|c| c.judge(|id| look(id).copied())) {
                self.flight = None;
                return Step { command: None, done: vec![Done::Contradicted(evidence)] };
            }
        }
        flight.is_witnessed = flight.ops.iter().any(|op| op.is_witnessed_by(found));
        flight.entries.extend(found.iter().filter_map(entry_of_credit));
        for op in flight.ops.iter().filter(|op| op.is_looked_up_in(flight.stage)) {
            let Some(seq) = op.withdrawal() else { continue };
            let ids = WithdrawalIds::of(self.instance, seq);
            let standing = read_standing(op.pending(), look(ids.main), look(ids.resolve));
            flight.standings.insert(ids.main, standing);
            if let Some(main) = look(ids.main) {
                let entry = Entry { account: main.debit, amount: main.amount, standing };
                flight.entries.insert(ids.main, entry);
            }
        }
        match flight.stage {
            Stage::LookUp => self.advance(Stage::Transfers),
            Stage::Verify => self.finish(),
            Stage::Accounts | Stage::Transfers => Step::default(),
        }
    }

    /// VAULT accounts, read while nothing else was under way.
    pub(crate) fn on_surveyed(&mut self, request: RequestId, readings: Vec<VaultReading>) -> Step {
        let Some(flight) = self.flight.as_mut().filter(|f| f.request == request) else {
            return Step::default();
        };
        flight.readings = readings;
        self.finish()
    }

    fn expects(&self, request: RequestId, stage: Stage) -> bool {
        self.flight.as_ref().is_some_and(|f| f.request == request && f.stage == stage)
    }

    fn advance(&mut self, stage: Stage) -> Step {
        if let Some(flight) = &mut self.flight {
            flight.stage = stage;
            flight.attempt = 0;
            flight.retry_at = None;
        }
        self.go_on()
    }

    fn go_on(&mut self) -> Step {
        match self.send() {
            Some(command) => Step { command: Some(command), done: Vec::new() },
            None => self.finish(),
        }
    }

    /// The command of the flight's stage, or of the first later stage that needs one.
    fn send(&mut self) -> Option<LedgerCommand> {
        let mut flight = self.flight.take()?;
        let request = RequestId(self.next_request);
        let command = self.command(&mut flight, request);
        if command.is_some() {
            flight.request = request;
            self.next_request = self.next_request.saturating_add(1);
        }
        self.flight = Some(flight);
        command
    }

    fn serves(&self, op: &Op) -> bool {
        op.new_on().is_none_or(|ledger| !self.blocked.contains(&ledger))
    }

    fn is_taken(&self, id: AccountId) -> bool {
        self.known.get(&id) == Some(&AccountStanding::Taken)
    }

    fn any_taken(&self, accounts: &[NewAccount]) -> bool {
        accounts.iter().any(|a| self.is_taken(a.id))
    }

    fn finish(&mut self) -> Step {
        let Some(mut flight) = self.flight.take() else { return Step::default() };
        let ops = mem::take(&mut flight.ops);
        if let [Op::Witness { transfer, misses }] = ops.as_slice()
            && !flight.is_witnessed
        {
            return self.miss(*transfer, misses.saturating_add(1));
        }
        let count = u64::try_from(ops.len()).unwrap_or(u64::MAX);
        self.finished = self.finished.saturating_add(count);
        let done: Vec<Done> = ops.into_iter().map(|op| self.conclude(&mut flight, op)).collect();
        if let Some(known) = done.iter().rev().find_map(|d| d.proves(self.instance)) {
            self.witness = Some(known);
        }
        Step { command: None, done }
    }

    /// One odd answer proves nothing: it is asked again, before anything else passes.
    fn miss(&mut self, transfer: TransferId, misses: u32) -> Step {
        if misses >= self.misses_max {
            let lost = Evidence::LedgerLost { transfer };
            return Step { command: None, done: vec![Done::Contradicted(lost)] };
        }
        self.queue.push_front(Op::Witness { transfer, misses });
        Step::default()
    }
}

/// What an answer leads to.
#[derive(Debug, Default)]
pub(crate) struct Step {
    /// The batch's next request.
    pub(crate) command: Option<LedgerCommand>,
    /// Or, if there is none, what became of its operations.
    pub(crate) done: Vec<Done>,
}

/// Doubling pause, bounded.
fn retry_pause_ms(attempt: u32) -> u64 {
    RETRY_FIRST_MS
        .saturating_mul(1_u64.checked_shl(attempt).unwrap_or(u64::MAX))
        .min(RETRY_LONGEST_MS)
}
