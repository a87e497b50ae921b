//! The demo: a local stack, then a story in six steps, told from both sides; at the end chain and
//! ledger are compared number by number.
//!
//! Nothing is played: it is the real daemon between a real node and a real ledger. What must come
//! out is written down in [`balances`], so that a wrong bridge cannot agree with itself.

mod amount;
mod balances;
mod keep;
mod screen;
mod stage;
mod story;
mod transfers;

use crate::{
    contracts,
    judge::{self, Question},
    rpc::Rpc,
    servers::Mining,
    stack::{self, StackFile, UpOptions},
};
use anyhow::{Result, bail};
use screen::Screen;
use stage::Stage;
use std::{path::PathBuf, time::Duration};

const JUDGE_LIMIT: Duration = Duration::from_secs(30);

/// How to run the demo.
#[derive(Clone, Debug)]
pub struct Options {
    /// The daemon's program.
    pub sovrd: PathBuf,
    /// Leaves the stack up and says how to go on.
    pub keep: bool,
}

/// Starts a stack, tells the story, compares, and ends the stack.
///
/// # Errors
/// When a stack is up already, a step does not come true in time, or a balance is not as it must
/// be.
pub fn run(options: &Options) -> Result<()> {
    let screen = Screen::new();
    screen.heading("A local stack: an EVM node, a TigerBeetle ledger, the vault, the daemon");
    let up = UpOptions { sovrd: Some(options.sovrd.clone()), mining: Mining::EveryTransaction };
    let file = screen.during("starting it and deploying the vault", || stack::up(&up))?;
    let guard = StackGuard { keep: options.keep };
    let told = tell(&screen, options, &file);
    drop(guard);
    if options.keep {
        keep::explain(&screen, options, &file);
    }
    told
}

/// Ends the stack even when a step panics.
#[derive(Debug)]
struct StackGuard {
    keep: bool,
}

impl Drop for StackGuard {
    fn drop(&mut self) {
        if self.keep {
            return;
        }
        if let Err(error) = stack::down() {
            eprintln!("cannot end the stack: {error:#}; scripts/stack down tries again");
        }
    }
}

fn tell(screen: &Screen, options: &Options, file: &StackFile) -> Result<()> {
    let stage = Stage::open(screen, file)?;
    stage.introduce();
    story::tell(&stage)?;
    screen.heading("Side by side");
    let rows = balances::compare(&stage, options, file)?;
    screen.text(&balances::table(&rows));
    let wrong = rows.iter().filter(|row| !row.equal()).count();
    let verdict = ask_judge(screen, file);
    if wrong > 0 {
        bail!("{wrong} balances are not as they must be: see the table above");
    }
    verdict
}

fn ask_judge(screen: &Screen, file: &StackFile) -> Result<()> {
    let deployment = contracts::describe(&Rpc::new(&file.rpc_url), file.vault, file.deploy_block)?;
    let cluster_id = file.tigerbeetle.cluster_id.parse()?;
    let addresses = &file.tigerbeetle.addresses;
    let question = Question::about(&file.rpc_url, &deployment, cluster_id, addresses);
    let report = judge::check(&question, JUDGE_LIMIT)?;
    let count = |name: &str| report[name].as_array().map_or(0, Vec::len);
    screen.good(&format!(
        "The judge, a second program that reads chain and ledger by itself and never asks the \
         daemon,\nwent through {} events and {} accounts: all is as it must be.",
        report["events"],
        count("accounts"),
    ));
    Ok(())
}
