//! The open withdrawals, and which of them something can be done for.

use crate::{
    block::{Millis, Seq, UnixSeconds},
    checkpoint::Change,
    obstacle::Obstacle,
    withdrawal::{Reservation, Verdict, Withdrawal, Work},
};
use alloy_primitives::B256;
use std::collections::{BTreeMap, BTreeSet};

/// Questions to the signers, and to the chain, that may wait for an answer at the same time: anybody
/// can open withdrawals, and no adapter's queue may overflow for it.
const ASKED_MAX: usize = 64;
/// Of the questions to the signers, so many are kept for payouts.
const ASKED_FOR_PAYOUTS: usize = 16;

/// What waits for a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Queue {
    Payouts,
    Refusals,
    /// Large payouts whose window in the contract is over.
    Finishing,
}

#[derive(Debug, Default)]
pub(crate) struct Book {
    open: BTreeMap<Seq, Withdrawal>,
    by_id: BTreeMap<B256, Seq>,
    /// Ended on chain: the ledger must follow, also while the follower is behind.
    to_settle: BTreeSet<Seq>,
    /// May be paid, once the follower is up to date.
    to_pay: BTreeSet<Seq>,
    /// May be refused then. Apart, so that refusals, which cost a spammer nothing, never stand
    /// before a payout.
    to_refuse: BTreeSet<Seq>,
    /// May be paid out of the contract's queue, or cancelled there.
    to_finish: BTreeSet<Seq>,
    /// When the windows of large payouts open; what was taken out meanwhile stays until then.
    windows: BTreeSet<(UnixSeconds, Seq)>,
    /// All that wait in the contract's queue, by the same order.
    queued: BTreeSet<(UnixSeconds, Seq)>,
    /// The signers were asked, and did not answer yet.
    signing: BTreeSet<Seq>,
    /// The chain was asked, and did not answer yet.
    reading: BTreeSet<Seq>,
    timers: BTreeSet<(Millis, Seq)>,
    deadlines: BTreeSet<(UnixSeconds, Seq)>,
    dirty: BTreeSet<Seq>,
    /// How many meet each obstacle.
    held: BTreeMap<Obstacle, usize>,
}

impl Book {
    pub(crate) fn len(&self) -> usize {
        self.open.len()
    }

    pub(crate) fn get(&self, seq: Seq) -> Option<&Withdrawal> {
        self.open.get(&seq)
    }

