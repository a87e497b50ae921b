//! Random histories. A seed alone decides: no model takes part, so a history stays the same when
//! the model is mended.
//!
//! Most events make sense by themselves (accounts that exist, the right ledger, a pending that was
//! asked for); some repeat an earlier one, wholly or with a field altered; some have fields that
//! are plainly wrong, often several, because the order of the checks matters.

use crate::history::{History, SHORT_TIMEOUT, Step};
use bridge_sim::{
    ledger::types::{Account, Transfer, account_flags as af, transfer_flags as tf},
    rng::Rng,
};

/// One history in so many waits for expiry, which takes seconds.
pub const TIMED_ONE_IN: u64 = 25;

const PURPOSE: u64 = 0x6469_6666;
/// Accounts with these local ids are made at the start, most of them as asked.
const ACCOUNTS: u64 = 6;
/// One more, that hardly ever exists.
const STRANGER: u64 = 7;
/// Local ids of the last questions.
const LAST: u128 = 1000;
const LAST_LEDGER: u32 = 9;
/// Longer than any run.
const LONG_TIMEOUTS: [u32; 3] = [3_600, 86_400, u32::MAX];
const SMALL: [u128; 8] = [0, 1, 1, 2, 3, 5, 8, 10];
const LARGE: [u128; 7] =
    [u128::MAX, u128::MAX - 1, u128::MAX - 10, 1 << 127, (1 << 127) - 1, (1 << 127) + 1, 1 << 126];

/// Whether the seed's history waits for expiry.
#[must_use]
pub const fn is_timed(seed: u64) -> bool {
    seed.is_multiple_of(TIMED_ONE_IN)
}

/// The history of a seed.
#[must_use]
pub fn history(seed: u64) -> History {
    let mut rng = Rng::new(seed, PURPOSE);
    let timed = is_timed(seed);
    let large = rng.per_mille(250);
    let ids = rng.between(16, 48);
    let shapes = (1..=STRANGER).map(|id| shape(&mut rng, id, large)).collect();
    let mut generator = Generator {
        rng,
        timed,
        large,
        ids,
        fresh: 0,
        shapes,
        accounts: Vec::new(),
        transfers: Vec::new(),
    };
    generator.history()
}

struct Generator {
    rng: Rng,
    timed: bool,
    /// Amounts near the end of the number line.
    large: bool,
    /// Size of the id space of transfers.
    ids: u64,
    /// Ids below or equal are used.
    fresh: u64,
    /// The accounts as they are meant.
    shapes: Vec<Account>,
    /// What was sent.
    accounts: Vec<Account>,
    transfers: Vec<Transfer>,
}

fn shape(rng: &mut Rng, id: u64, large: bool) -> Account {
    let history = if rng.per_mille(300) { af::HISTORY } else { 0 };
    let side = match id {
        // Money has to come from somewhere.
        1 => 0,
        2 => af::DEBITS_MUST_NOT_EXCEED_CREDITS,
        3 => af::CREDITS_MUST_NOT_EXCEED_DEBITS,
        // Limits come before the end of the number line does.
        _ if large && rng.per_mille(700) => 0,
        _ => *rng.pick(&[
            0,
            af::DEBITS_MUST_NOT_EXCEED_CREDITS,
            af::DEBITS_MUST_NOT_EXCEED_CREDITS,
            af::CREDITS_MUST_NOT_EXCEED_DEBITS,
        ]),
    };
    let ledger = if id <= 4 || rng.per_mille(600) { 1 } else { 2 };
    Account {
        id: id.into(),
        ledger,
        code: *rng.pick(&[1, 2, 3]),
        flags: side | history,
        user_data_128: rng.below(3).into(),
        user_data_64: rng.below(3),
        user_data_32: *rng.pick(&[0, 1, 2]),
        ..Account::default()
    }
}

