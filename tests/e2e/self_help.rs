//! What people can do without the operator: the commands of `docs/self-help.md`, as they stand there.

use crate::world::{ETHER, PATIENCE, VALID, World, address};
use alloy::primitives::{Address, B256, U256};
use anyhow::{Context, Result, bail};
use harness::{
    keys::{Role, write_keystore},
    paths, solidity, wait,
};
use serde_json::json;
use std::process::Command;

const PAID: u8 = 3;
const DEFERRED: u8 = 4;
const CANCELLED: u8 = 6;

/// Takes no ether.
const STUBBORN: &str = r"
    // SPDX-License-Identifier: Apache-2.0
    pragma solidity ^0.8.28;

    contract Stubborn {}
";

/// The commands under a fence named in the documentation.
fn documented(name: &str) -> Result<String> {
    let text = std::fs::read_to_string(paths::root().join("docs/self-help.md"))?;
    let fence = format!("```sh {name}\n");
    let (_, rest) = text.split_once(&fence).with_context(|| format!("no {fence:?}"))?;
    let (commands, _) = rest.split_once("```").context("the fence does not end")?;
    Ok(commands.to_owned())
}

/// Runs documented commands as somebody, with nothing but what the documentation names.
fn run(world: &World, name: &str, who: Role, more: &[(&str, String)]) -> Result<String> {
    let folder = world.dir.path();
    let password = folder.join("wallet.password");
    std::fs::write(&password, "correct horse")?;
    let file = format!("{}.wallet.json", who.name());
    let keystore = write_keystore(folder, &file, who.private_key(), "correct horse")?;
    let path = format!("{}:{}", paths::root().join(".tools/bin").display(), env!("PATH"));
    let mut command = Command::new("bash");
    command.args(["-euo", "pipefail", "-c", &documented(name)?]).current_dir(folder);
    command.env("PATH", path).env("RPC_URL", world.node.url());
    command.env("VAULT", world.vault.address().to_string());
    command.env("KEYSTORE", keystore).env("PASSWORD_FILE", password);
    command.env("API_URL", world.config.api_url());
    command.envs(more.iter().map(|(k, v)| (*k, v.as_str())));
    let output = command.output()?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        bail!("{name}: {said}{}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(said)
}

fn run_for(world: &World, name: &str, who: Role, id: B256) -> Result<String> {
    run(world, name, who, &[("ID", id.to_string())])
}

fn ticket_status(world: &World, id: B256) -> Result<(u16, String)> {
    let answer = world.sovrd.as_ref().unwrap().get(&format!("/v1/withdrawals/{id}/ticket"))?;
    Ok((answer.status, answer.body))
}

#[test]
fn with_submitter_and_daemon_off_a_ticket_is_money() -> Result<()> {
    let mut world = World::running()?;
    let eth = world.token("ETH")?;
    let alice = world.wallet(Role::Alice)?;
    world.vault.deposit(&alice, &eth, ETHER, alice.address())?;
    // The operator's submitter is gone for good: it can pay for nothing.
    world.rpc().call("hardhat_setBalance", &json!([address(Role::Submitter), "0x0"]))?;
    let stranger = Address::repeat_byte(0xc1);
    let request = world.vault.request(&alice, &eth, ETHER / 4, stranger, VALID)?;
    wait::until("the ticket", PATIENCE, || {
        Ok((ticket_status(&world, request.id)?.0 == 200).then_some(()))
    })?;
    let said = run_for(&world, "ticket", Role::Bob, request.id)?;
    assert!(said.starts_with(&format!("pay {} of ", ETHER / 4)), "{said}");
    assert_eq!(world.stop()?, Some(0));

    assert_eq!(run_for(&world, "state", Role::Bob, request.id)?.trim(), "1");
    run_for(&world, "submit", Role::Bob, request.id)?;
    assert_eq!(world.vault.balance(&eth, stranger)?, U256::from(ETHER / 4));
    assert_eq!(world.vault.state_of(request.id)?, PAID);
    let again = run_for(&world, "submit", Role::Bob, request.id);
    assert!(again.is_err(), "a ticket is good once");

    // The bridge comes back and finds everything done.
    world.start()?;
    world.wait_withdrawal(request.id, "paid")?;
    world.judge()?;
    Ok(())
}

#[test]
fn a_deferred_payout_is_claimed_by_its_owner_alone() -> Result<()> {
    let mut world = World::running()?;
    let eth = world.token("ETH")?;
    let alice = world.wallet(Role::Alice)?;
    let stubborn = solidity::deploy(&alice, solidity::compile(STUBBORN, "Stubborn")?)?;
    world.vault.deposit(&alice, &eth, ETHER, alice.address())?;
    let request = world.vault.request(&alice, &eth, ETHER / 4, stubborn, VALID)?;
    world.wait_withdrawal(request.id, "deferred")?;
    world.judge()?;
    assert_eq!(world.stop()?, Some(0));
    assert_eq!(world.vault.state_of(request.id)?, DEFERRED);

    let to = Address::repeat_byte(0xc2);
    let more = |owner: Address| {
        [("TOKEN", eth.address.to_string()), ("OWNER", owner.to_string()), ("TO", to.to_string())]
    };
    assert!(run(&world, "claim", Role::Bob, &more(address(Role::Bob))).is_err(), "not the owner");
    run(&world, "claim", Role::Alice, &more(alice.address()))?;
    assert_eq!(world.vault.balance(&eth, to)?, U256::from(ETHER / 4));
    world.judge()?;
    Ok(())
}

#[test]
fn an_expired_request_is_cancelled_by_anybody() -> Result<()> {
    let mut world = World::running()?;
    let eth = world.token("ETH")?;
    let alice = world.wallet(Role::Alice)?;
    world.vault.deposit(&alice, &eth, ETHER, alice.address())?;
    world.wait_state("deposit:3", "cleared")?;
    assert_eq!(world.stop()?, Some(0));
    let request =
        world.vault.request(&alice, &eth, 123_456_780_000_000_000, alice.address(), 120)?;
    let more = [
        ("ID", request.id.to_string()),
        ("DEPLOY_BLOCK", world.deployment.deploy_block.to_string()),
    ];
    assert!(run(&world, "cancel", Role::Bob, &more).is_err(), "not before its deadline");
    world.rpc().increase_time(600)?;
    world.rpc().mine(1)?;
    run(&world, "cancel", Role::Bob, &more)?;
    assert_eq!(world.vault.state_of(request.id)?, CANCELLED);
    world.start()?;
    world.wait_withdrawal(request.id, "cancelled")?;
    world.judge()?;
    Ok(())
}

#[test]
fn without_signatures_there_is_no_ticket_and_the_answer_says_why() -> Result<()> {
    let world = World::running()?;
    let eth = world.token("ETH")?;
    let alice = world.wallet(Role::Alice)?;
    world.vault.deposit(&alice, &eth, ETHER, alice.address())?;
    world.vault.pause_payouts(&world.wallet(Role::Pauser)?)?;
    let request = world.vault.request(&alice, &eth, ETHER / 4, alice.address(), VALID)?;
    wait::until("the reservation", PATIENCE, || {
        let item = world.item(&format!("withdrawal:{}", request.id))?;
        Ok((item["state"] == "reserved").then_some(()))
    })?;
    let (status, body) = ticket_status(&world, request.id)?;
    assert_eq!(status, 409, "{body}");
    assert!(body.contains("urn:sovr:problem:not-signed-yet"), "{body}");

    let (status, body) = ticket_status(&world, B256::repeat_byte(7))?;
    assert_eq!(status, 404, "{body}");
    assert!(body.contains("urn:sovr:problem:no-ticket"), "{body}");
    let answer = world.sovrd.as_ref().unwrap().get("/v1/withdrawals/0x12/ticket")?;
    assert_eq!(answer.status, 400, "{}", answer.body);
    Ok(())
}
