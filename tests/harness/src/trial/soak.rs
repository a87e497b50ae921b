//! All of it mixed for as long as you like.

use crate::trial::{
    faults::Fault,
    load::Load,
    series::{self, Outcome},
    table::{Table, seconds},
    world::World,
};
use anyhow::{Context, Result};
use std::{
    collections::BTreeMap,
    fs,
    time::{Duration, Instant},
};

/// What to do.
#[derive(Clone, Debug)]
pub struct Options {
    /// For how long.
    pub time: Duration,
    /// What happens, each as likely as it stands there.
    pub mix: Vec<Fault>,
    /// Deposits and requests in a second.
    pub rate: u32,
    /// Longest time that a fault is held.
    pub hold: Duration,
    /// Decides what happens when.
    pub seed: u64,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// How long it took.
    pub time: Duration,
    /// Deposits and requests.
    pub sent: u64,
    /// Of each kind: how often, longest stall, violations.
    pub kinds: BTreeMap<Fault, (u32, Duration, usize)>,
    /// Resident memory of the daemon, MiB: at the start and at the end.
    pub memory_mib: (u64, u64),
    /// What was not as it must be.
    pub violations: Vec<String>,
}

/// Runs it.
///
/// # Errors
/// When a fault cannot be brought about.
pub fn run(mut world: World, options: &Options, mut tell: impl FnMut(&Outcome)) -> Result<Summary> {
    let mut chance = fastrand::Rng::with_seed(options.seed);
    let mut load = Load::new(&world, options.seed)?;
    let started = Instant::now();
    let at_start = memory_mib(world.daemon.pid())?;
    let mut summary = Summary::default();
    while started.elapsed() < options.time {
        let fault = *chance.choice(&options.mix).context("an empty mix")?;
        let hold = options.hold.mul_f64(0.2 + 0.8 * chance.f64());
        let (outcome, users) = series::one(&mut world, load, fault, hold, options.rate)?;
        load = users;
        tell(&outcome);
        summary.sent += outcome.sent;
        let (times, longest, wrong) = summary.kinds.entry(fault).or_default();
        *times += 1;
        *longest = (*longest).max(outcome.stall);
        *wrong += outcome.violations.len();
        summary.violations.extend(outcome.violations);
    }
    summary.time = started.elapsed();
    summary.memory_mib = (at_start, memory_mib(world.daemon.pid())?);
    Ok(summary)
}

fn memory_mib(pid: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|rest| rest.split_whitespace().next()).context("no VmRSS")?;
    Ok(kib.parse::<u64>()? / 1024)
}

/// For people.
#[must_use]
pub fn table(summary: &Summary, command: String) -> Table {
    let row = |(fault, (times, longest, wrong)): (&Fault, &(u32, Duration, usize))| {
        vec![fault.words().to_owned(), times.to_string(), seconds(*longest), wrong.to_string()]
    };
    let Summary { time, sent, memory_mib: (before, after), violations, .. } = summary;
    let rate = f64::from(u32::try_from(*sent).unwrap_or(u32::MAX)) / time.as_secs_f64().max(1.0);
    let note = format!(
        "{} min, {sent} deposits and requests ({rate:.1} a second), daemon's memory {before} MiB at \
         the start and {after} MiB at the end, {} violations.",
        time.as_secs() / 60,
        violations.len()
    );
    Table {
        name: "soak",
        command,
        note,
        head: vec!["fault", "times", "longest from block to ledger", "violations"],
        rows: summary.kinds.iter().map(row).collect(),
    }
}
