//! What a service manager sees, and the tools that people have in their shells.

use crate::world::{PATIENCE, World, daemon};
use anyhow::{Context, Result, bail, ensure};
use std::{
    io::{BufRead, BufReader},
    os::unix::net::UnixDatagram,
    process::{Command, Stdio},
    time::Instant,
};

/// The next message; an error if none comes in time.
fn next(socket: &UnixDatagram) -> Result<String> {
    let mut bytes = [0; 4_096];
    let length = socket.recv(&mut bytes).context("nothing from the daemon")?;
    Ok(String::from_utf8_lossy(&bytes[..length]).into_owned())
}

fn until(socket: &UnixDatagram, wanted: &str) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if next(socket)?.lines().any(|line| line == wanted) {
            return Ok(());
        }
    }
    bail!("no {wanted} in time")
}

#[test]
fn a_service_manager_is_told_of_start_life_and_end() -> Result<()> {
    let mut world = World::new()?;
    let path = world.dir.path().join("notify");
    let socket = UnixDatagram::bind(&path)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let env = vec![
        ("NOTIFY_SOCKET".to_owned(), path.to_string_lossy().into_owned()),
        ("WATCHDOG_USEC".to_owned(), "600000".to_owned()),
    ];
    world.spawn(&daemon(), env)?;
    until(&socket, "READY=1")?;
    until(&socket, "WATCHDOG=1")?;
    until(&socket, "WATCHDOG=1")?;
    // A process that hangs gives no sign: then it is restarted.
    let sovrd = world.sovrd.as_mut().context("no daemon")?;
    sovrd.server().pause()?;
    socket.set_read_timeout(Some(std::time::Duration::from_millis(1_500)))?;
    while next(&socket).is_ok() {}
    socket.set_read_timeout(Some(PATIENCE))?;
    sovrd.server().resume()?;
    until(&socket, "WATCHDOG=1")?;
    ensure!(world.stop()? == Some(0));
    until(&socket, "STOPPING=1")?;
    Ok(())
}

#[test]
fn status_is_shown_again_and_again() -> Result<()> {
    let world = World::running()?;
    let mut command = Command::new(daemon());
    command.args(["status", "--watch", "1", "--config"]).arg(world.config_path());
    let mut child = command.stdout(Stdio::piped()).spawn()?;
    let out = BufReader::new(child.stdout.take().context("no output")?);
    let tables = out.lines().map_while(Result::ok).filter(|l| l.starts_with("block in the ledger"));
    let seen = tables.take(2).count();
    // The pipe is closed by now: it ends by itself.
    let ended = child.wait()?;
    ensure!(seen == 2 && ended.success(), "{seen} tables, {ended:?}");
    Ok(())
}

#[test]
fn completions_and_manuals_know_every_command() -> Result<()> {
    let run = |arguments: &[&str]| -> Result<String> {
        let output = Command::new(daemon()).args(arguments).output()?;
        ensure!(output.status.success(), "{arguments:?}: {output:?}");
        Ok(String::from_utf8(output.stdout)?)
    };
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = run(&["completions", shell])?;
        ensure!(script.contains("doctor") && script.contains("supersede"), "{shell}: {script}");
    }
    ensure!(run(&["man"])?.contains(".TH sovrd 1"));
    let folder = harness::temp::TempDir::new("man")?;
    run(&["man", "--folder", &folder.path().to_string_lossy()])?;
    for page in ["sovrd.1", "sovrd-doctor.1", "sovrd-config-check.1"] {
        ensure!(folder.path().join(page).exists(), "no {page}");
    }
    Ok(())
}
