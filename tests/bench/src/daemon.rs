//! `sovrd` as people run it, on a full ledger and a node that tells a story: what it costs in memory
//! and processor time, and how long it takes to be ready again.

use crate::{
    catch_up::Source,
    figure::Figure,
    machine, process,
    story::{CHAIN_ID, Story, VAULT},
};
use alloy::primitives::Address;
use anyhow::{Context, Result, bail};
use bridge_core::{account::NewAccount, endpoint::EndpointId};
use harness::{
    config::{DaemonConfig, Parts},
    contracts::Deployment,
    port,
    servers::{Sovrd, TigerBeetle},
    temp::TempDir,
};
use sovrd::{chain::nodes::Nodes, ledger::client::Ledger, metrics::Metrics};
use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

const PER_BLOCK: u64 = 200;
const LIMIT: Duration = Duration::from_secs(300);
/// Events of one chain for `scaling`.
const SIZES: [u64; 4] = [50_000, 100_000, 200_000, 400_000];
/// Restarts; the middle one counts.
const RESTARTS: usize = 5;

/// The program that was built beside this one.
pub(crate) fn program() -> Result<PathBuf> {
    let path = std::env::current_exe()?.with_file_name("sovrd");
    if !path.exists() {
        bail!("{} is missing: build it too, as scripts/bench does", path.display());
    }
    Ok(path)
}

/// A daemon that has caught up. Fields are dropped in order.
struct Done {
    sovrd: Sovrd,
    ledger: TigerBeetle,
    source: Source,
    _node: crate::node::StoryNode,
    _folder: TempDir,
}

fn dense(deposits: u64) -> Story {
    Story { deposits, blocks: deposits.div_ceil(PER_BLOCK) }
}

fn caught_up(story: Story) -> Result<Done> {
    let (node, source) = Source::of(story)?;
    let ledger = machine::full_server()?;
    let folder = TempDir::new("bench")?;
    let deployment = Deployment {
        chain_id: CHAIN_ID,
        vault: VAULT,
        vault_code_hash: source.identity.code_hash,
        deploy_block: 1,
        instance: source.identity.key().instance().context("instance 0")?.get(),
        tokens: Vec::new(),
    };
    let mut config = DaemonConfig::development(Parts {
        deployment: &deployment,
        rpc_url: &source.url,
        ws_url: None,
        cluster_id: ledger.cluster_id(),
        ledger_addresses: &[ledger.address()],
        api_port: port::free()?,
        folder: folder.path(),
    })?;
    config.payouts = None;
    let (path, log) = (folder.path().join("sovrd.toml"), folder.path().join("sovrd.log"));
    config.write(&path)?;
    let mut sovrd = Sovrd::start(&program()?, &path, &config.api_url(), &log)?;
    sovrd.wait_ready(LIMIT)?;
    Ok(Done { sovrd, ledger, source, _node: node, _folder: folder })
}

/// Peak size after a backfill of so many deposits, and of a fifth of them.
pub(crate) fn memory(deposits: u64) -> Result<Vec<Figure>> {
    let peak = |deposits| process::peak_mib(caught_up(dense(deposits))?.sovrd.pid());
    let (small, large) = (peak(deposits / 5)?, peak(deposits)?);
    let note = format!("sovrd, {deposits} deposits over HTTP; {small:.0} MiB with a fifth of them");
    Ok(vec![Figure::bound("memory/backfill", large, "MiB", 200.0, note)])
}

/// Processor time per event over a growing history: the fitted line's rise from the smallest to the
/// largest size, as a part of its mean.
pub(crate) fn scaling() -> Result<Vec<Figure>> {
    let mut points = Vec::new();
    for size in SIZES {
        let done = caught_up(dense(size))?;
        let us = process::cpu(done.sovrd.pid())?.as_secs_f64() * 1e6 / size as f64;
        eprintln!("scaling: {size} events, {us:.2} us of processor time each");
        points.push((size as f64, us));
    }
    let each: Vec<String> = points.iter().map(|(_, us)| format!("{us:.2}")).collect();
    let note = format!("us per event at {SIZES:?} events: {}", each.join(", "));
    Ok(vec![Figure::bound("scaling", rise_percent(&points).max(0.1), "% rise", 5.0, note)])
}

/// Least squares.
fn rise_percent(points: &[(f64, f64)]) -> f64 {
    let n = points.len() as f64;
    let mean = |of: &dyn Fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / n;
    let (x, y) = (mean(&|p| p.0), mean(&|p| p.1));
    let slope = mean(&|p| (p.0 - x) * (p.1 - y)) / mean(&|p| (p.0 - x).powi(2));
    let width = points.last().map_or(0.0, |p| p.0) - points.first().map_or(0.0, |p| p.0);
    100.0 * slope * width / y
}

/// Killed after a long history, then started: seconds until ready. The limit is a start of the
/// program, one poll of the node and one lookup in the ledger.
pub(crate) fn restart(deposits: u64) -> Result<Vec<Figure>> {
    let mut done = caught_up(dense(deposits))?;
    let mut times = Vec::new();
    let mut limits = Vec::new();
    for _ in 0..RESTARTS {
        done.sovrd.kill9()?;
        limits.push(bare_start(&done)?);
        let began = Instant::now();
        done.sovrd.restart()?;
        wait_ready(&done.sovrd)?;
        times.push(began.elapsed());
    }
    let (value, limit) = (middle(times)?, middle(limits)?);
    let note = format!(
        "{deposits} deposits, kill -9, middle of {RESTARTS} starts; a bare start, one poll and one \
         lookup take {limit:.3} s"
    );
    Ok(vec![Figure::bound("restart", value, "s", 1.0, note)])
}

/// Asked more often than the harness does: a start takes less than its pause.
fn wait_ready(sovrd: &Sovrd) -> Result<()> {
    let deadline = Instant::now() + LIMIT;
    while Instant::now() < deadline {
        if sovrd.get("/ready").is_ok_and(|answer| answer.status == 200) {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    bail!("not ready within {} s", LIMIT.as_secs())
}

fn middle(mut times: Vec<Duration>) -> Result<f64> {
    times.sort_unstable();
    Ok(times.get(times.len() / 2).context("no times")?.as_secs_f64())
}

fn bare_start(done: &Done) -> Result<Duration> {
    let began = Instant::now();
    let version = std::process::Command::new(program()?).arg("--version").output()?;
    if !version.status.success() {
        bail!("sovrd --version failed");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let took = runtime.block_on(async {
        let config = machine::ledger_config(&done.ledger)?;
        let ledger = Ledger::new(&config, Arc::new(Metrics::new()))?;
        let nodes = Nodes::new(&done.source.config()?)?;
        let node = nodes.get(EndpointId(0)).context("no endpoint")?;
        node.poll(done.source.origin.number, None, None).await?;
        let sentinel = NewAccount::funds(crate::story::LEDGER, Address::ZERO).id;
        ledger.lookup_accounts(&[sentinel]).await?;
        Ok::<_, anyhow::Error>(began.elapsed())
    });
    runtime.shutdown_background();
    took
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flat_line_does_not_rise_and_a_doubled_one_does() {
        assert!(rise_percent(&[(1.0, 3.0), (2.0, 3.0), (4.0, 3.0)]).abs() < 1e-9);
        let rise = rise_percent(&[(1.0, 1.0), (2.0, 4.0 / 3.0), (4.0, 2.0)]);
        assert!((rise - 100.0 / (13.0 / 9.0)).abs() < 1e-6, "{rise}");
    }
}
