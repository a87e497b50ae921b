//! Withdrawals without ether: an owner signs, the bridge does the rest, or says exactly why not.

use crate::self_help;
use crate::world::{ETHER, PATIENCE, VALID, World, address, daemon_with_failpoints};
use alloy::{
    primitives::{Address, B256, Bytes, U256},
    sol_types::SolCall,
};
use anyhow::{Context, Result, ensure};
use bridge_core::{
    amount::TokenAmount, block::UnixSeconds, gasless::Intent, signing::Ask, withdrawal::Verdict,
};
use harness::{config::TOKEN, gasless, http, keys::Role, solidity, wait};
use serde_json::Value;
use std::{fs, os::unix::process::ExitStatusExt};

const SIGKILL: i32 = 9;
/// What the vault has of an id that it never saw, and of one that it paid.
const NONE: u8 = 0;
const PAID: u8 = 3;

/// Alice deposits for Bob, whose account never held ether.
fn funded(world: &World, amount: u128) -> Result<()> {
    let (eth, alice) = (world.token("ETH")?, world.wallet(Role::Alice)?);
    let parameters = serde_json::json!([address(Role::Bob), "0x0"]);
    world.rpc().call("anvil_setBalance", &parameters)?;
    world.vault.deposit(&alice, &eth, amount, address(Role::Bob))?;
    world.wait_state("deposit:3", "cleared").map(drop)
}

fn order(world: &World, amount: u128, nonce: u64) -> Result<Intent> {
    let (eth, owner) = (world.token("ETH")?, address(Role::Bob));
    let deadline = world.vault.chain_time()? + VALID;
    let to = address(Role::Carol);
    Ok(Intent { to, ..gasless::order(owner, eth.address, amount, deadline, nonce) })
}

fn signed(world: &World, order: Intent) -> Result<(B256, Intent)> {
    let key = Role::Bob.signer()?;
    gasless::sign(world.deployment.chain_id, &world.vault, &key, order)
}

fn send(world: &World, intent: &Intent) -> Result<(u16, Value)> {
    gasless::send(&world.config.api_url(), intent, PATIENCE)
}

fn shown(world: &World, id: B256) -> Result<Value> {
    let answer =
        world.sovrd.as_ref().context("no daemon")?.get(&format!("/v1/withdrawals/{id}"))?;
    ensure!(answer.status == 200, "{} {}", answer.status, answer.body);
    Ok(serde_json::from_str(&answer.body)?)
}

fn codes(problem: &Value) -> Vec<(String, String)> {
    let faults = problem["faults"].as_array().cloned().unwrap_or_default();
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    faults.iter().map(|f| (text(&f["field"]), text(&f["code"]))).collect()
}

#[test]
fn a_user_without_ether_withdraws_and_sends_the_same_text_again() -> Result<()> {
    let mut world = World::with_signers(|_, _| Ok(()))?;
    world.config.gasless.fees = vec!["1001:10000000000".into()];
    world.start()?;
    funded(&world, 2 * ETHER)?;
    let before = world.vault.balance(&world.token("ETH")?, address(Role::Carol))?;
    let fee = TokenAmount(50_000_000_000);
    let (id, intent) = signed(&world, Intent { fee, ..order(&world, ETHER, 7)? })?;

    let (status, answer) = send(&world, &intent)?;
    ensure!(status == 202 && answer["ref"] == format!("withdrawal:{id}"), "{status} {answer:#}");
    let item = world.wait_withdrawal(id, "paid")?;
    ensure!(item["ledger"]["resolved"] == "posted", "{item:#}");
    let after = world.vault.balance(&world.token("ETH")?, address(Role::Carol))?;
    assert_eq!(after - before, U256::from(ETHER));
    world.judge()?;

    let seq = world.vault.last_seq()?;
    for _again in 0..3 {
        let (status, answer) = send(&world, &intent)?;
        ensure!(status == 200 && answer["state"] == "paid", "{status} {answer:#}");
    }
    ensure!(shown(&world, id)?["state"] == "paid");
    assert_eq!(world.vault.last_seq()?, seq, "nothing happened on chain");
    world.judge()?;
    Ok(())
}

