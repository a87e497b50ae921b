//! Halts that hold, and how they are lifted: reorgs past finality on a real node and ledger.

use crate::world::{ETHER, PATIENCE, VALID, World, address};
use anyhow::{Context, Result, ensure};
use harness::{keys::Role, wait};
use serde_json::{Value, json};
use std::{fs, process::Output};

pub const HALTED: i32 = 65;

fn status(world: &World) -> Result<Value> {
    let page = world.sovrd.as_ref().context("no daemon")?.get("/v1/status")?;
    Ok(serde_json::from_str(&page.body)?)
}

pub fn wait_halted(world: &World) -> Result<Value> {
    wait::until("the daemon to halt", PATIENCE, || {
        // It may not listen yet.
        let page = status(world).ok();
        Ok(page.filter(|page| !page["halted"].is_null()))
    })
}

fn said(output: &Output) -> String {
    let text = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    String::from_utf8_lossy(&text).into_owned()
}

pub fn refused(world: &World, arguments: &[&str], words: &str) -> Result<()> {
    let output = world.cli(arguments)?;
    let text = said(&output);
    ensure!(output.status.code() == Some(HALTED), "{:?}: {text}", output.status);
    ensure!(text.contains(words), "no {words:?} in {text}");
    Ok(())
}

pub fn done(world: &World, arguments: &[&str], words: &str) -> Result<String> {
    let output = world.cli(arguments)?;
    let text = said(&output);
    ensure!(output.status.success(), "{:?}: {text}", output.status);
    ensure!(text.contains(words), "no {words:?} in {text}");
    Ok(text)
}

/// Alice's deposit of two ether is credited and final; then Bob's of three stands in its place.
fn replaced() -> Result<World> {
    let world = World::running()?;
    let eth = world.token("ETH")?;
    let (alice, bob) = (world.wallet(Role::Alice)?, world.wallet(Role::Bob)?);
    world.vault.deposit(&alice, &eth, 2 * ETHER, alice.address())?;
    world.wait_state("deposit:3", "cleared")?;
    world.rpc().reorg(1)?;
    world.vault.deposit(&bob, &eth, 3 * ETHER, bob.address())?;
    world.rpc().mine(2)?;
    wait_halted(&world)?;
    Ok(world)
}

#[test]
fn a_reorg_past_finality_halts_and_is_superseded_with_an_operators_evidence() -> Result<()> {
    let mut world = replaced()?;
    // Both versions, for people and for programs; reads go on.
    let page = status(&world)?;
    assert_eq!(page["halted"]["kind"], "deposit_differs", "{page:#}");
    assert_eq!(page["halted"]["ledger"]["amount"], "200000000");
    assert_eq!(page["halted"]["chain"]["amount"], (3 * ETHER).to_string());
    assert_eq!(page["halted"]["chain"]["owner"], address(Role::Bob).to_string().to_lowercase());
    let sovrd = world.sovrd.as_ref().context("no daemon")?;
    assert_eq!(sovrd.get("/ready")?.status, 503);
    assert_eq!(sovrd.get("/v1/transfers/deposit:3")?.status, 200);
    // Nobody can be paid on chain either.
    wait::until("payouts to be paused", PATIENCE, || {
        Ok(world.vault.payouts_paused()?.then_some(()))
    })?;
    assert_eq!(world.stop()?, Some(HALTED));

    // A start with the marker serves reads, and ends with 65 again.
    world.spawn(&crate::world::daemon(), vec![])?;
    wait_halted(&world)?;
    assert_eq!(world.stop()?, Some(HALTED));

    refused(&world, &["resume"], "deposit 3: the ledger holds 200000000 ledger units")?;
    refused(&world, &["reconcile"], "chain and ledger do not agree")?;
    let shown = done(&world, &["supersede", "--from", "3", "--to", "3"], "are debited back")?;
    ensure!(shown.contains("nothing was changed"), "{shown}");
    let wrong = format!("0x{}", "11".repeat(32));
    let range = ["supersede", "--from", "3", "--to", "3", "--evidence"];
    refused(&world, &[&range[..], &[&wrong]].concat(), "is not the hash of what would be done")?;
    refused(&world, &["resume"], "deposit 3: the ledger holds")?;
    let evidence = shown.split("--evidence ").nth(1).context("no evidence")?.trim();
    let approve = [&range[..], &[evidence]].concat();
    done(&world, &approve, "200000000 ledger units debited back, 0 borne by LOSS")?;
    // Interrupted anywhere, it is given again.
    done(&world, &approve, "200000000 ledger units debited back, 0 borne by LOSS")?;
    done(&world, &["resume"], "lifted")?;
    done(&world, &["resume"], "not halted")?;

    world.vault.unpause_payouts(&world.wallet(Role::Admin)?)?;
    world.start()?;
    world.wait_state("deposit:3", "cleared")?;
    let (eth, bob) = (world.token("ETH")?, world.wallet(Role::Bob)?);
    let paid = world.vault.request(&bob, &eth, 3 * ETHER, bob.address(), VALID)?;
    world.wait_withdrawal(paid.id, "paid")?;
    world.judge()?;
    assert_eq!(world.stop()?, Some(0));

    // Every later replay consults the record, also one with an empty store.
    fs::remove_dir_all(&world.config.store.path)?;
    world.start()?;
    world.wait_withdrawal(paid.id, "paid")?;
    world.judge()?;
    done(&world, &["reconcile"], "0 differences")?;
    Ok(())
}

fn raw(world: &World, hash: &Value) -> Result<Value> {
    world.rpc().call("eth_getRawTransactionByHash", &json!([hash]))
}