impl Generator {
    fn history(&mut self) -> History {
        let mut steps = vec![self.first_accounts(), self.funding()];
        let batches = self.rng.between(6, 12);
        let wait = batches / 2 + 1;
        for batch in 0..batches {
            if self.timed && batch == wait {
                steps.extend([self.reservations(), Step::Expire]);
            }
            steps.push(if self.rng.per_mille(160) { self.accounts() } else { self.transfers() });
        }
        if self.timed {
            steps.extend([self.reservations(), Step::Expire]);
        }
        steps.extend(self.last_questions());
        History { steps }
    }

    fn first_accounts(&mut self) -> Step {
        let mut events = Vec::new();
        for shape in self.shapes.clone() {
            let id = u64::try_from(shape.id).unwrap_or_default();
            // What is not made now may be made later, after transfers have burnt their ids on it.
            let make = if id <= 3 {
                980
            } else if id == STRANGER {
                30
            } else {
                850
            };
            if self.rng.per_mille(make) {
                events.push(shape);
            }
        }
        self.accounts.extend(&events);
        Step::Accounts(events)
    }

    /// Money for the accounts with limits, from or to one without.
    fn funding(&mut self) -> Step {
        let mut events = Vec::new();
        for shape in self.shapes.clone().into_iter().skip(1) {
            let asset = shape.flags & af::CREDITS_MUST_NOT_EXCEED_DEBITS != 0;
            let (debit, credit) = if asset { (shape.id, 1) } else { (1, shape.id) };
            if self.rng.per_mille(800) {
                let amount = self.rng.between(5, 30).into();
                let transfer = self.single();
                let flags = transfer.flags & tf::PENDING;
                events.push(Transfer {
                    debit_account_id: debit,
                    credit_account_id: credit,
                    amount,
                    ledger: shape.ledger,
                    flags: if self.rng.per_mille(100) { flags } else { 0 },
                    timeout: 0,
                    ..transfer
                });
            }
        }
        self.transfers.extend(&events);
        Step::Transfers(events)
    }

    fn accounts(&mut self) -> Step {
        let count = self.rng.between(1, 8);
        let mut events: Vec<Account> = Vec::new();
        for _ in 0..count {
            let mut account = if self.rng.per_mille(400) && !self.accounts.is_empty() {
                *self.rng.pick(&self.accounts)
            } else {
                *self.rng.pick(&self.shapes)
            };
            account.flags &= !af::LINKED;
            // One that nobody made yet: faults in it are seen, not only that it exists.
            if self.rng.per_mille(350) {
                account.id = (ACCOUNTS + 4 + self.rng.below(24)).into();
            }
            for _ in 0..self.faults() {
                self.spoil_account(&mut account);
            }
            events.push(account);
        }
        self.link(&mut events, |account| account.flags |= af::LINKED);
        self.accounts.extend(&events);
        Step::Accounts(events)
    }

    /// Pendings that expire, some of which close an account until then.
    fn reservations(&mut self) -> Step {
        let mut events = Vec::new();
        for _ in 0..self.rng.between(3, 8) {
            let single = self.single();
            let closing = match self.rng.below(10) {
                0 => tf::CLOSING_DEBIT,
                1 => tf::CLOSING_CREDIT,
                _ => 0,
            };
            let flags = tf::PENDING | closing;
            events.push(Transfer { flags, timeout: SHORT_TIMEOUT, ..single });
        }
        self.transfers.extend(&events);
        Step::Transfers(events)
    }

    fn transfers(&mut self) -> Step {
        let mut count = self.rng.between(1, 4) * self.rng.between(1, 4);
        if self.rng.per_mille(10) {
            count += self.rng.between(50, 120);
        }
        let mut events: Vec<Transfer> = Vec::new();
        for _ in 0..count {
            let kind = self.rng.below(1000);
            let mut transfer = match kind {
                // The same again.
                0..80 => self.earlier().unwrap_or_else(|| self.single()),
                // The same id for something else.
                80..200 => {
                    let mut transfer = self.earlier().unwrap_or_else(|| self.single());
                    self.alter(&mut transfer);
                    transfer
                }
                200..480 => self.resolution(),
                _ => self.single(),
            };
            if kind >= 200 {
                for _ in 0..self.faults() {
                    self.spoil(&mut transfer);
                }
            }
            events.push(transfer);
            self.transfers.push(transfer);
        }
        if self.rng.per_mille(100) {
            events.extend(self.earlier_chain());
        }
        self.link(&mut events, |transfer| transfer.flags |= tf::LINKED);
        self.transfers.extend(&events);
        Step::Transfers(events)
    }

