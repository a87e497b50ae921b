//! Many histories on one server.

use crate::{
    codes::Hits,
    compare::{Mismatch, compare},
    generate::{history, is_timed},
    history::History,
    model::Model,
    server::Server,
    shrink::shrink,
};
use anyhow::Result;
use futures_util::{StreamExt, stream};
use std::{
    cell::Cell,
    time::{Duration, Instant},
};

const TELL_EVERY: Duration = Duration::from_secs(10);

/// Which histories.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// How many.
    pub histories: u64,
    /// The first seed.
    pub first: u64,
    /// How many at a time; the client puts their requests together.
    pub jobs: usize,
}

/// What came of them.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Histories without a difference.
    pub equal: u64,
    /// Answers of all of them.
    pub hits: Hits,
    /// The first one found that differs, shrunk.
    pub different: Option<Different>,
}

/// A history that differs.
#[derive(Debug)]
pub struct Different {
    /// Its seed.
    pub seed: u64,
    /// Events of the whole history.
    pub events: usize,
    /// The shrunk history.
    pub history: History,
    /// How the shrunk history differs.
    pub mismatch: Mismatch,
}

/// Runs them; `tell` hears of the progress.
///
/// # Errors
/// When the server does not answer.
pub async fn run<M: Model>(
    server: &Server,
    plan: Plan,
    mut tell: impl FnMut(u64),
) -> Result<Outcome> {
    let stop = Cell::new(false);
    let mut outcome = Outcome::default();
    let mut found: Option<(u64, Mismatch)> = None;
    let mut told = Instant::now();
    // Those that wait for expiry come last, among themselves: the wait of one is not to be disturbed
    // by the load of the others.
    for timed in [false, true] {
        let seeds = (plan.first..plan.first.saturating_add(plan.histories))
            .filter(|seed| is_timed(*seed) == timed)
            .take_while(|_| !stop.get());
        let mut running = stream::iter(seeds)
            .map(|seed| async move { (seed, compare::<M>(&history(seed), server).await) })
            .buffer_unordered(plan.jobs.max(1));
        while let Some((seed, compared)) = running.next().await {
            let (hits, mismatch) = compared?;
            outcome.hits.add(&hits);
            match mismatch {
                None => outcome.equal += 1,
                Some(mismatch) => {
                    stop.set(true);
                    if found.as_ref().is_none_or(|(least, _)| seed < *least) {
                        found = Some((seed, mismatch));
                    }
                }
            }
            if told.elapsed() >= TELL_EVERY {
                told = Instant::now();
                tell(outcome.equal);
            }
        }
    }
    if let Some((seed, mismatch)) = found {
        let whole = history(seed);
        let events = whole.len();
        let (history, mismatch) = shrink::<M>(whole, mismatch, server).await;
        outcome.different = Some(Different { seed, events, history, mismatch });
    }
    Ok(outcome)
}
