//! The open withdrawals, and which of them something can be done for.

use crate::{
    block::{Millis, Seq, UnixSeconds},
    checkpoint::Change,
    withdrawal::{Reservation, Withdrawal, Work},
};
use alloy_primitives::B256;
use std::collections::{BTreeMap, BTreeSet};

/// Questions to the signers, and to the chain, that may wait for an answer at the same time: anybody
/// can open withdrawals, and no adapter's queue may overflow for it.
const ASKED_MAX: usize = 64;

#[derive(Debug, Default)]
pub(crate) struct Book {
    open: BTreeMap<Seq, Withdrawal>,
    by_id: BTreeMap<B256, Seq>,
    /// Ended on chain: the ledger must follow, also while the follower is behind.
    to_settle: BTreeSet<Seq>,
    /// May be paid or refused, once the follower is up to date.
    to_pay: BTreeSet<Seq>,
    /// The signers were asked, and did not answer yet.
    signing: BTreeSet<Seq>,
    /// The chain was asked, and did not answer yet.
    reading: BTreeSet<Seq>,
    timers: BTreeSet<(Millis, Seq)>,
    deadlines: BTreeSet<(UnixSeconds, Seq)>,
    dirty: BTreeSet<Seq>,
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

    pub(crate) fn insert(&mut self, withdrawal: Withdrawal) {
        let seq = withdrawal.seq;
        self.by_id.insert(withdrawal.request.id, seq);
        self.deadlines.insert((withdrawal.request.deadline, seq));
        self.open.insert(seq, withdrawal);
        self.sort(seq);
    }

    /// Changes a withdrawal; it will be written, and looked at again.
    pub(crate) fn change(&mut self, seq: Seq, change: impl FnOnce(&mut Withdrawal)) {
        if let Some(withdrawal) = self.open.get_mut(&seq) {
            change(withdrawal);
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
        self.dirty.remove(&seq);
        self.take_out(seq);
        Some(withdrawal)
    }

    fn take_out(&mut self, seq: Seq) {
        for set in [&mut self.to_settle, &mut self.to_pay, &mut self.signing, &mut self.reading] {
            set.remove(&seq);
        }
    }

    /// How many more withdrawals the signers may be asked about.
    pub(crate) fn room_to_sign(&self) -> usize {
        ASKED_MAX.saturating_sub(self.signing.len())
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
            (None, Work::Idle | Work::Confirmed) => {
                // What waits in the contract's queue must not take the turn of what can be paid.
                if !withdrawal.queued {
                    self.to_pay.insert(seq);
                }
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

    pub(crate) fn first_to_pay_after(&self, seq: Option<Seq>) -> Option<Seq> {
        match seq {
            None => self.to_pay.first().copied(),
            Some(seq) => self.to_pay.range(seq.plus(1)..).next().copied(),
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

    /// Withdrawals whose deadline lies before `time` and that nothing has ended yet.
    pub(crate) fn expired(&self, time: UnixSeconds, most: usize) -> Vec<Seq> {
        self.deadlines
            .iter()
            .take_while(|(deadline, _)| *deadline < time)
            .filter_map(|(_, seq)| self.open.get(seq))
            .filter(|w| w.outcome.is_none() && !w.queued)
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
