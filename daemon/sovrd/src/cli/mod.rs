//! The command line: one file a subcommand.

mod accounts;
mod brakes;
mod config_check;
mod doctor;
mod offline;
mod proof;
mod reconcile;
mod resume;
mod status;
mod supersede;
mod why;

use crate::{app, config::Config, exit::Failure, logging, signer};
use clap::{Args, Parser, Subcommand};
use std::{future::Future, path::PathBuf};

/// Bridge between a vault contract on an EVM chain and a TigerBeetle ledger.
///
/// Deposits become posted transfers; withdrawals become pending transfers, a payout on chain, then
/// a post or a void. If it didn't clear in TigerBeetle, it didn't happen.
///
/// Exit codes: 0 done · 64 usage · 65 halted, do not restart · 70 bug · 75 something outside is
/// away, restart later · 78 configuration or identity is wrong.
#[derive(Debug, Parser)]
#[command(version, about, long_about)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the daemon until SIGTERM or Ctrl-C.
    Run(ConfigFile),
    /// Sign payouts for a daemon elsewhere, each after checking it with an own node and an own
    /// connection to the ledger. Its configuration has a section [signer] and no [payouts].
    Sign(ConfigFile),
    /// Look at the configuration.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Look at everything that a daemon or signer stands on: node, vault, ledger, store, keys, machine.
    /// Each fault with its remedy; ends with 78, 75 or 65 if there is one. Changes nothing, and may
    /// run beside the daemon.
    Doctor(doctor::Arguments),
    /// Show where a running daemon stands.
    Status(status::Arguments),
    /// Say what a deposit or withdrawal waits for, since when, and what would move it; the daemon is
    /// asked.
    Why(why::Arguments),
    /// Show the ledger's accounts with their balances.
    Accounts(accounts::Arguments),
    /// Stop payouts or deposits on chain at once, with the pauser's key. It ends by itself after
    /// three days unless repeated or lifted.
    Pause(brakes::Arguments),
    /// Lift a pause, with the admin's key.
    Unpause(brakes::Arguments),
    /// Prove the reserves from chain and ledger; exit code 65 where something does not add up.
    Reconcile(reconcile::Arguments),
    /// Lift a halt whose cause is gone; refuses (65) while it stands. The daemon must be stopped.
    Resume(ConfigFile),
    /// Approve a reorg past finality: shows what it means, does it with the hash of that.
    Supersede(supersede::Arguments),
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Check a configuration file and tell all faults at once; opens and contacts nothing.
    Check(ConfigFile),
}

/// Which configuration file.
#[derive(Clone, Debug, Args)]
pub(crate) struct ConfigFile {
    /// Configuration file (TOML). Variables SOVR_<SECTION>_<KEY> win over it.
    #[arg(long, env = "SOVR_CONFIG", value_name = "FILE")]
    config: PathBuf,
}

impl ConfigFile {
    fn load(&self) -> Result<Config, Failure> {
        Config::load(&self.config)
    }
}

impl Cli {
    /// Does what was asked for.
    ///
    /// # Errors
    /// With the exit code to end with.
    pub fn run(self) -> Result<(), Failure> {
        match self.command {
            Command::Run(file) => {
                let config = file.load()?;
                logging::start(&config.log)?;
                block_on(app::run(config))
            }
            Command::Sign(file) => {
                let config = file.load()?;
                logging::start(&config.log)?;
                block_on(signer::run(config))
            }
            Command::Config(ConfigCommand::Check(file)) => config_check::run(&file),
            Command::Doctor(arguments) => block_on(doctor::run(arguments)),
            Command::Status(arguments) => block_on(status::run(arguments)),
            Command::Why(arguments) => block_on(why::run(arguments)),
            Command::Accounts(arguments) => block_on(accounts::run(arguments)),
            Command::Pause(arguments) => block_on(brakes::run(arguments, brakes::Way::Pause)),
            Command::Unpause(arguments) => block_on(brakes::run(arguments, brakes::Way::Unpause)),
            Command::Reconcile(arguments) => block_on(reconcile::run(arguments)),
            Command::Resume(file) => block_on(resume::run(&file)),
            Command::Supersede(arguments) => block_on(supersede::run(arguments)),
        }
    }
}

fn block_on(work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::transient(format!("no runtime: {e}")))?;
    let result = runtime.block_on(work);
    // Clients of the ledger may still wait for a server that is away; nothing is lost by leaving.
    runtime.shutdown_background();
    result
}

/// Prints for people or programs; a closed pipe is not an error.
pub(crate) fn print(text: &str) {
    use std::io::Write;
    let _closed_pipe = writeln!(std::io::stdout(), "{text}");
}
