//! The commands beside `run`.

use crate::world::{ETHER, World, daemon};
use anyhow::Result;
use harness::keys::Role;
use std::process::Command;

const USAGE: i32 = 64;
const TRANSIENT: i32 = 75;
const CONFIGURATION: i32 = 78;

#[test]
fn status_and_accounts_show_what_is() -> Result<()> {
    let world = World::running()?;
    let eth = world.token("ETH")?;
    let alice = world.wallet(Role::Alice)?;
    world.vault.deposit(&alice, &eth, 2 * ETHER, alice.address())?;
    world.wait_state("deposit:3", "cleared")?;

    let status = world.cli(&["status", "--json"])?;
    let status: serde_json::Value = serde_json::from_slice(&status.stdout)?;
    assert_eq!(status["instance"], world.deployment.instance);
    assert_eq!(status["halted"], serde_json::Value::Null);
    let table = String::from_utf8(world.cli(&["status"])?.stdout)?;
    assert!(table.contains("block in the ledger"), "{table}");

    let accounts = world.cli(&["accounts", "--json", "--persons"])?;
    let rows: Vec<serde_json::Value> = String::from_utf8(accounts.stdout)?
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()?;
    let named = |name: &str, ledger: u32| {
        rows.iter().find(|r| r["name"] == name && r["ledger"] == ledger).cloned()
    };
    assert_eq!(named("VAULT", 1001).unwrap()["debits_posted"], "200000000");
    for (name, side) in [("SYSTEM_RESERVE", "liability"), ("CASH_ODFI", "asset")] {
        assert_eq!(named(name, 1002).unwrap()["side"], side);
    }
    let mut owner = alice.address().to_string().to_lowercase();
    owner.insert_str(0, "funds of ");
    assert_eq!(named(&owner, 1001).unwrap()["credits_posted"], "200000000");
    Ok(())
}

#[test]
fn metrics_and_health_tell_the_same_story() -> Result<()> {
    let world = World::running()?;
    let eth = world.token("ETH")?;
    let alice = world.wallet(Role::Alice)?;
    world.vault.deposit(&alice, &eth, ETHER, alice.address())?;
    world.wait_state("deposit:3", "cleared")?;
    let sovrd = world.sovrd.as_ref().unwrap();
    assert_eq!(sovrd.get("/live")?.status, 200);
    let metrics = sovrd.get("/metrics")?.body;
    assert!(metrics.contains("sovr_deposits_posted_total 1\n"), "{metrics}");
    assert!(metrics.contains("sovr_halted 0\n"), "{metrics}");
    let wrong = sovrd.get("/v1/transfers/deposit:seventeen")?;
    assert_eq!(wrong.status, 400);
    assert!(wrong.body.contains("urn:sovr:problem:bad-request"), "{}", wrong.body);
    assert_eq!(sovrd.get("/nowhere")?.status, 404);
    let unknown = world.item("deposit:999")?;
    assert_eq!(unknown["state"], "pending");
    Ok(())
}

#[test]
fn exit_codes_tell_usage_from_configuration_from_absence() -> Result<()> {
    let run = |arguments: &[&str]| Command::new(daemon()).args(arguments).output();
    assert_eq!(run(&["frobnicate"])?.status.code(), Some(USAGE));
    assert_eq!(run(&["--help"])?.status.code(), Some(0));
    let missing = run(&["run", "--config", "nowhere.toml"])?;
    assert_eq!(missing.status.code(), Some(CONFIGURATION));
    assert!(String::from_utf8_lossy(&missing.stderr).contains("nowhere.toml"));

    let world = World::new()?;
    assert!(world.cli(&["config", "check"])?.status.success());
    let status = world.cli(&["status"])?;
    assert_eq!(status.status.code(), Some(TRANSIENT));
    assert!(String::from_utf8_lossy(&status.stderr).contains("is `sovrd run` running?"));
    Ok(())
}