    /// How many faults an event gets.
    fn faults(&mut self) -> u32 {
        match self.rng.below(100) {
            0..70 => 0,
            70..90 => 1,
            90..97 => 2,
            _ => 3,
        }
    }

    /// Makes chains, some of which the batch ends in the midst of.
    fn link<E>(&mut self, events: &mut [E], link: impl Fn(&mut E)) {
        if !self.rng.per_mille(600) || events.is_empty() {
            return;
        }
        let mut from = self.rng.index(events.len());
        while from < events.len() {
            let chain = self.rng.index(4) + 1;
            let open = self.rng.per_mille(150);
            let end = if open { from + chain } else { (from + chain).min(events.len() - 1) };
            events.iter_mut().take(end).skip(from).for_each(&link);
            from = end + 1 + self.rng.index(6);
        }
    }

    fn earlier(&mut self) -> Option<Transfer> {
        (!self.transfers.is_empty()).then(|| *self.rng.pick(&self.transfers))
    }

    /// Consecutive events as they were sent, up to the end of a chain.
    fn earlier_chain(&mut self) -> Vec<Transfer> {
        if self.transfers.is_empty() {
            return Vec::new();
        }
        let from = self.rng.index(self.transfers.len());
        let later = self.transfers.iter().skip(from);
        let linked = later.clone().take_while(|t| t.has(tf::LINKED)).count();
        later.take(linked + 1).take(8).copied().collect()
    }

    fn id(&mut self) -> u128 {
        if self.fresh < self.ids && self.rng.per_mille(800) {
            self.fresh += 1;
            return self.fresh.into();
        }
        self.rng.between(1, self.ids).into()
    }

    fn amount(&mut self) -> u128 {
        if self.large && self.rng.per_mille(600) {
            return *self.rng.pick(&LARGE);
        }
        *self.rng.pick(&SMALL)
    }

    fn account(&mut self) -> Account {
        let among = if self.rng.per_mille(40) { 7 } else { 6 };
        let index = self.rng.index(among);
        self.shapes.get(index).copied().unwrap_or_default()
    }

    /// Two different accounts, nearly always of the same ledger.
    fn accounts_of_one_ledger(&mut self) -> (Account, Account) {
        let debit = self.account();
        let fits = |credit: &Account| credit.id != debit.id && credit.ledger == debit.ledger;
        for _ in 0..12 {
            let credit = self.account();
            if fits(&credit) {
                return (debit, credit);
            }
        }
        (debit, self.account())
    }

    fn timeout(&mut self) -> u32 {
        if self.timed && self.rng.per_mille(700) {
            return SHORT_TIMEOUT;
        }
        if self.rng.per_mille(150) { *self.rng.pick(&LONG_TIMEOUTS) } else { 0 }
    }

    /// A transfer that names its accounts.
    fn single(&mut self) -> Transfer {
        let (debit, credit) = self.accounts_of_one_ledger();
        let flags = match self.rng.below(100) {
            // What expires has to be pending.
            _ if self.timed && self.rng.per_mille(400) => tf::PENDING,
            0..50 => 0,
            50..82 => tf::PENDING,
            82..85 => tf::PENDING | tf::CLOSING_DEBIT,
            85..88 => tf::PENDING | tf::CLOSING_CREDIT,
            88 => tf::PENDING | tf::CLOSING_DEBIT | tf::CLOSING_CREDIT,
            89..92 => tf::BALANCING_DEBIT,
            92..95 => tf::BALANCING_CREDIT,
            95 => tf::BALANCING_DEBIT | tf::BALANCING_CREDIT,
            96 => tf::PENDING | tf::BALANCING_CREDIT,
            97 => tf::PENDING | tf::BALANCING_DEBIT | tf::CLOSING_DEBIT,
            _ => tf::PENDING | tf::BALANCING_DEBIT,
        };
        Transfer {
            id: self.id(),
            debit_account_id: debit.id,
            credit_account_id: credit.id,
            amount: self.amount(),
            user_data_128: self.rng.below(3).into(),
            user_data_64: self.rng.below(3),
            user_data_32: *self.rng.pick(&[0, 1, 2]),
            timeout: if flags & tf::PENDING == 0 { 0 } else { self.timeout() },
            ledger: debit.ledger,
            code: *self.rng.pick(&[1, 2, 3]),
            flags,
            ..Transfer::default()
        }
    }

