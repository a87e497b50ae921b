//! Payouts that cannot be made right away: what people see, and that no gas is burnt meanwhile.

use crate::world::{ETHER, PATIENCE, VALID, World, address};
use anyhow::Result;
use harness::{keys::Role, wait};
use serde_json::{Value, json};

/// Transactions of the submitter that were ever mined.
fn submitter_nonce(world: &World) -> Result<u64> {
    let parameters = json!([address(Role::Submitter), "latest"]);
    let nonce = world.rpc().call("eth_getTransactionCount", &parameters)?;
    let nonce: alloy::primitives::U64 = serde_json::from_value(nonce)?;
    Ok(nonce.to())
}

/// Waits until a withdrawal's sentence says something.
fn wait_sentence(world: &World, id: alloy::primitives::B256, words: &str) -> Result<Value> {
    wait::until(&format!("{id} to say {words:?}"), PATIENCE, || {
        let item = world.item(&format!("withdrawal:{id}"))?;
        Ok(item["sentence"].as_str().is_some_and(|s| s.contains(words)).then_some(item))
    })
}

fn page(world: &World, path: &str) -> Result<String> {
    Ok(world.sovrd.as_ref().unwrap().get(path)?.body)
}

#[test]
fn after_a_rotation_nothing_is_burnt_and_it_is_signed_anew() -> Result<()> {
    let world = World::running()?;
    let eth = world.token("ETH")?;
    let (alice, admin) = (world.wallet(Role::Alice)?, world.wallet(Role::Admin)?);
    world.vault.deposit(&alice, &eth, ETHER, alice.address())?;
    world.wait_state("deposit:3", "cleared")?;
    world.vault.set_signers(&admin, &[address(Role::Erin)], 1)?;
    let before = submitter_nonce(&world)?;
    let request = world.vault.request(&alice, &eth, ETHER / 2, alice.address(), VALID)?;

    wait_sentence(&world, request.id, "the payout signers changed")?;
    let metrics = page(&world, "/metrics")?;
    assert!(metrics.contains("sovr_withdrawals_held{reason=\"signers_changed\"} 1"), "{metrics}");
    let status: Value = serde_json::from_str(&page(&world, "/v1/status")?)?;
    assert_eq!(status["held"]["signers_changed"], 1, "{status:#}");
    assert_eq!(submitter_nonce(&world)?, before, "no gas for a revert");

    world.vault.set_signers(&admin, &[address(Role::PayoutSigner)], 1)?;
    world.wait_withdrawal(request.id, "paid")?;
    assert_eq!(submitter_nonce(&world)?, before + 1);
    let status: Value = serde_json::from_str(&page(&world, "/v1/status")?)?;
    assert_eq!(status["held"], json!({}));
    world.judge()?;
    Ok(())
}

#[test]
fn while_payouts_are_paused_people_are_told_and_nothing_is_sent() -> Result<()> {
    let world = World::running()?;
    let eth = world.token("ETH")?;
    let alice = world.wallet(Role::Alice)?;
    world.vault.deposit(&alice, &eth, ETHER, alice.address())?;
    world.vault.pause_payouts(&world.wallet(Role::Pauser)?)?;
    let before = submitter_nonce(&world)?;
    let request = world.vault.request(&alice, &eth, ETHER / 2, alice.address(), VALID)?;
    let item = wait_sentence(&world, request.id, "payouts are paused")?;
    assert_eq!(item["state"], "reserved");
    // A refusal needs no money and goes on.
    let bob = world.wallet(Role::Bob)?;
    let greedy = world.vault.request(&bob, &eth, ETHER, bob.address(), VALID)?;
    world.wait_withdrawal(greedy.id, "refused")?;
    assert_eq!(submitter_nonce(&world)?, before + 1, "only the refusal");
    let table = String::from_utf8(world.cli(&["status"])?.stdout)?;
    let paused = table.lines().find(|l| l.starts_with("payouts paused until")).unwrap();
    assert!(!paused.ends_with('-'), "{table}");

    world.vault.unpause_payouts(&world.wallet(Role::Admin)?)?;
    world.wait_withdrawal(request.id, "paid")?;
    world.judge()?;
    Ok(())
}

