//! The submitter's nonces: one slot for each transaction that may still be mined.
//!
//! Safety does not rest here: the contract pays an id at most once. This is about liveness, and
//! about never spending a nonce on two things at once.

use crate::{
    block::{Millis, Seq},
    book::Queue,
    checkpoint::SentTransaction,
    command::{Call, Fees},
    event::{Head, SubmitterAccount},
    gas,
    obstacle::Obstacle,
};
use alloy_primitives::{Address, B256, Bytes};
use std::collections::BTreeMap;

/// How the submitter pays and hurries.
#[derive(Clone, Copy, Debug)]
pub struct SubmitterConfig {
    /// Who sends: transactions of another sender in the store are not ours to care for.
    pub address: Address,
    /// A balance below this is an alarm, wei.
    pub low_balance: u128,
    /// Transactions that may wait for a block at the same time.
    pub in_flight_max: usize,
    /// Gas limit of one payout or refusal.
    pub gas_limit: u64,
    /// Least tip for one unit of gas, wei; it follows what others tip, up to `fee_cap`.
    pub priority_fee: u128,
    /// Never offer more than this for one unit of gas, wei.
    pub fee_cap: u128,
    /// Time without inclusion after which the same bytes are sent again, milliseconds.
    pub rebroadcast_ms: u64,
    /// Time without inclusion after which the fees are raised, milliseconds.
    pub replace_ms: u64,
}

/// Nonces that are looked at for gaps: a node's false answer must not cost more.
const GAP_SCAN: usize = 4096;

#[derive(Debug)]
struct Slot {
    /// The withdrawals it carries; none where it only fills a gap.
    seqs: Vec<Seq>,
    /// Absent while the adapter builds the first transaction.
    sent: Option<SentTransaction>,
    /// When the bytes were last sent by this process.
    sent_at: Option<Millis>,
    /// When the fees were last set by this process.
    priced_at: Option<Millis>,
    /// Fees of the transaction that is being built.
    building: Option<Fees>,
    /// Its gas limit, and that of those before it.
    gas_limit: u64,
    /// The vault said no to another trial: a replacement only uses the nonce up.
    hopeless: bool,
}

/// What a slot needs after a poll.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Care {
    /// Send the same bytes again.
    Rebroadcast(SentTransaction),
    /// Build the same call with these higher fees, under the same nonce; or none, if the same call
    /// would only burn gas.
    Replace { nonce: u64, seqs: Vec<Seq>, fees: Fees },
    /// Use up a nonce that nobody uses, or those above it would wait for ever.
    Fill { nonce: u64, fees: Fees },
    /// The nonce is used, finally.
    Used { nonce: u64, seqs: Vec<Seq> },
}

#[derive(Debug)]
pub(crate) struct Submitter {
    config: SubmitterConfig,
    slots: BTreeMap<u64, Slot>,
    /// Since when a nonce below a slot's is used by nobody.
    gap_since: Option<Millis>,
    /// Nonces of another sender's transactions, to be forgotten.
    foreign: Vec<u64>,
    /// The last poll showed too little gas money.
    low: bool,
}

/// The gas money passed the line, in one direction or the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Funds {
    Low,
    Filled,
}

impl Submitter {
    pub(crate) fn new(config: SubmitterConfig, sent: Vec<SentTransaction>) -> Self {
        let slot = |t: SentTransaction| {
            let (sent_at, priced_at, building, hopeless) = (None, None, None, false);
            let (nonce, seqs) = (t.nonce, t.seqs.clone());
            let gas_limit = gas::limit(seqs.len(), true, config.gas_limit);
            let sent = Some(t);
            (nonce, Slot { seqs, sent, sent_at, priced_at, building, gas_limit, hopeless })
        };
        let (ours, foreign): (Vec<_>, Vec<_>) =
            sent.into_iter().partition(|t| t.sender == config.address);
        Self {
            config,
            slots: ours.into_iter().map(slot).collect(),
            gap_since: None,
            foreign: foreign.into_iter().map(|t| t.nonce).collect(),
            low: false,
        }
    }