    /// A post or a void, usually of a pending that was asked for.
    fn resolution(&mut self) -> Transfer {
        let pendings = self.transfers.iter().filter(|t| t.has(tf::PENDING));
        let pendings: Vec<Transfer> = pendings.copied().collect();
        let mut pending = match self.earlier() {
            Some(any) if self.rng.per_mille(80) => any,
            Some(_) if !pendings.is_empty() => *self.rng.pick(&pendings),
            Some(_) | None => self.single(),
        };
        if self.rng.per_mille(30) {
            pending.id = self.rng.between(1, self.ids + 3).into();
        }
        let void = self.rng.per_mille(450);
        let (all, other) = if void { (0, 1) } else { (u128::MAX, 0) };
        let amount = match self.rng.below(100) {
            0..40 => all,
            40..75 => pending.amount,
            75..80 => other,
            80..85 => pending.amount.saturating_add(1),
            85..90 => pending.amount.saturating_sub(1),
            _ => self.amount(),
        };
        let mut resolution = Transfer {
            id: self.id(),
            amount,
            pending_id: pending.id,
            flags: if void { tf::VOID } else { tf::POST },
            ..Transfer::default()
        };
        if self.rng.per_mille(300) {
            resolution.debit_account_id = pending.debit_account_id;
            resolution.credit_account_id = pending.credit_account_id;
        }
        if self.rng.per_mille(500) {
            resolution.ledger = pending.ledger;
            resolution.code = pending.code;
        }
        if self.rng.per_mille(120) {
            match self.rng.below(4) {
                0 => resolution.debit_account_id = self.account().id,
                1 => resolution.credit_account_id = self.account().id,
                2 => resolution.ledger = *self.rng.pick(&[1, 2, 3]),
                _ => resolution.code = *self.rng.pick(&[1, 2, 3, 4]),
            }
        }
        if self.rng.per_mille(300) {
            resolution.user_data_128 = self.rng.below(3).into();
            resolution.user_data_64 = self.rng.below(3);
            resolution.user_data_32 = *self.rng.pick(&[0, 1, 2]);
        }
        resolution
    }

    /// Another value in a field that an `exists` compares.
    fn alter(&mut self, t: &mut Transfer) {
        match self.rng.below(16) {
            0 => t.debit_account_id = self.account().id,
            1 => t.credit_account_id = self.account().id,
            2 => t.amount = self.amount(),
            3 => t.amount = t.amount.wrapping_add(1),
            4 => t.amount = t.amount.wrapping_sub(1),
            5 => t.pending_id = self.rng.between(0, self.ids).into(),
            6 => t.user_data_128 = self.rng.below(4).into(),
            7 => t.user_data_64 = self.rng.below(4),
            8 => t.user_data_32 = *self.rng.pick(&[0, 1, 2, 3]),
            9 => t.timeout = *self.rng.pick(&[0, 3_600, 86_400]),
            10 => t.ledger = *self.rng.pick(&[0, 1, 2, 3]),
            11 => t.code = *self.rng.pick(&[0, 1, 2, 3]),
            12 => t.flags ^= tf::LINKED,
            13 => t.flags ^= tf::PENDING,
            14 => t.flags ^= 1 << self.rng.index(8),
            _ => {
                t.user_data_128 = self.rng.below(2).into();
                t.user_data_64 = self.rng.below(2);
                t.user_data_32 = 0;
            }
        }
    }