/// The submitter's newest transaction.
fn newest_payout(world: &World) -> Result<Value> {
    let submitter = json!(address(Role::Submitter).to_string().to_lowercase());
    let mut number = world.rpc().block_number()?;
    loop {
        let block =
            world.rpc().call("eth_getBlockByNumber", &json!([format!("{number:#x}"), true]))?;
        let all = block["transactions"].as_array().context("no transactions")?;
        if let Some(found) = all.iter().find(|tx| tx["from"] == submitter) {
            return raw(world, &found["hash"]);
        }
        number = number.checked_sub(1).context("no transaction of the submitter")?;
    }
}

/// Alice's money was paid out, and both histories have the payout; but what paid for it is Bob's in
/// the new one. VAULT has room for her loss only once his deposit is credited.
#[test]
fn what_both_histories_paid_out_and_only_the_old_one_took_in_is_a_loss() -> Result<()> {
    let mut world = World::running()?;
    let eth = world.token("ETH")?;
    let (alice, bob) = (world.wallet(Role::Alice)?, world.wallet(Role::Bob)?);
    let taken = world.vault.deposit(&alice, &eth, 2 * ETHER, alice.address())?;
    let paid = world.vault.request(&alice, &eth, 2 * ETHER, alice.address(), VALID)?;
    world.wait_withdrawal(paid.id, "paid")?;
    let again = [raw(&world, &json!(paid.tx_hash))?, newest_payout(&world)?];
    assert_eq!(world.stop()?, Some(0));
    let depth = world.rpc().block_number()? - taken.block_number.context("no block")? + 1;
    world.rpc().reorg(depth)?;
    world.vault.deposit(&bob, &eth, 3 * ETHER, bob.address())?;
    // In the place of her deposit.
    alice.execute(Some(alice.address()), 0, Vec::new())?;
    for transaction in again {
        world.rpc().call("eth_sendRawTransaction", &json!([transaction]))?;
    }
    world.rpc().mine(2)?;
    assert_eq!(world.vault.last_seq()?, 5, "both have happened again");

    world.spawn(&crate::world::daemon(), vec![])?;
    let page = wait_halted(&world)?;
    assert_eq!(page["halted"]["kind"], "deposit_differs", "{page:#}");
    assert_eq!(world.stop()?, Some(HALTED));
    let range = ["supersede", "--from", "3", "--to", "5"];
    let shown = done(&world, &range, "stands in both histories and goes on")?;
    let evidence = shown.split("--evidence ").nth(1).context("no evidence")?.trim();
    let approve = [&range[..], &["--evidence", evidence]].concat();
    for _ in 0..2 {
        done(&world, &approve, "0 ledger units debited back, 200000000 borne by LOSS")?;
    }
    done(&world, &["resume"], "lifted")?;
    world.vault.unpause_payouts(&world.wallet(Role::Admin)?)?;
    world.start()?;
    let last = world.vault.request(&bob, &eth, ETHER, bob.address(), VALID)?;
    world.wait_withdrawal(last.id, "paid")?;
    done(&world, &["reconcile"], "0 differences")?;
    assert_eq!(world.stop()?, Some(0));
    Ok(())
}

#[test]
fn a_store_deleted_after_a_halt_halts_again_before_anything_is_signed() -> Result<()> {
    let mut world = replaced()?;
    world.stop()?;
    fs::remove_dir_all(&world.config.store.path)?;
    world.vault.unpause_payouts(&world.wallet(Role::Admin)?)?;
    let (eth, bob) = (world.token("ETH")?, world.wallet(Role::Bob)?);
    let request = world.vault.request(&bob, &eth, ETHER, bob.address(), VALID)?;
    world.spawn(&crate::world::daemon(), vec![])?;
    let page = wait_halted(&world)?;
    assert_eq!(page["halted"]["kind"], "deposit_differs", "{page:#}");
    assert_eq!(world.vault.state_of(request.id)?, 1, "still only requested");
    assert_eq!(world.stop()?, Some(HALTED));
    Ok(())
}

#[test]
fn the_same_deposit_in_another_block_past_finality_is_an_alarm_only() -> Result<()> {
    let mut world = World::running()?;
    let eth = world.token("ETH")?;
    let alice = world.wallet(Role::Alice)?;
    world.vault.deposit(&alice, &eth, 2 * ETHER, alice.address())?;
    world.wait_state("deposit:3", "cleared")?;
    world.rpc().reorg(1)?;
    world.rpc().mine(1)?;
    world.vault.deposit(&alice, &eth, 2 * ETHER, alice.address())?;
    world.rpc().mine(2)?;
    wait::until("the history to be read again", PATIENCE, || {
        let text = world.sovrd.as_ref().context("no daemon")?.get("/metrics")?.body;
        Ok(text.contains("sovr_deposits_reincluded_total 1\n").then_some(()))
    })?;
    world.ready()?;
    assert_eq!(status(&world)?["halted"], Value::Null);
    let paid = world.vault.request(&alice, &eth, ETHER, alice.address(), VALID)?;
    world.wait_withdrawal(paid.id, "paid")?;
    assert_eq!(world.stop()?, Some(0));
    Ok(())
}

#[test]
fn a_running_daemon_keeps_its_halt() -> Result<()> {
    let world = replaced()?;
    for command in [&["resume"][..], &["supersede", "--from", "3", "--to", "3"]] {
        let output = world.cli(command)?;
        assert_eq!(output.status.code(), Some(78), "{}", said(&output));
        assert!(said(&output).contains("must be stopped first"), "{}", said(&output));
    }
    Ok(())
}
