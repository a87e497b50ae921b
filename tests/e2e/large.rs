//! Large payouts: queued by the contract, finished by the daemon with nobody watching.

use crate::world::{DOLLAR, PATIENCE, VALID, World};
use alloy::{primitives::Bytes, sol_types::SolCall};
use anyhow::{Context, Result, ensure};
use harness::{
    keys::Role,
    vault::{Requested, abi::IVault},
    wait,
};
use serde_json::Value;

/// More than the development vault pays at once.
const LARGE: u128 = 15_000_000 * DOLLAR;
/// Its window, seconds.
const WINDOW: u64 = 60;
/// Its time in the queue after that, seconds.
const LIFETIME: u64 = 7 * 86_400;
const QUEUED: u8 = 2;
const PAID: u8 = 3;

/// Alice has two large payouts' worth and asked for one, which waits in the queue.
fn queued(world: &World) -> Result<Requested> {
    let (dollar, alice) = (world.token("TUSD")?, world.wallet(Role::Alice)?);
    world.vault.deposit(&alice, &dollar, 2 * LARGE, alice.address())?;
    world.wait_state("deposit:3", "cleared")?;
    let request = world.vault.request(&alice, &dollar, LARGE, alice.address(), VALID)?;
    world.wait_withdrawal(request.id, "queued")?;
    Ok(request)
}

fn pass(world: &World, seconds: u64) -> Result<()> {
    world.rpc().increase_time(seconds)?;
    world.rpc().mine(1)
}

#[test]
fn a_large_payout_is_made_when_its_window_is_over() -> Result<()> {
    let world = World::running()?;
    let request = queued(&world)?;
    let item = world.item(&format!("withdrawal:{}", request.id))?;
    let left = item["queue"]["seconds_left"].as_u64().unwrap_or_default();
    ensure!((1..=WINDOW).contains(&left), "{item:#}");
    ensure!(item["sentence"].as_str().is_some_and(|s| s.ends_with(" left")), "{item:#}");
    let table = String::from_utf8(world.cli(&["status"])?.stdout)?;
    ensure!(table.contains("large payout waits") && table.contains(" s left: 0x"), "{table}");
    // Time alone doesn't pay before the window is over.
    pass(&world, WINDOW / 2)?;
    let item = wait::until("less time to be left", PATIENCE, || {
        let item = world.item(&format!("withdrawal:{}", request.id))?;
        let less = item["queue"]["seconds_left"].as_u64().is_some_and(|now| now <= left - 25);
        Ok(less.then_some(item))
    })?;
    ensure!(item["state"] == "queued" && world.vault.state_of(request.id)? == QUEUED, "{item:#}");
    pass(&world, WINDOW)?;
    world.wait_withdrawal(request.id, "paid")?;
    ensure!(world.vault.state_of(request.id)? == PAID);
    world.judge()?;
    Ok(())
}

#[test]
fn with_the_daemon_off_a_ticket_finishes_a_large_payout() -> Result<()> {
    let mut world = World::running()?;
    let request = queued(&world)?;
    let sovrd = world.sovrd.as_ref().context("no daemon")?;
    let ticket = sovrd.get(&format!("/v1/withdrawals/{}/ticket", request.id))?;
    let ticket: Value = serde_json::from_str(&ticket.body)?;
    ensure!(ticket["verdict"] == "finalize", "{ticket:#}");
    ensure!(ticket["signatures"] == serde_json::json!([]), "{ticket:#}");
    ensure!(world.stop()? == Some(0));
    let calldata: Bytes = ticket["calldata"].as_str().context("no call")?.parse()?;
    let bob = world.wallet(Role::Bob)?;
    pass(&world, WINDOW + 1)?;
    bob.execute(Some(world.vault.address()), 0, calldata.to_vec())?;
    ensure!(world.vault.state_of(request.id)? == PAID);
    world.start()?;
    world.wait_withdrawal(request.id, "paid")?;
    world.judge()?;
    Ok(())
}

#[test]
fn a_large_payout_is_found_again_after_the_store_is_lost() -> Result<()> {
    let mut world = World::running()?;
    let request = queued(&world)?;
    ensure!(world.stop()? == Some(0));
    std::fs::remove_dir_all(&world.config.store.path)?;
    pass(&world, WINDOW + 1)?;
    world.start()?;
    world.wait_withdrawal(request.id, "paid")?;
    world.judge()?;
    Ok(())
}

#[test]
fn a_veto_becomes_a_void() -> Result<()> {
    let world = World::running()?;
    let request = queued(&world)?;
    let veto = IVault::vetoCall { kind: 0, withdrawal: request.withdrawal.clone() };
    let guardian = world.wallet(Role::Guardian)?;
    guardian.execute(Some(world.vault.address()), 0, veto.abi_encode())?;
    let item = world.wait_withdrawal(request.id, "refused")?;
    wait::until("the void", PATIENCE, || {
        let item = world.item(&format!("withdrawal:{}", request.id))?;
        Ok((item["ledger"]["resolved"] == "voided").then_some(()))
    })?;
    ensure!(item["queue"] == Value::Null, "{item:#}");
    pass(&world, WINDOW + 1)?;
    // What is free again can be asked for again, and waits anew.
    let (dollar, alice) = (world.token("TUSD")?, world.wallet(Role::Alice)?);
    let again = world.vault.request(&alice, &dollar, LARGE, alice.address(), VALID)?;
    world.wait_withdrawal(again.id, "queued")?;
    pass(&world, WINDOW + 1)?;
    world.wait_withdrawal(again.id, "paid")?;
    world.judge()?;
    Ok(())
}

#[test]
fn what_nobody_finished_in_time_is_cancelled_and_free_again() -> Result<()> {
    let mut world = World::running()?;
    let request = queued(&world)?;
    ensure!(world.stop()? == Some(0));
    pass(&world, WINDOW + LIFETIME + 2)?;
    world.start()?;
    world.wait_withdrawal(request.id, "cancelled")?;
    world.judge()?;
    Ok(())
}
