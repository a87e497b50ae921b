//! `sovrd sign`: a payout signer in a process of its own. It has its own node and its own connection
//! to the ledger, checks everything by itself, and signs; it sends nothing and writes nothing but
//! what it remembers to have signed.

mod evidence;
mod memory;
mod page;

pub(crate) use page::Signed;

use crate::{
    chain::{error::ReadError, nodes::Nodes},
    config::Config,
    exit::Failure,
    failpoint,
    identity::{self, Vault},
    ledger::client::{CallError, Ledger},
    metrics::Metrics,
    payouts::{checks::refuse_stranger, keys},
    stop::StopSignal,
};
use alloy::{
    primitives::{Address, B256, Bytes, keccak256},
    signers::{SignerSync, local::PrivateKeySigner},
};
use bridge_core::{
    block::BlockNumber,
    eip712::Domain,
    id::{Instance, InstanceKey},
    signing::{Ask, Refusal, Tree},
    withdrawal::Verdict,
};
use evidence::Known;
use futures_util::future;
use memory::Memory;
use std::{
    fs,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{net::TcpListener, sync::Mutex};
use tracing::{info, warn};

/// A refusal that may pass is looked at again for so long: the signer's node may be a block behind.
const PATIENCE: Duration = Duration::from_secs(3);
/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(150);
/// Fewest characters of a token: whoever has it can ask for signatures.
const TOKEN_LEAST: usize = 32;

/// A signer, ready.
#[derive(Debug)]
pub(crate) struct Signer {
    key: PrivateKeySigner,
    domain: Domain,
    instance: Instance,
    nodes: Nodes,
    /// How many of its endpoints must say that it may be signed.
    quorum: usize,
    ledger: Arc<Ledger>,
    memory: Memory,
    deployed: BlockNumber,
    range_blocks_max: u64,
    /// Where requests are.
    known: Mutex<Known>,
    instance_key: InstanceKey,
    /// Hash of the token, so that comparing it takes the same time for every guess.
    token: B256,
}

/// Why there is no signature.
#[derive(Debug, thiserror::Error)]
enum NotSigned {
    #[error("{0}")]
    Refused(Refusal),
    #[error("the signer's node does not answer: {0}")]
    Node(#[from] ReadError),
    #[error("the signer's ledger does not answer: {0}")]
    Ledger(#[from] CallError),
    #[error("the request is old: blocks from {0} on are searched, the next question goes on below")]
    Searching(BlockNumber),
    #[error(
        "the signer's ledger knows nothing of this vault: another cluster, or no daemon has run yet"
    )]
    OtherLedger,
    #[error("the signer cannot remember what it signs: {0}")]
    Memory(String),
    #[error("the key does not sign: {0}")]
    Key(#[from] alloy::signers::Error),
}

/// Runs a signer until it is told to stop.
///
/// # Errors
/// Whatever keeps it from starting, with its exit code.
pub async fn run(config: Config) -> Result<(), Failure> {
    let mut stop = StopSignal::listen()?;
    let listener = TcpListener::bind(config.listen).await.map_err(|e| {
        Failure::configuration(format!("api.listen {}: {e}; use a free port", config.listen))
    })?;
    let ready = tokio::select! {
        ready = open(&config) => ready?,
        () = stop.received() => return Ok(()),
    };
    info!(signer = %ready.address(), address = %config.listen, "signing");
    let heartbeat = ready.ledger.clone().heartbeat(ready.registry());
    let page = page::router(Arc::new(ready));
    tokio::select! {
        () = heartbeat => Err(Failure::bug("the ledger's heartbeat ended")),
        served = axum::serve(listener, page) => {
            served.map_err(|e| Failure::transient(format!("api.listen: {e}")))
        }
        () = stop.received() => {
            info!("stopping");
            Ok(())
        }
    }
}

async fn open(config: &Config) -> Result<Signer, Failure> {
    let settings = config.signer.as_ref().ok_or_else(|| {
        Failure::configuration("signer: missing; sovrd sign needs the section [signer]")
    })?;
    if config.payouts.is_some() {
        return Err(Failure::configuration(
            "payouts: a signer pays nothing; leave the section [payouts] to sovrd run",
        ));
    }
    let memory = Memory::open(&config.store)?;
    let token = token(&settings.token_file)?;
    let nodes = Nodes::new(&config.chain)
        .map_err(|e| Failure::configuration(format!("chain.rpc_url: {e}")))?;
    let Vault { identity, instance, .. } = identity::of_vault(&nodes, &config.chain).await?;
    let key = keys::open_file("signer.keystore", &settings.key, identity.chain_id)?;
    refuse_stranger("signer.keystore", key.address(), &nodes.signer_set().await?)?;
    let ledger = Ledger::new(&config.ledger, Arc::new(Metrics::new()))
        .map_err(|e| Failure::configuration(format!("ledger.addresses: {e}")))?;
    Ok(Signer {
        key,
        domain: Domain::new(identity.chain_id, identity.vault),
        instance,
        nodes,
        quorum: usize::from(config.chain.quorum),
        ledger: Arc::new(ledger),
        memory,
        known: Mutex::default(),
        instance_key: identity.key(),
        deployed: config.chain.deploy_block,
        range_blocks_max: config.chain.range_blocks_max,
        token,
    })
}

/// The first line of a token file, as its hash.
fn token(file: &Path) -> Result<B256, Failure> {
    read_token("signer.token_file", file).map(|token| keccak256(token.as_bytes()))
}

/// The first line of a token file.
///
/// # Errors
/// If it cannot be read, or can be guessed.
pub(crate) fn read_token(field: &str, file: &Path) -> Result<String, Failure> {
    let wrong = |why: String| Failure::configuration(format!("{field} {}: {why}", file.display()));
    let text = fs::read_to_string(file).map_err(|e| wrong(e.to_string()))?;
    let token = text.lines().next().unwrap_or_default().trim();
    if token.len() < TOKEN_LEAST {
        return Err(wrong(format!(
            "its first line has fewer than {TOKEN_LEAST} characters; make one with \
             openssl rand -hex 32"
        )));
    }
    Ok(token.to_owned())
}

impl Signer {
    fn address(&self) -> Address {
        self.key.address()
    }

    fn knows(&self, token: &str) -> bool {
        keccak256(token.as_bytes()) == self.token
    }

    /// Signs a root over all of them, or says which one not and why.
    async fn sign(&self, asks: &[Ask]) -> Result<Bytes, (Ask, NotSigned)> {
        let (Some(tree), Some(first)) = (Tree::over(asks), asks.first()) else {
            let nobody = Ask { id: B256::ZERO, verdict: Verdict::Pay };
            return Err((nobody, NotSigned::Refused(Refusal::NoFinalRequest)));
        };
        let judged = asks
            .iter()
            .map(|ask| async { self.judge_patiently(*ask).await.map_err(|e| (*ask, e)) });
        future::try_join_all(judged).await?;
        for ask in asks {
            self.memory.remember(*ask).await.map_err(|e| (*ask, e))?;
        }
        failpoint::reach("signer-remembered");
        let digest = tree.digest(&self.domain, first.verdict);
        let signature = self.key.sign_hash_sync(&digest).map_err(|e| (*first, e.into()))?;
        info!(id = %first.id, items = asks.len(), verdict = ?first.verdict, "signed");
        Ok(signature.as_bytes().to_vec().into())
    }

    async fn judge_patiently(&self, ask: Ask) -> Result<(), NotSigned> {
        let until = Instant::now() + PATIENCE;
        loop {
            match self.judge(ask).await {
                Err(NotSigned::Refused(r)) if r.may_pass() && Instant::now() < until => {
                    tokio::time::sleep(PAUSE).await;
                }
                judged => return judged,
            }
        }
    }

    /// As many endpoints as must agree have to say that it may be signed.
    async fn judge(&self, ask: Ask) -> Result<(), NotSigned> {
        let mut agreed = 0_usize;
        let mut why = None;
        for node in self.nodes.all() {
            match self.judge_by(node, ask).await {
                Ok(()) => agreed = agreed.saturating_add(1),
                // What may pass is worth another look, whatever the others say.
                Err(NotSigned::Refused(refusal)) if refusal.may_pass() => {
                    why = Some(NotSigned::Refused(refusal));
                }
                Err(error) => {
                    if !matches!(error, NotSigned::Refused(_)) {
                        warn!(%error, endpoint = %node.endpoint(), "no judgement");
                    }
                    why = why.or(Some(error));
                }
            }
            if agreed >= self.quorum {
                return Ok(());
            }
        }
        Err(why.unwrap_or(NotSigned::Refused(Refusal::NoFinalRequest)))
    }
}
