//! Payout signers in processes of their own: two of three must sign, and each believes nobody.

use crate::world::{ETHER, PATIENCE, VALID, World};
use alloy::primitives::B256;
use anyhow::{Context, Result, ensure};
use bridge_core::{
    signing::Ask,
    withdrawal::{RefusalReason, Verdict},
};
use harness::{
    config::TOKEN,
    http::{self, Response},
    keys::Role,
    proxy::{Fault, Proxy},
    solidity,
    vault::Requested,
    wait,
};
use serde_json::Value;
use std::collections::BTreeSet;

const REFUSE: Verdict = Verdict::Refuse(RefusalReason::InsufficientFunds);
/// `IVaultTypes.State`: requested.
const REQUESTED: u8 = 1;

/// Asks one signer directly.
fn ask(world: &World, signer: usize, id: B256, verdict: Verdict) -> Result<Response> {
    let url = format!("{}/v1/sign", world.signers[signer].api_url());
    http::post_json_as(TOKEN, &url, &serde_json::to_string(&[Ask { id, verdict }])?, PATIENCE)
}

/// Expects a signer to say no, and why.
fn refuses(world: &World, signer: usize, id: B256, verdict: Verdict, why: &str) -> Result<()> {
    let answer = ask(world, signer, id, verdict)?;
    let problem: Value = serde_json::from_str(&answer.body)?;
    ensure!(answer.status == 409, "not refused: {} {problem:#}", answer.status);
    ensure!(problem["refusal"] == why, "not for {why}: {problem:#}");
    Ok(())
}

fn request(world: &World, amount: u128) -> Result<Requested> {
    let (eth, alice) = (world.token("ETH")?, world.wallet(Role::Alice)?);
    world.vault.request(&alice, &eth, amount, alice.address(), VALID)
}

fn deposit(world: &World, amount: u128) -> Result<()> {
    let (eth, alice) = (world.token("ETH")?, world.wallet(Role::Alice)?);
    world.vault.deposit(&alice, &eth, amount, alice.address()).map(drop)
}

#[test]
fn two_of_three_pay_and_refuse_and_one_alone_does_neither() -> Result<()> {
    let mut world = World::with_signers(|_, _| Ok(()))?;
    world.start()?;
    deposit(&world, 3 * ETHER)?;
    world.wait_withdrawal(request(&world, ETHER)?.id, "paid")?;

    world.signers[1].kill9()?;
    world.wait_withdrawal(request(&world, ETHER)?.id, "paid")?;
    world.wait_withdrawal(request(&world, 5 * ETHER)?.id, "refused")?;

    world.signers[0].kill9()?;
    let last = request(&world, ETHER)?;
    let waits = wait::until("it to wait for signers", PATIENCE, || {
        let item = world.item(&format!("withdrawal:{}", last.id))?;
        let sentence = item["sentence"].as_str().unwrap_or_default().to_owned();
        Ok(sentence.contains("signers").then_some(item))
    })?;
    assert_eq!(waits["state"], "reserved", "{waits:#}");
    world.signers[1].restart()?;
    world.wait_withdrawal(last.id, "paid")?;
    world.judge()?;
    Ok(())
}

/// Takes no ether.
const REFUSING: &str = r"
    // SPDX-License-Identifier: Apache-2.0
    pragma solidity ^0.8.28;

    contract Refusing {
        receive() external payable {
            revert();
        }
    }
";

#[test]
fn many_are_paid_in_few_transactions_and_one_bad_one_holds_up_nobody() -> Result<()> {
    const COUNT: u128 = 12;
    let mut world = World::with_signers(|_, _| Ok(()))?;
    let (eth, alice) = (world.token("ETH")?, world.wallet(Role::Alice)?);
    deposit(&world, COUNT * ETHER)?;
    let refusing = solidity::deploy(&alice, solidity::compile(REFUSING, "Refusing")?)?;
    let mut requests = Vec::new();
    for n in 0..COUNT {
        let to = if n == 5 { refusing } else { alice.address() };
        requests.push(world.vault.request(&alice, &eth, ETHER / 2, to, VALID)?);
    }
    // Nobody deposited for this one: its refusal goes apart.
    let bob = world.wallet(Role::Bob)?;
    let greedy = world.vault.request(&bob, &eth, ETHER, bob.address(), VALID)?;
    world.start()?;
    let mut transactions = BTreeSet::new();
    for (n, request) in requests.iter().enumerate() {
        let end = if n == 5 { "deferred" } else { "paid" };
        let item = world.wait_withdrawal(request.id, end)?;
        transactions.insert(item["chain"]["outcome_tx_hash"].to_string());
    }
    world.wait_withdrawal(greedy.id, "refused")?;
    ensure!(transactions.len() <= 3, "{COUNT} payouts in {} transactions", transactions.len());
    world.judge()?;
    Ok(())
}

