//! The bridge's own engine, ledger adapter and store, as the daemon wires them, with any source of
//! chain facts.

use alloy::primitives::{Address, B256};
use anyhow::{Context, Result, bail};
use bridge_core::{
    account,
    asset::LedgerId,
    block::{BlockNumber, BlockRef, FinalityPolicy},
    bridge::{Bridge, Config as CoreConfig},
    checkpoint::Persisted,
    command::ChainCommand,
    id::Identity,
    status::Summary,
};
use harness::{
    servers::{Size, TigerBeetle, TigerBeetleOptions},
    temp::TempDir,
};
use sovrd::{
    app, config,
    engine::{self, Engine, Handles, Inbox},
    ledger::{self, client::Ledger},
    metrics::Metrics,
    store::SledStore,
};
use std::{
    future::Future,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};

/// Longest run of one benchmark.
const DEADLINE: Duration = Duration::from_secs(600);

/// A full server: `--development` has small batches.
pub(crate) fn full_server() -> Result<TigerBeetle> {
    TigerBeetle::start(TigerBeetleOptions { size: Size::Full, ..TigerBeetleOptions::default() })
}

/// How to reach it.
pub(crate) fn ledger_config(server: &TigerBeetle) -> Result<config::Ledger> {
    Ok(config::Ledger {
        cluster_id: server.cluster_id(),
        addresses: vec![server.address().parse()?],
        clearing: LedgerId(1002),
        reply_timeout_ms: 60_000,
        start_timeout_ms: 60_000,
        batch_max: 8_189,
    })
}

/// Which vault, and where its history starts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Start {
    pub(crate) identity: Identity,
    pub(crate) origin: BlockRef,
}

/// Chain settings of a benchmark.
pub(crate) fn chain_config(
    endpoint: config::Endpoint,
    vault: Address,
    code: B256,
) -> config::Chain {
    config::Chain {
        endpoints: vec![endpoint],
        quorum: 1,
        lag_max_ms: 30_000,
        set_aside_max_ms: 60_000,
        answer_bytes_max: 1 << 30,
        ws_url: None,
        chain_id: 31_337,
        vault,
        vault_code_hash: code,
        deploy_block: BlockNumber(0),
        finality: FinalityPolicy::Confirmations(1),
        poll_interval_ms: 1_000,
        rpc_timeout_ms: 60_000,
        range_blocks_max: 5_000,
        suspicions_max: 5,
    }
}

/// Runs the bridge from an empty store until event `last_seq` is in the ledger and in the
/// checkpoint; the time that took.
pub(crate) fn run<F>(
    server: &TigerBeetle,
    start: Start,
    last_seq: u64,
    chain: impl FnOnce(mpsc::Receiver<ChainCommand>, Inbox) -> F,
) -> Result<Duration>
where
    F: Future<Output = ()> + Send + 'static,
{
    let (took, ()) = during(server, start, chain, |mut summary, _| async move {
        summary.wait_for(|s: &Arc<Summary>| s.acknowledged.next_seq.0 > last_seq).await?;
        Ok(())
    })?;
    Ok(took)
}

/// Runs the bridge from an empty store for as long as `watched` takes, and stops it, which writes its
/// checkpoint; the time that all took, without preparations.
pub(crate) fn during<F, W, T>(
    server: &TigerBeetle,
    start: Start,
    chain: impl FnOnce(mpsc::Receiver<ChainCommand>, Inbox) -> F,
    watched: impl FnOnce(watch::Receiver<Arc<Summary>>, Arc<Ledger>) -> W,
) -> Result<(Duration, T)>
where
    F: Future<Output = ()> + Send + 'static,
    W: Future<Output = Result<T>>,
{
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let folder = TempDir::new("bench")?;
    let store = SledStore::open(folder.path())?;
    let took = runtime.block_on(async {
        let metrics = Arc::new(Metrics::new());
        let ledger = Arc::new(Ledger::new(&ledger_config(server)?, metrics.clone())?);
        claim(&ledger, start).await?;
        let core = CoreConfig {
            identity: start.identity,
            origin: start.origin,
            // As the daemon does where it has just registered its instance: `claim` fails otherwise.
            is_new: true,
            ..app::core_defaults()
        };
        let bridge = Bridge::new(core, Persisted::default())?;
        let (engine, handles) = Engine::new(bridge, store, metrics.clone());
        let Handles { inbox, orders, summary } = handles;
        let began = Instant::now();
        let thread = std::thread::Builder::new().name("engine".into()).spawn(|| engine.run())?;
        let mut tasks = JoinSet::new();
        tasks.spawn(chain(orders.chain, inbox.clone()));
        tasks.spawn(ledger::run(ledger.clone(), metrics, orders.ledger, inbox.clone()));
        tasks.spawn(engine::tick(inbox.clone()));
        let watched = watched(summary, ledger);
        let seen = tokio::time::timeout(DEADLINE, watched).await.context("deadline")??;
        // The checkpoint belongs to it: stopping writes it.
        inbox.stop().await;
        tokio::task::spawn_blocking(move || thread.join())
            .await?
            .map_err(|_| anyhow::anyhow!("the engine panicked"))??;
        Ok::<_, anyhow::Error>((began.elapsed(), seen))
    });
    runtime.shutdown_background();
    took
}

async fn claim(ledger: &Ledger, start: Start) -> Result<()> {
    let instance = start.identity.key().instance().context("instance 0")?;
    let accounts = account::foundation(&start.identity, instance, LedgerId(1002));
    let failures = ledger.create_accounts(&accounts).await?;
    if !failures.is_empty() {
        bail!("the benchmark's ledger is not empty: {failures:?}");
    }
    Ok(())
}
