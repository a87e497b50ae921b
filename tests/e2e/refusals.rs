//! When the daemon must not start, it says why, what to do, and ends with the right code.

use crate::world::{ETHER, PATIENCE, World, daemon};
use alloy::primitives::B256;
use anyhow::Result;
use harness::{
    keys::{Role, write_keystore},
    port,
    process::{Launch, Lifetime},
    servers::Sovrd,
    wait,
};
use std::{fs, os::unix::fs::PermissionsExt, path::Path};

const HALTED: i32 = 65;
const TRANSIENT: i32 = 75;
const CONFIGURATION: i32 = 78;

/// Starts the daemon and expects it to end with a code and a message.
fn refuses(world: &mut World, code: i32, message: &str) -> Result<()> {
    world.spawn(&daemon(), vec![])?;
    let mut sovrd = world.sovrd.take().unwrap();
    let status = sovrd.wait_exit(PATIENCE)?;
    let log = world.log();
    assert_eq!(status.code(), Some(code), "{log}");
    assert!(log.contains(message), "no {message:?} in:\n{log}");
    Ok(())
}

#[test]
fn a_wrong_chain_or_vault_is_refused() -> Result<()> {
    let mut world = World::new()?;
    let good = world.config.clone();

    world.config.chain.chain_id = 1;
    refuses(&mut world, CONFIGURATION, "chain.chain_id is 1, the node at")?;

    world.config = good.clone();
    world.config.chain.vault = Role::Erin.address()?;
    refuses(&mut world, CONFIGURATION, "there is no contract at")?;

    world.config = good.clone();
    world.config.chain.vault_code_hash = B256::repeat_byte(1);
    refuses(&mut world, CONFIGURATION, "it is not the vault you configured")?;

    world.config = good.clone();
    world.config.chain.deploy_block += 1;
    world.rpc().mine(2)?;
    refuses(&mut world, CONFIGURATION, "the vault existed before it")?;

    // A node that is still syncing has neither that block nor the vault.
    world.config = good.clone();
    world.config.chain.deploy_block += 1_000;
    world.config.chain.vault = Role::Erin.address()?;
    refuses(&mut world, TRANSIENT, "wait until it has synced")?;

    world.config = good;
    world.start()
}

#[test]
fn development_keys_are_refused_on_any_other_chain() -> Result<()> {
    let mut world = World::new()?;
    world.rpc().call("anvil_setChainId", &serde_json::json!([10]))?;
    world.config.chain.chain_id = 10;
    let payouts = world.config.payouts.as_ref().unwrap();
    let files = [
        payouts.signer_keystore.as_ref().unwrap(),
        payouts.signer_password_file.as_ref().unwrap(),
        &payouts.submitter_keystore,
        &payouts.submitter_password_file,
    ];
    let files = files.map(Clone::clone);
    let chmod = |file: &Path, mode| fs::set_permissions(file, fs::Permissions::from_mode(mode));
    for file in &files {
        chmod(file, 0o600)?;
    }
    refuses(&mut world, CONFIGURATION, "is a development key that everybody knows")?;
    for file in &files[..2] {
        chmod(file, 0o644)?;
        refuses(&mut world, CONFIGURATION, "is open to every user of this machine (mode 644)")?;
        chmod(file, 0o600)?;
    }
    Ok(())
}

#[test]
fn a_node_or_ledger_that_is_away_is_told_apart_from_a_wrong_one() -> Result<()> {
    let mut world = World::new()?;
    let good = world.config.clone();

    world.config.chain.rpc_url = format!("http://127.0.0.1:{}", port::free()?);
    refuses(&mut world, TRANSIENT, "did not answer within 10 s")?;

    world.config = good.clone();
    world.config.ledger.addresses = vec![format!("127.0.0.1:{}", port::free()?)];
    refuses(&mut world, TRANSIENT, "cannot be reached")?;

    world.config = good;
    world.config.ledger.cluster_id = "7".into();
    refuses(&mut world, CONFIGURATION, "does not answer as cluster 7")
}

