//! `sovrd why`: what things wait for on a real bridge, and what is said without one.

use crate::world::{ETHER, PATIENCE, VALID, World};
use anyhow::{Context, Result, ensure};
use harness::{keys::Role, wait};
use serde_json::Value;

const USAGE: i32 = 64;
const TRANSIENT: i32 = 75;

/// The first thing that a reference names.
fn why(world: &World, reference: &str) -> Result<Value> {
    let output = world.cli(&["why", reference, "--json"])?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{:?}: {said}", output.status);
    let page: Value = serde_json::from_slice(&output.stdout)?;
    page["items"].get(0).cloned().with_context(|| format!("nothing in {page:#}"))
}

fn waits_for(world: &World, reference: &str, name: &str) -> Result<Value> {
    let mut last = Value::Null;
    let waited = wait::until(&format!("{reference} to wait for {name}"), PATIENCE, || {
        last = why(world, reference)?;
        Ok((last["waits_for"] == name).then(|| last.clone()))
    });
    waited.with_context(|| format!("last seen: {last:#}"))
}

#[test]
fn a_deposit_waits_for_blocks_then_for_nothing() -> Result<()> {
    let mut world = World::new()?;
    world.config.chain.confirmations = 4;
    world.rpc().mine(4)?;
    world.start()?;
    let (eth, alice) = (world.token("ETH")?, world.wallet(Role::Alice)?);
    let nothing = waits_for(&world, "deposit:999", "a_block")?;
    ensure!(nothing["since_s"].is_null(), "{nothing:#}");

    world.vault.deposit(&alice, &eth, ETHER, alice.address())?;
    // The search may find it before the next poll tells the daemon of its block.
    let waiting = wait::until("the blocks to be counted", PATIENCE, || {
        let waiting = waits_for(&world, "deposit:3", "finality")?;
        let counted = "its block is not final: 3 more blocks are needed";
        Ok((waiting["sentence"] == counted).then_some(waiting))
    })?;
    ensure!(waiting["since_s"] == world.vault.chain_time()?, "{waiting:#}");
    world.rpc().mine(3)?;
    let arrived = waits_for(&world, "deposit:3", "nothing")?;
    ensure!(arrived["state"] == "cleared", "{arrived:#}");

    let owner = format!("address:{}", alice.address());
    let table = String::from_utf8(world.cli(&["why", &owner])?.stdout)?;
    for words in ["deposit:3", "waits for  it is in the ledger", "seconds ago", "moved by"] {
        ensure!(table.contains(words), "no {words:?} in {table}");
    }
    let nobody = why(&world, &format!("tx:0x{}", "7".repeat(64)))?;
    ensure!(nobody["waits_for"] == "a_block", "{nobody:#}");
    Ok(())
}

#[test]
fn a_withdrawal_waits_for_a_pause_and_for_the_ledger() -> Result<()> {
    let mut world = World::new()?;
    world.config.ledger.reply_timeout_ms = 1_000;
    world.start()?;
    let (eth, alice) = (world.token("ETH")?, world.wallet(Role::Alice)?);
    world.vault.deposit(&alice, &eth, 2 * ETHER, alice.address())?;
    world.wait_state("deposit:3", "cleared")?;
    world.vault.pause_payouts(&world.wallet(Role::Pauser)?)?;
    let held = world.vault.request(&alice, &eth, ETHER, alice.address(), VALID)?;
    let held = format!("withdrawal:{}", held.id);
    let paused = waits_for(&world, &held, "pause")?;
    ensure!(paused["moves"].as_str().is_some_and(|m| m.contains("admin")), "{paused:#}");
    world.vault.unpause_payouts(&world.wallet(Role::Admin)?)?;
    let paid = waits_for(&world, &held, "nothing")?;
    ensure!(paid["state"] == "paid", "{paid:#}");

    let refused = world.vault.request(&alice, &eth, 50 * ETHER, alice.address(), VALID)?;
    let refused = format!("withdrawal:{}", refused.id);
    let ended = waits_for(&world, &refused, "nothing")?;
    ensure!(ended["moves"].as_str().is_some_and(|m| m.contains("no more than")), "{ended:#}");

    // The things themselves are in the ledger: without it nothing can be said of them.
    world.ledger.server().kill9()?;
    let output = world.cli(&["why", &held])?;
    let said = String::from_utf8(output.stderr)?;
    ensure!(output.status.code() == Some(TRANSIENT), "{:?}: {said}", output.status);
    ensure!(said.contains("the ledger did not answer") && said.contains("sovrd doctor"), "{said}");
    Ok(())
}

#[test]
fn without_a_daemon_it_says_what_to_do() -> Result<()> {
    let world = World::new()?;
    let output = world.cli(&["why", "deposit:1"])?;
    let said = String::from_utf8(output.stderr)?;
    ensure!(output.status.code() == Some(TRANSIENT), "{:?}: {said}", output.status);
    ensure!(said.contains("sovrd run") && said.contains("sovrd doctor"), "{said}");
    let output = world.cli(&["why", "payment:1"])?;
    let said = String::from_utf8(output.stderr)?;
    ensure!(output.status.code() == Some(USAGE), "{:?}: {said}", output.status);
    ensure!(said.contains("\"payment:1\" is not deposit:<number>"), "{said}");
    Ok(())
}
