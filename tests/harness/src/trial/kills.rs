//! Random kills: while users deposit and withdraw, the daemon and the signers are killed at random
//! moments and started again at once, however early that is in their start.

use crate::trial::{
    load::{Background, Load, Plan},
    table::{Table, seconds},
    watch::Watch,
    world::{PATIENCE, Part, Setup, World},
};
use crate::wait;
use anyhow::{Result, ensure};
use serde_json::Value;
use std::{collections::BTreeMap, path::Path, time::Duration};

/// Longest time for all of the load.
const LONGEST: Duration = Duration::from_secs(3_600);

/// What to do.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// The daemon.
    pub program: &'a Path,
    /// Deposits.
    pub deposits: u64,
    /// Requests; one in ten without money behind it.
    pub withdrawals: u64,
    /// Kills.
    pub kills: u32,
    /// Deposits and requests in a second.
    pub rate: u32,
    /// Decides the moments and the victims.
    pub seed: u64,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// How often whom.
    pub killed: BTreeMap<Part, u32>,
    /// Deposits in the chain's story.
    pub deposits: u64,
    /// Withdrawals in it, by how they ended.
    pub withdrawals: BTreeMap<String, u64>,
    /// Longest time from a block to the ledger.
    pub longest: Duration,
    /// What was not as it must be.
    pub violations: Vec<String>,
}

/// Runs it.
///
/// # Errors
/// When less was done than asked for; what the judge finds is in the outcome.
pub fn run(options: Options<'_>) -> Result<Outcome> {
    let Options { deposits, withdrawals, kills, rate, seed, .. } = options;
    let mut world = World::start(options.program, Setup::default())?;
    let mut chance = fastrand::Rng::with_seed(seed);
    let total = deposits + withdrawals;
    let mut moments: Vec<u64> = (0..kills).map(|_| chance.u64(0..total)).collect();
    moments.sort_unstable();
    let watch = Watch::start(&world);
    let plan = Plan { rate, requests: withdrawals, of: total, total: Some(total) };
    let load = Background::start(Load::new(&world, seed)?, plan);
    let (mut killed, mut violations) = (BTreeMap::new(), Vec::new());
    for moment in moments {
        wait::until("the next kill", LONGEST, || Ok((load.sent() >= moment).then_some(())))?;
        // The daemon as often as all signers together.
        let victim = match chance.usize(0..world.signers.len() * 2) {
            n if n < world.signers.len() => Part::Signer(n),
            _ => Part::Daemon,
        };
        let server = world.part(victim)?.server();
        if let Some(status) = server.exit_status()? {
            violations.push(format!("{victim:?} had ended by itself: {status}"));
        }
        world.part(victim)?.restart()?;
        *killed.entry(victim).or_default() += 1;
    }
    wait::until("all load", LONGEST, || Ok((load.sent() >= total).then_some(())))?;
    drop(load);
    let report = world.settle(PATIENCE).unwrap_or_else(|error| {
        violations.push(format!("{error:#}"));
        Value::Null
    });
    let outcome = outcome(&report, killed, violations, watch.take().longest);
    let ended: u64 = outcome.withdrawals.values().sum();
    ensure!(
        report.is_null() || outcome.deposits >= deposits && ended >= withdrawals,
        "only {} deposits and {ended} withdrawals are on chain",
        outcome.deposits
    );
    Ok(outcome)
}

fn outcome(
    report: &Value,
    killed: BTreeMap<Part, u32>,
    violations: Vec<String>,
    longest: Duration,
) -> Outcome {
    let mut withdrawals = BTreeMap::new();
    for withdrawal in report["withdrawals"].as_array().into_iter().flatten() {
        let end = withdrawal["chain"].as_str().unwrap_or("open").to_owned();
        *withdrawals.entry(end).or_default() += 1;
    }
    let deposits = report["deposits"].as_u64().unwrap_or_default();
    Outcome { killed, deposits, withdrawals, longest, violations }
}

/// For people.
#[must_use]
pub fn table(outcome: &Outcome, command: String) -> Table {
    let name = |part: &Part| match part {
        Part::Daemon => "daemon, submitter in it".to_owned(),
        Part::Signer(n) => format!("signer {}", n + 1),
    };
    let mut rows: Vec<Vec<String>> = outcome
        .killed
        .iter()
        .map(|(part, times)| vec![format!("kills of the {}", name(part)), times.to_string()])
        .collect();
    rows.push(vec!["deposits".into(), outcome.deposits.to_string()]);
    for (end, count) in &outcome.withdrawals {
        rows.push(vec![format!("withdrawals, in the end {end}"), count.to_string()]);
    }
    rows.push(vec!["longest wait from block to ledger".into(), seconds(outcome.longest)]);
    rows.push(vec!["violations".into(), outcome.violations.len().to_string()]);
    let kills: u32 = outcome.killed.values().sum();
    Table {
        name: "kills",
        command,
        note: format!("{kills} kills at random moments."),
        head: vec!["what", "how many"],
        rows,
    }
}
