//! From an empty store to caught up with a real node; the limit is the best bare loop that fetches,
//! decodes and posts ready-made batches.

use crate::machine::{self, Start};
use alloy::primitives::Address;
use anyhow::{Context, Result, bail};
use bridge_core::{
    account,
    asset::Listing,
    block::{BlockNumber, BlockRef},
    command::RangeRequest,
    endpoint::EndpointId,
    id::{Identity, Instance},
    posting::{self, Credit},
    vault_event::{VaultEvent, VaultLog},
};
use futures_util::{StreamExt, stream};
use harness::servers::TigerBeetle;
use sovrd::{
    chain::{self, node::Node, nodes::Nodes},
    config,
    ledger::client::Ledger,
    metrics::Metrics,
};
use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::mpsc;

/// Events in one request.
const BATCH: usize = 8_189;

/// A node, and how far its vault's history goes.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub(crate) url: String,
    pub(crate) identity: Identity,
    pub(crate) origin: BlockRef,
    pub(crate) last_block: u64,
    pub(crate) last_seq: u64,
}

/// How long the bridge took, and the best bare loop, with its pace.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Race {
    pub(crate) bridge: Duration,
    pub(crate) limit: Duration,
    pub(crate) pace: Pace,
}

/// How a bare loop reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Pace {
    /// Blocks in a range.
    pub(crate) blocks: u64,
    /// Ranges under way.
    pub(crate) at_once: usize,
}

/// The bridge runs in the middle of the sweep: what slows the machine slows both.
pub(crate) fn race(source: &Source, sweep: &[Pace]) -> Result<Race> {
    let (before, after) = sweep.split_at(sweep.len() / 2);
    let loops = |sweep: &[Pace]| -> Result<Vec<(Duration, Pace)>> {
        sweep.iter().map(|pace| Ok((bare_loop(source, *pace)?, *pace))).collect()
    };
    let mut took = loops(before)?;
    let bridge = bridge(source)?;
    took.extend(loops(after)?);
    let (limit, pace) = took.into_iter().min().context("an empty sweep")?;
    Ok(Race { bridge, limit, pace })
}

impl Source {
    pub(crate) fn config(&self) -> Result<config::Chain> {
        let endpoint = config::Endpoint::parse(&self.url, &["http://"]);
        let endpoint = endpoint.map_err(anyhow::Error::msg)?;
        let Identity { vault, code_hash, .. } = self.identity;
        Ok(machine::chain_config(endpoint, vault, code_hash))
    }
}

fn bridge(source: &Source) -> Result<Duration> {
    let server = machine::full_server()?;
    let nodes = Nodes::new(&source.config()?)?;
    let start = Start { identity: source.identity, origin: source.origin };
    machine::run(&server, start, source.last_seq, |orders, inbox| {
        chain::run(nodes, None, orders, inbox)
    })
}

/// Fetch, decode and post, with the next fetch under way while the last batch is posted: nothing is
/// checked, remembered or written down.
fn bare_loop(source: &Source, pace: Pace) -> Result<Duration> {
    let server = machine::full_server()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let took = runtime.block_on(async {
        let ledger = Ledger::new(&machine::ledger_config(&server)?, Arc::new(Metrics::new()))?;
        let instance = source.identity.key().instance().context("instance 0")?;
        let nodes = Nodes::new(&source.config()?)?;
        let node = nodes.get(EndpointId(0)).cloned().context("no endpoint")?;
        let began = Instant::now();
        let blocks = (source.origin.number.0 + 1, source.last_block);
        let (send, mut ready) = mpsc::channel(2);
        let fetcher = tokio::spawn(fetch(node, blocks, pace, send));
        let mut poster = Poster::new(&ledger, instance, source);
        while let Some(logs) = ready.recv().await {
            poster.take(logs).await?;
        }
        poster.flush().await?;
        fetcher.await??;
        Ok::<_, anyhow::Error>(began.elapsed())
    });
    runtime.shutdown_background();
    drop::<TigerBeetle>(server);
    took
}

/// Reads ranges, several at once, and hands them on in order.
async fn fetch(
    node: Node,
    (first, last): (u64, u64),
    pace: Pace,
    send: mpsc::Sender<Vec<VaultLog>>,
) -> Result<()> {
    let starts = (first..=last).step_by(usize::try_from(pace.blocks)?);
    let range = |from: u64| {
        let (to, node) = (BlockNumber((from + pace.blocks - 1).min(last)), node.clone());
        let (endpoint, from) = (EndpointId(0), BlockNumber(from));
        let request = RangeRequest { endpoint, from, to, all_headers: false, attempt: 0 };
        async move { node.range(request).await }
    };
    let mut ranges = stream::iter(starts).map(range).buffered(pace.at_once);
    while let Some(range) = ranges.next().await {
        send.send(range?.logs).await?;
    }
    Ok(())
}

struct Poster<'a> {
    ledger: &'a Ledger,
    instance: Instance,
    source: &'a Source,
    listings: BTreeMap<u32, Listing>,
    known: HashSet<Address>,
    accounts: Vec<account::NewAccount>,
    batch: Vec<bridge_core::transfer::NewTransfer>,
}

impl<'a> Poster<'a> {
    fn new(ledger: &'a Ledger, instance: Instance, source: &'a Source) -> Self {
        let (known, listings) = (HashSet::new(), BTreeMap::new());
        let (accounts, batch) = (Vec::new(), Vec::new());
        Self { ledger, instance, source, listings, known, accounts, batch }
    }

    async fn take(&mut self, logs: Vec<VaultLog>) -> Result<()> {
        for log in &logs {
            match &log.event {
                VaultEvent::Listed(listing) => {
                    let id = &self.source.identity;
                    let (instance, vault) = (self.instance, id.vault);
                    self.accounts.extend(account::of_listing(
                        listing,
                        instance,
                        id.chain_id,
                        vault,
                    ));
                    self.listings.insert(listing.ledger.0, *listing);
                }
                VaultEvent::Deposited(deposit) => {
                    let listing = self.listings.get(&deposit.ledger.0).context("no listing")?;
                    let credit = Credit::of(listing, log, deposit).context("no credit")?;
                    if self.known.insert(deposit.owner) {
                        self.accounts.push(credit.new_account());
                    }
                    self.batch.push(posting::deposit(self.instance, &credit, false));
                    if self.batch.len() == BATCH {
                        self.flush().await?;
                    }
                }
                VaultEvent::Requested(_)
                | VaultEvent::Withdrawal(_)
                | VaultEvent::Delisted(_)
                | VaultEvent::Claimed
                | VaultEvent::NonceInvalidated => {}
            }
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<()> {
        for accounts in std::mem::take(&mut self.accounts).chunks(BATCH) {
            self.ledger.create_accounts(accounts).await?;
        }
        if self.batch.is_empty() {
            return Ok(());
        }
        let failures = self.ledger.create_transfers(&std::mem::take(&mut self.batch)).await?;
        if !failures.is_empty() {
            bail!("the bare loop's transfers failed: {:?}", failures.first());
        }
        Ok(())
    }
}