    pub(crate) fn by_id(&self, id: B256) -> Option<&Withdrawal> {
        self.by_id.get(&id).and_then(|seq| self.open.get(seq))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Withdrawal> {
        self.open.values()
    }

    /// The gasless ones.
    pub(crate) fn intents(&self) -> impl Iterator<Item = &Withdrawal> {
        self.open.range(Seq::FIRST_INTENT..).map(|(_, withdrawal)| withdrawal)
    }

    pub(crate) fn insert(&mut self, withdrawal: Withdrawal) {
        let seq = withdrawal.seq;
        self.by_id.insert(withdrawal.request.id, seq);
        self.deadlines.insert((withdrawal.request.deadline, seq));
        self.queued.extend(place_in_queue(&withdrawal));
        self.open.insert(seq, withdrawal);
        self.sort(seq);
    }

    /// Changes a withdrawal; it will be written, and looked at again.
    pub(crate) fn change(&mut self, seq: Seq, change: impl FnOnce(&mut Withdrawal)) {
        if let Some(withdrawal) = self.open.get_mut(&seq) {
            let before = place_in_queue(withdrawal);
            change(withdrawal);
            let after = place_in_queue(withdrawal);
            if before != after {
                before.map(|place| self.queued.remove(&place));
                self.queued.extend(after);
            }
            self.dirty.insert(seq);
            self.sort(seq);
        }
    }

    /// Notes what is under way; nothing that is written.
    pub(crate) fn set_work(&mut self, seq: Seq, work: Work) {
        if let Some(withdrawal) = self.open.get_mut(&seq) {
            withdrawal.work = work;
            if let Work::Backoff(until) = work {
                self.timers.insert((until, seq));
            }
            self.sort(seq);
        }
    }

    pub(crate) fn remove(&mut self, seq: Seq) -> Option<Withdrawal> {
        let withdrawal = self.open.remove(&seq)?;
        self.by_id.remove(&withdrawal.request.id);
        self.deadlines.remove(&(withdrawal.request.deadline, seq));
        place_in_queue(&withdrawal).map(|place| self.queued.remove(&place));
        self.dirty.remove(&seq);
        self.take_out(seq);
        self.count_held(withdrawal.obstacle, None);
        Some(withdrawal)
    }

    fn take_out(&mut self, seq: Seq) {
        let Self { to_settle, to_pay, to_refuse, to_finish, signing, reading, .. } = self;
        for set in [to_settle, to_pay, to_refuse, to_finish, signing, reading] {
            set.remove(&seq);
        }
    }

    /// How many more withdrawals the signers may be asked about; refusals leave room for payouts.
    pub(crate) fn room_to_sign(&self, verdict: Verdict) -> usize {
        let kept = if verdict == Verdict::Pay { 0 } else { ASKED_FOR_PAYOUTS };
        ASKED_MAX.saturating_sub(kept).saturating_sub(self.signing.len())
    }

    /// Notes what keeps a withdrawal from being sent, or that nothing does any more.
    pub(crate) fn set_obstacle(&mut self, seq: Seq, obstacle: Option<Obstacle>) {
        let Some(withdrawal) = self.open.get_mut(&seq) else { return };
        let before = std::mem::replace(&mut withdrawal.obstacle, obstacle);
        withdrawal.attempts =
            if obstacle.is_some() { withdrawal.attempts.saturating_add(1) } else { 0 };
        self.count_held(before, obstacle);
    }

    fn count_held(&mut self, before: Option<Obstacle>, now: Option<Obstacle>) {
        if let Some(count) = before.and_then(|o| self.held.get_mut(&o)) {
            *count = count.saturating_sub(1);
        }
        if let Some(obstacle) = now {
            let count = self.held.entry(obstacle).or_default();
            *count = count.saturating_add(1);
        }
    }

    /// How many withdrawals meet each obstacle.
    pub(crate) fn held(&self) -> BTreeMap<Obstacle, usize> {
        self.held.iter().filter(|(_, n)| **n > 0).map(|(o, n)| (*o, *n)).collect()
    }

    /// How many more withdrawals the chain may be asked about.
    pub(crate) fn room_to_read(&self) -> usize {
        ASKED_MAX.saturating_sub(self.reading.len())
    }

    fn sort(&mut self, seq: Seq) {
        self.take_out(seq);
        let Some(withdrawal) = self.open.get(&seq) else { return };
        match (withdrawal.outcome, withdrawal.work) {
            (_, Work::Ledger) => {}
            (Some(_), _) => {
                self.to_settle.insert(seq);
            }
            // Nobody has what its owner signed.
            (None, _) if withdrawal.lacks_text() && withdrawal.work != Work::Reading => {}
            (None, Work::Idle | Work::Confirmed) => {
                match (withdrawal.queued, withdrawal.reservation) {
                    (None, Reservation::Refused(_)) => self.to_refuse.insert(seq),
                    (None, Reservation::Reserved | Reservation::Unknown) => self.to_pay.insert(seq),
                    // What the ledger said of it comes first.
                    (Some(_), Reservation::Unknown) => self.to_settle.insert(seq),
                    // What waits in the contract's queue must not take the turn of what can be paid.
                    (Some(window), _) => self.windows.insert((window.opens, seq)),
                };
            }
            (None, Work::Signing) => {
                self.signing.insert(seq);
            }
            (None, Work::Reading) => {
                self.reading.insert(seq);
            }
            (None, Work::Submitted | Work::Backoff(_)) => {}
        }
    }

    pub(crate) fn next_to_settle(&mut self) -> Option<Seq> {
        self.to_settle.pop_first()
    }

    /// The next one after `seq` that may be paid or refused.
    pub(crate) fn next_after(&self, queue: Queue, seq: Option<Seq>) -> Option<Seq> {
        let waiting = match queue {
            Queue::Payouts => &self.to_pay,
            Queue::Refusals => &self.to_refuse,
            Queue::Finishing => &self.to_finish,
        };
        match seq {
            None => waiting.first().copied(),
            Some(seq) => waiting.range(seq.plus(1)..).next().copied(),
        }
    }

    /// Ends the pauses that are over.
    pub(crate) fn fire_timers(&mut self, now: Millis) {
        while let Some(&(at, seq)) = self.timers.first() {
            if at > now {
                break;
            }
            self.timers.pop_first();
            let over = |w: &Withdrawal| matches!(w.work, Work::Backoff(until) if until <= now);
            if self.open.get(&seq).is_some_and(over) {
                self.set_work(seq, Work::Idle);
            }
        }
    }

    /// What waits in the contract's queue, that first whose window opens first.
    pub(crate) fn queued(&self) -> impl Iterator<Item = &Withdrawal> {
        self.queued.iter().filter_map(|(_, seq)| self.open.get(seq))
    }

    /// What waits in the contract's queue and whose window is over by this time can be finished.
    pub(crate) fn open_windows(&mut self, time: UnixSeconds) {
        while let Some(&(opens, seq)) = self.windows.first().filter(|(opens, _)| *opens <= time) {
            self.windows.remove(&(opens, seq));
            let waits = |w: &Withdrawal| {
                w.outcome.is_none()
                    && w.reservation == Reservation::Reserved
                    && w.queued.is_some_and(|window| window.opens <= time)
                    && matches!(w.work, Work::Idle | Work::Confirmed)
            };
            if self.open.get(&seq).is_some_and(waits) {
                self.to_finish.insert(seq);
            }
        }
    }

    /// Ends the pauses of those that met an obstacle which is gone.
    pub(crate) fn is_gone(&mut self, obstacle: Obstacle) {
        if self.held.get(&obstacle).is_none_or(|count| *count == 0) {
            return;
        }
        let waits =
            |w: &&Withdrawal| w.obstacle == Some(obstacle) && matches!(w.work, Work::Backoff(_));
        let waiting: Vec<Seq> = self.iter().filter(waits).map(|w| w.seq).collect();
        waiting.into_iter().for_each(|seq| self.set_work(seq, Work::Idle));
    }

    /// Withdrawals whose deadline lies before `time` and that nothing has ended yet.
    pub(crate) fn expired(&self, time: UnixSeconds, most: usize) -> Vec<Seq> {
        self.deadlines
            .iter()
            .take_while(|(deadline, _)| *deadline < time)
            .filter_map(|(_, seq)| self.open.get(seq))
            .filter(|w| w.outcome.is_none() && w.queued.is_none())
            .filter(|w| w.reservation != Reservation::Unknown)
            .filter(|w| !matches!(w.work, Work::Reading | Work::Ledger | Work::Backoff(_)))
            .map(|w| w.seq)
            .take(most)
            .collect()
    }

    /// What must be written. A withdrawal that the ledger has not answered for is left out: its
    /// request lies behind the checkpoint and comes again.
    pub(crate) fn take_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.dirty)
            .into_iter()
            .filter_map(|seq| self.open.get(&seq))
            .filter(|w| w.reservation != Reservation::Unknown)
            .map(|w| Change::Withdrawal(Box::new(w.clone())))
            .collect()
    }
}

fn place_in_queue(withdrawal: &Withdrawal) -> Option<(UnixSeconds, Seq)> {
    let window = withdrawal.queued.filter(|_| withdrawal.outcome.is_none())?;
    Some((window.opens, withdrawal.seq))
}