    /// Nonces of another sender's transactions, once.
    pub(crate) fn take_foreign(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.foreign)
    }

    /// Who sends.
    pub(crate) const fn address(&self) -> Address {
        self.config.address
    }

    /// True while the gas money runs low.
    pub(crate) const fn is_low(&self) -> bool {
        self.low
    }

    /// Looks at the balance of a poll.
    pub(crate) const fn watch(&mut self, balance: u128) -> Option<Funds> {
        let low = balance < self.config.low_balance;
        let before = self.low;
        self.low = low;
        match (before, low) {
            (false, true) => Some(Funds::Low),
            (true, false) => Some(Funds::Filled),
            (false, false) | (true, true) => None,
        }
    }

    /// Withdrawals that have a slot.
    pub(crate) fn occupied(&self) -> impl Iterator<Item = Seq> + '_ {
        self.slots.values().flat_map(|s| s.seqs.iter().copied())
    }

    /// The withdrawals that a nonce carries.
    pub(crate) fn carried_by(&self, nonce: u64) -> Vec<Seq> {
        self.slots.get(&nonce).map(|slot| slot.seqs.clone()).unwrap_or_default()
    }

    /// True if a transaction with this nonce was sent before.
    pub(crate) fn has_sent(&self, nonce: u64) -> bool {
        self.slots.get(&nonce).is_some_and(|slot| slot.sent.is_some())
    }

    /// Transactions that are waiting for a block.
    pub(crate) fn in_flight(&self) -> usize {
        self.slots.len()
    }

    /// Takes the next nonce for withdrawals; `None` while all slots are taken. A quarter of the
    /// slots is for payouts only.
    pub(crate) fn open(
        &mut self,
        seqs: Vec<Seq>,
        gas_limit: u64,
        queue: Queue,
        head: &Head,
        now: Millis,
    ) -> Option<(u64, Fees)> {
        let account = head.submitter?;
        let most = self.config.in_flight_max;
        let kept = match queue {
            Queue::Payouts | Queue::Finishing => 0,
            Queue::Refusals => most.div_ceil(4).min(most.saturating_sub(1)),
        };
        if self.slots.len() >= most.saturating_sub(kept) {
            return None;
        }
        let nonce = self.next_nonce(account);
        let fees = self.fees(head);
        self.take(nonce, seqs, (fees, gas_limit), now);
        Some((nonce, fees))
    }

    /// How many withdrawals the gas money is enough for now, beside what is under way: nodes take a
    /// transaction only if its sender could pay for its whole gas limit.
    pub(crate) fn affordable(&self, head: &Head, pays: bool) -> usize {
        let Some(account) = head.submitter else { return 0 };
        let bound = self.waiting(account).map(Slot::cost).fold(0, u128::saturating_add);
        let free = account.balance.saturating_sub(bound);
        let gas = free.checked_div(self.fees(head).max_fee).unwrap_or(u128::MAX);
        gas::items_within(gas, pays, self.config.gas_limit)
    }

    /// Slots whose nonce no block has used yet.
    fn waiting(&self, account: SubmitterAccount) -> impl Iterator<Item = &Slot> {
        self.slots.range(account.latest_nonce..).map(|(_, slot)| slot)
    }

    fn take(&mut self, nonce: u64, seqs: Vec<Seq>, (fees, gas_limit): (Fees, u64), now: Millis) {
        let (sent, sent_at, priced_at) = (None, Some(now), Some(now));
        let (building, hopeless) = (Some(fees), false);
        let slot = Slot { seqs, sent, sent_at, priced_at, building, gas_limit, hopeless };
        self.slots.insert(nonce, slot);
    }

    /// The lowest nonce that neither the chain, nor the node's pool, nor a slot uses.
    fn next_nonce(&self, account: SubmitterAccount) -> u64 {
        let mut nonce = account.pending_nonce.max(account.latest_nonce);
        while self.slots.contains_key(&nonce) {
            nonce = nonce.saturating_add(1);
        }
        nonce
    }

    /// Room for the base fee to double, which takes six full blocks, and a tip as others give it.
    fn fees(&self, head: &Head) -> Fees {
        let priority_fee = head.tip.max(self.config.priority_fee).min(self.config.fee_cap);
        let max_fee = head.base_fee.saturating_mul(2).saturating_add(priority_fee);
        Fees { max_fee: max_fee.min(self.config.fee_cap), priority_fee }
    }

    /// The adapter built a transaction, without those that were dropped: what must be durable before it
    /// is sent. What an earlier transaction of the nonce carried stays noted: that one may be mined.
    pub(crate) fn built(
        &mut self,
        nonce: u64,
        raw: Bytes,
        hash: B256,
        dropped: &[(Seq, Obstacle)],
    ) -> Option<SentTransaction> {
        let slot = self.slots.get_mut(&nonce)?;
        let fees = slot.building.take()?;
        let sender = self.config.address;
        if slot.sent.is_none() {
            slot.seqs.retain(|seq| dropped.iter().all(|(other, _)| other != seq));
        }
        let sent = SentTransaction { nonce, seqs: slot.seqs.clone(), raw, hash, fees, sender };
        slot.sent = Some(sent.clone());
        Some(sent)
    }

    /// The adapter could not build it. A slot that never sent anything is free again.
    pub(crate) fn not_built(&mut self, nonce: u64, obstacle: Obstacle) -> Vec<Seq> {
        let Some(slot) = self.slots.get_mut(&nonce) else { return Vec::new() };
        slot.building = None;
        if slot.sent.is_some() {
            slot.hopeless |= obstacle.is_revert();
            return Vec::new();
        }
        self.slots.remove(&nonce).map(|slot| slot.seqs).unwrap_or_default()
    }

    /// What the slots need now, by the newest poll.
    pub(crate) fn care(&mut self, head: &Head, now: Millis) -> Vec<Care> {
        let Some(account) = head.submitter else { return Vec::new() };
        let config = self.config;
        let bound = self.waiting(account).map(Slot::cost).fold(0, u128::saturating_add);
        let mut free = account.balance.saturating_sub(bound);
        let mut care: Vec<Care> = self
            .slots
            .values_mut()
            .filter_map(|slot| slot.care(&config, (head.base_fee, account), &mut free, now))
            .collect();
        for action in &care {
            if let Care::Used { nonce, .. } = action {
                self.slots.remove(nonce);
            }
        }
        care.extend(self.fill_gaps(account, head, now));
        care
    }

    /// A lost store or another process with the same key can leave a nonce that was taken once, is
    /// in nobody's pool and in no slot: what stands above it would never be mined.
    fn fill_gaps(&mut self, account: SubmitterAccount, head: &Head, now: Millis) -> Vec<Care> {
        let first = account.pending_nonce.max(account.latest_nonce);
        let last = self.slots.last_key_value().map_or(0, |(nonce, _)| *nonce);
        let unused = (first..last).take(GAP_SCAN).filter(|nonce| !self.slots.contains_key(nonce));
        let gaps: Vec<u64> = unused.take(self.config.in_flight_max).collect();
        if gaps.is_empty() {
            self.gap_since = None;
            return Vec::new();
        }
        if !is_past(*self.gap_since.get_or_insert(now), self.config.replace_ms, now) {
            return Vec::new();
        }
        self.gap_since = None;
        let fees = self.fees(head);
        gaps.into_iter()
            .map(|nonce| {
                let gas_limit = gas::limit_of(&Call::Nothing, self.config.gas_limit);
                self.take(nonce, Vec::new(), (fees, gas_limit), now);
                Care::Fill { nonce, fees }
            })
            .collect()
    }
}

