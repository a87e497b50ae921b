//! Wiring: opens everything, spawns every task, waits for the end. The only place that spawns
//! long-lived tasks.

use crate::{
    api::{self, Sources},
    chain::{self, nodes::Nodes},
    config::{self, Config},
    engine::{self, Engine, Handles},
    exit::Failure,
    identity::{self, Vault},
    ledger::{self, client::Ledger, records},
    metrics::Metrics,
    payouts::{
        self, Payouts,
        gather::{Remote, Signers},
        keys,
    },
    progress,
    signer::read_token,
    stop::StopSignal,
    store::{self, Opened},
};
use alloy::primitives::{Address, B256};
use bridge_core::{
    block::{BlockNumber, BlockRef},
    bridge::{Bridge, CannotStart, Config as CoreConfig},
    checkpoint::Persisted,
    endpoint::EndpointsConfig,
    id::{AccountId, Identity},
    reserves::ReservesConfig,
    submitter::SubmitterConfig,
    supersede::Supersede,
};
use std::{
    future::{Future, IntoFuture},
    sync::Arc,
    time::Duration,
};
use tokio::{net::TcpListener, sync::oneshot, task::JoinSet};
use tracing::{error, info};

/// Events in a range above which ranges shrink.
const RANGE_EVENTS_MAX: u64 = 20_000;
/// Operations before the ledger above which no more are fetched.
const QUEUE_MAX: usize = 65_536;
/// Open withdrawals above which no more events are fetched.
const OPEN_WITHDRAWALS_MAX: usize = 1_000_000;
/// Longest time between two checkpoints while there is something new.
const CHECKPOINT_INTERVAL_MS: u64 = 500;
/// Pause before work on a withdrawal is tried again, and the longest that it grows to.
const WORK_BACKOFF_MS: u64 = 2_000;
const WORK_BACKOFF_LONGEST_MS: u64 = 300_000;

/// Final blocks for which another daemon with a quicker node may be ahead of this one.
const EARLY_BLOCKS_MAX: u64 = 64;

/// Longest wait for the engine to say why it ended, once a task of it is gone.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Runs the daemon until it is told to stop.
///
/// # Errors
/// Whatever ends it, with its exit code.
pub async fn run(config: Config) -> Result<(), Failure> {
    if config.signer.is_some() {
        return Err(Failure::configuration(
            "signer: the section [signer] is for sovrd sign; whoever pays must not sign alone",
        ));
    }
    // First of all: a signal must not end a process that already serves without its last words.
    let mut stop = StopSignal::listen()?;
    let ready = tokio::select! {
        ready = open(config) => ready?,
        () = stop.received() => {
            info!("stopped before anything began");
            return Ok(());
        }
    };
    supervise(ready, stop).await
}

/// Opens and checks everything; nothing runs yet.
async fn open(config: Config) -> Result<Ready, Failure> {
    let Opened { store, persisted, quarantined } = store::open(&config.store)?;
    let nodes = Nodes::new(&config.chain)
        .map_err(|e| Failure::configuration(format!("chain.rpc_url: {e}")))?;
    let listener = TcpListener::bind(config.listen).await.map_err(|e| {
        Failure::configuration(format!("api.listen {}: {e}; use a free port", config.listen))
    })?;
    let vault = identity::of_vault(&nodes, &config.chain).await?;
    let payouts = open_payouts(&config, &vault, &nodes)?;
    if let Some(payouts) = &payouts {
        payouts.refuse_nonsense().await?;
    }
    let metrics = Arc::new(Metrics::new());
    let ledger = Ledger::new(&config.ledger, metrics.clone())
        .map_err(|e| Failure::configuration(format!("ledger.addresses: {e}")))?;
    let ledger = Arc::new(ledger);
    let is_new = identity::claim_ledger(&ledger, &vault, &config).await?;
    let superseded = records::read(&ledger, vault.instance).await?;
    let submitter = payouts.as_ref().map(|p| p.submitter.address());
    let known = Known { is_new, superseded, submitter };
    let bridge = build_core(&config, &vault, persisted, known)?;
    let (engine, handles) = Engine::new(bridge, store, metrics.clone());
    let sources = Sources {
        nodes: nodes.clone(),
        ledger: ledger.clone(),
        inbox: handles.inbox.clone(),
        summary: handles.summary.clone(),
        metrics: metrics.clone(),
        chain: Arc::new(config.chain.clone()),
        instance: vault.instance,
        quarantined: quarantined.map(Arc::new),
        shared: api::Shared::default(),
    };
    let parts = Parts { config, vault, nodes, payouts, ledger, metrics };
    Ok(Ready { engine, handles, parts, listener, sources })
}

