//! Real deposits on a real node, from an empty store to caught up; the limit is the best bare loop
//! that fetches, decodes and posts ready-made batches.

use crate::{
    figure::Figure,
    machine::{self, Start},
};
use alloy::{
    primitives::{Address, U256},
    sol_types::SolCall,
};
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
use harness::{
    contracts::{self, DeployOptions, Deployment},
    keys::Role,
    rpc::Rpc,
    servers::{Anvil, AnvilOptions, TigerBeetle},
    solidity,
    vault::Vault,
    wallet::Wallet,
};
use sovrd::{
    chain::{self, node::Node, nodes::Nodes},
    config,
    ledger::client::Ledger,
    metrics::Metrics,
};
use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::mpsc;

const USERS: u64 = 10_000;
const PER_TRANSACTION: u64 = 200;
/// The least that the development vault takes.
const LEAST_DEPOSIT_WEI: u128 = 100_000_000_000_000;
/// Ranges of the bare loop; the best one is the limit.
const SWEEP: [u64; 4] = [50, 200, 1_000, 5_000];

/// Many deposits in one transaction, for as many owners.
const SPREADER: &str = r"
    // SPDX-License-Identifier: Apache-2.0
    pragma solidity ^0.8.28;

    interface IDeposits {
        function depositEther(address owner) external payable;
    }

    contract Spreader {
        function run(IDeposits vault, uint256 first, uint256 count, uint256 users)
            external payable
        {
            uint256 part = msg.value / count;
            for (uint256 i = first; i < first + count; i++) {
                vault.depositEther{value: part}(address(uint160(1 + (i * 2654435761) % users)));
            }
        }
    }
";

alloy::sol! {
    function run(address vault, uint256 first, uint256 count, uint256 users) external payable;
}

struct World {
    anvil: Anvil,
    deployment: Deployment,
    identity: Identity,
    origin: BlockRef,
    last_block: u64,
    last_seq: u64,
}

pub(crate) fn run(deposits: u64) -> Result<Figure> {
    let world = prepare(deposits)?;
    let mut best = Duration::MAX;
    let mut best_range = 0;
    for range in SWEEP {
        let took = bare_loop(&world, range)?;
        if took < best {
            (best, best_range) = (took, range);
        }
    }
    let took = bridge(&world)?;
    let rate = |took: Duration| deposits as f64 / took.as_secs_f64();
    let note = format!(
        "{deposits} deposits of {USERS} users, {PER_TRANSACTION} a block, Anvil, one full replica, \
         2 cores; limit: bare loop, best of ranges {SWEEP:?} blocks ({best_range})"
    );
    Ok(Figure::rate("backfill", rate(took), rate(best), note))
}

fn prepare(deposits: u64) -> Result<World> {
    let anvil = Anvil::start(AnvilOptions::default())?;
    let rpc = anvil.rpc();
    let deployment = contracts::deploy(&rpc, &DeployOptions::development()?)?;
    let wallet = Wallet::new(&rpc, Role::Alice.signer()?)?.with_gas_limit(29_000_000);
    let spreader = solidity::deploy(&wallet, solidity::compile(SPREADER, "Spreader")?)?;
    let mut first = 0;
    while first < deposits {
        let count = PER_TRANSACTION.min(deposits - first);
        let call = runCall {
            vault: deployment.vault,
            first: U256::from(first),
            count: U256::from(count),
            users: U256::from(USERS),
        };
        let value = u128::from(count) * LEAST_DEPOSIT_WEI;
        wallet.execute(Some(spreader), value, call.abi_encode())?;
        first += count;
        if first % 20_000 == 0 {
            eprintln!("backfill: {first} of {deposits} deposits made");
        }
    }
    world(anvil, &rpc, deployment)
}

