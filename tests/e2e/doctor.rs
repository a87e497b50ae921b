//! `sovrd doctor`: a healthy bridge, then one fault after the other, on real servers.

use crate::{
    halt::{HALTED, wait_halted},
    world::{ETHER, PATIENCE, World},
};
use anyhow::{Context, Result, ensure};
use harness::keys::Role;
use serde_json::Value;
use std::{fs, net::TcpListener};

const TRANSIENT: i32 = 75;
const CONFIGURATION: i32 = 78;

/// The whole report, after checking how it ended.
fn doctor(world: &World, exit: i32) -> Result<Value> {
    let output = world.cli(&["doctor", "--json"])?;
    let text = String::from_utf8(output.stdout)?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.code() == Some(exit), "{:?}: {text}{said}", output.status);
    Ok(serde_json::from_str(&text)?)
}

fn names(report: &Value) -> Vec<&str> {
    let checks = report["checks"].as_array().map_or(&[][..], Vec::as_slice);
    checks.iter().filter_map(|check| check["check"].as_str()).collect()
}

/// The finding of this name, with its remedy.
fn told(world: &World, exit: i32, name: &str) -> Result<Value> {
    let report = doctor(world, exit)?;
    let checks = report["checks"].as_array().context("no checks")?;
    let found = checks.iter().find(|check| check["check"] == name);
    let found = found.with_context(|| format!("no {name} in {report:#}"))?;
    ensure!(found["remedy"].is_string(), "no remedy in {found:#}");
    Ok(found.clone())
}

#[test]
fn a_healthy_bridge_has_no_faults_before_its_start_and_while_it_runs() -> Result<()> {
    let mut world = World::new()?;
    let before = doctor(&world, 0)?;
    for name in ["ledger.unclaimed", "store.absent", "port.free", "vault.listings", "gas.fine"] {
        ensure!(names(&before).contains(&name), "no {name} in {before:#}");
    }
    ensure!(!world.config.store.path.exists(), "it made the store");

    world.start()?;
    let (eth, alice) = (world.token("ETH")?, world.wallet(Role::Alice)?);
    world.vault.deposit(&alice, &eth, ETHER, alice.address())?;
    world.wait_state("deposit:3", "cleared")?;
    let running = doctor(&world, 0)?;
    for name in ["ledger.accounts", "store.served", "daemon.ready", "pauser.fine", "clock.fine"] {
        ensure!(names(&running).contains(&name), "no {name} in {running:#}");
    }
    let table = String::from_utf8(world.cli(&["doctor"])?.stdout)?;
    ensure!(table.contains("signer.threshold        ok       1 payout signers"), "{table}");

    ensure!(world.stop()? == Some(0));
    let after = doctor(&world, 0)?;
    for name in ["store.free", "store.readable", "ledger.accounts", "port.free"] {
        ensure!(names(&after).contains(&name), "no {name} in {after:#}");
    }
    // It left nothing behind that keeps the daemon from its store.
    world.start()?;
    world.judge()?;
    Ok(())
}

#[test]
fn what_is_away_is_told_from_what_is_wrong() -> Result<()> {
    let mut world = World::new()?;
    world.config.ledger.reply_timeout_ms = 1_000;

    let right = world.config.clone();
    world.config.chain.chain_id = 5;
    told(&world, CONFIGURATION, "node.other_chain")?;
    world.config.chain = right.chain.clone();
    world.config.chain.vault_code_hash = Default::default();
    told(&world, CONFIGURATION, "vault.other_code")?;
    world.config.chain.vault = Default::default();
    told(&world, CONFIGURATION, "vault.no_code")?;
    world.config.chain = right.chain.clone();
    world.config.chain.deploy_block += 1;
    told(&world, CONFIGURATION, "vault.deploy_block")?;
    world.config.chain.deploy_block += 1_000;
    told(&world, TRANSIENT, "node.not_synced")?;
    world.config.chain = right.chain.clone();

    world.config.ledger.clearing_ledger = 7_777;
    told(&world, CONFIGURATION, "vault.clearing_unlisted")?;
    world.config.ledger = right.ledger.clone();
    world.config.ledger.cluster_id = "9".into();
    told(&world, CONFIGURATION, "ledger.silent")?;
    world.config.ledger = right.ledger.clone();

    let listener = TcpListener::bind(&right.api.listen)?;
    told(&world, CONFIGURATION, "port.taken")?;
    drop(listener);
    world.config.api.listen = "203.0.113.7:80".into();
    told(&world, CONFIGURATION, "port.unusable")?;
    world.config.api = right.api.clone();

    fs::write(&world.config.store.path, "a file")?;
    told(&world, CONFIGURATION, "store.not_writable")?;
    fs::remove_file(&world.config.store.path)?;
    let keys = world.config.payouts.as_mut().context("no payouts")?;
    let password = world.dir.path().join("wrong");
    fs::write(&password, "wrong")?;
    keys.submitter_password_file = password;
    told(&world, CONFIGURATION, "key.unreadable")?;
    world.config.payouts = right.payouts.clone();

    world.ledger.server().kill9()?;
    told(&world, TRANSIENT, "ledger.unreachable")?;
    world.ledger.restart()?;
    world.node.server().kill9()?;
    told(&world, TRANSIENT, "node.unreachable")?;
    Ok(())
}

#[test]
fn a_halt_is_told_while_the_daemon_runs_and_after_it_ended() -> Result<()> {
    let mut world = World::running()?;
    let (eth, alice) = (world.token("ETH")?, world.wallet(Role::Alice)?);
    world.vault.deposit(&alice, &eth, 2 * ETHER, alice.address())?;
    world.wait_state("deposit:3", "cleared")?;
    world.rpc().reorg(1)?;
    world.vault.deposit(&alice, &eth, 3 * ETHER, alice.address())?;
    world.rpc().mine(2)?;
    wait_halted(&world)?;
    let running = told(&world, HALTED, "daemon.halted")?;
    ensure!(running["finding"].as_str().is_some_and(|f| f.contains("deposit 3")), "{running:#}");
    ensure!(world.stop()? == Some(HALTED));
    told(&world, HALTED, "store.halted")?;
    Ok(())
}

#[test]
fn signers_elsewhere_are_asked_who_they_are_and_whether_they_take_the_token() -> Result<()> {
    let mut world = World::with_signers(|_, _| Ok(()))?;
    let report = doctor(&world, 0)?;
    let fine = names(&report).iter().filter(|name| **name == "signer.fine").count();
    ensure!(fine == 3, "{report:#}");

    let right = world.config.payouts.clone();
    let file = world.dir.path().join("other-token");
    fs::write(&file, "x".repeat(40))?;
    world.config.payouts.as_mut().context("no payouts")?.signer_token_file = Some(file.clone());
    told(&world, CONFIGURATION, "signer.token_refused")?;
    told(&world, CONFIGURATION, "signer.too_few")?;
    fs::write(&file, "short")?;
    told(&world, CONFIGURATION, "signer.token_file")?;
    world.config.payouts = right;

    world.signers[0].terminate(PATIENCE)?;
    let report = doctor(&world, TRANSIENT)?;
    ensure!(names(&report).contains(&"signer.threshold"), "two are enough: {report:#}");
    ensure!(names(&report).contains(&"signer.away"), "{report:#}");
    world.signers[1].terminate(PATIENCE)?;
    told(&world, TRANSIENT, "signer.too_few_now")?;
    Ok(())
}