#[test]
fn a_signer_refuses_whatever_it_does_not_find_itself() -> Result<()> {
    // What is final for the others is not for the last one.
    let mut world = World::with_signers(|n, config| {
        config.chain.confirmations = if n == 2 { 3 } else { 1 };
        Ok(())
    })?;

    // A ledger that no daemon has claimed for this vault may be any: nothing is signed.
    let early = request(&world, ETHER)?;
    let answer = ask(&world, 0, early.id, REFUSE)?;
    ensure!(answer.status == 503 && answer.body.contains("another cluster"), "{}", answer.body);
    let payouts = world.config.payouts.take();
    world.start()?;
    assert_eq!(world.stop()?, Some(0));
    world.config.payouts = payouts;

    let early = request(&world, ETHER)?;
    refuses(&world, 2, early.id, Verdict::Pay, "no_final_request")?;
    refuses(&world, 0, early.id, Verdict::Pay, "no_pending")?;
    // Another amount, another recipient: another id, which nobody requested.
    refuses(&world, 0, B256::repeat_byte(7), Verdict::Pay, "no_final_request")?;

    let answer = ask(&world, 0, early.id, REFUSE)?;
    ensure!(answer.status == 200, "{}", answer.body);
    // The money comes, and the daemon with it: what was refused once is not paid by this signer.
    let funded = {
        deposit(&world, 2 * ETHER)?;
        request(&world, ETHER)?
    };
    let answer = ask(&world, 0, funded.id, REFUSE)?;
    ensure!(answer.status == 200, "{}", answer.body);
    world.signers[2].kill9()?;
    world.start()?;
    wait::until("the pending", PATIENCE, || {
        let item = world.item(&format!("withdrawal:{}", funded.id))?;
        Ok((!item["ledger"].is_null()).then_some(()))
    })?;
    refuses(&world, 0, funded.id, Verdict::Pay, "signed_otherwise")?;
    refuses(&world, 1, funded.id, REFUSE, "is_reserved")?;
    let answer = ask(&world, 1, funded.id, Verdict::Pay)?;
    ensure!(answer.status == 200, "{}", answer.body);
    assert_eq!(world.vault.state_of(funded.id)?, REQUESTED, "one of three paid alone");

    world.rpc().increase_time(VALID + 60)?;
    world.rpc().mine(1)?;
    refuses(&world, 1, funded.id, Verdict::Pay, "too_late")?;
    Ok(())
}

#[test]
fn a_signer_asks_for_its_token_and_for_nothing_strange() -> Result<()> {
    let world = World::with_signers(|_, _| Ok(()))?;
    let url = format!("{}/v1/sign", world.signers[0].api_url());
    let ask = |verdict| Ask { id: B256::ZERO, verdict };
    let body = serde_json::to_string(&[ask(Verdict::Pay)])?;
    let mixed = serde_json::to_string(&[ask(Verdict::Pay), ask(REFUSE)])?;
    let many = serde_json::to_string(&vec![ask(Verdict::Pay); 33])?;
    for (answer, status, kind) in [
        (http::post_json(&url, &body, PATIENCE)?, 401, "unauthorized"),
        (http::post_json_as("guess", &url, &body, PATIENCE)?, 401, "unauthorized"),
        (http::post_json_as(TOKEN, &url, "{}", PATIENCE)?, 400, "bad-request"),
        (http::post_json_as(TOKEN, &url, "[]", PATIENCE)?, 400, "bad-request"),
        (http::post_json_as(TOKEN, &url, &mixed, PATIENCE)?, 400, "bad-request"),
        (http::post_json_as(TOKEN, &url, &many, PATIENCE)?, 400, "bad-request"),
        (http::get(&url, PATIENCE)?, 405, "method-not-allowed"),
    ] {
        assert_eq!(answer.status, status, "{}", answer.body);
        let problem: Value = serde_json::from_str(&answer.body)?;
        assert_eq!(problem["type"], format!("urn:sovr:problem:{kind}"), "{problem:#}");
    }
    let log = std::fs::read_to_string(world.dir.path().join("payout_signer/signer.log"))?;
    assert!(!log.contains(TOKEN), "the token is in the log");
    Ok(())
}

#[test]
fn a_signer_with_a_lying_node_is_outvoted_and_a_daemon_with_one_is_not_believed() -> Result<()> {
    let mut proxy = None;
    let mut world = World::with_signers(|n, config| {
        if n == 0 {
            let started = Proxy::start(&config.chain.rpc_url)?;
            config.chain.rpc_url = started.url();
            proxy = Some(started);
        }
        Ok(())
    })?;
    let signers_node = proxy.context("no proxy")?;
    signers_node.set(Fault::EmptyLogs);
    let daemons_node = Proxy::start(&world.node.url())?;
    world.config.chain.rpc_url = daemons_node.url();
    world.config.chain.ws_url = None;
    // The node of the daemon alone tells of more, until its own proof stops it: nothing is proved
    // while this test lasts.
    world.config.reserves.breaks_max = 1_000;
    world.start()?;
    deposit(&world, ETHER)?;
    let honest = request(&world, ETHER / 4)?;
    world.wait_withdrawal(honest.id, "paid")?;
    refuses(&world, 0, honest.id, Verdict::Pay, "no_final_request")?;
    signers_node.set(Fault::None);

    daemons_node.set(Fault::WrongAmounts);
    deposit(&world, ETHER)?;
    // More than there is, and less than the node tells of.
    let greedy = request(&world, 5 * ETHER / 2)?;
    wait::until("the pending", PATIENCE, || {
        let item = world.item(&format!("withdrawal:{}", greedy.id))?;
        Ok((!item["ledger"].is_null()).then_some(()))
    })?;
    for signer in 0..3 {
        refuses(&world, signer, greedy.id, Verdict::Pay, "reserves")?;
    }
    assert_eq!(world.vault.state_of(greedy.id)?, REQUESTED);
    Ok(())
}