struct Ready {
    engine: Engine,
    handles: Handles,
    parts: Parts,
    listener: TcpListener,
    sources: Sources,
}

struct Parts {
    config: Config,
    vault: Vault,
    nodes: Nodes,
    payouts: Option<Payouts>,
    ledger: Arc<Ledger>,
    metrics: Arc<Metrics>,
}

async fn supervise(ready: Ready, mut stop: StopSignal) -> Result<(), Failure> {
    let Ready { engine, handles, parts, listener, sources } = ready;
    let Handles { inbox, orders, summary } = handles;
    let (ended, engine_ended) = oneshot::channel();
    std::thread::Builder::new()
        .name("engine".to_owned())
        .spawn(move || {
            let _main_is_gone = ended.send(engine.run());
        })
        .map_err(|e| Failure::transient(format!("no thread for the engine: {e}")))?;

    let mut tasks = Tasks(JoinSet::new());
    let address = parts.payouts.as_ref().map(|p| p.submitter.address());
    tasks.spawn("chain", chain::run(parts.nodes, address, orders.chain, inbox.clone()));
    let ledger = parts.ledger;
    tasks.spawn("progress", progress::run(summary.clone(), parts.metrics.clone()));
    let to_ledger = ledger::run(ledger.clone(), parts.metrics, orders.ledger, inbox.clone());
    tasks.spawn("ledger", to_ledger);
    tasks.spawn("heartbeat", ledger.heartbeat(sentinel(&parts.vault)));
    if let Some(payouts) = parts.payouts {
        tasks.spawn("payouts", payouts::run(payouts, orders.payout, inbox.clone()));
    }
    if let Some(url) = parts.config.chain.ws_url.clone() {
        tasks.spawn("wake", chain::wake::run(url, inbox.clone()));
    }
    tasks.spawn("clock", engine::tick(inbox.clone()));
    info!(address = %parts.config.listen, "serving");
    let server =
        axum::serve(listener, api::router(sources, &parts.config.cors_origins)).into_future();
    tasks.spawn("api", async move {
        if let Err(error) = server.await {
            error!(%error, "the API stopped");
        }
    });

    let mut engine_ended = engine_ended;
    let result = tokio::select! {
        result = &mut engine_ended => result,
        () = stop.received() => {
            info!("stopping");
            inbox.stop().await;
            engine_ended.await
        }
        ended = tasks.first_to_end() => {
            // They end with the engine; one that ends before it is missing from now on.
            let last_words = tokio::time::timeout(LAST_WORDS, &mut engine_ended).await;
            last_words.map_err(|_| Failure::bug(ended))?
        }
    };
    tasks.0.abort_all();
    result.map_err(|_| Failure::bug("the engine's thread ended without a word"))??;
    match summary.borrow().halted {
        Some(evidence) => Err(Failure::halted(format!("halted: {evidence}"))),
        None => Ok(()),
    }
}

