//! The store on real disks: full, read-only, damaged; and the order of its system calls.

use crate::world::{ETHER, PATIENCE, VALID, World, daemon};
use anyhow::{Context, Result, bail, ensure};
use harness::{
    disk::Small,
    keys::Role,
    process::{Launch, Lifetime},
    servers::Sovrd,
    wait,
};
use std::{fs, path::Path, process::Command};

const CONFIGURATION: i32 = 78;
const TRANSIENT: i32 = 75;

fn on_small_disk() -> Result<(World, Small)> {
    let mut world = World::new()?;
    let small = Small::mount(world.dir.path().join("small"), 4)?;
    world.config.store.path = small.path().join("store");
    Ok((world, small))
}

#[test]
fn a_full_disk_ends_the_daemon_with_75_and_costs_nothing() -> Result<()> {
    let (mut world, small) = on_small_disk()?;
    world.start()?;
    let (eth, alice) = (world.token("ETH")?, world.wallet(Role::Alice)?);
    world.vault.deposit(&alice, &eth, 3 * ETHER, alice.address())?;
    world.wait_state("deposit:3", "cleared")?;
    let filler = small.fill()?;
    // Something new to write, until there is no room for it.
    let mut last = None;
    let status = wait::until("the daemon to end", PATIENCE, || {
        last = Some(world.vault.deposit(&alice, &eth, ETHER / 100, alice.address())?);
        world.sovrd.as_mut().context("no daemon")?.server().exit_status()
    })?;
    assert_eq!(status.code(), Some(TRANSIENT), "{}", world.log());
    assert!(world.log().contains("the disk is full"), "{}", world.log());
    world.sovrd = None;
    drop(last);

    fs::remove_file(filler)?;
    world.start()?;
    let paid = world.vault.request(&alice, &eth, 3 * ETHER, alice.address(), VALID)?;
    world.wait_withdrawal(paid.id, "paid")?;
    world.judge()?;
    assert_eq!(world.stop()?, Some(0));
    Ok(())
}

#[test]
fn a_read_only_disk_is_refused_at_the_start() -> Result<()> {
    let (mut world, small) = on_small_disk()?;
    small.remount("ro")?;
    world.spawn(&daemon(), vec![])?;
    let status = world.sovrd.as_mut().context("no daemon")?.wait_exit(PATIENCE)?;
    assert_eq!(status.code(), Some(CONFIGURATION));
    assert!(world.log().contains("mount its disk read-write"), "{}", world.log());
    Ok(())
}

#[test]
fn a_disk_that_turns_read_only_ends_the_daemon_and_costs_nothing() -> Result<()> {
    let mut world = World::running()?;
    let (eth, alice) = (world.token("ETH")?, world.wallet(Role::Alice)?);
    world.vault.deposit(&alice, &eth, ETHER, alice.address())?;
    world.wait_state("deposit:3", "cleared")?;
    // From here on the system answers as it does after it remounted a failing disk.
    let pid = world.sovrd.as_mut().context("no daemon")?.server().pid();
    let mut tracer = Command::new("strace")
        .args(["-f", "-q", "-o", "/dev/null", "-e", "trace=pwrite64,fsync,fdatasync"])
        .args(["-e", "inject=pwrite64,fsync,fdatasync:error=EROFS", "-p", &pid.to_string()])
        .spawn()?;
    let status = wait::until("the daemon to end", PATIENCE, || {
        world.vault.deposit(&alice, &eth, ETHER / 100, alice.address())?;
        world.sovrd.as_mut().context("no daemon")?.server().exit_status()
    })?;
    tracer.wait()?;
    assert_eq!(status.code(), Some(TRANSIENT), "{}", world.log());
    assert!(world.log().contains("mount its disk read-write"), "{}", world.log());
    world.sovrd = None;

    world.start()?;
    let paid = world.vault.request(&alice, &eth, ETHER, alice.address(), VALID)?;
    world.wait_withdrawal(paid.id, "paid")?;
    world.judge()?;
    Ok(())
}

