//! The invariants of the design, checked where something happens.

use crate::{
    chain::vault::State,
    coverage::Transition,
    ledger::types::{PendingStatus, Transfer, account_flags as af, transfer_flags as tf},
    world::{Phase, World},
};
use bridge_core::{
    account::{NewAccount, SUSPENSE, VAULT},
    asset::{LedgerId, Listing},
    block::Seq,
    checkpoint::{Change, Checkpoint},
    command::{Call, Finishing, LedgerCommand, TransactionPlan},
    id::{AccountId, Kind, TransferId},
    obstacle::Obstacle,
    posting::WithdrawalIds,
    transfer::TransferResult,
    vault_event::Request,
    withdrawal::Verdict,
};
use std::collections::BTreeSet;

/// What a transfer id says (`docs/encoding.md`, section 4).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Decoded {
    pub(crate) kind: u8,
    pub(crate) seq: Seq,
    pub(crate) attempt: u8,
    /// Everything else is as it must be: namespace, instance, zeros.
    pub(crate) rest: u128,
}

pub(crate) fn decode(id: u128) -> Decoded {
    let kind = u8::try_from((id >> 80) & 0xff).unwrap_or(0);
    let seq = Seq(u64::try_from((id >> 16) & u128::from(u64::MAX)).unwrap_or(0));
    let attempt = u8::try_from((id >> 8) & 0xff).unwrap_or(0);
    let rest = id & !((0xff_u128 << 80) | (u128::from(u64::MAX) << 16) | 0xff00);
    Decoded { kind, seq, attempt, rest }
}

