//! `bench NAME…`: prints one JSON line a figure, beside the limit measured in the same run, and a
//! table for people at the end.
#![allow(clippy::print_stdout, reason = "a command for people and programs")]

mod backfill;
mod catch_up;
mod daemon;
mod figure;
mod heads;
mod live;
mod machine;
mod node;
mod posting;
mod process;
mod sparse;
mod story;
mod withdraw;

use anyhow::{Result, bail};
use clap::Parser;
use figure::Figure;
use std::process::ExitCode;

const ALL: [&str; 8] = [
    "posting",
    "backfill",
    "backfill-sparse",
    "live-latency",
    "withdraw-cycle",
    "restart",
    "memory",
    "scaling",
];

/// Benchmarks of the bridge on real servers.
#[derive(Debug, Parser)]
struct Arguments {
    /// posting (with memory/posting), backfill, backfill-sparse, live-latency, withdraw-cycle,
    /// restart, memory, scaling; all if none is named.
    names: Vec<String>,
    /// Deposits of `posting`.
    #[arg(long, default_value_t = 1_000_000)]
    posting_deposits: u64,
    /// Deposits of `backfill`.
    #[arg(long, default_value_t = 200_000)]
    backfill_deposits: u64,
    /// Blocks of `backfill-sparse`.
    #[arg(long, default_value_t = 1_000_000)]
    sparse_blocks: u64,
    /// Seconds of `live-latency`.
    #[arg(long, default_value_t = 10)]
    live_seconds: u64,
    /// Withdrawals of `withdraw-cycle`.
    #[arg(long, default_value_t = 200)]
    withdrawals: u64,
    /// Deposits before `restart`, and of `memory`.
    #[arg(long, default_value_t = 1_000_000)]
    history_deposits: u64,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    let names: Vec<&str> = if arguments.names.is_empty() {
        ALL.to_vec()
    } else {
        arguments.names.iter().map(String::as_str).collect()
    };
    if let Some(unknown) = names.iter().find(|n| !ALL.contains(n)) {
        bail!("there is no benchmark {unknown:?}; there are {}", ALL.join(", "));
    }
    let mut all = Vec::new();
    for name in names {
        let figures = measure(name, arguments)?;
        figures.iter().try_for_each(Figure::print)?;
        all.extend(figures);
    }
    figure::table(&all);
    Ok(())
}

fn measure(name: &str, arguments: &Arguments) -> Result<Vec<Figure>> {
    match name {
        "posting" => posting::run(arguments.posting_deposits),
        "backfill" => backfill::run(arguments.backfill_deposits),
        "backfill-sparse" => sparse::run(arguments.sparse_blocks),
        "live-latency" => live::run(arguments.live_seconds),
        "withdraw-cycle" => withdraw::run(arguments.withdrawals),
        "restart" => daemon::restart(arguments.history_deposits),
        "memory" => daemon::memory(arguments.history_deposits),
        _ => daemon::scaling(),
    }
}