#[test]
fn a_store_that_cannot_be_used_is_refused() -> Result<()> {
    let mut world = World::running()?;
    // The running daemon has the lock; a second one listens elsewhere and has the same store.
    let mut second = world.config.clone();
    second.api.listen = format!("127.0.0.1:{}", port::free()?);
    let path = world.dir.path().join("second.toml");
    second.write(&path)?;
    let log = world.dir.path().join("second.log");
    let launch = Launch {
        name: "second sovrd".into(),
        program: daemon(),
        args: vec!["run".into(), "--config".into(), path.into()],
        env: vec![],
        log: log.clone(),
        lifetime: Lifetime::Owned,
    };
    let status = Sovrd::start_with(launch, &second.api_url())?.wait_exit(PATIENCE)?;
    assert_eq!(status.code(), Some(CONFIGURATION));
    let said = std::fs::read_to_string(log)?;
    assert!(said.contains("in use by another process"), "{said}");
    assert_eq!(world.stop()?, Some(0));

    std::fs::write(world.dir.path().join("file"), "not a folder")?;
    world.config.store.path = world.dir.path().join("file");
    refuses(&mut world, CONFIGURATION, "store ")
}

#[test]
fn another_vaults_store_is_refused() -> Result<()> {
    let mut world = World::running()?;
    assert_eq!(world.stop()?, Some(0));
    let mut other = World::new()?;
    other.config.store = world.config.store.clone();
    refuses(&mut other, CONFIGURATION, "the store belongs to instance")
}

#[test]
fn keys_that_cannot_be_opened_are_refused_without_telling_secrets() -> Result<()> {
    let mut world = World::new()?;
    let password = world.dir.path().join("wrong");
    std::fs::write(&password, "hunter2-not-the-password")?;
    world.config.payouts.as_mut().unwrap().signer_password_file = Some(password);
    refuses(&mut world, CONFIGURATION, "payouts.signer_keystore")?;
    assert!(!world.log().contains("hunter2"), "a secret in the log");
    Ok(())
}

#[test]
fn keys_that_cannot_pay_are_refused() -> Result<()> {
    let mut world = World::new()?;
    let good = world.config.clone();
    let keys = world.dir.path().join("keys");
    let erin = write_keystore(&keys, "erin.json", Role::Erin.private_key(), "development")?;

    let payouts = world.config.payouts.as_mut().unwrap();
    payouts.signer_keystore = Some(erin);
    refuses(&mut world, CONFIGURATION, "is no payout signer of the vault")?;

    world.config = good.clone();
    let payouts = world.config.payouts.as_mut().unwrap();
    payouts.submitter_keystore = payouts.signer_keystore.clone().unwrap();
    refuses(&mut world, CONFIGURATION, "payouts.submitter_keystore: is the signer's")?;

    world.config = good;
    let admin = world.wallet(Role::Admin)?;
    let signers = [Role::PayoutSigner.address()?, Role::Erin.address()?];
    world.vault.set_signers(&admin, &signers, 2)?;
    refuses(&mut world, CONFIGURATION, "the vault asks for 2 signatures")?;
    world.vault.set_signers(&admin, &signers, 1)?;
    world.start()
}

#[test]
fn another_chain_behind_the_same_address_halts() -> Result<()> {
    let mut world = World::running()?;
    let eth = world.token("ETH")?;
    let alice = world.wallet(Role::Alice)?;
    world.vault.deposit(&alice, &eth, ETHER, alice.address())?;
    world.wait_state("deposit:3", "cleared")?;

    world.node.anvil()?.restart()?;
    world.rpc().mine(20)?;
    let sovrd = world.sovrd.as_ref().unwrap();
    wait::until("the daemon to halt", PATIENCE, || {
        let answer = sovrd.get("/ready")?;
        Ok(answer.body.contains("halted").then_some(()))
    })?;
    // It keeps serving reads, and tells that it must not be restarted in a loop.
    assert_eq!(sovrd.get("/v1/status")?.status, 200);
    assert_eq!(world.stop()?, Some(HALTED));
    Ok(())
}