#[test]
fn requests_and_orders_are_paid_under_one_root() -> Result<()> {
    let mut world = World::with_signers(|_, _| Ok(()))?;
    let (eth, alice) = (world.token("ETH")?, world.wallet(Role::Alice)?);
    world.start()?;
    funded(&world, 4 * ETHER)?;
    world.vault.deposit(&alice, &eth, 4 * ETHER, alice.address())?;
    world.vault.pause_payouts(&world.wallet(Role::Pauser)?)?;
    let mut ids = Vec::new();
    for n in 0..3 {
        ids.push(world.vault.request(&alice, &eth, ETHER / 4, alice.address(), VALID)?.id);
        let (id, intent) = signed(&world, order(&world, ETHER / 4, n)?)?;
        let (status, answer) = send(&world, &intent)?;
        ensure!(status == 202, "{status} {answer:#}");
        ids.push(id);
    }
    for id in &ids {
        world.wait_withdrawal(*id, "reserved")?;
    }
    world.vault.unpause_payouts(&world.wallet(Role::Admin)?)?;
    let mut transactions = std::collections::BTreeMap::<String, Vec<B256>>::new();
    for id in &ids {
        world.wait_withdrawal(*id, "paid")?;
        let tx = shown(&world, *id)?["chain"]["outcome_tx_hash"].to_string();
        transactions.entry(tx).or_default().push(*id);
    }
    let mixed = |paid: &Vec<B256>| {
        let of = |parity| ids.iter().skip(parity).step_by(2).any(|id| paid.contains(id));
        of(0) && of(1)
    };
    ensure!(transactions.values().any(mixed), "both kinds in one transaction: {transactions:#?}");
    world.judge()?;
    Ok(())
}

#[test]
fn whatever_cannot_be_paid_is_refused_with_every_reason_and_nothing_is_set_aside() -> Result<()> {
    let mut world = World::new()?;
    world.config.gasless.fees = vec!["1001:10000000000".into()];
    world.start()?;
    funded(&world, ETHER)?;
    let fee = TokenAmount(10_000_000_000);
    let good = Intent { fee, ..order(&world, ETHER / 2, 1)? };
    let now = world.vault.chain_time()?;
    let cases: Vec<(Intent, Vec<(&str, &str)>)> = vec![
        (
            Intent { deadline: UnixSeconds(now - 1), ..good.clone() },
            vec![("deadline", "deadline-too-soon")],
        ),
        (
            Intent { deadline: UnixSeconds(now + 10), ..good.clone() },
            vec![("deadline", "deadline-too-soon")],
        ),
        (
            Intent { deadline: UnixSeconds(now + 40 * 86_400), ..good.clone() },
            vec![("deadline", "deadline-too-far")],
        ),
        (Intent { fee: TokenAmount(0), ..good.clone() }, vec![("fee", "fee-too-low")]),
        (
            Intent { token: Address::repeat_byte(9), ..good.clone() },
            vec![("token", "unknown-token")],
        ),
        (
            Intent { amount: TokenAmount(2 * ETHER), ..good.clone() },
            vec![("amount", "insufficient-funds")],
        ),
        (
            Intent { amount: TokenAmount(1), fee: TokenAmount(1), ..good.clone() },
            vec![
                ("amount", "below-minimum"),
                ("amount", "amount-not-divisible"),
                ("fee", "fee-not-divisible"),
                ("fee", "fee-too-low"),
            ],
        ),
        (
            Intent {
                to: world.vault.address(),
                amount: TokenAmount(u128::MAX / 10 * 10),
                ..good.clone()
            },
            vec![("amount", "above-maximum"), ("to", "recipient-not-allowed")],
        ),
    ];
    for (n, (case, expected)) in cases.into_iter().enumerate() {
        let (id, intent) = signed(&world, case)?;
        let (status, problem) = send(&world, &intent)?;
        ensure!(status == 422, "case {n}: {status} {problem:#}");
        assert_eq!(problem["type"], "urn:sovr:problem:withdrawal-refused");
        let told = codes(&problem);
        for (field, code) in expected {
            let one = (field.to_owned(), code.to_owned());
            ensure!(told.contains(&one), "case {n}: {one:?} not in {problem:#}");
        }
        ensure!(shown(&world, id)?["ledger"].is_null(), "case {n}: set aside");
    }
    // Somebody else's signature, and the owner's over another text.
    let (_, others) = gasless::sign(
        world.deployment.chain_id,
        &world.vault,
        &Role::Alice.signer()?,
        good.clone(),
    )?;
    let (_, mut moved) = signed(&world, good.clone())?;
    moved.to = address(Role::Erin);
    for intent in [others, moved] {
        let (status, problem) = send(&world, &intent)?;
        ensure!(status == 422, "{status} {problem:#}");
        assert_eq!(codes(&problem), [("signature".to_owned(), "signature-wrong".to_owned())]);
    }
    // What was refused for a reason that passes is good afterwards, under the same id.
    let (id, intent) = signed(&world, Intent { amount: TokenAmount(ETHER), ..good })?;
    ensure!(codes(&send(&world, &intent)?.1)[0].1 == "insufficient-funds");
    let alice = world.wallet(Role::Alice)?;
    world.vault.deposit(&alice, &world.token("ETH")?, ETHER, address(Role::Bob))?;
    world.wait_state("deposit:4", "cleared")?;
    ensure!(send(&world, &intent)?.0 == 202);
    world.wait_withdrawal(id, "paid")?;
    world.judge()?;
    Ok(())
}

