//! `harness`: what scripts call to run the local stack and to ask the judge about it.
#![allow(clippy::print_stdout)] // A command for people.

#[path = "trial_command.rs"]
mod trial;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use harness::{
    contracts, demo,
    judge::{self, Question},
    rpc::Rpc,
    servers::Mining,
    stack::{self, StackFile, UpOptions},
};
use std::{env, path::PathBuf, process::ExitCode, time::Duration};

const USAGE: u8 = 64;

/// Starts real servers for development and tests.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The local stack: node, ledger, vault, daemon.
    #[command(subcommand)]
    Stack(Stack),
    /// Starts a stack, tells a story from both sides and compares every balance.
    Demo {
        /// Leaves the stack up and says how to go on.
        #[arg(long)]
        keep: bool,
    },
    /// Compares chain and ledger of the local stack.
    Judge {
        /// Asks again for so many seconds until all is as it must be.
        #[arg(long, default_value_t = 0)]
        wait: u64,
        /// Counts withdrawals that have not ended on chain as differences.
        #[arg(long)]
        settled: bool,
    },
    /// Real faults on real processes, with the judge's verdict.
    #[command(subcommand)]
    Trial(trial::Trial),
}

#[derive(Debug, Subcommand)]
enum Stack {
    /// Starts everything and writes .local/stack.json.
    Up {
        /// Makes a block every so many seconds instead of one for every transaction.
        #[arg(long)]
        block_time: Option<f64>,
        /// Leaves the daemon out.
        #[arg(long)]
        no_daemon: bool,
    },
    /// Ends everything and removes its data.
    Down,
    /// Says what runs.
    Status,
}

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS };
        }
    };
    match run(arguments.command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("harness: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::Stack(Stack::Up { block_time, no_daemon }) => up(block_time, no_daemon),
        Command::Stack(Stack::Down) => stack::down().map(|()| ExitCode::SUCCESS),
        Command::Stack(Stack::Status) => status(),
        Command::Demo { keep } => {
            demo::run(&demo::Options { sovrd: daemon_beside_us()?, keep })?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Trial(trial) => trial::run(trial, &daemon_beside_us()?),
        Command::Judge { wait, settled } => ask_judge(Duration::from_secs(wait), settled),
    }
}

fn up(block_time: Option<f64>, no_daemon: bool) -> Result<ExitCode> {
    let mining = match block_time {
        Some(seconds) => Mining::Every(Duration::try_from_secs_f64(seconds)?),
        None => Mining::EveryTransaction,
    };
    let sovrd = if no_daemon { None } else { Some(daemon_beside_us()?) };
    let file = stack::up(&UpOptions { sovrd, mining })?;
    println!("the stack is up: {}", StackFile::path().display());
    println!("  node    {}", file.rpc_url);
    println!("  vault   {}", file.vault);
    println!("  ledger  {}", file.tigerbeetle.addresses.join(","));
    println!("  api     {}", file.api_url.as_deref().unwrap_or("none"));
    Ok(ExitCode::SUCCESS)
}

/// `cargo build` puts both programs into one folder.
fn daemon_beside_us() -> Result<PathBuf> {
    let path = env::current_exe()?.with_file_name("sovrd");
    let path = path.canonicalize();
    path.context("no sovrd beside this program: run cargo build -p sovrd, or use --no-daemon")
}

fn status() -> Result<ExitCode> {
    let (lines, all) = stack::status()?;
    println!("{}", lines.join("\n"));
    Ok(if all { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn ask_judge(wait: Duration, settled: bool) -> Result<ExitCode> {
    let file = StackFile::read()?;
    let deployment = contracts::describe(&Rpc::new(&file.rpc_url), file.vault, file.deploy_block)?;
    let cluster_id = file.tigerbeetle.cluster_id.parse()?;
    let addresses = &file.tigerbeetle.addresses;
    let about = Question::about(&file.rpc_url, &deployment, cluster_id, addresses);
    let question = Question { settled, ..about };
    println!("{:#}", judge::check(&question, wait)?);
    Ok(ExitCode::SUCCESS)
}
