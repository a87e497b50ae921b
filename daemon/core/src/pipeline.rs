//! The one queue towards the ledger: in order, one request in flight, batches as full as they come.
//!
//! Order between concurrent requests of one client is not kept by the ledger, and a request whose
//! answer got lost may still execute later. So the next batch leaves only after this one is
//! answered, and a batch whose outcome is unknown is sent again unchanged: every id is derived.

use crate::{
    account::NewAccount,
    amount::LedgerAmount,
    asset::LedgerId,
    block::{Millis, Seq},
    command::{LedgerCommand, RequestId},
    halt::{Entry, Evidence},
    id::{AccountId, Instance, Kind, TransferId},
    op::{Done, Op, Reserved, Resolved},
    posting::{
        self, DepositVerdict, ReservationVerdict, Standing, WithdrawalIds, is_resolved,
        read_deposit, read_reservation, read_standing,
    },
    reserves::VaultReading,
    transfer::{AccountResult, FoundPhase, FoundTransfer, NewTransfer, TransferResult},
    vault_event::Outcome,
    withdrawal::RefusalReason,
};
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
            self.known.insert(*id, read_account(result));
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

    fn command(&self, flight: &mut Flight, request: RequestId) -> Option<LedgerCommand> {
        if flight.stage == Stage::Accounts {
            let accounts = self.missing_accounts(&flight.ops);
            if !accounts.is_empty() {
                return Some(LedgerCommand::CreateAccounts { request, accounts });
            }
            flight.stage = Stage::LookUp;
        }
        if let [Op::Survey { vaults }] = flight.ops.as_slice() {
            return Some(LedgerCommand::Survey { request, vaults: vaults.clone() });
        }
        if flight.stage == Stage::LookUp {
            let ids = self.lookups(&flight.ops);
            if !ids.is_empty() {
                return Some(LedgerCommand::LookupTransfers { request, ids });
            }
            flight.stage = Stage::Transfers;
        }
        if flight.stage == Stage::Transfers {
            let transfers = self.transfers(flight);
            if !transfers.is_empty() {
                return Some(LedgerCommand::CreateTransfers { request, transfers });
            }
            flight.stage = Stage::Verify;
        }
        let ids = self.verifications(flight);
        (!ids.is_empty()).then_some(LedgerCommand::LookupTransfers { request, ids })
    }

    fn take_batch(&mut self) -> Vec<Op> {
        let mut ops = Vec::new();
        let mut size = 0_usize;
        let mut reserved = BTreeSet::new();
        while let Some(op) = self.queue.front() {
            size = size.saturating_add(op.weight());
            let alone = op.is_alone();
            // Lookups come before a batch's transfers: what this batch reserves is not there yet.
            let too_early = op.withdrawal().is_some_and(|seq| reserved.contains(&seq));
            if !ops.is_empty() && (alone || too_early || size > self.batch_max) {
                break;
            }
            if matches!(op, Op::Reserve { .. }) {
                reserved.extend(op.withdrawal());
            }
            ops.extend(self.queue.pop_front());
            if alone {
                break;
            }
        }
        ops
    }

    fn missing_accounts(&self, ops: &[Op]) -> Vec<NewAccount> {
        let mut seen = BTreeSet::new();
        let mut missing = Vec::new();
        let mut need = |account: NewAccount| {
            if !self.known.contains_key(&account.id) && seen.insert(account.id) {
                missing.push(account);
            }
        };
        for op in ops.iter().filter(|op| self.serves(op)) {
            match op {
                Op::Listing { accounts, .. } => accounts.iter().copied().for_each(&mut need),
                // Most owners are known: only the others are worth the hashing.
                Op::Deposit(credit) if self.known.contains_key(&credit.account) => {}
                Op::Deposit(credit) => need(credit.new_account()),
                Op::Reserve { accounts, .. } => accounts.iter().copied().for_each(&mut need),
                Op::Confirm { .. }
                | Op::Audit { .. }
                | Op::Resolve { .. }
                | Op::Compare(_)
                | Op::Witness { .. }
                | Op::Survey { .. } => {}
            }
        }
        missing
    }

    fn lookups(&self, ops: &[Op]) -> Vec<TransferId> {
        let mut ids = Vec::new();
        for op in ops {
            match op {
                Op::Confirm { seq, .. } | Op::Audit { seq, .. } | Op::Resolve { seq, .. } => {
                    ids.extend(self.pair(*seq));
                }
                Op::Compare(c) => ids.extend([c.deposit.0, c.main.0]),
                Op::Witness { transfer, .. } => ids.push(*transfer),
                Op::Listing { .. } | Op::Deposit(_) | Op::Reserve { .. } | Op::Survey { .. } => {}
            }
        }
        ids
    }

    /// What an answer leaves open, and both versions of what contradicts itself.
    fn verifications(&self, flight: &Flight) -> Vec<TransferId> {
        let mut ids = Vec::new();
        for op in flight.ops.iter().filter(|op| self.serves(op)) {
            match op {
                Op::Reserve { seq, chain, accounts } if !self.any_taken(accounts.as_slice()) => {
                    let verdict = flight.read_chain(chain);
                    if matches!(
                        verdict,
                        ReservationVerdict::LookUp | ReservationVerdict::Contradiction
                    ) {
                        ids.extend(self.pair(*seq));
                    }
                }
                Op::Deposit(credit) => {
                    let id = credit.id(self.instance);
                    if read_deposit(flight.result(id)) == DepositVerdict::Contradiction {
                        ids.push(id);
                    }
                }
                Op::Listing { .. }
                | Op::Reserve { .. }
                | Op::Confirm { .. }
                | Op::Audit { .. }
                | Op::Resolve { .. }
                | Op::Compare(_)
                | Op::Witness { .. }
                | Op::Survey { .. } => {}
            }
        }
        ids
    }

    fn pair(&self, seq: Seq) -> [TransferId; 2] {
        let ids = WithdrawalIds::of(self.instance, seq);
        [ids.main, ids.resolve]
    }

    fn transfers(&self, flight: &Flight) -> Vec<NewTransfer> {
        let mut transfers = Vec::with_capacity(flight.ops.len());
        for op in flight.ops.iter().filter(|op| self.serves(op)) {
            match op {
                Op::Deposit(credit) => {
                    let taken = self.is_taken(credit.account);
                    transfers.push(posting::deposit(self.instance, credit, taken));
                }
                Op::Reserve { chain, accounts, .. } if !self.any_taken(accounts.as_slice()) => {
                    transfers.extend(chain.iter());
                }
                Op::Resolve { pending, end, .. }
                    if flight.standings.get(&pending.id) == Some(&Standing::Open) =>
                {
                    transfers.push(**end);
                }
                Op::Listing { .. }
                | Op::Reserve { .. }
                | Op::Confirm { .. }
                | Op::Audit { .. }
                | Op::Resolve { .. }
                | Op::Compare(_)
                | Op::Witness { .. }
                | Op::Survey { .. } => {}
            }
        }
        transfers
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

    fn conclude(&self, flight: &mut Flight, op: Op) -> Done {
        let served = self.serves(&op);
        match op {
            Op::Listing { listing, accounts } => {
                Done::Listed { listing, served: !self.any_taken(&accounts) }
            }
            Op::Deposit(credit) => {
                let id = credit.id(self.instance);
                let verdict =
                    if served { read_deposit(flight.result(id)) } else { DepositVerdict::Blocked };
                Done::Deposited { credit, verdict, entry: flight.entries.get(&id).copied() }
            }
            Op::Reserve { seq, .. } if !served => {
                Done::Reserved { seq, verdict: Reserved::Blocked, entry: None }
            }
            Op::Reserve { seq, chain, accounts } => {
                let taken = self.any_taken(accounts.as_slice());
                let verdict = flight.conclude_reservation(&chain, taken);
                Done::Reserved { seq, verdict, entry: self.entry(flight, seq) }
            }
            Op::Confirm { seq, pending } => {
                let standing = flight.standing(pending.id);
                Done::Confirmed { seq, standing, entry: self.entry(flight, seq) }
            }
            Op::Audit { seq, outcome } => {
                let id = TransferId::chain_event(self.instance, Kind::Main, seq);
                let agrees = agrees(flight.standing(id), outcome);
                Done::Audited { seq, outcome, ledger: self.entry(flight, seq), agrees }
            }
            Op::Resolve { seq, outcome, pending, end } => {
                let verdict = flight.conclude_resolution(outcome, pending.id, end.id);
                Done::Resolved { seq, outcome, verdict, entry: self.entry(flight, seq) }
            }
            Op::Compare(_) => Done::Compared,
            Op::Witness { .. } => Done::Witnessed,
            Op::Survey { .. } => Done::Surveyed(mem::take(&mut flight.readings)),
        }
    }

    fn entry(&self, flight: &Flight, seq: Seq) -> Option<Entry> {
        let main = TransferId::chain_event(self.instance, Kind::Main, seq);
        flight.entries.get(&main).copied()
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

impl Flight {
    const fn of(ops: Vec<Op>) -> Self {
        Self {
            ops,
            stage: Stage::Accounts,
            request: RequestId(0),
            attempt: 0,
            retry_at: None,
            standings: BTreeMap::new(),
            entries: BTreeMap::new(),
            readings: Vec::new(),
            is_witnessed: false,
            results: BTreeMap::new(),
        }
    }

    fn result(&self, id: TransferId) -> TransferResult {
        self.results.get(&id).copied().unwrap_or(TransferResult::Ok)
    }

    fn standing(&self, pending: TransferId) -> Standing {
        self.standings.get(&pending).copied().unwrap_or(Standing::Absent)
    }

    fn read_chain(&self, [gate, main]: &[NewTransfer; 2]) -> ReservationVerdict {
        read_reservation(self.result(gate.id), self.result(main.id))
    }

    fn conclude_reservation(&self, chain: &[NewTransfer; 2], taken: bool) -> Reserved {
        if taken {
            return Reserved::Refused(RefusalReason::AddressMismatch);
        }
        let [_, main] = chain;
        match self.read_chain(chain) {
            ReservationVerdict::Reserved => Reserved::Standing,
            ReservationVerdict::Refused(reason) => Reserved::Refused(reason),
            ReservationVerdict::Contradiction => Reserved::Contradiction,
            ReservationVerdict::Blocked => Reserved::Blocked,
            ReservationVerdict::LookUp => match self.standing(main.id) {
                Standing::Open => Reserved::Standing,
                Standing::Posted => Reserved::Ended(true),
                Standing::Voided => Reserved::Ended(false),
                Standing::Absent | Standing::Contradiction => Reserved::Contradiction,
            },
        }
    }

    fn conclude_resolution(
        &self,
        outcome: Outcome,
        pending: TransferId,
        end: TransferId,
    ) -> Resolved {
        let good = match self.standing(pending) {
            Standing::Open => is_resolved(self.result(end)),
            Standing::Posted => outcome.is_payout(),
            Standing::Voided => !outcome.is_payout(),
            Standing::Absent if !outcome.is_payout() => return Resolved::NothingReserved,
            Standing::Absent | Standing::Contradiction => false,
        };
        if good { Resolved::Done } else { Resolved::Contradiction }
    }
}

/// Whether the ledger's end of a withdrawal fits the chain's. What was refused was never reserved.
const fn agrees(standing: Standing, outcome: Outcome) -> bool {
    match standing {
        Standing::Posted => outcome.is_payout(),
        Standing::Voided | Standing::Absent => !outcome.is_payout(),
        Standing::Open | Standing::Contradiction => false,
    }
}

/// What a found credit says, to show it.
fn entry_of_credit(found: &FoundTransfer) -> Option<(TransferId, Entry)> {
    let standing = Standing::Posted;
    let entry = Entry { account: found.credit, amount: found.amount, standing };
    (found.phase == FoundPhase::Direct).then_some((found.id, entry))
}

/// A frozen gate shows up as other flags; it is still the right account.
#[expect(clippy::wildcard_enum_match_arm, reason = "whatever else: not the account meant")]
const fn read_account(result: AccountResult) -> AccountStanding {
    match result {
        AccountResult::Ok | AccountResult::Exists | AccountResult::ExistsWithDifferentFlags => {
            AccountStanding::Ready
        }
        _ => AccountStanding::Taken,
    }
}

/// Doubling pause, bounded.
fn retry_pause_ms(attempt: u32) -> u64 {
    RETRY_FIRST_MS
        .saturating_mul(1_u64.checked_shl(attempt).unwrap_or(u64::MAX))
        .min(RETRY_LONGEST_MS)
}