/// Takes in an order that cannot be paid while payouts are paused.
fn open_order(world: &World, nonce: u64) -> Result<(B256, Intent)> {
    world.vault.pause_payouts(&world.wallet(Role::Pauser)?)?;
    let (id, intent) = signed(world, order(world, ETHER, nonce)?)?;
    let (status, answer) = send(world, &intent)?;
    ensure!(status == 202, "{status} {answer:#}");
    world.wait_withdrawal(id, "reserved")?;
    Ok((id, intent))
}

#[test]
fn an_order_that_its_owner_revokes_is_void_at_once() -> Result<()> {
    let world = World::running()?;
    funded(&world, ETHER)?;
    let (id, intent) = open_order(&world, 300)?;
    world
        .rpc()
        .call("anvil_setBalance", &serde_json::json!([address(Role::Bob), "0xde0b6b3a7640000"]))?;
    world.vault.invalidate_nonce(&world.wallet(Role::Bob)?, U256::from(300))?;
    wait::until("the void", PATIENCE, || {
        Ok((shown(&world, id)?["ledger"]["resolved"] == "voided").then_some(()))
    })?;
    world.judge()?;
    let (status, answer) = send(&world, &intent)?;
    ensure!(status == 200, "what has ended stays ended: {status} {answer:#}");
    // The money is free, the nonce is not.
    let (_, again) = signed(&world, order(&world, ETHER / 2, 300)?)?;
    assert_eq!(codes(&send(&world, &again)?.1), [("nonce".into(), "nonce-invalidated".into())]);
    let (next, other) = signed(&world, order(&world, ETHER, 301)?)?;
    ensure!(send(&world, &other)?.0 == 202);
    world.vault.unpause_payouts(&world.wallet(Role::Admin)?)?;
    world.wait_withdrawal(next, "paid")?;
    assert_eq!(world.vault.state_of(id)?, NONE);
    world.judge()?;
    Ok(())
}

/// A wallet that takes the signature of one key, and of none once it is closed.
const WALLET: &str = r"
    // SPDX-License-Identifier: Apache-2.0
    pragma solidity ^0.8.28;

    contract Wallet {
        address public immutable KEY = 0x976EA74026E726554dB657fA54763abd0C3a0aa9;
        bool public closed;

        function close() external {
            closed = true;
        }

        function isValidSignature(bytes32 digest, bytes calldata signature)
            external
            view
            returns (bytes4)
        {
            if (signature.length != 65) revert();
            (bytes32 r, bytes32 s) = abi.decode(signature, (bytes32, bytes32));
            bool good = ecrecover(digest, uint8(signature[64]), r, s) == KEY;
            return !closed && good ? this.isValidSignature.selector : bytes4(0xffffffff);
        }
    }
";

