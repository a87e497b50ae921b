//! One step of a daemon: the production driver takes in an event; what it orders is carried out, or
//! the process dies in between.

use crate::{
    chain::vault,
    coverage::Transition,
    daemon::Outbox,
    disk::CommitFate,
    fault::Fault,
    world::{Action, Flight, Phase, World},
};
use alloy_primitives::{Bytes, hex};
use bridge_core::{
    block::Seq,
    command::{Asked, Call, Carried, Command, Notice, PayoutCommand, RequestId, TransactionPlan},
    event::{ContractState, Event, LedgerEvent, PayoutEvent},
    obstacle::Obstacle,
    reserves::Equation,
    transfer::FoundTransfer,
    withdrawal::RefusalReason,
};

/// Where a process dies in a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Death {
    /// In the commit, if there is one.
    InCommit(CommitFate),
    /// After so many commands were handed over.
    AfterCommands(usize),
}

impl World<'_> {
    pub(crate) fn step(&mut self, d: usize, event: Event) {
        self.steps += 1;
        self.note(self.now ^ (self.steps << 32));
        self.tell(|| format!("daemon {d} <- {}", describe(&event)));
        self.observe(d, &event);
        let death = self.draw_death();
        if let Some(Death::InCommit(fate)) = death {
            self.daemons[d].disk.borrow_mut().fate = fate;
        }
        let now = self.daemons[d].clock(self.now);
        let mut outbox = Outbox::new(self.daemons[d].disk.clone());
        let Some(driver) = &mut self.daemons[d].driver else { return };
        let survived = driver.step(event, now, &mut outbox).is_ok();
        self.daemons[d].disk.borrow_mut().fate = CommitFate::Durable;
        if outbox.was_early() {
            let detail = format!("daemon {d} acted on what it had not written yet");
            self.violate("driver: durable first, then acted upon", detail);
        }
        self.check_commit(d);
        if !survived {
            return self.die(d, "in a commit");
        }
        let dies = match death {
            Some(Death::AfterCommands(n)) => Some(n),
            Some(Death::InCommit(_)) | None => None,
        };
        for (n, command) in outbox.commands.into_iter().enumerate() {
            if dies == Some(n) {
                return self.die(d, "between commands");
            }
            self.note(n as u64);
            self.carry_out(d, command);
        }
        if dies.is_some() {
            return self.die(d, "after a step");
        }
        for notice in outbox.notices {
            self.on_notice(d, &notice);
        }
    }

    fn draw_death(&mut self) -> Option<Death> {
        if !self.roll(Fault::Crash, 12) {
            return None;
        }
        Some(match self.chances.fault.below(6) {
            0 => Death::InCommit(CommitFate::LostAll),
            1 => Death::InCommit(CommitFate::DiesAfter),
            2 if self.roll(Fault::TornWrite, 600) => Death::InCommit(CommitFate::Torn),
            2 => Death::InCommit(CommitFate::LostAll),
            n => Death::AfterCommands(usize::try_from(n - 3).unwrap_or(0)),
        })
    }

    pub(crate) fn die(&mut self, d: usize, where_: &str) {
        self.tell(|| format!("daemon {d} dies {where_}"));
        self.daemons[d].kill();
        let pause = self.chances.time.between(10, 400);
        self.after(pause, Action::Restart { daemon: d });
    }

    /// Starts a process that is down, perhaps on another disk than it had.
    pub(crate) fn restart(&mut self, d: usize) {
        if self.daemons[d].driver.is_some() {
            return;
        }
        self.swap_disk(d);
        self.tell(|| format!("daemon {d} starts"));
        match self.daemons[d].start() {
            Ok(()) => self.moved(Transition::Restarted),
            Err(e) => self.violate("restart: a store that the core wrote can be read", e),
        }
        self.check_marker(d);
    }

    fn swap_disk(&mut self, d: usize) {
        if self.roll(Fault::DeletedStore, 150) {
            self.tell(|| format!("the store of daemon {d} is deleted"));
            self.daemons[d].disk.borrow_mut().records.clear();
            self.daemons[d].must_stay_halted = false;
        } else if !self.daemons[d].copies.is_empty() && self.roll(Fault::StaleStore, 300) {
            let n = self.chances.fault.index(self.daemons[d].copies.len());
            self.tell(|| format!("an older copy of the store of daemon {d} comes back"));
            let copy = self.daemons[d].copies[n].clone();
            self.daemons[d].disk.borrow_mut().records = copy;
            self.daemons[d].must_stay_halted = false;
        }
    }

    fn carry_out(&mut self, d: usize, command: Command) {
        self.tell(|| format!("daemon {d} -> {}", describe(&command)));
        match command {
            Command::Chain(command) => self.ask_node(d, command),
            Command::Ledger(command) => {
                self.check_request(d, &command);
                let flight = Flight {
                    daemon: d,
                    epoch: self.daemons[d].epoch,
                    command,
                    answered: false,
                    lost: false,
                    executed: false,
                };
                self.flights.push(flight);
                self.send_to_ledger(self.flights.len() - 1);
            }
            Command::Payout(PayoutCommand::Authorize(items)) => {
                for Asked { seq, request, verdict, .. } in &items {
                    self.check_signing(d, *seq, request, *verdict);
                }
                for event in self.sign(&items) {
                    self.answer(d, 5, Event::Payout(event));
                }
            }
            Command::Payout(PayoutCommand::Build(plan)) => {
                self.check_plan(d, &plan);
                let event = self.build(d, plan);
                self.answer(d, 2, Event::Payout(event));
            }
            Command::Payout(PayoutCommand::Broadcast { nonce, raw }) => {
                self.broadcast(d, nonce, &raw);
            }
            Command::Payout(PayoutCommand::Pause) => self.on_pause(d),
        }
    }

    /// Only a bridge whose halt is on disk pauses payouts on chain.
    fn on_pause(&mut self, d: usize) {
        let durable = self.daemons[d].disk.borrow().clone().load();
        if durable.is_ok_and(|p| p.halt.is_none()) {
            let detail = format!("daemon {d} pauses payouts without a durable halt");
            self.violate("halting: durable before anything follows from it", detail);
        }
        self.daemons[d].pauses += 1;
    }

    /// An event for the process as it is now, soon.
    pub(crate) fn answer(&mut self, d: usize, slowest_ms: u64, event: Event) {
        let mut pause = self.chances.time.between(1, slowest_ms.max(2));
        if self.roll(Fault::Slow, 60) {
            pause += self.chances.fault.between(100, 2_500);
        }
        let epoch = self.daemons[d].epoch;
        self.after(pause, Action::Deliver { daemon: d, epoch, event: Box::new(event) });
    }

    fn build(&mut self, d: usize, plan: TransactionPlan) -> PayoutEvent {
        let nonce = plan.nonce;
        if self.roll(Fault::SignerAway, 100) {
            let (obstacle, dropped) = (Obstacle::NodeAway, Vec::new());
            return PayoutEvent::NotBuilt { nonce, obstacle, dropped };
        }
        let carried = self.calls_of(&plan.call);
        if let Some((Some(seq), _)) =
            carried.iter().find(|(seq, call)| seq.is_some() && *call == vault::Call::Nothing)
        {
            let detail = format!("nonce {nonce}, withdrawal {seq}");
            self.violate("batches: a proof leads to the root that was signed", detail);
        }
        let head = self.chain.head();
        let (mut calls, mut dropped) = (Vec::new(), Vec::new());
        for (seq, call) in carried {
            let trial = head.state.obstacle(&self.chain.rules, &call, head.header.timestamp.0);
            match (seq, trial) {
                (Some(seq), Some(obstacle)) => dropped.push((seq, obstacle)),
                (Some(_) | None, _) => calls.push(call),
            }
        }
        if dropped.iter().any(|(_, obstacle)| *obstacle == Obstacle::SignersChanged) {
            self.daemons[d].tried.insert(nonce, signatures_of(&plan));
        }
        if let Some((_, obstacle)) = dropped.first().filter(|_| calls.is_empty()).copied() {
            return PayoutEvent::NotBuilt { nonce, obstacle, dropped };
        }
        if let Call::Finish(finishing) = &plan.call {
            self.moved(if finishing.pays { Transition::Finalized } else { Transition::Closed });
        }
        let tx = self.chain.make(Some((nonce, plan.fees.max_fee)), calls);
        let mut raw = nonce.to_be_bytes().to_vec();
        raw.extend_from_slice(&(tx as u64).to_be_bytes());
        let (raw, hash) = (Bytes::from(raw), self.chain.txs[tx].hash);
        PayoutEvent::Built { nonce, raw, hash, dropped }
    }

    fn broadcast(&mut self, d: usize, nonce: u64, raw: &Bytes) {
        if !self.daemons[d].disk.borrow().holds_transaction(nonce, raw) {
            let detail = format!("nonce {nonce}: {} sent, not on disk", hex::encode(raw));
            self.violate("broadcast: the bytes are durable before they are sent", detail);
        }
        let number = raw.get(8..16).and_then(|b| <[u8; 8]>::try_from(b).ok());
        let tx = number.and_then(|n| usize::try_from(u64::from_be_bytes(n)).ok());
        let Some(tx) = tx.filter(|tx| *tx < self.chain.txs.len()) else {
            return self.violate("broadcast: only what was built", format!("nonce {nonce}"));
        };
        let again = !self.users.sent.insert(tx);
        let same_nonce =
            |t: &usize| *t != tx && self.chain.txs[*t].submitter.is_some_and(|(n, _)| n == nonce);
        let replaces = !again && self.users.sent.iter().any(same_nonce);
        self.moved(if again { Transition::Rebroadcast } else { Transition::Broadcast });
        if replaces {
            self.moved(Transition::Replaced);
        }
        if !self.roll(Fault::PoolDrop, 150) {
            self.chain.send_submitter(tx);
        }
    }

    /// What the world learns from an event that a daemon is about to take in.
    #[allow(clippy::wildcard_enum_match_arm, reason = "nothing else is to be learned from")]
    fn observe(&mut self, d: usize, event: &Event) {
        match event {
            Event::Ledger(LedgerEvent::Found { request, transfers }) => {
                self.observe_found(d, *request, transfers);
            }
            Event::State { seq, state: Some(ContractState::None), .. } if seq.is_intent() => {
                self.shown_unpaid.insert(*seq);
            }
            Event::State { seq, state: Some(ContractState::Requested), .. } => {
                self.shown_unpaid.insert(*seq);
            }
            // Given anew, they may be the same: the vault's signers may be the old ones again.
            Event::Payout(PayoutEvent::Authorized { items, signatures }) => {
                let given = |seq: Seq| items.iter().any(|item| item.seq == seq);
                let refused = &mut self.daemons[d].refused;
                refused.retain(|(seq, s)| !(given(*seq) && signatures.contains(s)));
            }
            Event::Payout(PayoutEvent::Built { nonce, dropped, .. }) => {
                self.on_dropped(d, *nonce, dropped);
            }
            Event::Payout(PayoutEvent::NotBuilt { nonce, obstacle, .. }) => {
                let daemon = &mut self.daemons[d];
                let tried = daemon.tried.remove(nonce).unwrap_or_default();
                // An answer about a nonce that is over by now tells a daemon nothing.
                if daemon.planned.remove(nonce).is_some() && *obstacle == Obstacle::SignersChanged {
                    daemon.refused.extend(tried);
                }
            }
            _ => {}
        }
    }

    fn observe_found(&mut self, d: usize, request: RequestId, transfers: &[FoundTransfer]) {
        let Some(flight) = self.flight_of(d, request) else { return };
        let bridge_core::command::LedgerCommand::LookupTransfers { ids, .. } = &flight.command
        else {
            return;
        };
        let seen: Vec<_> = ids
            .iter()
            .filter(|id| !Self::is_fee_leg(id.0))
            .map(|id| (Self::decode_any(id.0), transfers.iter().any(|t| t.id == *id)))
            .collect();
        for (id, found) in seen {
            let known = self.daemons[d].looked_up.entry(id.seq).or_default();
            if id.kind == bridge_core::id::Kind::Main.byte() {
                known.0 = found;
            } else {
                known.1 = found;
            }
        }
    }

    fn on_notice(&mut self, d: usize, notice: &Notice) {
        self.tell(|| format!("daemon {d} says {notice:?}"));
        match notice {
            Notice::TransactionLost { .. } => self.moved(Transition::NonceLost),
            Notice::PayoutHeld { obstacle, .. } if obstacle.is_revert() => {
                self.moved(Transition::Held);
            }
            Notice::WithdrawalRefused { reason: RefusalReason::AddressMismatch, .. } => {
                self.moved(Transition::RefusedTaken);
            }
            Notice::LedgerBlocked { ledger } => {
                self.moved(Transition::Blocked);
                if !self.truth.taken_ledgers.contains(&ledger.0) {
                    let detail = format!("ledger {ledger} stopped");
                    self.violate("blocking: only a ledger that cannot be served stops", detail);
                }
            }
            Notice::ReservesBroken(broken) => {
                self.moved(Transition::ReservesBroken);
                let is_short = broken.equation == Equation::Backing
                    && self.chain.rules.short.contains(&broken.number.0);
                if !is_short && self.phase != Phase::Halting {
                    let detail = format!("daemon {d}: {broken}");
                    self.violate("reserves: no false alarm", detail);
                }
            }
            Notice::ReservesMended { .. } => self.moved(Transition::ReservesMended),
            Notice::Rereading(_) => self.moved(Transition::Reread),
            Notice::Halted(evidence) => {
                self.moved(Transition::Halted);
                self.daemons[d].halted = true;
                self.daemons[d].must_stay_halted = true;
                if self.phase != Phase::Halting {
                    let detail = format!("daemon {d}: {evidence}");
                    self.violate("halting: only a contradiction that persists halts", detail);
                }
            }
            Notice::EndpointSetAside { .. } => self.moved(Transition::SetAside),
            Notice::EndpointBack { .. } => self.moved(Transition::Back),
            Notice::DepositsPosted { .. }
            | Notice::DepositReincluded { .. }
            | Notice::WithdrawalReserved { .. }
            | Notice::IntentFound { .. }
            | Notice::WithdrawalRefused { .. }
            | Notice::WithdrawalSettled { .. }
            | Notice::Submitted { .. }
            | Notice::NonceFilled { .. }
            | Notice::PayoutHeld { .. }
            | Notice::SubmitterChanged { .. }
            | Notice::SubmitterLow { .. }
            | Notice::SubmitterFilled { .. }
            | Notice::Suspect(_) => {}
        }
    }
}

/// The signatures that a transaction would carry, for each withdrawal.
pub(crate) fn signatures_of(plan: &TransactionPlan) -> Vec<(Seq, Bytes)> {
    match &plan.call {
        Call::Withdrawals(items) => {
            let of = |item: &Carried| {
                let signatures = item.authorization.signatures.clone().into_iter();
                signatures.map(|s| (item.seq, s)).collect::<Vec<_>>()
            };
            items.iter().flat_map(of).collect()
        }
        Call::Finish(_) | Call::Nothing => Vec::new(),
    }
}

/// A short line about an event or command.
fn describe(what: &impl std::fmt::Debug) -> String {
    let text = format!("{what:?}");
    let mut short: String = text.chars().take(700).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}
