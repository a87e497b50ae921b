//! `differential`: random histories on the simulator's ledger and on a real server; stops at the
//! first difference and says how to replay it.

use anyhow::Result;
use bridge_sim::ledger::Ledger;
use clap::Parser;
use differential::{
    campaign::{Different, Outcome, Plan, run},
    codes::REQUIRED_FROM,
    server::Server,
};
use std::{io::Write as _, process::ExitCode, time::Instant};

/// Compares the simulator's ledger with the real server.
#[derive(Debug, Parser)]
struct Arguments {
    /// How many histories; from 200 on every result code within reach must be hit.
    #[arg(long, default_value_t = 200)]
    histories: u64,
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    first: u64,
    /// Histories at a time.
    #[arg(long, default_value_t = 16)]
    jobs: usize,
}

fn say(text: &str) {
    // A closed pipe is no reason to fail.
    let _closed = writeln!(std::io::stdout(), "{text}");
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match campaign(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            say(&format!("differential: {error:#}"));
            ExitCode::from(70)
        }
    }
}

fn campaign(arguments: &Arguments) -> Result<bool> {
    let server = Server::start()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let Arguments { histories, first, jobs } = *arguments;
    let started = Instant::now();
    let tell =
        |equal| say(&format!("{equal} histories in {:.0} s", started.elapsed().as_secs_f64()));
    let outcome =
        runtime.block_on(run::<Ledger>(&server, Plan { histories, first, jobs }, tell))?;
    let seconds = started.elapsed().as_secs_f64();
    Ok(conclude(&outcome, histories, seconds))
}

fn conclude(outcome: &Outcome, histories: u64, seconds: f64) -> bool {
    let Outcome { equal, hits, different } = outcome;
    say(&hits.table());
    let (accounts, transfers) = hits.codes();
    say(&format!(
        "{accounts} account codes and {transfers} transfer codes hit by {} events in {} batches; \
         {} pendings expired; {} runs repeated because the machine was too slow",
        hits.events(),
        hits.batches,
        hits.expired,
        hits.slow
    ));
    if let Some(different) = different {
        explain(different);
        return false;
    }
    let missing = if histories >= REQUIRED_FROM { hits.missing() } else { Vec::new() };
    for code in &missing {
        say(&format!("never hit: {code}"));
    }
    say(&format!("{equal} of {histories} histories are equal on both sides, {seconds:.1} s"));
    missing.is_empty() && *equal == histories && histories > 0
}

fn explain(different: &Different) {
    let Different { seed, events, history, mismatch } = different;
    say(&format!(
        "MISMATCH: seed {seed}, {events} events, shrunk to {} in {} steps:",
        history.len(),
        history.steps.len()
    ));
    say(mismatch.told.trim_end());
    for line in &mismatch.differences {
        say(&format!("  after step {}: {line}", mismatch.step + 1));
    }
    say(&format!("  again: cargo run -p differential -- --first {seed} --histories 1"));
}