#[test]
fn a_contract_signs_as_it_likes() -> Result<()> {
    let mut world = World::with_signers(|_, _| Ok(()))?;
    world.start()?;
    let (eth, alice) = (world.token("ETH")?, world.wallet(Role::Alice)?);
    let owner = solidity::deploy(&alice, solidity::compile(WALLET, "Wallet")?)?;
    world.vault.deposit(&alice, &eth, 3 * ETHER, owner)?;
    world.wait_state("deposit:3", "cleared")?;
    let of_wallet =
        |nonce| Ok::<_, anyhow::Error>(Intent { owner, ..order(&world, ETHER, nonce)? });

    let (id, intent) = signed(&world, of_wallet(1)?)?;
    let (status, answer) = send(&world, &intent)?;
    ensure!(status == 202, "{status} {answer:#}");
    world.wait_withdrawal(id, "paid")?;

    // Nobody else's key, no other length, and nothing once the wallet says no.
    let chain_id = world.deployment.chain_id;
    let (_, forged) = gasless::sign(chain_id, &world.vault, &Role::Alice.signer()?, of_wallet(2)?)?;
    let mut short = signed(&world, of_wallet(2)?)?.1;
    short.signature = short.signature.slice(..64);
    let (_, good) = signed(&world, of_wallet(2)?)?;
    let wrong = vec![("signature".to_owned(), "signature-wrong".to_owned())];
    assert_eq!(codes(&send(&world, &forged)?.1), wrong);
    assert_eq!(codes(&send(&world, &short)?.1), wrong);
    alice.execute(Some(owner), 0, close_call())?;
    assert_eq!(codes(&send(&world, &good)?.1), wrong);
    world.judge()?;
    Ok(())
}

fn close_call() -> Vec<u8> {
    alloy::sol! { function close() external; }
    closeCall {}.abi_encode()
}

#[test]
fn a_signer_believes_nobody_about_an_order() -> Result<()> {
    let mut world = World::with_signers(|_, _| Ok(()))?;
    world.start()?;
    funded(&world, 2 * ETHER)?;
    let (id, intent) = open_order(&world, 1)?;
    let ask = |id: B256, intent: &Intent| -> Result<Value> {
        let url = format!("{}/v1/sign", world.signers[0].api_url());
        let ask = Ask { id, verdict: Verdict::Pay, intent: Some(intent.clone()) };
        let answer = http::post_json_as(TOKEN, &url, &serde_json::to_string(&[ask])?, PATIENCE)?;
        Ok(serde_json::from_str(&answer.body)?)
    };
    assert_eq!(ask(id, &intent)?["refusal"], "paused");
    world.vault.unpause_payouts(&world.wallet(Role::Admin)?)?;
    world.wait_withdrawal(id, "paid")?;
    assert_eq!(ask(id, &intent)?["refusal"], "not_open");

    // Nobody set these aside.
    let (other, unknown) = signed(&world, order(&world, ETHER / 2, 2)?)?;
    assert_eq!(ask(other, &unknown)?["refusal"], "no_pending");
    assert_eq!(ask(id, &unknown)?["refusal"], "no_final_request", "other fields, another id");
    let forged = Intent { signature: Bytes::from(vec![1; 65]), ..unknown.clone() };
    assert_eq!(ask(other, &forged)?["refusal"], "not_the_owners");
    let (late, expired) = signed(&world, Intent { deadline: UnixSeconds(1), ..unknown.clone() })?;
    assert_eq!(ask(late, &expired)?["refusal"], "too_late");
    let parameters = serde_json::json!([address(Role::Bob), "0xde0b6b3a7640000"]);
    world.rpc().call("anvil_setBalance", &parameters)?;
    world.vault.invalidate_nonce(&world.wallet(Role::Bob)?, U256::from(2))?;
    assert_eq!(ask(other, &unknown)?["refusal"], "revoked");
    world.judge()?;
    Ok(())
}

/// The commands of the paper for wallets, as they stand there.
#[test]
fn the_documented_commands_sign_send_and_show() -> Result<()> {
    let world = World::running()?;
    funded(&world, ETHER)?;
    let eth = world.token("ETH")?;
    let more = |id: String| {
        vec![
            ("TO", address(Role::Carol).to_string()),
            ("TOKEN", eth.address.to_string()),
            ("AMOUNT", (ETHER / 2).to_string()),
            ("FEE", "0".to_owned()),
            ("NONCE", "12".to_owned()),
            ("ID", id),
        ]
    };
    let run = |name: &str, id: &str| {
        self_help::run_of(&world, "docs/gasless.md", name, Role::Bob, &more(id.to_owned()))
    };
    run("sign", "")?;
    let said = run("send", "")?;
    let id = said.trim().strip_prefix("withdrawal:").and_then(|s| s.split(' ').next());
    let id = id.with_context(|| said.clone())?.to_owned();
    world.wait_withdrawal(id.parse()?, "paid")?;
    let shown = run("show", &id)?;
    ensure!(shown.starts_with("paid: "), "{shown}");
    // The same text again, which is harmless, and a revocation that comes too late.
    ensure!(run("send", "")?.contains("paid"));
    let parameters = serde_json::json!([address(Role::Bob), "0xde0b6b3a7640000"]);
    world.rpc().call("anvil_setBalance", &parameters)?;
    run("revoke", &id)?;
    ensure!(run("show", &id)?.starts_with("paid: "));
    world.judge()?;
    Ok(())
}

