//! Restarts, kills and lost stores: nothing twice, nothing lost.

use crate::world::{ETHER, PATIENCE, VALID, World, daemon, daemon_with_failpoints};
use anyhow::{Result, ensure};
use harness::{keys::Role, trial::crashes, wait};
use sovrd::failpoint::POINTS;
use std::{collections::BTreeSet, fs, os::unix::process::ExitStatusExt};

const SIGKILL: i32 = 9;

#[test]
fn an_orderly_restart_goes_on_where_it_stopped() -> Result<()> {
    let mut world = World::running()?;
    let eth = world.token("ETH")?;
    let alice = world.wallet(Role::Alice)?;
    world.vault.deposit(&alice, &eth, ETHER, alice.address())?;
    world.wait_state("deposit:3", "cleared")?;
    assert_eq!(world.stop()?, Some(0));

    world.vault.deposit(&alice, &eth, ETHER, alice.address())?;
    let request = world.vault.request(&alice, &eth, 2 * ETHER, alice.address(), VALID)?;
    world.start()?;
    world.wait_withdrawal(request.id, "paid")?;
    world.judge()?;
    assert_eq!(world.stop()?, Some(0));
    Ok(())
}

#[test]
fn a_deleted_store_is_rebuilt_from_chain_and_ledger() -> Result<()> {
    let mut world = World::running()?;
    let eth = world.token("ETH")?;
    let alice = world.wallet(Role::Alice)?;
    world.vault.deposit(&alice, &eth, 5 * ETHER, alice.address())?;
    let paid = world.vault.request(&alice, &eth, ETHER, alice.address(), VALID)?;
    let refused = world.vault.request(&alice, &eth, 9 * ETHER, alice.address(), VALID)?;
    world.wait_withdrawal(paid.id, "paid")?;
    world.wait_withdrawal(refused.id, "refused")?;
    // One more stands reserved and unpaid when the store is lost.
    world.vault.pause_payouts(&world.wallet(Role::Pauser)?)?;
    let open = world.vault.request(&alice, &eth, ETHER, alice.address(), VALID)?;
    wait::until("the open one to be reserved", PATIENCE, || {
        Ok((!world.item(&format!("withdrawal:{}", open.id))?["ledger"].is_null()).then_some(()))
    })?;
    assert_eq!(world.stop()?, Some(0));
    fs::remove_dir_all(&world.config.store.path)?;

    world.vault.unpause_payouts(&world.wallet(Role::Admin)?)?;
    world.start()?;
    world.wait_withdrawal(open.id, "paid")?;
    world.judge()?;
    Ok(())
}

#[test]
fn yesterdays_store_is_harmless() -> Result<()> {
    let mut world = World::running()?;
    let eth = world.token("ETH")?;
    let alice = world.wallet(Role::Alice)?;
    world.vault.deposit(&alice, &eth, 5 * ETHER, alice.address())?;
    world.wait_state("deposit:3", "cleared")?;
    assert_eq!(world.stop()?, Some(0));
    let (store, copy) = (world.config.store.path.clone(), world.dir.path().join("yesterday"));
    copy_folder(&store, &copy)?;

    world.start()?;
    let request = world.vault.request(&alice, &eth, ETHER, alice.address(), VALID)?;
    world.wait_withdrawal(request.id, "paid")?;
    world.judge()?;
    assert_eq!(world.stop()?, Some(0));
    fs::remove_dir_all(&store)?;
    fs::rename(&copy, &store)?;

    world.start()?;
    let again = world.vault.request(&alice, &eth, ETHER, alice.address(), VALID)?;
    world.wait_withdrawal(again.id, "paid")?;
    world.judge()?;
    Ok(())
}

/// Ends the daemon at a fail point while a deposit and two withdrawals pass, and starts the plain
/// one again.
fn killed_at(point: &str) -> Result<()> {
    let mut world = World::new()?;
    let file = world.dir.path().join("fail-point");
    fs::write(&file, point)?;
    let env = vec![("SOVR_FAIL_POINT".to_owned(), file.display().to_string())];
    let eth = world.token("ETH")?;
    let alice = world.wallet(Role::Alice)?;
    world.vault.deposit(&alice, &eth, 3 * ETHER, alice.address())?;
    let pay = world.vault.request(&alice, &eth, ETHER, alice.address(), VALID)?;
    let refuse = world.vault.request(&alice, &eth, 3 * ETHER, alice.address(), VALID)?;

    world.spawn(&daemon_with_failpoints()?, env)?;
    let status = world.sovrd.as_mut().unwrap().wait_exit(PATIENCE)?;
    ensure!(status.signal() == Some(SIGKILL), "ended with {status}, not by SIGKILL");
    ensure!(file.with_extension("reached").exists(), "{point} was not reached");
    world.sovrd = None;

    world.start()?;
    world.wait_withdrawal(pay.id, "paid")?;
    world.wait_withdrawal(refuse.id, "refused")?;
    world.judge()?;
    Ok(())
}

#[test]
fn killed_before_the_ledger_write() -> Result<()> {
    killed_at("before-deposits")
}

#[test]
fn killed_between_ledger_write_and_checkpoint() -> Result<()> {
    killed_at("deposits-answered")
}

#[test]
fn killed_between_broadcast_and_receipt() -> Result<()> {
    killed_at("broadcast-answered")
}

#[test]
fn the_plain_program_has_no_fail_points() -> Result<()> {
    let has = |program: &[u8], words: &str| {
        program.windows(words.len()).any(|bytes| bytes == words.as_bytes())
    };
    let (plain, armed) = (fs::read(daemon())?, fs::read(daemon_with_failpoints()?)?);
    for words in POINTS.into_iter().chain(["SOVR_FAIL_POINT"]) {
        assert!(has(&armed, words), "the program with fail points has {words}");
        assert!(!has(&plain, words), "what people run has no {words}");
    }
    Ok(())
}

#[test]
fn the_crash_matrix_has_every_fail_point() {
    let known: BTreeSet<&str> = POINTS.into_iter().collect();
    let tried: BTreeSet<&str> = crashes::ROWS.iter().filter_map(|row| row.fail_point()).collect();
    assert_eq!(known, tried);
}

fn copy_folder(from: &std::path::Path, to: &std::path::Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