    /// A value that is wrong in any case, or most likely.
    fn spoil(&mut self, t: &mut Transfer) {
        let id = *self.rng.pick(&[0, u128::MAX]);
        match self.rng.below(20) {
            0 => t.id = id,
            1 => t.debit_account_id = id,
            2 => t.credit_account_id = id,
            3 => t.credit_account_id = t.debit_account_id,
            4 | 5 => t.pending_id = *self.rng.pick(&[0, u128::MAX, t.id, 1, 2]),
            6 => t.timeout = *self.rng.pick(&LONG_TIMEOUTS),
            7 => t.flags |= 1 << (9 + self.rng.index(7)),
            8 => t.timestamp = *self.rng.pick(&[1, u64::MAX]),
            9 => t.ledger = 0,
            10 => t.code = 0,
            11 => t.debit_account_id = STRANGER.into(),
            12 => t.credit_account_id = STRANGER.into(),
            13 => t.flags |= tf::POST | tf::VOID,
            14 => t.flags ^= *self.rng.pick(&[tf::CLOSING_DEBIT, tf::CLOSING_CREDIT]),
            15 => t.flags ^= tf::PENDING,
            16 => t.credit_account_id = self.account().id,
            17 => t.debit_account_id = self.account().id,
            _ => self.alter(t),
        }
    }

    fn spoil_account(&mut self, a: &mut Account) {
        match self.rng.below(15) {
            0 => a.id = *self.rng.pick(&[0, u128::MAX]),
            1 => {
                a.flags |= af::DEBITS_MUST_NOT_EXCEED_CREDITS | af::CREDITS_MUST_NOT_EXCEED_DEBITS;
            }
            2 => a.flags |= 1 << (6 + self.rng.index(10)),
            3 => a.flags ^= af::CLOSED,
            4 => a.flags ^= af::HISTORY,
            5 => a.debits_pending = self.amount(),
            6 => a.debits_posted = self.amount(),
            7 => a.credits_pending = self.amount(),
            8 => a.credits_posted = self.amount(),
            9 => a.ledger = *self.rng.pick(&[0, 1, 2, 3]),
            10 => a.code = *self.rng.pick(&[0, 1, 2, 3]),
            11 => a.timestamp = *self.rng.pick(&[1, u64::MAX]),
            12 => a.user_data_128 = self.rng.below(4).into(),
            13 => a.user_data_64 = self.rng.below(4),
            _ => a.user_data_32 = *self.rng.pick(&[0, 1, 2, 3]),
        }
    }

    /// What no lookup shows: what became of each pending, and which ids are burnt.
    fn last_questions(&self) -> Vec<Step> {
        let plain = |id| Account { id, ledger: LAST_LEDGER, code: 1, ..Account::default() };
        let ids = 1..=u128::from(self.ids);
        let void =
            |id| Transfer { id: LAST + id, pending_id: id, flags: tf::VOID, ..Transfer::default() };
        let ask = |id| Transfer {
            id,
            debit_account_id: LAST,
            credit_account_id: LAST + 1,
            ledger: LAST_LEDGER,
            code: 1,
            ..Transfer::default()
        };
        vec![
            Step::Accounts(vec![plain(LAST), plain(LAST + 1)]),
            Step::Transfers(ids.clone().map(void).collect()),
            Step::Transfers(ids.map(ask).collect()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_decides_and_short_timeouts_stay_where_they_are_waited_for() {
        for seed in 0..500 {
            let one = history(seed);
            assert_eq!(one, history(seed));
            let short = one.steps.iter().any(|step| {
                matches!(step, Step::Transfers(t) if t.iter().any(|t| t.timeout == SHORT_TIMEOUT))
            });
            assert!(is_timed(seed) || !short, "seed {seed}");
            assert_eq!(one.steps.contains(&Step::Expire), is_timed(seed));
            // A batch must fit a development server's messages.
            assert!(one.steps.iter().all(|step| step.len() <= 160));
        }
        assert_ne!(history(1), history(2));
    }
}
