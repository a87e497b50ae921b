//! Faults one after the other, each under load: how long clearing stood still, what users were told,
//! and whether chain and ledger agree afterwards.

use crate::{
    trial::{
        faults::Fault,
        load::{Background, Load, Plan},
        table::{Table, seconds},
        watch::{Seen, Watch},
        world::{PATIENCE, World},
    },
    wait,
};
use anyhow::{Result, ensure};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// Answers that are told of one kind at most; the most frequent ones.
const TOLD: usize = 3;
/// One of so many things that users do is a request.
const ONE_REQUEST_OF: u64 = 5;

/// What came of one fault.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Which.
    pub fault: Fault,
    /// Deposits and requests meanwhile.
    pub sent: u64,
    /// Longest time from a block to the ledger.
    pub stall: Duration,
    /// From the fault's end until everything before it had cleared.
    pub after: Duration,
    /// What users were told.
    pub seen: Seen,
    /// What is not as it must be.
    pub violations: Vec<String>,
}

/// Lets one fault happen under load.
///
/// # Errors
/// When the fault cannot be brought about.
pub fn one(
    world: &mut World,
    load: Load,
    fault: Fault,
    hold: Duration,
    rate: u32,
) -> Result<(Outcome, Load)> {
    let watch = Watch::start(world);
    let plan = Plan { rate, requests: 1, of: ONE_REQUEST_OF, total: None };
    let load = Background::start(load, plan);
    wait::until("the load to begin", PATIENCE, || Ok((load.sent() > 5).then_some(())))?;
    fault.happen(world, hold)?;
    let (healed, last) = (Instant::now(), watch.last());
    let cleared = wait::until("what was sent before to clear", PATIENCE, || {
        Ok(watch.has_cleared(last).then_some(()))
    });
    let after = healed.elapsed();
    let seen = watch.take();
    drop(watch);
    let sent = load.sent();
    let load = load.finish()?;
    let mut violations: Vec<String> = cleared.err().map(|e| format!("{e:#}")).into_iter().collect();
    violations.extend(world.settle(PATIENCE).err().map(|e| format!("{e:#}")));
    violations.extend(told_wrongly(fault, &seen));
    Ok((Outcome { fault, sent, stall: seen.longest, after, seen, violations }, load))
}

/// What nobody may be told.
fn told_wrongly(fault: Fault, seen: &Seen) -> Vec<String> {
    let mut wrong = Vec::new();
    for said in seen.told.keys().chain(seen.ready.keys()) {
        if said.starts_with("500") || said == "nothing" {
            wrong.push(format!("users were told {said:?}"));
        }
    }
    let is_silent = seen.ready.contains_key("no answer");
    if is_silent && !fault.takes_daemon() {
        wrong.push("the daemon did not answer".to_owned());
    }
    if fault.stops_clearing() && !fault.takes_daemon() && seen.ready.keys().all(|s| s == "ready") {
        wrong.push("nobody was told that nothing clears".to_owned());
    }
    wrong
}

/// Each of them once, on one world.
///
/// # Errors
/// When the world does not start or a fault cannot be brought about.
pub fn run(
    mut world: World,
    faults: &[Fault],
    hold: Duration,
    mut tell: impl FnMut(&Outcome),
) -> Result<Vec<Outcome>> {
    let mut load = Load::new(&world, 1)?;
    let mut outcomes = Vec::new();
    for fault in faults {
        let (outcome, users) = one(&mut world, load, *fault, hold, 10)?;
        load = users;
        tell(&outcome);
        outcomes.push(outcome);
    }
    ensure!(!outcomes.is_empty(), "no faults");
    Ok(outcomes)
}

/// The most frequent things said, in words.
fn most(said: &BTreeMap<String, u64>) -> String {
    let mut rows: Vec<_> = said.iter().collect();
    rows.sort_by_key(|(_, times)| std::cmp::Reverse(**times));
    let words = rows.iter().take(TOLD).map(|(words, times)| format!("{words} ×{times}"));
    words.collect::<Vec<_>>().join("; ")
}

/// For people.
#[must_use]
pub fn table(name: &'static str, outcomes: &[Outcome], hold: Duration, command: String) -> Table {
    let violations: usize = outcomes.iter().map(|o| o.violations.len()).sum();
    let row = |o: &Outcome| {
        vec![
            o.fault.words().to_owned(),
            o.sent.to_string(),
            seconds(o.stall),
            seconds(o.after),
            most(&o.seen.ready),
            most(&o.seen.told),
            o.violations.len().to_string(),
        ]
    };
    Table {
        name,
        command,
        note: format!(
            "each fault held for {} under 10 deposits and requests a second; {violations} violations.",
            seconds(hold)
        ),
        head: vec![
            "fault",
            "sent",
            "longest from block to ledger",
            "all cleared after its end",
            "`/ready` said",
            "the owner of the oldest deposit that waits was told",
            "violations",
        ],
        rows: outcomes.iter().map(row).collect(),
    }
}
