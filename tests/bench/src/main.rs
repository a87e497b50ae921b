//! `bench NAME…`: prints one JSON line a figure, beside the limit measured in the same run.
#![allow(clippy::print_stdout, reason = "a command for people and programs")]

mod backfill;
mod figure;
mod machine;
mod posting;

use anyhow::{Result, bail};
use clap::Parser;
use std::process::ExitCode;

const ALL: [&str; 2] = ["posting", "backfill"];

/// Benchmarks of the bridge on real servers.
#[derive(Debug, Parser)]
struct Arguments {
    /// posting, backfill; all if none is named.
    names: Vec<String>,
    /// Deposits of `posting`.
    #[arg(long, default_value_t = 1_000_000)]
    posting_deposits: u64,
    /// Deposits of `backfill`.
    #[arg(long, default_value_t = 200_000)]
    backfill_deposits: u64,
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
    for name in names {
        match name {
            "posting" => posting::run(arguments.posting_deposits)?.print()?,
            _ => backfill::run(arguments.backfill_deposits)?.print()?,
        }
    }
    Ok(())
}