fn world(anvil: Anvil, rpc: &Rpc, deployment: Deployment) -> Result<World> {
    let identity = Identity {
        chain_id: deployment.chain_id,
        genesis: rpc.block_hash(0)?,
        vault: deployment.vault,
        code_hash: deployment.vault_code_hash,
        deploy_block_hash: rpc.block_hash(deployment.deploy_block)?,
    };
    let before = deployment.deploy_block - 1;
    let origin = BlockRef { number: BlockNumber(before), hash: rpc.block_hash(before)? };
    let last_block = rpc.block_number()?;
    let last_seq = Vault::new(rpc, &deployment).last_seq()?;
    Ok(World { anvil, deployment, identity, origin, last_block, last_seq })
}

fn node_config(world: &World) -> Result<config::Chain> {
    let Deployment { vault, vault_code_hash, .. } = world.deployment;
    let endpoint = config::Endpoint::parse(&world.anvil.url(), &["http://"]);
    let endpoint = endpoint.map_err(anyhow::Error::msg)?;
    Ok(machine::chain_config(endpoint, vault, vault_code_hash))
}

fn bridge(world: &World) -> Result<Duration> {
    let server = machine::full_server()?;
    let nodes = Nodes::new(&node_config(world)?)?;
    let start = Start { identity: world.identity, origin: world.origin };
    machine::run(&server, start, world.last_seq, |orders, inbox| {
        chain::run(nodes, None, orders, inbox)
    })
}

/// Fetch, decode and post, with the next fetch under way while the last batch is posted: nothing is
/// checked, remembered or written down.
fn bare_loop(world: &World, range: u64) -> Result<Duration> {
    let server = machine::full_server()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let took = runtime.block_on(async {
        let ledger = Ledger::new(&machine::ledger_config(&server)?, Arc::new(Metrics::new()))?;
        let instance = world.identity.key().instance().context("instance 0")?;
        let nodes = Nodes::new(&node_config(world)?)?;
        let node = nodes.get(EndpointId(0)).cloned().context("no endpoint")?;
        let began = Instant::now();
        let (send, mut ready) = mpsc::channel(2);
        let fetcher =
            tokio::spawn(fetch(node, world.origin.number.0 + 1, world.last_block, range, send));
        let mut poster = Poster::new(&ledger, instance, world);
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

async fn fetch(
    node: Node,
    first: u64,
    last: u64,
    range: u64,
    send: mpsc::Sender<Vec<VaultLog>>,
) -> Result<()> {
    let mut from = first;
    while from <= last {
        let to = (from + range - 1).min(last);
        let (from_block, to_block) = (BlockNumber(from), BlockNumber(to));
        let request = RangeRequest {
            endpoint: EndpointId(0),
            from: from_block,
            to: to_block,
            all_headers: false,
            attempt: 0,
        };
        send.send(node.range(request).await?.logs).await?;
        from = to + 1;
    }
    Ok(())
}

struct Poster<'a> {
    ledger: &'a Ledger,
    instance: Instance,
    world: &'a World,
    listings: BTreeMap<u32, Listing>,
    known: std::collections::HashSet<Address>,
    accounts: Vec<account::NewAccount>,
    batch: Vec<bridge_core::transfer::NewTransfer>,
}

impl<'a> Poster<'a> {
    fn new(ledger: &'a Ledger, instance: Instance, world: &'a World) -> Self {
        let (known, listings) = (std::collections::HashSet::new(), BTreeMap::new());
        let (accounts, batch) = (Vec::new(), Vec::new());
        Self { ledger, instance, world, listings, known, accounts, batch }
    }

    async fn take(&mut self, logs: Vec<VaultLog>) -> Result<()> {
        for log in &logs {
            match &log.event {
                VaultEvent::Listed(listing) => {
                    let id = &self.world.identity;
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
                    if self.batch.len() == 8_189 {
                        self.flush().await?;
                    }
                }
                VaultEvent::Requested(_)
                | VaultEvent::Withdrawal(_)
                | VaultEvent::Delisted(_)
                | VaultEvent::Claimed
                | VaultEvent::NonceInvalidated(_) => {}
            }
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<()> {
        for accounts in std::mem::take(&mut self.accounts).chunks(8_189) {
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
