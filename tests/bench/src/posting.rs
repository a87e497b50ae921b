//! Decoded deposits through core, batches, ledger and checkpoint; the limit is the ledger's own
//! benchmark with as many transfers and accounts of the same kind, before and after.

use crate::{
    figure::Figure,
    machine::{self, Start},
    process,
    story::{Story, USERS},
};
use alloy::primitives::B256;
use anyhow::{Context, Result, bail};
use bridge_core::{command::ChainCommand, event::Event};
use harness::paths;
use sovrd::engine::Inbox;
use std::process::Command;
use tokio::sync::mpsc;

const PER_BLOCK: u64 = 200;

pub(crate) fn run(deposits: u64) -> Result<Vec<Figure>> {
    let before = own_benchmark(deposits)?;
    let (rate, peak) = bridge(deposits)?;
    let limit = before.max(own_benchmark(deposits)?);
    let (_, small) = bridge(deposits / 5)?;
    let note = format!(
        "{deposits} deposits, {USERS} users, one full replica, 8189 a batch, 2 cores; limit: \
         tigerbeetle benchmark, one hot debit account, history, sequential ids, better of two"
    );
    let memory = format!("{deposits} deposits; {small:.0} MiB with a fifth of them");
    Ok(vec![
        Figure::rate("posting", rate, "deposits/s", limit, note),
        Figure::bound("memory/posting", peak, "MiB", 200.0, memory),
    ])
}

/// Deposits a second, and the peak of this process in MiB.
fn bridge(deposits: u64) -> Result<(f64, f64)> {
    let story = Story { deposits, blocks: deposits.div_ceil(PER_BLOCK) };
    let server = machine::full_server()?;
    let start = Start { identity: story.identity(B256::ZERO), origin: story.origin() };
    process::forget_peak()?;
    let tell = |orders, inbox| tell(story, orders, inbox);
    let took = machine::run(&server, start, story.last_seq(), tell)?;
    Ok((deposits as f64 / took.as_secs_f64(), process::peak_mib(std::process::id())?))
}

/// Transfers a second of the ledger's own benchmark.
fn own_benchmark(transfers: u64) -> Result<f64> {
    let output = Command::new(paths::tool("tigerbeetle")?)
        .arg("benchmark")
        .arg(format!("--transfer-count={transfers}"))
        .arg(format!("--account-count={USERS}"))
        .args(["--account-count-hot=1", "--transfer-hot-percent=100"])
        .args(["--query-count=0", "--id-order=sequential"])
        .current_dir(std::env::temp_dir())
        .output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        bail!("tigerbeetle benchmark: {}", String::from_utf8_lossy(&output.stderr));
    }
    let line = said.lines().find(|l| l.contains("load accepted")).context("no rate")?;
    let rate = line.split_whitespace().find_map(|word| word.replace(',', "").parse().ok());
    rate.with_context(|| format!("no rate in {line:?}"))
}

/// A chain that answers at once.
async fn tell(story: Story, mut orders: mpsc::Receiver<ChainCommand>, inbox: Inbox) {
    while let Some(order) = orders.recv().await {
        match order {
            ChainCommand::Poll { endpoint, anchor, .. } => {
                inbox.send(Event::Head { endpoint, head: story.head(anchor) }).await;
            }
            ChainCommand::FetchRange(request) => match story.range(request) {
                Ok(range) => inbox.send(Event::Range(range)).await,
                Err(error) => eprintln!("posting: {error:#}"),
            },
            ChainCommand::ReadState { .. } | ChainCommand::ReadHoldings { .. } => {}
        }
    }
}