#[test]
fn an_order_past_its_deadline_is_void() -> Result<()> {
    let world = World::running()?;
    funded(&world, ETHER)?;
    let (id, _) = open_order(&world, 1)?;
    world.rpc().increase_time(VALID + 60)?;
    world.rpc().mine(1)?;
    let item = world.wait_withdrawal(id, "expired")?;
    ensure!(!item["ledger"].is_null());
    wait::until("the void", PATIENCE, || {
        Ok((shown(&world, id)?["ledger"]["resolved"] == "voided").then_some(()))
    })?;
    world.judge()?;
    Ok(())
}

#[test]
fn a_daemon_killed_anywhere_pays_an_order_once() -> Result<()> {
    let points =
        ["before-pendings", "pendings-answered", "transaction-synced", "broadcast-answered"];
    for point in points {
        let mut world = World::running()?;
        funded(&world, 2 * ETHER)?;
        assert_eq!(world.stop()?, Some(0));
        let (id, intent) = signed(&world, order(&world, ETHER, 5)?)?;
        let file = world.dir.path().join("fail-point");
        fs::write(&file, point)?;
        let ending = vec![("SOVR_FAIL_POINT".to_owned(), file.display().to_string())];
        world.spawn(&daemon_with_failpoints()?, ending)?;
        let mut killed = None;
        wait::until(&format!("the daemon to end at {point}"), PATIENCE, || {
            let _maybe_gone = send(&world, &intent);
            killed = world.sovrd.as_mut().context("no daemon")?.server().exit_status()?;
            Ok(killed.map(|_| ()))
        })?;
        assert_eq!(killed.and_then(|status| status.signal()), Some(SIGKILL), "{point}");
        ensure!(file.with_extension("reached").exists(), "{point} was not reached");
        // Nobody sends it again: it was on disk before the ledger heard of it.
        world.start()?;
        world.wait_withdrawal(id, "paid")?;
        let (status, answer) = send(&world, &intent)?;
        ensure!(status == 200 && answer["state"] == "paid", "{point}: {status} {answer:#}");
        world.judge()?;
    }
    Ok(())
}

#[test]
fn after_a_lost_store_the_same_text_goes_on_and_what_nobody_sends_again_is_void() -> Result<()> {
    let mut world = World::running()?;
    funded(&world, 3 * ETHER)?;
    let (sent_again, intent) = open_order(&world, 1)?;
    let (forgotten, other) = signed(&world, order(&world, ETHER, 2)?)?;
    ensure!(send(&world, &other)?.0 == 202);
    world.wait_withdrawal(forgotten, "reserved")?;
    assert_eq!(world.stop()?, Some(0));
    fs::remove_dir_all(&world.config.store.path)?;

    world.start()?;
    world.wait_withdrawal(forgotten, "text_missing")?;
    world.wait_withdrawal(sent_again, "text_missing")?;
    world.vault.unpause_payouts(&world.wallet(Role::Admin)?)?;
    let (status, answer) = send(&world, &intent)?;
    ensure!(status == 202, "{status} {answer:#}");
    world.wait_withdrawal(sent_again, "paid")?;
    assert_eq!(world.vault.state_of(sent_again)?, PAID);
    assert_eq!(world.vault.state_of(forgotten)?, NONE);
    world.judge()?;

    world.rpc().increase_time(VALID + 60)?;
    world.rpc().mine(1)?;
    wait::until("the void", PATIENCE, || {
        Ok((shown(&world, forgotten)?["ledger"]["resolved"] == "voided").then_some(()))
    })?;
    world.judge()?;
    Ok(())
}
