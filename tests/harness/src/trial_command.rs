//! `harness trial …`: each makes a table, and says at the end how much passed and failed.

use anyhow::Result;
use clap::{Args, Subcommand};
use harness::trial::{
    crashes,
    faults::{self, Fault},
    kills, series, soak,
    table::{Table, seconds},
    world::World,
};
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

/// Trials.
#[derive(Debug, Subcommand)]
pub(crate) enum Trial {
    /// Kills at every named moment.
    Crashes {
        /// The daemon with fail points.
        #[arg(long)]
        program: PathBuf,
        /// Kills at each moment.
        #[arg(long, default_value_t = 20)]
        runs: u32,
        /// All moments on one world.
        #[arg(long)]
        shared: bool,
        /// Only moments whose name holds this.
        #[arg(long)]
        only: Option<String>,
        #[command(flatten)]
        target: Target,
    },
    /// Kills at random moments.
    Kills {
        /// Deposits.
        #[arg(long, default_value_t = 2_000)]
        deposits: u64,
        /// Requests for withdrawals.
        #[arg(long, default_value_t = 300)]
        withdrawals: u64,
        /// Kills.
        #[arg(long, default_value_t = 30)]
        kills: u32,
        /// Deposits and requests in a second.
        #[arg(long, default_value_t = 15)]
        rate: u32,
        /// Decides moments and victims.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        #[command(flatten)]
        target: Target,
    },
    /// Faults of the ledger's cluster, one after the other.
    Cluster {
        #[command(flatten)]
        series: Series,
    },
    /// Faults of node, store and processes, one after the other.
    Node {
        #[command(flatten)]
        series: Series,
    },
    /// A mix of everything.
    Soak {
        /// For how long.
        #[arg(long, default_value_t = 60)]
        minutes: u64,
        /// What happens; a fault that stands there twice is twice as likely. All where none is named.
        #[arg(long, value_delimiter = ',')]
        mix: Vec<Fault>,
        /// Deposits and requests in a second.
        #[arg(long, default_value_t = 10)]
        rate: u32,
        /// Longest time that a fault is held, seconds.
        #[arg(long, default_value_t = 15)]
        hold: u64,
        /// Decides what happens when.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        #[command(flatten)]
        target: Target,
    },
}

/// Which faults.
#[derive(Debug, Args)]
pub(crate) struct Series {
    /// Only these.
    #[arg(long, value_delimiter = ',')]
    only: Vec<Fault>,
    /// How long each is held, seconds.
    #[arg(long, default_value_t = 12)]
    hold: u64,
    #[command(flatten)]
    target: Target,
}

/// Where the table goes.
#[derive(Debug, Args)]
pub(crate) struct Target {
    /// Puts the table between its markers in this file.
    #[arg(long)]
    into: Option<PathBuf>,
    /// How people call it.
    #[arg(long, default_value = "harness trial")]
    called: String,
}

/// Runs one.
pub(crate) fn run(trial: Trial, sovrd: &Path) -> Result<ExitCode> {
    match trial {
        Trial::Crashes { program, runs, shared, only, target } => {
            let options = crashes::Options { program: &program, runs, is_shared: shared, only };
            let outcomes = crashes::run(&options, |row, outcome| {
                let crashes::Outcome { runs, reached, violations, said } = outcome;
                println!(
                    "{:6} {:24} {reached} of {runs}, {violations} violations",
                    row.place,
                    row.name()
                );
                for words in said {
                    println!("{words}");
                }
            })?;
            finish(&crashes::table(&outcomes, target.called.clone()), &target)?;
            let fine = |o: &crashes::Outcome| o.violations == 0 && o.reached == o.runs;
            let good = outcomes.iter().filter(|(_, outcome)| fine(outcome)).count();
            Ok(count(good, outcomes.len() - good))
        }
        Trial::Cluster { series } => in_series("cluster", series, sovrd, &faults::OF_LEDGER),
        Trial::Node { series } => in_series("node", series, sovrd, &faults::OF_NODE_AND_STORE),
        Trial::Soak { minutes, mix, rate, hold, seed, target } => {
            let all = || [&faults::OF_LEDGER[..], &faults::OF_NODE_AND_STORE].concat();
            let mix = if mix.is_empty() { all() } else { mix };
            let (time, hold) = (Duration::from_secs(minutes * 60), Duration::from_secs(hold));
            let world = World::start(sovrd, faults::setup(&mix))?;
            let options = soak::Options { time, mix, rate, hold, seed };
            let summary = soak::run(world, &options, tell)?;
            finish(&soak::table(&summary, target.called.clone()), &target)?;
            Ok(count(summary.kinds.len(), summary.violations.len()))
        }
        Trial::Kills { deposits, withdrawals, kills, rate, seed, target } => {
            let program = sovrd;
            let options = kills::Options { program, deposits, withdrawals, kills, rate, seed };
            let outcome = kills::run(options)?;
            finish(&kills::table(&outcome, target.called.clone()), &target)?;
            for words in &outcome.violations {
                println!("VIOLATION {words}");
            }
            Ok(count(usize::try_from(kills)?, outcome.violations.len()))
        }
    }
}

fn in_series(
    name: &'static str,
    series: Series,
    sovrd: &Path,
    faults: &[Fault],
) -> Result<ExitCode> {
    let Series { only, hold, target } = series;
    let hold = Duration::from_secs(hold);
    let faults = if only.is_empty() { faults } else { &only };
    let world = World::start(sovrd, faults::setup(faults))?;
    let outcomes = series::run(world, faults, hold, tell)?;
    finish(&series::table(name, &outcomes, hold, target.called.clone()), &target)?;
    let good = outcomes.iter().filter(|outcome| outcome.violations.is_empty()).count();
    Ok(count(good, outcomes.len() - good))
}

fn tell(outcome: &series::Outcome) {
    let series::Outcome { fault, stall, after, violations, .. } = outcome;
    let (stall, after) = (seconds(*stall), seconds(*after));
    println!("{}: stall {stall}, well {after} after its end", fault.words());
    for words in violations {
        println!("VIOLATION {words}");
    }
}

fn finish(table: &Table, target: &Target) -> Result<()> {
    println!("\n{}", table.text());
    target.into.as_ref().map_or(Ok(()), |file| table.write_into(file))
}

fn count(passed: usize, failed: usize) -> ExitCode {
    println!("{passed} passed, {failed} failed");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
