//! A history: batches for the ledger, with small ids that every run moves to a range of its own.

use bridge_sim::ledger::types::{Account, Transfer, account_flags as af, transfer_flags as tf};
use std::{collections::BTreeSet, fmt::Write as _};

/// Timeout of the pendings that a history waits for, seconds. All others outlast every run.
pub const SHORT_TIMEOUT: u32 = 1;

/// What is done to both sides, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// One after the other.
    pub steps: Vec<Step>,
}

/// One batch, or a wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// `create_accounts`.
    Accounts(Vec<Account>),
    /// `create_transfers`.
    Transfers(Vec<Transfer>),
    /// Until every pending with the short timeout has expired.
    Expire,
}

impl Step {
    /// How many events it has; a wait counts as one.
    #[must_use]
    pub const fn len(&self) -> usize {
        match self {
            Self::Accounts(events) => events.len(),
            Self::Transfers(events) => events.len(),
            Self::Expire => 1,
        }
    }

    /// True if nothing is left of it.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Without one of its events.
    #[must_use]
    pub fn without(&self, index: usize) -> Self {
        let mut less = self.clone();
        match &mut less {
            Self::Accounts(events) => drop(events.remove(index)),
            Self::Transfers(events) => drop(events.remove(index)),
            Self::Expire => {}
        }
        less
    }
}

/// The ids of one run: local id `n` is `range << 64 | n`, so that runs on one server never meet.
#[derive(Clone, Copy, Debug)]
pub struct Range(pub u64);

impl Range {
    /// The real id; 0 and the maximum mean the same everywhere.
    #[must_use]
    pub const fn place(self, id: u128) -> u128 {
        if id == 0 || id == u128::MAX { id } else { (self.0 as u128) << 64 | id }
    }

    /// The local id again.
    #[must_use]
    pub const fn local(self, id: u128) -> u128 {
        if id == u128::MAX { id } else { id & u64::MAX as u128 }
    }

    pub(crate) fn account(self, a: &Account) -> Account {
        Account { id: self.place(a.id), ..*a }
    }

    /// `stretch` multiplies the short timeout, for a machine that was too slow for it.
    pub(crate) fn transfer(self, t: &Transfer, stretch: u32) -> Transfer {
        Transfer {
            id: self.place(t.id),
            debit_account_id: self.place(t.debit_account_id),
            credit_account_id: self.place(t.credit_account_id),
            pending_id: self.place(t.pending_id),
            timeout: if t.timeout == SHORT_TIMEOUT { stretch } else { t.timeout },
            ..*t
        }
    }
}

impl History {
    /// All account ids that it names.
    #[must_use]
    pub fn account_ids(&self) -> Vec<u128> {
        let mut ids = BTreeSet::new();
        for step in &self.steps {
            match step {
                Step::Accounts(events) => ids.extend(events.iter().map(|a| a.id)),
                Step::Transfers(events) => {
                    ids.extend(
                        events.iter().flat_map(|t| [t.debit_account_id, t.credit_account_id]),
                    );
                }
                Step::Expire => {}
            }
        }
        real_ids(ids)
    }

    /// All transfer ids that it names.
    #[must_use]
    pub fn transfer_ids(&self) -> Vec<u128> {
        let mut ids = BTreeSet::new();
        for step in &self.steps {
            if let Step::Transfers(events) = step {
                ids.extend(events.iter().flat_map(|t| [t.id, t.pending_id]));
            }
        }
        real_ids(ids)
    }

    /// How many events it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.steps.iter().map(Step::len).sum()
    }

    /// True if it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

fn real_ids(ids: BTreeSet<u128>) -> Vec<u128> {
    ids.into_iter().filter(|id| *id != 0 && *id != u128::MAX).collect()
}

/// An account's id for people.
#[must_use]
pub fn account_name(id: u128) -> String {
    name('a', id)
}

/// A transfer's id for people.
#[must_use]
pub fn transfer_name(id: u128) -> String {
    name('t', id)
}

fn name(kind: char, id: u128) -> String {
    if id == u128::MAX { format!("{kind}MAX") } else { format!("{kind}{id}") }
}

/// A number for people: the large ones by their distance from the maximum.
#[must_use]
pub fn number(n: u128) -> String {
    match u128::MAX - n {
        0 => "MAX".to_owned(),
        d @ 1..1_000_000 => format!("MAX-{d}"),
        _ if n >> 127 == 1 => format!("2^127+{}", n & !(1 << 127)),
        _ => n.to_string(),
    }
}

/// An account to create, with what is not zero.
#[must_use]
pub fn show_account(a: &Account) -> String {
    let mut text = format!("{} ledger {} code {}", account_name(a.id), a.ledger, a.code);
    flags(&mut text, a.flags, &ACCOUNT_FLAGS);
    for (name, n) in [
        ("debits_pending", a.debits_pending),
        ("debits_posted", a.debits_posted),
        ("credits_pending", a.credits_pending),
        ("credits_posted", a.credits_posted),
    ] {
        field(&mut text, name, n);
    }
    user_data(&mut text, a.user_data_128, a.user_data_64, a.user_data_32);
    field(&mut text, "timestamp", a.timestamp.into());
    text
}

/// A transfer to create, with what is not zero.
#[must_use]
pub fn show_transfer(t: &Transfer) -> String {
    let mut text = format!(
        "{} {} -> {} amount {} ledger {} code {}",
        transfer_name(t.id),
        account_name(t.debit_account_id),
        account_name(t.credit_account_id),
        number(t.amount),
        t.ledger,
        t.code
    );
    flags(&mut text, t.flags, &TRANSFER_FLAGS);
    if t.pending_id != 0 {
        let _ = write!(text, " pending_id {}", transfer_name(t.pending_id));
    }
    field(&mut text, "timeout", t.timeout.into());
    user_data(&mut text, t.user_data_128, t.user_data_64, t.user_data_32);
    field(&mut text, "timestamp", t.timestamp.into());
    text
}

const ACCOUNT_FLAGS: [(u16, &str); 5] = [
    (af::LINKED, "linked"),
    (af::DEBITS_MUST_NOT_EXCEED_CREDITS, "debits<=credits"),
    (af::CREDITS_MUST_NOT_EXCEED_DEBITS, "credits<=debits"),
    (af::HISTORY, "history"),
    (af::CLOSED, "closed"),
];

const TRANSFER_FLAGS: [(u16, &str); 8] = [
    (tf::LINKED, "linked"),
    (tf::PENDING, "pending"),
    (tf::POST, "post"),
    (tf::VOID, "void"),
    (tf::BALANCING_DEBIT, "balancing-debit"),
    (tf::BALANCING_CREDIT, "balancing-credit"),
    (tf::CLOSING_DEBIT, "closing-debit"),
    (tf::CLOSING_CREDIT, "closing-credit"),
];

fn flags(text: &mut String, flags: u16, known: &[(u16, &str)]) {
    let mut rest = flags;
    for (flag, name) in known {
        if flags & flag != 0 {
            let _ = write!(text, " {name}");
            rest &= !flag;
        }
    }
    if rest != 0 {
        let _ = write!(text, " flags {rest:#x}");
    }
}

fn field(text: &mut String, name: &str, n: u128) {
    if n != 0 {
        let _ = write!(text, " {name} {}", number(n));
    }
}

fn user_data(text: &mut String, of_128: u128, of_64: u64, of_32: u32) {
    if (of_128, of_64, of_32) != (0, 0, 0) {
        let _ = write!(text, " user_data {of_128}/{of_64}/{of_32}");
    }
}