/// Everything that runs beside the engine, each with a name.
struct Tasks(JoinSet<&'static str>);

impl Tasks {
    fn spawn(&mut self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        self.0.spawn(async move {
            task.await;
            name
        });
    }

    async fn first_to_end(&mut self) -> String {
        match self.0.join_next().await {
            Some(Ok(name)) => format!("the task {name} ended by itself"),
            Some(Err(panic)) => format!("a task ended in a panic: {panic}"),
            None => std::future::pending().await,
        }
    }
}

/// What keys and ledger say before the core starts.
struct Known {
    is_new: bool,
    superseded: Vec<Supersede>,
    submitter: Option<Address>,
}

fn build_core(
    config: &Config,
    vault: &Vault,
    persisted: Persisted,
    known: Known,
) -> Result<Bridge, Failure> {
    let core = CoreConfig {
        identity: vault.identity,
        origin: vault.origin,
        poll_interval_ms: config.chain.poll_interval_ms,
        range_blocks_max: config.chain.range_blocks_max,
        suspicions_max: config.chain.suspicions_max,
        endpoints: endpoints(&config.chain),
        batch_max: config.ledger.batch_max,
        submitter: config.payouts.as_ref().zip(known.submitter).map(submitter),
        reserves: Some(ReservesConfig {
            interval_ms: config.reserves.interval_ms,
            breaks_max: config.reserves.breaks_max,
            early_blocks_max: EARLY_BLOCKS_MAX,
        }),
        is_new: known.is_new,
        superseded: known.superseded,
        pauser: config.payouts.as_ref().is_some_and(|p| p.pauser.is_some()),
        ..core_defaults()
    };
    Bridge::new(core, persisted)
        .map_err(|e: CannotStart| Failure::configuration(format!("store: {e}")))
}

fn endpoints(chain: &config::Chain) -> EndpointsConfig {
    EndpointsConfig {
        // The configuration has at most eight.
        count: u8::try_from(chain.endpoints.len()).unwrap_or(u8::MAX),
        quorum: chain.quorum,
        lag_max_ms: chain.lag_max_ms,
        set_aside_longest_ms: chain.set_aside_max_ms,
    }
}

fn submitter((payouts, address): (&config::Payouts, Address)) -> SubmitterConfig {
    SubmitterConfig {
        address,
        low_balance: payouts.low_balance,
        in_flight_max: payouts.in_flight_max,
        gas_limit: payouts.gas_limit,
        priority_fee: payouts.priority_fee,
        fee_cap: payouts.fee_cap,
        rebroadcast_ms: payouts.rebroadcast_ms,
        replace_ms: payouts.replace_ms,
    }
}

/// The core's settings where a configuration says nothing; identity and origin must be set.
#[must_use]
pub fn core_defaults() -> CoreConfig {
    CoreConfig {
        identity: Identity {
            chain_id: 0,
            genesis: B256::ZERO,
            vault: Address::ZERO,
            code_hash: B256::ZERO,
            deploy_block_hash: B256::ZERO,
        },
        origin: BlockRef { number: BlockNumber(0), hash: B256::ZERO },
        poll_interval_ms: 1_000,
        range_blocks_max: 5_000,
        range_events_max: RANGE_EVENTS_MAX,
        suspicions_max: 5,
        endpoints: EndpointsConfig::default(),
        batch_max: 8_189,
        queue_max: QUEUE_MAX,
        open_withdrawals_max: OPEN_WITHDRAWALS_MAX,
        checkpoint_interval_ms: CHECKPOINT_INTERVAL_MS,
        work_backoff_ms: WORK_BACKOFF_MS,
        work_backoff_longest_ms: WORK_BACKOFF_LONGEST_MS,
        submitter: None,
        reserves: None,
        is_new: false,
        superseded: Vec::new(),
        pauser: false,
    }
}

fn open_payouts(config: &Config, vault: &Vault, nodes: &Nodes) -> Result<Option<Payouts>, Failure> {
    let Some(payouts) = &config.payouts else { return Ok(None) };
    let chain_id = vault.identity.chain_id;
    let open = |keystore| keys::open("signer", keystore, chain_id);
    let local = payouts.signer.as_ref().map(open).transpose()?;
    let token = payouts.signer_token_file.as_deref();
    let token = token.map(|file| read_token("payouts.signer_token_file", file)).transpose()?;
    let remote = |url: &config::Endpoint| Some(Remote::new(url.clone(), token.clone()?));
    let remote = payouts.signer_urls.iter().filter_map(remote).collect();
    let signers = Signers { local, remote };
    let submitter = keys::open("submitter", &payouts.submitter, chain_id)?;
    let open = |keystore| keys::open("pauser", keystore, chain_id);
    let pauser = payouts.pauser.as_ref().map(open).transpose()?;
    let local = signers.local.as_ref().map(|key| key.address().to_string());
    let signer = local.as_deref().unwrap_or("none in this process");
    let others = signers.remote.len();
    info!(signer, others, submitter = %submitter.address(), "payout keys opened");
    Ok(Some(Payouts {
        signers,
        submitter,
        pauser,
        chain_id,
        vault: vault.identity.vault,
        gas_limit: payouts.gas_limit,
        nodes: nodes.clone(),
    }))
}

/// The instance's registry entry: it always exists, so its lookup proves an answer.
fn sentinel(vault: &Vault) -> AccountId {
    bridge_core::account::NewAccount::instance_registry(vault.identity.key(), vault.instance).id
}