#[test]
fn a_damaged_store_is_moved_aside_said_and_rebuilt() -> Result<()> {
    let mut world = World::running()?;
    let (eth, alice) = (world.token("ETH")?, world.wallet(Role::Alice)?);
    world.vault.deposit(&alice, &eth, 3 * ETHER, alice.address())?;
    let open = world.vault.request(&alice, &eth, ETHER, alice.address(), VALID)?;
    world.wait_withdrawal(open.id, "paid")?;
    assert_eq!(world.stop()?, Some(0));
    let db = world.config.store.path.join("db");
    let length = fs::metadata(&db)?.len();
    fs::write(&db, vec![0x5a; usize::try_from(length)?])?;

    world.start()?;
    assert!(world.log().contains("STORE DAMAGED"), "{}", world.log());
    let page = world.sovrd.as_ref().context("no daemon")?.get("/v1/status")?;
    let page: serde_json::Value = serde_json::from_str(&page.body)?;
    let aside = page["store_quarantined"].as_str().context("nothing moved aside")?;
    assert!(Path::new(aside).join("db").exists(), "nothing is thrown away");
    let paid = world.vault.request(&alice, &eth, 2 * ETHER, alice.address(), VALID)?;
    world.wait_withdrawal(paid.id, "paid")?;
    world.judge()?;
    assert_eq!(world.stop()?, Some(0));
    Ok(())
}

/// One line of a trace that matters here.
#[derive(Debug, PartialEq, Eq)]
enum Call {
    Write,
    Sync,
    Send(String),
}

/// Store writes, syncs of the store, and transactions on their way to the node, in their order.
fn calls(trace: &str, store: &Path) -> Vec<Call> {
    let db = format!("<{}>", store.join("db").display());
    let mut calls = Vec::new();
    for line in trace.lines() {
        let fine = !line.contains("= -1");
        if line.contains("eth_sendRawTransaction") {
            let raw = line.split("0x02f").nth(1).unwrap_or_default();
            calls.push(Call::Send(raw.chars().take(40).collect()));
        } else if line.contains(&db) && line.contains("pwrite64(") {
            calls.push(Call::Write);
        } else if line.contains(&db) && line.contains("fsync(") && fine {
            calls.push(Call::Sync);
        }
    }
    calls
}

#[test]
fn what_was_decided_is_synced_to_disk_before_a_transaction_is_sent() -> Result<()> {
    let mut world = World::new()?;
    let trace = world.dir.path().join("trace");
    world.config.write(&world.config_path())?;
    // The tracer is the grandchild, so that the daemon is the process that is ended.
    let mut args: Vec<std::ffi::OsString> =
        ["-D", "-f", "-y", "-s", "700", "-e"].map(Into::into).into();
    args.push("trace=pwrite64,fsync,fdatasync,sync_file_range,write,writev,sendto,sendmsg".into());
    args.extend(["-o".into(), trace.clone().into(), daemon().into()]);
    args.extend(["run".into(), "--config".into(), world.config_path().into()]);
    let launch = Launch {
        name: "sovrd under strace".into(),
        program: "strace".into(),
        args,
        env: vec![],
        log: world.dir.path().join("sovrd.log"),
        lifetime: Lifetime::Owned,
    };
    world.sovrd = Some(Sovrd::start_with(launch, &world.config.api_url())?);
    world.ready()?;
    let (eth, alice) = (world.token("ETH")?, world.wallet(Role::Alice)?);
    world.vault.deposit(&alice, &eth, 3 * ETHER, alice.address())?;
    for _ in 0..2 {
        let paid = world.vault.request(&alice, &eth, ETHER, alice.address(), VALID)?;
        world.wait_withdrawal(paid.id, "paid")?;
    }
    world.sovrd = None;

    let calls = calls(&fs::read_to_string(trace)?, &world.config.store.path);
    let mut sent = Vec::new();
    let (mut unsynced, mut written) = (0, 0);
    for call in &calls {
        match call {
            Call::Write => {
                unsynced += 1;
                written += 1;
            }
            Call::Sync => unsynced = 0,
            Call::Send(raw) if sent.contains(raw) => {}
            Call::Send(raw) => {
                ensure!(written > 0 && unsynced == 0, "{unsynced} writes unsynced: {calls:?}");
                sent.push(raw.clone());
                written = 0;
            }
        }
    }
    if sent.len() < 2 {
        bail!("only {} transactions seen in {} calls: {calls:?}", sent.len(), calls.len());
    }
    Ok(())
}
