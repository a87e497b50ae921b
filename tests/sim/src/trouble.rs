//! Trouble that comes by itself, and its end.

use crate::{
    chain::{node::Endpoint, vault::Call},
    daemon::Daemon,
    disk::CommitFate,
    fault::Fault,
    ledger::types::{Transfer, transfer_flags as tf},
    world::{Action, Phase, World},
};
use bridge_core::{
    account::{GATE_OPERATOR, NewAccount},
    asset::LedgerId,
    block::Seq,
    id::{AccountId, Kind, TransferId},
    vault_event::{VaultEvent, VaultLog},
};
use std::{collections::BTreeMap, rc::Rc};

impl World<'_> {
    pub(crate) fn on_mine(&mut self) {
        let leaps = self.roll(Fault::BlockTime, 60);
        let seconds = match self.phase {
            Phase::Trouble if leaps => self.chances.chain.between(30, 400),
            Phase::Trouble => self.chances.chain.between(1, 9),
            Phase::Healing | Phase::Halting => 12,
        };
        let blocks = if self.chances.chain.per_mille(60) { 3 } else { 1 };
        for _ in 0..blocks {
            self.mine_now(seconds);
        }
        let head = self.chain.head();
        let is_paused = head.state.paused_until > head.header.timestamp.0;
        if self.phase != Phase::Trouble && is_paused {
            self.chain.send(Call::Pause { seconds: 0 });
        }
        let pause = self.chances.chain.between(120, 360);
        self.after(pause, Action::Mine);
    }

    pub(crate) fn mine_now(&mut self, seconds: u64) {
        let most = self.chances.chain.index(7);
        let most = if self.phase == Phase::Trouble { most } else { 50 };
        self.chain.mine(seconds, most, &mut self.chances.chain);
        self.truth.follow(&self.chain);
        self.note(self.chain.height());
        if self.options.trace {
            let head = self.chain.head();
            let text = format!(
                "block {} at {} s with {:?}; final {}",
                head.header.block.number,
                head.header.timestamp,
                head.logs.iter().map(|l| (l.seq.0, l.event)).collect::<Vec<_>>(),
                self.truth.height
            );
            self.tell(|| text);
        }
        self.check_payouts();
        self.sync_nodes();
    }

    fn sync_nodes(&mut self) {
        for e in 0..self.endpoints.len() {
            // The second node may drift so far that what it sees was given up below finality.
            let drifts = if self.options.seed.is_multiple_of(4) { 960 } else { 800 };
            let lags = [self.roll(Fault::Lag, 350), self.roll(Fault::TwoNodes, drifts)];
            for (branch, lags) in self.endpoints[e].branches.iter_mut().zip(lags) {
                if !lags {
                    *branch = Rc::clone(&self.chain.main);
                }
            }
        }
    }

    pub(crate) fn on_trouble(&mut self) {
        if self.phase != Phase::Trouble {
            return;
        }
        self.trouble_of_the_chain();
        self.trouble_of_the_submitter();
        for d in 0..self.daemons.len() {
            self.trouble_of_a_daemon(d);
        }
        if self.roll(Fault::Pause, 40) {
            let seconds = *self.chances.fault.pick(&[0, 10, 60, 200]);
            self.chain.send(Call::Pause { seconds });
        }
        if self.roll(Fault::SignersRotated, 25) {
            self.chain.send(Call::Rotate);
        }
        if self.roll(Fault::Frozen, 60) {
            self.toggle_gate();
        }
        let pause = self.chances.fault.between(40, 120);
        self.after(pause, Action::Trouble);
    }

    fn trouble_of_the_chain(&mut self) {
        for e in 0..self.endpoints.len() {
            self.endpoints[e].mixed = self.roll(Fault::TwoNodes, 500);
            let was_down = self.endpoints[e].is_down;
            let per_mille = if was_down { 800 } else { 60 };
            self.endpoints[e].is_down = self.roll(Fault::EndpointDown, per_mille);
        }
        let room = self.chain.height() - self.truth.height;
        if room > 0 && self.roll(Fault::Reorg, 70) {
            let depth = self.chances.fault.between(1, room);
            let drop = *self.chances.fault.pick(&[0, 150, 600]);
            self.tell(|| format!("reorg of {depth} blocks"));
            self.chain.reorg(usize::try_from(depth).unwrap_or(1), drop, &mut self.chances.chain);
            // The other branch may be a little shorter for a while, or longer.
            for _ in 0..self.chances.fault.between(1, depth + 1) {
                self.mine_now(2);
            }
        }
    }

    fn trouble_of_the_submitter(&mut self) {
        if self.roll(Fault::PoolDrop, 60) {
            self.tell(|| "the pool forgets".to_owned());
            self.chain.submitter_pool.clear();
        }
        if self.roll(Fault::StrangeNonce, 40) {
            let nonce = self.chain.head().state.submitter_nonce + self.chances.fault.below(3);
            self.tell(|| format!("a stranger uses nonce {nonce}"));
            let tx = self.chain.make(Some((nonce, 1 << 40)), vec![Call::Nothing]);
            self.chain.send_submitter(tx);
        }
        if self.roll(Fault::FeeSpike, 40) {
            self.chain.base_fee = *self.chances.fault.pick(&[100, 2_000, 20_000]);
        }
    }

    fn trouble_of_a_daemon(&mut self, d: usize) {
        if self.daemons[d].copies.len() < 3 && self.roll(Fault::StaleStore, 60) {
            let copy = self.daemons[d].disk.borrow().records.clone();
            self.daemons[d].copies.push(copy);
        }
        if self.roll(Fault::ClockJump, 30) {
            let jump = i64::try_from(self.chances.fault.below(1_200_000)).unwrap_or(0) - 600_000;
            self.tell(|| format!("the clock of daemon {d} jumps by {jump} ms"));
            self.daemons[d].skew_ms += jump;
        }
        if self.roll(Fault::Eviction, 50) {
            self.tell(|| format!("daemon {d}'s session with the ledger ends"));
            self.evict(d);
        }
        let alive = self.daemons[d].driver.is_some();
        if alive && self.roll(Fault::StaleStore, 20) | self.roll(Fault::DeletedStore, 20) {
            self.die(d, "by kill -9");
        } else if alive && self.roll(Fault::Crash, 15) {
            // In order, as by SIGTERM.
            self.step(d, bridge_core::event::Event::Stop);
            if self.daemons[d].driver.is_some() {
                self.die(d, "in order");
            }
        }
    }

    /// The operator freezes somebody, or lets them go.
    fn toggle_gate(&mut self) {
        let owners = crate::users::owners();
        let owner = *self.chances.fault.pick(&owners);
        let now = self.ledger_clock();
        let number = 0x06_u128 << 120 | u128::from(self.chances.fault.bits()) << 8;
        if let Some(closing) = self.frozen.remove(&owner) {
            let void = Transfer {
                id: number,
                pending_id: closing,
                flags: tf::VOID,
                ..Transfer::default()
            };
            self.ledger.create_transfers(&[void], now);
            return;
        }
        if self.truth.taken_gates.contains(&owner) {
            return;
        }
        let gate = NewAccount::gate(owner);
        self.operator_accounts(&[gate]);
        let close = Transfer {
            id: number,
            debit_account_id: gate.id.0,
            credit_account_id: AccountId::chart(LedgerId::CONTROL, GATE_OPERATOR.number).0,
            ledger: LedgerId::CONTROL.0,
            code: 22,
            flags: tf::PENDING | tf::CLOSING_DEBIT,
            ..Transfer::default()
        };
        self.tell(|| format!("the operator freezes {owner}"));
        self.ledger.create_transfers(&[close], now);
        self.frozen.insert(owner, number);
    }

    /// No more trouble, but for what is on its way already; or the one contradiction that must halt.
    pub(crate) fn heal(&mut self) {
        self.tell(|| "no more trouble".to_owned());
        for endpoint in &mut self.endpoints {
            // One that lies goes on: the others are enough.
            let Endpoint { invents_at, range_limit, .. } = *endpoint;
            *endpoint = Endpoint { invents_at, range_limit, ..Endpoint::new(&self.chain) };
        }
        self.chain.base_fee = 100;
        // Whatever is in the pool is mined: nobody's transaction waits for ever.
        for d in 0..self.daemons.len() {
            self.daemons[d].disk.borrow_mut().fate = CommitFate::Durable;
            self.daemons[d].lies = 0;
        }
        if self.faults.has(Fault::Contradiction) {
            self.contradict();
        }
    }

    /// A reorg past finality under everybody's feet.
    fn contradict(&mut self) {
        let read = |d: &Daemon| d.bridge().map(|b| b.summary().read.block.number.0);
        let lowest = |heights: Vec<Option<u64>>| heights.into_iter().min().flatten();
        let lowest_read = lowest(self.daemons.iter().map(read).collect());
        let lowest_stored = lowest(self.daemons.iter().map(stored_height).collect());
        let (Some(lowest_read), Some(lowest_stored)) = (lowest_read, lowest_stored) else { return };
        let fresh = self.daemons.iter().any(|d| d.copies.len() > 1);
        if lowest_stored <= 5 || fresh {
            return;
        }
        let booked = |log: &VaultLog| {
            log.block.number.0 >= lowest_stored && self.entries_of(log.seq).next().is_some()
        };
        if !self.truth.events.iter().any(booked) {
            return;
        }
        self.happened(Fault::Contradiction);
        for daemon in &mut self.daemons {
            let stored = || Some(daemon.disk.borrow().clone().load().ok()?.checkpoint?.cursor);
            let read = daemon.bridge().map(|b| b.summary().read).or_else(stored);
            daemon.unread = read.map_or(Seq(0), |cursor| cursor.next_seq);
        }
        self.truth.contradicted = true;
        self.phase = Phase::Halting;
        self.operators.before = Some(Rc::clone(&self.chain.main));
        self.replace_from(lowest_read, 200);
        // The same events may come again in other blocks: that contradicts nothing. Without their
        // transactions they never do.
        if !self.daemons.iter().any(|d| self.is_contradicted(d)) {
            self.replace_from(lowest_stored, 1_000);
        }
    }

    fn replace_from(&mut self, lowest: u64, drop_per_mille: u64) {
        let depth = self.chain.height() - lowest + 1;
        self.tell(|| format!("reorg past finality, {depth} blocks"));
        let depth = usize::try_from(depth).unwrap_or(1);
        self.chain.reorg(depth, drop_per_mille, &mut self.chances.chain);
        for _ in 0..=depth {
            self.mine_now(3);
        }
    }

    /// What the ledger holds under the number of an event: its credit, its pending.
    pub(crate) fn entries_of(&self, seq: Seq) -> impl Iterator<Item = (Kind, &Transfer)> {
        let ids = [Kind::Deposit, Kind::Main].map(|kind| (kind, seq));
        ids.into_iter().filter_map(|(kind, seq)| {
            let id = TransferId::chain_event(self.instance, kind, seq);
            Some((kind, self.ledger.transfer(id.0)?))
        })
    }

    /// True if the ledger holds something under a number that a daemon had read, and the canonical
    /// chain does not say it.
    fn is_contradicted(&self, daemon: &Daemon) -> bool {
        let logs = self.chain.main.iter().flat_map(|i| &self.chain.blocks[*i as usize].logs);
        let now: BTreeMap<Seq, VaultEvent> = logs.map(|log| (log.seq, log.event)).collect();
        self.truth.events.iter().filter(|log| log.seq < daemon.unread).any(|log| {
            let same = now.get(&log.seq) == Some(&log.event);
            !same && self.entries_of(log.seq).next().is_some()
        })
    }

    /// True once every daemon halted that had read what does not hold any more. What only another one
    /// had read is a contradiction once the chain says something else under its number.
    pub(crate) fn have_halted(&self) -> bool {
        let halted = |d: &Daemon| d.bridge().is_some_and(|b| b.halted().is_some());
        self.daemons.iter().all(|d| halted(d) || !self.is_contradicted(d))
    }
}

/// The last block that a restart of this daemon would go on from.
fn stored_height(d: &Daemon) -> Option<u64> {
    let persisted = d.disk.borrow().clone().load().ok()?;
    Some(persisted.checkpoint?.cursor.block.number.0)
}
