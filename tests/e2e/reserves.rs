//! Proof of reserves on real servers.

use crate::world::{DOLLAR, ETHER, PATIENCE, VALID, World, address};
use anyhow::{Context, Result, ensure};
use bridge_core::{
    account::{NewAccount, VAULT},
    amount::LedgerAmount,
    asset::LedgerId,
    id::{AccountId, TransferId},
    transfer::{NewTransfer, Phase, TransferCode},
};
use harness::{keys::Role, wait};
use serde_json::Value;
use sovrd::{config, ledger::client::Ledger, metrics::Metrics};
use std::sync::Arc;

fn reserves(world: &World) -> Result<Value> {
    let page = world.sovrd.as_ref().context("no daemon")?.get("/v1/reserves")?;
    ensure!(page.status == 200, "{} {}", page.status, page.body);
    Ok(serde_json::from_str(&page.body)?)
}

fn token(world: &World, ledger: u32) -> Result<Value> {
    let page = reserves(world)?;
    let tokens = page["tokens"].as_array().context("no tokens")?;
    tokens.iter().find(|t| t["ledger"] == ledger).cloned().context("no such token")
}

/// Credits somebody from VAULT without any deposit, as whoever has the ledger's address could.
fn forge(world: &World, ledger: u32, amount: u128) -> Result<()> {
    let settings = config::Ledger {
        cluster_id: world.ledger.cluster_id(),
        addresses: vec![world.ledger.address().parse()?],
        clearing: LedgerId(1002),
        reply_timeout_ms: 10_000,
        start_timeout_ms: 10_000,
        batch_max: 10,
    };
    let vault = (u128::from(ledger) << 64)
        | (u128::from(world.deployment.instance) << 32)
        | u128::from(VAULT.number);
    let transfer = NewTransfer {
        id: TransferId(0x06 << 120 | 77),
        debit: AccountId(vault),
        credit: NewAccount::funds(LedgerId(ledger), address(Role::Alice)).id,
        amount: LedgerAmount(amount),
        ledger: LedgerId(ledger),
        code: TransferCode::Loss,
        phase: Phase::Direct,
        linked: false,
        user_data_128: 0,
        user_data_64: 0,
        user_data_32: 0,
    };
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let client = Ledger::new(&settings, Arc::new(Metrics::new()))?;
        let failures = client.create_transfers(&[transfer]).await?;
        ensure!(failures.is_empty(), "{failures:?}");
        Ok(())
    })
}

#[test]
fn reserves_are_proved_for_every_token_and_reconciled_without_the_daemon() -> Result<()> {
    let mut world = World::running()?;
    let (eth, usd) = (world.token("ETH")?, world.token("TUSD")?);
    let alice = world.wallet(Role::Alice)?;
    world.vault.deposit(&alice, &eth, 2 * ETHER, alice.address())?;
    world.vault.deposit(&alice, &usd, 250 * DOLLAR, alice.address())?;
    let paid = world.vault.request(&alice, &eth, ETHER, alice.address(), VALID)?;
    world.wait_withdrawal(paid.id, "paid")?;
    let proved = wait::until("the proof of what is left", PATIENCE, || {
        let page = token(&world, eth.ledger)?;
        Ok((page["holdings"]["accounted"] == ETHER.to_string()).then_some(page))
    })?;
    assert_eq!(proved["proof"], "proved", "{proved:#}");
    assert_eq!(proved["explained"], proved["holdings"]["accounted"]);
    assert_eq!(proved["books"]["held"], "100000000");
    assert_eq!(reserves(&world)?["proved"], true);
    let metrics = world.sovrd.as_ref().context("no daemon")?.get("/metrics")?.body;
    let line = format!("sovr_reserves_proved{{ledger=\"{}\"}} 1\n", usd.ledger);
    ensure!(metrics.contains(&line), "{metrics}");

    // Beside the running daemon, and without it.
    assert!(world.cli(&["reconcile"])?.status.success());
    assert_eq!(world.stop()?, Some(0));
    let output = world.cli(&["reconcile", "--json"])?;
    assert!(output.status.success());
    let proof: Value = serde_json::from_slice(&output.stdout)?;
    assert_eq!(proof["differences"], serde_json::json!([]));
    assert_eq!(proof["tokens"].as_array().map(Vec::len), Some(2), "{proof:#}");

    // What is final and not posted yet is on its way, not a break.
    world.vault.deposit(&alice, &usd, 10 * DOLLAR, alice.address())?;
    let table = String::from_utf8(world.cli(&["reconcile"])?.stdout)?;
    assert!(table.contains("260000000") && table.contains("0 differences"), "{table}");
    Ok(())
}

#[test]
fn a_credit_without_a_deposit_stops_its_token_then_halts_and_is_never_resumed() -> Result<()> {
    let mut world = World::running()?;
    let (eth, usd) = (world.token("ETH")?, world.token("TUSD")?);
    let alice = world.wallet(Role::Alice)?;
    world.vault.deposit(&alice, &eth, 2 * ETHER, alice.address())?;
    world.vault.deposit(&alice, &usd, 250 * DOLLAR, alice.address())?;
    world.wait_state("deposit:4", "cleared")?;
    forge(&world, usd.ledger, 5)?;
    wait::until("the break", PATIENCE, || {
        Ok((token(&world, usd.ledger)?["proof"] == "broken").then_some(()))
    })?;
    // It is told, its token waits, the other one is paid; one block alone never halts.
    let ready = world.sovrd.as_ref().context("no daemon")?.get("/ready")?;
    assert!(ready.body.contains("nothing is signed for this token"), "{}", ready.body);
    let free = world.vault.request(&alice, &eth, ETHER, alice.address(), VALID)?;
    world.wait_withdrawal(free.id, "paid")?;
    let output = world.cli(&["reconcile"])?;
    assert_eq!(output.status.code(), Some(65));

    world.rpc().mine(1)?;
    wait::until("the halt", PATIENCE, || {
        world.rpc().mine(1)?;
        let page = world.sovrd.as_ref().context("no daemon")?.get("/v1/status")?;
        let page: Value = serde_json::from_str(&page.body)?;
        Ok((page["halted"]["kind"] == "reserves_broken").then_some(()))
    })?;
    assert_eq!(world.stop()?, Some(65));
    let output = world.cli(&["resume"])?;
    assert_eq!(output.status.code(), Some(65));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("the ledger explains"), "{text}");
    Ok(())
}