impl Slot {
    /// Most that it can cost, wei.
    fn cost(&self) -> u128 {
        let sent = self.sent.as_ref().map(|sent| sent.fees);
        let fees = [sent, self.building].into_iter().flatten().map(|fees| fees.max_fee).max();
        fees.unwrap_or_default().saturating_mul(self.gas_limit.into())
    }

    fn care(
        &mut self,
        config: &SubmitterConfig,
        (base_fee, account): (u128, SubmitterAccount),
        free: &mut u128,
        now: Millis,
    ) -> Option<Care> {
        let sent = self.sent.as_ref()?;
        let nonce = sent.nonce;
        if nonce < account.final_nonce {
            return Some(Care::Used { nonce, seqs: self.seqs.clone() });
        }
        if nonce < account.latest_nonce || self.building.is_some() {
            return None;
        }
        if is_past(*self.priced_at.get_or_insert(now), config.replace_ms, now) {
            self.priced_at = Some(now);
            let raised = raised(sent.fees, base_fee, config.fee_cap);
            let cost = |fees: Fees| fees.max_fee.saturating_mul(self.gas_limit.into());
            let more = |fees: Fees| cost(fees).saturating_sub(cost(sent.fees));
            // What nobody could pay for, no node takes.
            if let Some(fees) = raised.filter(|fees| more(*fees) <= *free) {
                *free = free.saturating_sub(more(fees));
                self.building = Some(fees);
                self.sent_at = Some(now);
                let seqs = if self.hopeless { Vec::new() } else { self.seqs.clone() };
                return Some(Care::Replace { nonce, seqs, fees });
            }
        }
        let due = self.sent_at.is_none_or(|at| is_past(at, config.rebroadcast_ms, now));
        due.then(|| {
            self.sent_at = Some(now);
            Care::Rebroadcast(sent.clone())
        })
    }
}

fn is_past(since: Millis, pause_ms: u64, now: Millis) -> bool {
    now >= since.plus(pause_ms)
}

/// A quarter more (nodes ask for a tenth), at least what the base fee calls for; `None` where the
/// cap leaves no room for a replacement that nodes would take.
fn raised(fees: Fees, base_fee: u128, cap: u128) -> Option<Fees> {
    let more =
        |fee: u128| fee.saturating_add(fee.checked_div(4).unwrap_or_default()).saturating_add(1);
    let (least, priority_fee) = (more(fees.max_fee), more(fees.priority_fee));
    let needed = base_fee.saturating_mul(2).saturating_add(priority_fee);
    let max_fee = least.max(needed).min(cap);
    (max_fee >= least && priority_fee <= max_fee).then_some(Fees { max_fee, priority_fee })
}