#[test]
fn the_brakes_work_from_the_command_line() -> Result<()> {
    let world = World::running()?;
    let eth = world.token("ETH")?;
    let alice = world.wallet(Role::Alice)?;
    world.vault.deposit(&alice, &eth, ETHER, alice.address())?;
    let password = world.dir.path().join("password");
    std::fs::write(&password, "brakes")?;
    let pull = |arguments: &[&str], role: Role| -> Result<std::process::Output> {
        let folder = world.dir.path();
        let name = format!("{}.brakes.json", role.name());
        let key = harness::keys::write_keystore(folder, &name, role.private_key(), "brakes")?;
        let (key, password) = (key.display().to_string(), password.display().to_string());
        let keys = ["--keystore", &key, "--password-file", &password];
        world.cli(&[arguments, &keys].concat())
    };
    let stranger = pull(&["pause"], Role::Bob)?;
    assert_eq!(stranger.status.code(), Some(78));
    let said = String::from_utf8(stranger.stderr)?;
    assert!(said.contains("pausePayouts would revert for 0x"), "{said}");

    let paused = pull(&["pause", "all"], Role::Pauser)?;
    let said = String::from_utf8(paused.stdout)?;
    assert!(said.contains("pausePayouts: done") && said.contains("pauseDeposits: done"), "{said}");
    assert!(world.vault.deposit(&alice, &eth, ETHER, alice.address()).is_err());
    let request = world.vault.request(&alice, &eth, ETHER / 2, alice.address(), VALID)?;
    wait_sentence(&world, request.id, "payouts are paused")?;
    assert_eq!(pull(&["unpause", "all"], Role::Pauser)?.status.code(), Some(78));

    let lifted = pull(&["unpause", "all"], Role::Admin)?;
    assert!(lifted.status.success(), "{}", String::from_utf8_lossy(&lifted.stderr));
    world.wait_withdrawal(request.id, "paid")?;
    world.judge()?;
    Ok(())
}

#[test]
fn low_gas_money_is_an_alarm_that_ends_by_itself() -> Result<()> {
    let world = World::running()?;
    let set = |wei: u128| {
        let parameters = json!([address(Role::Submitter), format!("{wei:#x}")]);
        world.rpc().call("hardhat_setBalance", &parameters)
    };
    let wait_for = |low: bool| {
        wait::until(&format!("the alarm to be {low}"), PATIENCE, || {
            let status: Value = serde_json::from_str(&page(&world, "/v1/status")?)?;
            Ok((status["submitter"]["is_low"] == low).then_some(()))
        })
    };
    wait_for(false)?;
    set(ETHER / 20)?;
    wait_for(true)?;
    let metrics = page(&world, "/metrics")?;
    assert!(metrics.contains("sovr_submitter_low 1"), "{metrics}");
    assert!(metrics.contains("sovr_submitter_balance_gwei 50000000"), "{metrics}");
    set(ETHER)?;
    wait_for(false)?;
    assert!(world.log().contains("gas money runs low"), "{}", world.log());
    Ok(())
}

#[test]
fn without_gas_money_nothing_is_sent_and_people_are_told() -> Result<()> {
    let world = World::running()?;
    let (eth, alice) = (world.token("ETH")?, world.wallet(Role::Alice)?);
    world.vault.deposit(&alice, &eth, ETHER, alice.address())?;
    let set = |wei: u128| {
        let balance = json!([address(Role::Submitter), format!("{wei:#x}")]);
        world.rpc().call("hardhat_setBalance", &balance)
    };
    set(0)?;
    let request = world.vault.request(&alice, &eth, ETHER / 2, alice.address(), VALID)?;
    wait_sentence(&world, request.id, "fill up the gas money")?;
    set(ETHER)?;
    world.wait_withdrawal(request.id, "paid")?;
    world.judge()?;
    Ok(())
}

#[test]
fn another_submitter_goes_on_where_the_old_one_was() -> Result<()> {
    let mut world = World::running()?;
    let eth = world.token("ETH")?;
    let alice = world.wallet(Role::Alice)?;
    world.vault.deposit(&alice, &eth, ETHER, alice.address())?;
    world.wait_state("deposit:3", "cleared")?;
    assert_eq!(world.stop()?, Some(0));
    // The old submitter's transaction is sent and never mined.
    let request = world.vault.request(&alice, &eth, ETHER / 2, alice.address(), VALID)?;
    world.rpc().set_automine(false)?;
    world.start()?;
    world.wait_withdrawal(request.id, "submitted")?;
    wait::until("its bytes to be durable and sent", PATIENCE, || {
        Ok(world.log().contains("transaction sent").then_some(()))
    })?;
    assert_eq!(world.stop()?, Some(0));
    world.rpc().call("anvil_removePoolTransactions", &json!([address(Role::Submitter)]))?;
    world.rpc().set_automine(true)?;

    let keys = world.dir.path().join("keys");
    let dave = Role::Dave.private_key();
    let keystore = harness::keys::write_keystore(&keys, "dave.json", dave, "development")?;
    world.config.payouts.as_mut().unwrap().submitter_keystore = keystore;
    world.start()?;
    world.wait_withdrawal(request.id, "paid")?;
    assert!(world.log().contains("another key sends now"), "{}", world.log());
    world.judge()?;
    Ok(())
}
