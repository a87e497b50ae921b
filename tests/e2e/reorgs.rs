//! History that changes: below finality only the last story counts; past it the daemon stops.

use crate::{
    table::row,
    world::{DOLLAR, ETHER, PATIENCE, World, address},
};
use alloy::primitives::B256;
use anyhow::{Context, Result, ensure};
use harness::{
    contracts::{self, DeployOptions},
    keys::Role,
    servers::AnvilOptions,
    wait,
    wallet::Wallet,
};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const HALTED: i32 = 65;
const CONFIGURATION: i32 = 78;
/// One more than the deepest reorganisation: it stays below finality.
const CONFIRMATIONS: u64 = 65;

struct Users {
    alice: Wallet,
    bob: Wallet,
    carol: Wallet,
}

/// A daemon that waits for many confirmations, on a chain that is long enough for them.
fn patient() -> Result<(World, Users)> {
    let states_in_memory = Some(20_000);
    let mut world = World::with(AnvilOptions { states_in_memory, ..AnvilOptions::default() })?;
    world.config.chain.confirmations = CONFIRMATIONS;
    world.rpc().mine(CONFIRMATIONS)?;
    world.start()?;
    let users = Users {
        alice: world.wallet(Role::Alice)?,
        bob: world.wallet(Role::Bob)?,
        carol: world.wallet(Role::Carol)?,
    };
    Ok((world, users))
}

fn deposit(world: &World, who: &Wallet, ether: u128) -> Result<B256> {
    let receipt = world.vault.deposit(who, &world.token("ETH")?, ether * ETHER, who.address())?;
    Ok(receipt.transaction_hash)
}

fn raw(world: &World, hash: B256) -> Result<Value> {
    world.rpc().call("eth_getRawTransactionByHash", &json!([hash]))
}

fn status(world: &World) -> Result<Value> {
    let answer = world.sovrd.as_ref().context("no daemon")?.get("/v1/status")?;
    Ok(serde_json::from_str(&answer.body)?)
}

/// Makes everything final and waits until all of it is in the ledger; how long that took.
fn finalize(world: &World) -> Result<Duration> {
    let began = Instant::now();
    world.rpc().mine(CONFIRMATIONS)?;
    let (last, height) = (world.vault.last_seq()?, world.rpc().block_number()?);
    let waited = wait::until("all events to be in the ledger", PATIENCE, || {
        let status = status(world)?;
        ensure!(status["halted"].is_null(), "halted: {status:#}");
        let at = &status["acknowledged"];
        let there = at["next_seq"] == last + 1
            && at["block"]["number"] == height + 1 - CONFIRMATIONS
            && status["up_to_date"] == true;
        Ok(there.then_some(()))
    });
    waited.with_context(|| world.log())?;
    Ok(began.elapsed())
}

/// Deposits of two users in the newest `depth` blocks, and a reorganisation of these blocks.
fn reorganise(world: &World, users: &Users, depth: u64) -> Result<()> {
    let first = deposit(world, &users.alice, 1)?;
    let second = deposit(world, &users.bob, 2)?;
    world.rpc().mine(depth.saturating_sub(2))?;
    let (first, second) = (raw(world, first)?, raw(world, second)?);
    // The block of the first one is out of reach of the shallowest.
    let both = depth > 1;
    let last = depth - 1;
    match depth % 4 {
        0 => world.rpc().reorg(depth),
        1 if both => world.rpc().reorg_with(depth, &json!([[first, last], [second, last]])),
        1 => world.rpc().reorg_with(depth, &json!([[second, last]])),
        2 => world.rpc().reorg_with(depth, &json!([[second, 0], [first, last]])),
        _ => {
            world.rpc().reorg(depth)?;
            deposit(world, &users.carol, 3).map(drop)
        }
    }
}

#[test]
fn below_finality_only_the_last_story_counts_at_every_depth() -> Result<()> {
    let (world, users) = patient()?;
    let mut slowest = [Duration::ZERO; 4];
    for depth in 1..=64_u64 {
        let before = world.vault.last_seq()?;
        reorganise(&world, &users, depth).with_context(|| format!("depth {depth}"))?;
        let took = finalize(&world).with_context(|| format!("depth {depth}"))?;
        let kind = &mut slowest[usize::try_from(depth % 4)?];
        *kind = took.max(*kind);
        let events = world.vault.last_seq()? - before;
        let expected = match depth % 4 {
            _ if depth == 1 => 2,
            0 => 0,
            3 => 1,
            _ => 2,
        };
        ensure!(events == expected, "depth {depth}: {events} events, not {expected}");
        if depth % 4 == 2 {
            // The later one came first.
            let item = world.item(&format!("deposit:{}", before + 1))?;
            assert_eq!(item["chain"]["owner"], users.bob.address().to_string().to_lowercase());
            assert_eq!(item["state"], "cleared");
        }
    }
    let kinds = ["gone", "in another block", "in another order", "replaced by another's"];
    for (kind, slowest) in kinds.iter().zip(slowest) {
        let name = format!("deposits {kind}, 16 depths from 1 to 64");
        row(&name, "reorganised below finality", "credited the last story", "-", slowest)?;
    }
    world.judge()?;
    Ok(())
}

