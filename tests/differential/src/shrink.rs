//! The fewest batches and events of a history that still differ.

use crate::{
    compare::{Mismatch, compare},
    history::{History, Step},
    model::Model,
    server::Server,
};
use bridge_sim::ledger::types::{Account, Transfer};
use std::time::{Duration, Instant};

/// How long shrinking may take.
const LIMIT: Duration = Duration::from_secs(90);

/// Takes away whatever a mismatch does not need: steps, then events, then fields. What cannot be
/// compared without it stays.
pub async fn shrink<M: Model>(
    history: History,
    mismatch: Mismatch,
    server: &Server,
) -> (History, Mismatch) {
    let started = Instant::now();
    let mut best = cut(history, mismatch);
    let mut progress = true;
    while progress && started.elapsed() < LIMIT {
        progress = false;
        let mut next = 0;
        while let Some(smaller) = candidate(&best.0, next) {
            if started.elapsed() >= LIMIT {
                break;
            }
            match compare::<M>(&smaller, server).await {
                // What was at this place is gone: try the same place again.
                Ok((_, Some(mismatch))) => {
                    best = cut(smaller, mismatch);
                    progress = true;
                }
                // Equal, or without the wait that made it comparable.
                Ok((_, None)) | Err(_) => next += 1,
            }
        }
    }
    best
}

/// Nothing after the mismatch matters.
fn cut(mut history: History, mismatch: Mismatch) -> (History, Mismatch) {
    history.steps.truncate(mismatch.step + 1);
    (history, mismatch)
}

/// The n-th smaller history: last steps first, then last events, then simpler fields.
fn candidate(history: &History, n: usize) -> Option<History> {
    let steps = history.steps.len();
    if n < steps {
        let mut smaller = history.clone();
        smaller.steps.remove(steps - 1 - n);
        return Some(smaller);
    }
    let mut n = n - steps;
    // A wait has nothing to take away but itself: that was tried among the steps.
    let of_events = |(_, step): &(usize, &Step)| *step != &Step::Expire;
    for (at, step) in history.steps.iter().enumerate().rev().filter(of_events) {
        if n < step.len() {
            let less = step.without(step.len() - 1 - n);
            return Some(with_step(history, at, less));
        }
        n -= step.len();
    }
    for (at, step) in history.steps.iter().enumerate() {
        let simpler = simpler(step);
        if let Some(step) = simpler.get(n) {
            return Some(with_step(history, at, step.clone()));
        }
        n -= simpler.len();
    }
    None
}

fn with_step(history: &History, at: usize, step: Step) -> History {
    let mut changed = history.clone();
    if step.is_empty() {
        changed.steps.remove(at);
    } else if let Some(old) = changed.steps.get_mut(at) {
        *old = step;
    }
    changed
}

/// The step with one field of one event made plain.
fn simpler(step: &Step) -> Vec<Step> {
    match step {
        Step::Accounts(events) => plainer(events, plainer_account).map(Step::Accounts).collect(),
        Step::Transfers(events) => plainer(events, plainer_transfer).map(Step::Transfers).collect(),
        Step::Expire => Vec::new(),
    }
}

fn plainer<'a, E: Copy + PartialEq>(
    events: &'a [E],
    variants: impl Fn(&E) -> Vec<E> + 'a,
) -> impl Iterator<Item = Vec<E>> + 'a {
    events.iter().enumerate().flat_map(move |(i, event)| {
        variants(event).into_iter().filter(move |v| v != event).map(move |v| {
            let mut changed = events.to_vec();
            changed[i] = v;
            changed
        })
    })
}

fn plainer_account(a: &Account) -> Vec<Account> {
    let mut variants = vec![
        Account { user_data_128: 0, user_data_64: 0, user_data_32: 0, ..*a },
        Account { code: 1, ..*a },
    ];
    variants.extend(bits(a.flags).map(|flag| Account { flags: a.flags & !flag, ..*a }));
    variants
}

fn plainer_transfer(t: &Transfer) -> Vec<Transfer> {
    let mut variants = vec![
        Transfer { user_data_128: 0, user_data_64: 0, user_data_32: 0, ..*t },
        Transfer { code: 1, ..*t },
        Transfer { timeout: 0, ..*t },
    ];
    if t.amount > 1 {
        variants.push(Transfer { amount: 1, ..*t });
    }
    variants.extend(bits(t.flags).map(|flag| Transfer { flags: t.flags & !flag, ..*t }));
    variants
}

fn bits(flags: u16) -> impl Iterator<Item = u16> {
    (0..16).map(|n| 1 << n).filter(move |bit| flags & bit != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_candidate_is_smaller_and_they_end() {
        let account = Account { id: 1, ledger: 1, code: 2, flags: 3, ..Account::default() };
        let transfer = Transfer { id: 1, amount: 5, flags: 3, timeout: 1, ..Transfer::default() };
        let history = History {
            steps: vec![
                Step::Accounts(vec![account; 2]),
                Step::Expire,
                Step::Transfers(vec![transfer]),
            ],
        };
        let all: Vec<_> = (0..1000).map_while(|n| candidate(&history, n)).collect();
        // 3 steps, 3 events, for each account the code and 2 flags, for the transfer the code,
        // timeout, amount and 2 flags.
        assert_eq!(all.len(), 3 + 3 + 6 + 5);
        for smaller in &all {
            assert!(*smaller != history && smaller.len() <= history.len(), "{smaller:?}");
        }
    }
}