impl World<'_> {
    fn ids(&self, seq: Seq) -> WithdrawalIds {
        WithdrawalIds::of(self.instance, seq)
    }

    fn listing(&self, ledger: LedgerId) -> Option<&Listing> {
        self.chain.rules.tokens.iter().find(|l| l.ledger == ledger)
    }

    fn units(&self, ledger: LedgerId, amount: u128) -> u128 {
        self.listing(ledger).map_or(0, |l| amount / l.divisor.get())
    }

    /// Before a request leaves: a halted daemon writes nothing, and every id is derived.
    pub(crate) fn check_request(&mut self, d: usize, command: &LedgerCommand) {
        let LedgerCommand::CreateTransfers { transfers, .. } = command else { return };
        if self.daemons[d].halted {
            self.violate("halting: a halted daemon writes nothing", format!("daemon {d}"));
        }
        let namespace = decode(TransferId::chain_event(self.instance, Kind::Main, Seq(0)).0).rest;
        let is_derived = |id: u128| {
            if Self::is_order_leg(id) {
                return self.order_of(id).is_some();
            }
            let id = decode(id);
            let is_credit = id.kind == Kind::Deposit.byte();
            id.rest == namespace && id.attempt == if is_credit { self.attempt(id.seq) } else { 0 }
        };
        if let Some(t) = transfers.iter().find(|t| !is_derived(t.id.0)) {
            let detail = format!("{} is no id of this instance and the right attempt", t.id);
            self.violate("identity: every id is derived from what it stands for", detail);
        }
    }

    /// Before anyone signs: this process has looked the pending up, and the verdict fits the ledger.
    pub(crate) fn check_signing(
        &mut self,
        d: usize,
        seq: Seq,
        request: &Request,
        verdict: Verdict,
    ) {
        let looked_up = self.daemons[d].looked_up.get(&seq).copied();
        let needed = match verdict {
            Verdict::Pay => (true, false),
            Verdict::Refuse(_) => (false, false),
        };
        let is_used = verdict != Verdict::Pay && self.is_used(seq, request);
        if looked_up != Some(needed) && !(is_used && looked_up.is_some()) {
            let detail = format!("withdrawal {seq}, {verdict:?}: lookup showed {looked_up:?}");
            self.violate("signing: a lookup comes first, and it shows what is signed for", detail);
        }
        if self.daemons[d].bridge().is_some_and(|b| !b.is_up_to_date()) {
            let detail = format!("withdrawal {seq}, {verdict:?}: daemon {d} is behind");
            self.violate("signing: only with everything final in the ledger", detail);
        }
        let paused =
            self.daemons[d].bridge().is_some_and(|b| b.summary().payouts_paused_until.is_some());
        if paused && verdict == Verdict::Pay {
            let detail = format!("withdrawal {seq}: daemon {d} knows that payouts are paused");
            self.violate("signing: nothing while payouts are paused", detail);
        }
        if seq.is_intent() {
            return self.check_order_signing(seq, request);
        }
        let ids = self.ids(seq);
        let pending = self.ledger.transfer(ids.main.0).is_some();
        let refused = self.ledger.is_burnt(ids.main.0)
            || self.ledger.is_burnt(ids.gate.0)
            || self.truth.is_taken(request);
        let fits = match verdict {
            Verdict::Pay => pending,
            Verdict::Refuse(_) => (!pending && refused) || is_used,
        };
        let is_final = self.truth.request(seq.0) == Some(request);
        if (!fits || !is_final) && !self.truth.contradicted {
            let detail = format!("withdrawal {seq}, {verdict:?}, final: {is_final}");
            self.violate("signing: only what is final and what the ledger says", detail);
        }
    }

    /// A nonce carries one withdrawal until it is given up or known to be used.
    pub(crate) fn check_plan(&mut self, d: usize, plan: &TransactionPlan) {
        let again = |signature: &_| self.daemons[d].refused.contains(signature);
        if crate::step::signatures_of(plan).iter().any(again) {
            let detail = format!("daemon {d}, nonce {}", plan.nonce);
            self.violate("submitter: signatures that the vault refused are not used again", detail);
        }
        let seqs: BTreeSet<Seq> = match &plan.call {
            Call::Withdrawals(items) => items.iter().map(|item| item.seq).collect(),
            Call::Finish(finishing) => {
                self.check_finishing(d, finishing);
                BTreeSet::from([finishing.seq])
            }
            Call::Nothing => return,
        };
        let planned = self.daemons[d].planned.iter();
        let other = planned.filter(|(n, _)| **n != plan.nonce).find_map(|(other, carried)| {
            carried.intersection(&seqs).next().map(|seq| (*other, *seq))
        });
        if let Some((other, seq)) = other {
            let detail = format!("daemon {d}: withdrawal {seq} with {other} and {}", plan.nonce);
            self.violate("submitter: a replacement keeps its nonce", detail);
        }
        let known = self.daemons[d].planned.entry(plan.nonce).or_insert_with(|| seqs.clone());
        if !seqs.is_subset(known) {
            let detail = format!("daemon {d}, nonce {}: {known:?} and {seqs:?}", plan.nonce);
            self.violate("submitter: a nonce carries the same withdrawals", detail);
        }
    }

    /// A large payout is made after its window and before its expiry, and closed after that.
    fn check_finishing(&mut self, d: usize, finishing: &Finishing) {
        let Finishing { seq, request, pays, .. } = finishing;
        let time = self.chain.head().header.timestamp;
        let Some(State::Queued(window)) = self.truth.state.slot(request.id).map(|s| s.state) else {
            return;
        };
        let in_time = if *pays { window.opens <= time } else { window.expires < time };
        if !in_time && !self.truth.contradicted {
            let detail = format!("daemon {d}, withdrawal {seq}, {window:?} at {time}");
            self.violate("queue: nothing before its time", detail);
        }
    }

    /// What a transaction does not carry after all may go into another; unless an earlier one with
    /// this nonce carries it.
    pub(crate) fn on_dropped(&mut self, d: usize, nonce: u64, dropped: &[(Seq, Obstacle)]) {
        let sent = || {
            let stored = self.daemons[d].disk.borrow().clone().load();
            stored.is_ok_and(|p| p.transactions.iter().any(|t| t.nonce == nonce))
        };
        if dropped.is_empty() || sent() {
            return;
        }
        if let Some(carried) = self.daemons[d].planned.get_mut(&nonce) {
            carried.retain(|seq| dropped.iter().all(|(other, _)| other != seq));
        }
    }

    /// What became durable just now: the ledger has everything that a checkpoint says it has.
    pub(crate) fn check_commit(&mut self, d: usize) {
        let committed = std::mem::take(&mut self.daemons[d].disk.borrow_mut().committed);
        let checkpoints = committed.iter().filter_map(|change| match change {
            Change::Checkpoint(checkpoint) => Some(checkpoint.cursor.next_seq),
            Change::Listing(_)
            | Change::Withdrawal(_)
            | Change::ForgetWithdrawal(_)
            | Change::Transaction(_)
            | Change::ForgetTransaction(_)
            | Change::Halt(_)
            | Change::ForgetHalt => None,
        });
        let read_again_from = checkpoints.min();
        for change in committed {
            match change {
                Change::Checkpoint(checkpoint) => {
                    self.moved(Transition::Checkpoint);
                    self.check_checkpoint(d, &checkpoint);
                }
                Change::ForgetWithdrawal(seq) => self.check_forgotten(seq, read_again_from),
                Change::ForgetTransaction(nonce) => {
                    self.daemons[d].planned.remove(&nonce);
                }
                Change::Halt(_) => self.daemons[d].must_stay_halted = true,
                Change::Listing(_)
                | Change::Withdrawal(_)
                | Change::Transaction(_)
                | Change::ForgetHalt => {}
            }
        }
    }

    fn check_checkpoint(&mut self, d: usize, checkpoint: &Checkpoint) {
        if self.truth.contradicted {
            return;
        }
        let cursor = checkpoint.cursor;
        let height = usize::try_from(cursor.block.number.0).unwrap_or(usize::MAX);
        let complete = self.truth.hashes.get(height) == Some(&cursor.block.hash)
            && self.truth.counters.get(height).is_some_and(|n| n + 1 == cursor.next_seq.0);
        if !complete {
            let detail = format!("daemon {d} at {cursor:?}");
            self.violate("checkpoint: a final block, and every event up to it", detail);
        }
        for seq in 1..cursor.next_seq.0 {
            if let Some(missing) = self.missing_in_ledger(Seq(seq), checkpoint) {
                let detail = format!("daemon {d} at {}: {missing}", cursor.next_seq);
                self.violate("checkpoint: never ahead of the ledger", detail);
            }
        }
    }

    fn missing_in_ledger(&self, seq: Seq, checkpoint: &Checkpoint) -> Option<String> {
        let blocked = |l: LedgerId| {
            self.truth.taken_ledgers.contains(&l.0) && checkpoint.blocked.contains_key(&l)
        };
        if let Some(deposit) = self.truth.deposit(seq.0) {
            let there = self.ledger.transfer(self.credit_id(seq).0).is_some();
            return (!there && !blocked(deposit.ledger)).then(|| format!("deposit {seq}"));
        }
        let request = self.truth.request(seq.0)?;
        let ids = self.ids(seq);
        let answered = self.ledger.transfer(ids.main.0).is_some()
            || self.ledger.is_burnt(ids.main.0)
            || self.ledger.is_burnt(ids.gate.0)
            || self.truth.is_taken(request);
        (!answered && !blocked(request.ledger)).then(|| format!("request {seq}"))
    }

    fn check_forgotten(&mut self, seq: Seq, read_again_from: Option<Seq>) {
        let order = self.users.orders.keys().find(|id| Seq::of_intent(**id) == seq);
        let main = order.map_or_else(|| self.ids(seq), |id| WithdrawalIds::gasless(*id)).main.0;
        // Or its request is read again: the same commit says from where.
        // An order is found again in the ledger where the whole history is.
        let again = read_again_from.is_some_and(|from| match order {
            None => from <= seq,
            Some(_) => from == Seq(1),
        });
        let over = again || self.ledger.pending(main) != Some(PendingStatus::Pending);
        if !over {
            let detail = format!("withdrawal {seq} is forgotten while its pending stands");
            self.violate("withdrawals: kept until they have ended in the ledger", detail);
        }
        if self.ledger.transfer(main).is_none() {
            self.moved(Transition::Forgotten);
        }
    }

    /// A halt outlives the process.
    pub(crate) fn check_marker(&mut self, d: usize) {
        let halted = self.daemons[d].bridge().is_some_and(|b| b.halted().is_some());
        if self.daemons[d].must_stay_halted && !halted {
            self.violate("halting: the halt survives a restart", format!("daemon {d}"));
        }
        self.daemons[d].halted = halted;
    }

    /// What the ledger just executed for a daemon.
    pub(crate) fn check_executed(
        &mut self,
        sent: &[Transfer],
        failures: &[(usize, TransferResult)],
    ) {
        let mut failures = failures.iter().peekable();
        for (index, t) in sent.iter().enumerate() {
            let failed = failures.next_if(|(i, _)| *i == index).map(|(_, result)| *result);
            let id = decode(t.id);
            self.note(id.seq.0 ^ u64::from(failed.map_or(0, TransferResult::number)));
            self.tell(|| format!("ledger: {:#x} of {} is {failed:?}", id.kind, id.seq));
            match failed {
                _ if Self::is_order_leg(t.id) => self.check_order_leg(t, failed),
                None => self.check_created(t, id),
                Some(result) => self.check_failed(t, id, result),
            }
        }
    }

    fn check_created(&mut self, t: &Transfer, id: Decoded) {
        // Which of two histories it stands for cannot be said until it is mended.
        if self.truth.contradicted {
            return;
        }
        match id.kind {
            k if k == Kind::Deposit.byte() => self.check_deposit(t, id.seq),
            k if k == Kind::Main.byte() => self.check_reserved(t, id.seq),
            k if k == Kind::Resolve.byte() => self.check_resolved(t, id.seq),
            k if k == Kind::Gate.byte() => {}
            _ => self.violate("identity: only known kinds of transfers", format!("{t:?}")),
        }
    }

    fn check_deposit(&mut self, t: &Transfer, seq: Seq) {
        let Some(deposit) = self.truth.deposit(seq.0).copied() else {
            let detail = format!("{seq} is no final deposit");
            return self.violate("deposits: every credit stands for a final deposit", detail);
        };
        let ledger = deposit.ledger;
        let taken = self.truth.taken_funds.contains(&(ledger.0, deposit.owner));
        let suspense = AccountId::chart(ledger, SUSPENSE.number);
        let owner = NewAccount::funds(ledger, deposit.owner).id;
        let account = if taken { suspense } else { owner };
        let vault = AccountId::vault_chart(ledger, self.instance, VAULT.number);
        let fits = t.amount == self.units(ledger, deposit.amount.0)
            && t.credit_account_id == account.0
            && t.debit_account_id == vault.0
            && t.flags == 0;
        if !fits {
            let detail = format!("deposit {seq} {deposit:?}: {t:?}");
            self.violate("deposits: the right amount for the right account", detail);
        }
        if self.truth.taken_ledgers.contains(&ledger.0) {
            let detail = format!("deposit {seq} on ledger {ledger}");
            self.violate("listings: nothing on a ledger of another token", detail);
        }
        self.moved(if taken { Transition::Suspended } else { Transition::Deposited });
    }

    fn check_reserved(&mut self, t: &Transfer, seq: Seq) {
        let Some(request) = self.truth.request(seq.0).copied() else {
            let detail = format!("{seq} is no final request");
            return self.violate("withdrawals: only final requests are reserved", detail);
        };
        let vault = AccountId::vault_chart(request.ledger, self.instance, VAULT.number);
        let fits = t.amount == self.units(request.ledger, request.amount.0)
            && t.debit_account_id == NewAccount::funds(request.ledger, request.owner).id.0
            && t.credit_account_id == vault.0
            && t.has(tf::PENDING)
            && t.timeout == 0
            && t.user_data_64 == request.deadline.0;
        if !fits || self.truth.is_taken(&request) {
            let detail = format!("request {seq} {request:?}: {t:?}");
            self.violate("withdrawals: the pending is what was asked for", detail);
        }
        let gate = NewAccount::gate(request.owner).id.0;
        let open = self.ledger.account(gate).is_some_and(|a| !a.is_closed());
        let leg = self.ledger.transfer(self.ids(seq).gate.0);
        let leg = leg.is_some_and(|leg| leg.debit_account_id == gate && leg.has(tf::LINKED));
        if !open || !leg {
            let detail = format!("request {seq}: gate open {open}, leg {leg}");
            self.violate("withdrawals: no debit past a closed gate", detail);
        }
        self.check_order(seq, request.ledger);
        self.moved(Transition::Reserved);
    }

    /// A request is answered only when the ledger has every earlier deposit of its token.
    fn check_order(&mut self, seq: Seq, ledger: LedgerId) {
        let earlier = self.truth.deposits().take_while(|(s, _)| *s < seq);
        let late = earlier
            .filter(|(_, deposit)| deposit.ledger == ledger)
            .map(|(s, _)| s)
            .find(|s| self.ledger.transfer(self.credit_id(*s).0).is_none());
        if let Some(late) = late {
            let detail = format!("request {seq} is answered before deposit {late}");
            self.violate("order: events take effect in the order of their numbers", detail);
        }
    }

    fn check_resolved(&mut self, t: &Transfer, seq: Seq) {
        if self.truth.contradicted {
            return;
        }
        let Some(request) = self.truth.request(seq.0).copied() else {
            let detail = format!("{seq} is no final request");
            return self.violate("withdrawals: only final requests end", detail);
        };
        let state = self.truth.state_of(request.id);
        if t.has(tf::POST) {
            let whole = t.amount == self.units(request.ledger, request.amount.0);
            if !self.truth.is_paid(request.id) || !whole {
                let detail = format!("withdrawal {seq}, finally {state:?}: {t:?}");
                self.violate("withdrawals: a post means a final payout, whole", detail);
            }
            self.moved(match state {
                Some(State::Deferred) => Transition::PostedDeferred,
                _ => Transition::PostedPaid,
            });
            return;
        }
        if !self.truth.is_dead(&request) {
            let detail = format!("withdrawal {seq}, finally {state:?} at {}", self.truth.time);
            self.violate("withdrawals: a void means that it can never be paid", detail);
        }
        if state == Some(State::Requested) && !self.shown_unpaid.contains(&seq) {
            let detail = format!("withdrawal {seq}: nobody read its state");
            self.violate("withdrawals: the contract's own state shows it unpaid", detail);
        }
        self.moved(match state {
            Some(State::Refused) => Transition::VoidedRefused,
            Some(State::Cancelled) => Transition::VoidedCancelled,
            _ => Transition::VoidedExpired,
        });
    }

    #[allow(clippy::wildcard_enum_match_arm, reason = "all other results are faults alike")]
    fn check_failed(&mut self, t: &Transfer, id: Decoded, result: TransferResult) {
        use TransferResult as R;
        let main = id.kind == Kind::Main.byte();
        match result {
            R::Exists if id.kind == Kind::Deposit.byte() => self.moved(Transition::DepositReplayed),
            R::Exists if id.kind == Kind::Gate.byte() => {
                self.moved(Transition::ReservationReplayed);
            }
            // The same deposit in another block or transaction: loud, and nothing else.
            R::ExistsWithDifferentUserData128
            | R::ExistsWithDifferentUserData64
            | R::ExistsWithDifferentUserData32
                if id.kind == Kind::Deposit.byte()
                    && (self.truth.contradicted || self.truth.is_rewritten) => {}
            // Its number was used by a request of a superseded history.
            _ if self.attempt(id.seq) > 0 && id.kind != Kind::Deposit.byte() => {}
            // One daemon goes on with the old history while another has compared the new one.
            _ if self.truth.contradicted && self.daemons.len() > 1 => {}
            R::IdAlreadyFailed => self.moved(Transition::RefusalReplayed),
            R::ExceedsCredits if main && self.truth.contradicted => {}
            R::ExceedsCredits if main => {
                let ledger = LedgerId(t.ledger);
                self.check_order(id.seq, ledger);
                self.moved(Transition::RefusedFunds);
            }
            R::DebitAccountAlreadyClosed => self.moved(Transition::RefusedFrozen),
            R::Exists | R::LinkedEventFailed => {}
            _ => {
                let detail = format!("{:#x} of {}: {result:?}", id.kind, id.seq);
                self.violate("requests: nothing is sent that the ledger cannot take", detail);
            }
        }
    }

    /// Every payout in any block has its pending; every refusal has none.
    pub(crate) fn check_payouts(&mut self) {
        // A history that takes back what was final can contradict what the ledger rightly did.
        if self.truth.contradicted {
            return;
        }
        let head = self.chain.head().clone();
        for log in &head.logs {
            let bridge_core::vault_event::VaultEvent::Withdrawal(event) = log.event else {
                continue;
            };
            let Some(slot) = head.state.slot(event.id) else { continue };
            let is_used = self.is_used(slot.seq, &slot.request);
            let ids = WithdrawalIds::named(self.instance, slot.seq, event.id);
            let pending = self.ledger.pending(ids.main.0).filter(|_| !is_used);
            let wrong = match slot.state {
                State::Paid | State::Deferred | State::Queued(_) => {
                    !matches!(pending, Some(PendingStatus::Pending | PendingStatus::Posted))
                }
                // A veto ends what was reserved; a refusal what never was.
                State::Refused => {
                    self.signers.quorum().get(&event.id) == Some(&false) && pending.is_some()
                }
                State::Requested | State::Cancelled => false,
            };
            if wrong {
                let detail = format!("withdrawal {} {:?}: {pending:?}", slot.seq, slot.state);
                self.violate("payouts: the ledger allows what the chain does", detail);
            }
        }
    }

    /// After every step, if something changed: both conservation laws.
    pub(crate) fn check_world(&mut self) {
        let now = (self.ledger.version(), self.truth.height);
        if self.checked == now || self.phase == Phase::Halting {
            return;
        }
        self.checked = now;
        self.check_balances();
        self.check_solvency();
    }

    fn check_balances(&mut self) {
        for listing in self.chain.rules.tokens.clone() {
            let ledger = listing.ledger;
            let accounts = self.ledger.accounts().filter(|a| a.ledger == ledger.0);
            let (mut debits, mut credits, mut overdrawn) = (0, 0, None);
            for a in accounts {
                debits += a.debits_posted;
                credits += a.credits_posted;
                let liability = a.flags & af::DEBITS_MUST_NOT_EXCEED_CREDITS != 0;
                if liability && a.debits_posted + a.debits_pending > a.credits_posted {
                    overdrawn = Some(a.id);
                }
            }
            if debits != credits || overdrawn.is_some() {
                let detail = format!("ledger {ledger}: {debits}, {credits}, {overdrawn:?}");
                self.violate("ledger: debits equal credits and nobody is overdrawn", detail);
            }
        }
    }
}