#[test]
fn a_chain_set_back_to_a_snapshot_is_followed_anew() -> Result<()> {
    let (world, users) = patient()?;
    let mut slowest = Duration::ZERO;
    for depth in [1, 2, 3, 5, 8, 13, 21, 34, 64] {
        let snapshot = world.rpc().call("evm_snapshot", &json!([]))?;
        deposit(&world, &users.alice, 1)?;
        world.rpc().mine(depth - 1)?;
        let height = world.rpc().block_number()?;
        wait::until("the daemon to see the blocks that will go", PATIENCE, || {
            Ok((status(&world)?["latest_block"] == height).then_some(()))
        })?;
        world.rpc().call("evm_revert", &json!([snapshot]))?;
        ensure!(world.rpc().block_number()? == height - depth, "the chain was set back");
        deposit(&world, &users.bob, 2)?;
        let took = finalize(&world).with_context(|| format!("depth {depth}"))?;
        slowest = slowest.max(took);
    }
    let name = "set back to a snapshot, 9 depths from 1 to 64";
    row(name, "reorganised below finality", "credited the last story", "-", slowest)?;
    let item = world.item("deposit:3")?;
    assert_eq!(item["chain"]["owner"], address(Role::Bob).to_string().to_lowercase());
    world.judge()?;
    Ok(())
}

#[test]
fn a_reorganisation_past_finality_halts_with_both_versions() -> Result<()> {
    let mut world = World::new()?;
    world.config.chain.confirmations = 3;
    world.rpc().mine(3)?;
    world.start()?;
    let alice = world.wallet(Role::Alice)?;
    deposit(&world, &alice, 1)?;
    world.rpc().mine(5)?;
    world.wait_state("deposit:3", "cleared")?;
    let height = world.rpc().block_number()? - 2;
    let ours = world.rpc().block_hash(height)?;
    wait::until("the final block to be taken in", PATIENCE, || {
        Ok((status(&world)?["acknowledged"]["block"]["hash"] == json!(ours)).then_some(()))
    })?;

    let began = Instant::now();
    world.rpc().reorg(7)?;
    world.rpc().mine(3)?;
    let halted = wait::until("the daemon to halt", PATIENCE, || {
        let halted = status(&world)?["halted"].clone();
        Ok((!halted.is_null()).then_some(halted))
    })?;
    let took = began.elapsed();
    // What the ledger took in, and what the chain says of that number now.
    assert_eq!(halted["kind"], "deposit_differs", "{halted:#}");
    assert_eq!(halted["ledger"]["standing"], "posted", "{halted:#}");
    assert_eq!(halted["chain"]["event"], "nothing", "{halted:#}");
    // The ledger is left as it is, and reads are served.
    assert_eq!(world.sovrd.as_ref().unwrap().get("/ready")?.status, 503);
    let before = world.item("deposit:3")?["ledger"].clone();
    assert_eq!(before["amount"], halted["ledger"]["amount"]);
    deposit(&world, &alice, 1)?;
    assert_eq!(world.item("deposit:3")?["ledger"], before);
    let reasons = status(&world)?["waiting_for"][0].as_str().unwrap_or_default().to_owned();
    assert_eq!(world.stop()?, Some(HALTED));
    let did = "halted, kept serving reads, ended with 65";
    row("blocks that were final are replaced", "past finality", did, &reasons, took)
}

/// The same genesis, chain id, vault address and code: only the blocks differ.
#[test]
fn a_node_reset_to_the_same_genesis_is_noticed_while_running_and_at_the_start() -> Result<()> {
    let mut world =
        World::with(AnvilOptions { genesis_timestamp: Some(1_700_000_000), ..Default::default() })?;
    let genesis = world.rpc().block_hash(0)?;
    world.start()?;
    let (alice, usd) = (world.wallet(Role::Alice)?, world.token("TUSD")?);
    world.vault.deposit(&alice, &usd, DOLLAR, alice.address())?;
    world.rpc().mine(3)?;
    wait::until("the deposit to be in the ledger", PATIENCE, || {
        Ok((status(&world)?["up_to_date"] == true).then_some(()))
    })?;

    reset(&mut world, genesis)?;
    wait::until("the daemon to halt", PATIENCE, || {
        Ok((!status(&world)?["halted"].is_null()).then_some(()))
    })?;
    assert_eq!(world.stop()?, Some(HALTED));

    let mut world =
        World::with(AnvilOptions { genesis_timestamp: Some(1_700_000_000), ..Default::default() })?;
    let genesis = world.rpc().block_hash(0)?;
    world.start()?;
    assert_eq!(world.stop()?, Some(0));
    reset(&mut world, genesis)?;
    world.spawn(&crate::world::daemon(), vec![])?;
    let ended = world.sovrd.as_mut().unwrap().wait_exit(PATIENCE)?;
    assert_eq!(ended.code(), Some(CONFIGURATION), "{}", world.log());
    assert!(world.log().contains("the store belongs to instance"), "{}", world.log());
    Ok(())
}

fn reset(world: &mut World, genesis: B256) -> Result<()> {
    world.node.anvil()?.restart()?;
    ensure!(world.rpc().block_hash(0)? == genesis, "the node starts from the same genesis");
    world.rpc().increase_time(1_000)?;
    let again = contracts::deploy(&world.rpc(), &DeployOptions::development()?)?;
    ensure!(again.vault == world.deployment.vault, "the vault has the same address");
    // Which transactions share a block is left to chance; whoever sets the daemon up knows.
    world.config.chain.deploy_block = again.deploy_block;
    world.rpc().mine(40)
}
