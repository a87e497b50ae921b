//! What people do with the bridge, and what comes of it on both sides.

use crate::world::{DOLLAR, ETHER, PATIENCE, VALID, World, address};
use alloy::primitives::{Address, U256};
use anyhow::Result;
use harness::{
    keys::Role,
    servers::{AnvilOptions, Mining},
    solidity, wait,
};

/// A contract that knows nothing of the vault but its functions, and one that apes its events.
const HOSTILE: &str = r"
    // SPDX-License-Identifier: Apache-2.0
    pragma solidity ^0.8.28;

    interface IDeposits {
        function depositEther(address owner) external payable;
    }

    contract LookAlike {
        event Deposited(
            uint64 indexed seq, address indexed token, address indexed owner,
            address from, uint128 amount, uint32 ledger
        );

        function shout(uint64 seq, address token, address owner) external {
            emit Deposited(seq, token, owner, msg.sender, 1e24, 1001);
        }
    }

    contract Splitter {
        address constant ETHER = 0xEeeeeEeeeEeEeeEeEeEeeEEEeeeeEeeeeeeeEEeE;

        /// Three deposits and two look-alike events in one transaction.
        function run(IDeposits vault, LookAlike ape, address a, address b) external payable {
            uint256 part = msg.value / 4;
            vault.depositEther{value: part}(a);
            ape.shout(4, ETHER, a);
            vault.depositEther{value: part}(b);
            vault.depositEther{value: 2 * part}(a);
            ape.shout(5, ETHER, b);
        }
    }
";

alloy::sol! {
    function run(address vault, address ape, address a, address b) external payable;
}

#[test]
fn deposits_of_both_tokens_clear_for_their_beneficiaries() -> Result<()> {
    let world = World::running()?;
    let (eth, usd) = (world.token("ETH")?, world.token("TUSD")?);
    let alice = world.wallet(Role::Alice)?;
    world.vault.deposit(&alice, &eth, 2 * ETHER, alice.address())?;
    world.vault.deposit(&alice, &usd, 250 * DOLLAR, address(Role::Bob))?;

    let first = world.wait_state("deposit:3", "cleared")?;
    assert_eq!(first["ledger"]["amount"], "200000000");
    assert_eq!(first["chain"]["confirmations"]["need"], "1");
    let second = world.wait_state("deposit:4", "cleared")?;
    assert_eq!(second["ledger"]["amount"], "25000");
    assert_eq!(second["chain"]["owner"], address(Role::Bob).to_string().to_lowercase());
    world.judge()?;
    Ok(())
}

#[test]
fn a_withdrawal_is_paid_and_posted() -> Result<()> {
    let world = World::running()?;
    let (eth, usd) = (world.token("ETH")?, world.token("TUSD")?);
    let alice = world.wallet(Role::Alice)?;
    world.vault.deposit(&alice, &eth, 3 * ETHER, alice.address())?;
    world.vault.deposit(&alice, &usd, 100 * DOLLAR, alice.address())?;
    let stranger = Address::repeat_byte(0xb0);
    let ether = world.vault.request(&alice, &eth, ETHER, stranger, VALID)?;
    let dollars = world.vault.request(&alice, &usd, 40 * DOLLAR, stranger, VALID)?;

    let paid = world.wait_withdrawal(ether.id, "paid")?;
    world.wait_withdrawal(dollars.id, "paid")?;
    assert_eq!(world.vault.balance(&eth, stranger)?, U256::from(ETHER));
    assert_eq!(world.vault.balance(&usd, stranger)?, U256::from(40 * DOLLAR));
    world.judge()?;
    let settled = world.wait_withdrawal(ether.id, "paid")?;
    assert_eq!(settled["ledger"]["resolved"], "posted", "{paid:#}");
    Ok(())
}

#[test]
fn a_withdrawal_without_funds_is_refused_on_chain() -> Result<()> {
    let world = World::running()?;
    let eth = world.token("ETH")?;
    let (alice, bob) = (world.wallet(Role::Alice)?, world.wallet(Role::Bob)?);
    world.vault.deposit(&alice, &eth, ETHER, alice.address())?;
    // More than there is, and nothing at all from somebody who never deposited.
    let greedy = world.vault.request(&alice, &eth, 2 * ETHER, alice.address(), VALID)?;
    let empty = world.vault.request(&bob, &eth, ETHER / 10, bob.address(), VALID)?;

    let refused = world.wait_withdrawal(greedy.id, "refused")?;
    world.wait_withdrawal(empty.id, "refused")?;
    assert_eq!(refused["ledger"], serde_json::Value::Null);
    world.judge()?;
    // The money is still there for a request that it covers.
    let modest = world.vault.request(&alice, &eth, ETHER, alice.address(), VALID)?;
    world.wait_withdrawal(modest.id, "paid")?;
    world.judge()?;
    Ok(())
}

#[test]
fn an_expired_withdrawal_is_void_and_can_be_cancelled() -> Result<()> {
    let world = World::running()?;
    let eth = world.token("ETH")?;
    let (alice, bob) = (world.wallet(Role::Alice)?, world.wallet(Role::Bob)?);
    world.vault.deposit(&alice, &eth, ETHER, alice.address())?;
    world.vault.pause_payouts(&world.wallet(Role::Pauser)?)?;
    let first = world.vault.request(&alice, &eth, ETHER / 2, alice.address(), 120)?;
    let second = world.vault.request(&alice, &eth, ETHER / 4, alice.address(), 120)?;
    wait::until("both to be reserved", PATIENCE, || {
        let reserved = |id| -> Result<bool> {
            Ok(!world.item(&format!("withdrawal:{id}"))?["ledger"].is_null())
        };
        Ok((reserved(first.id)? && reserved(second.id)?).then_some(()))
    })?;

    world.rpc().increase_time(600)?;
    world.rpc().mine(1)?;
    // Nobody has to do anything for the ledger to let go; on chain anybody may close it.
    world.wait_withdrawal(second.id, "expired")?;
    world.vault.cancel_expired(&bob, &first)?;
    world.wait_withdrawal(first.id, "cancelled")?;
    world.judge()?;

    world.vault.unpause_payouts(&world.wallet(Role::Admin)?)?;
    let last = world.vault.request(&alice, &eth, ETHER, alice.address(), VALID)?;
    world.wait_withdrawal(last.id, "paid")?;
    world.judge()?;
    Ok(())
}

#[test]
fn several_deposits_in_one_transaction_beside_look_alikes() -> Result<()> {
    let world = World::running()?;
    let alice = world.wallet(Role::Alice)?;
    let ape = solidity::deploy(&alice, solidity::compile(HOSTILE, "LookAlike")?)?;
    let splitter = solidity::deploy(&alice, solidity::compile(HOSTILE, "Splitter")?)?;
    let (carol, dave) = (address(Role::Carol), address(Role::Dave));
    let call = runCall { vault: world.vault.address(), ape, a: carol, b: dave };
    let input = alloy::sol_types::SolCall::abi_encode(&call);
    let receipt = alice.execute(Some(splitter), 4 * ETHER, input)?;
    assert_eq!(receipt.logs().len(), 5);

    for deposit in 3..=5 {
        world.wait_state(&format!("deposit:{deposit}"), "cleared")?;
    }
    let sovrd = world.sovrd.as_ref().unwrap();
    let page = sovrd.get(&format!("/v1/transfers/tx:{}", receipt.transaction_hash))?;
    let page: serde_json::Value = serde_json::from_str(&page.body)?;
    assert_eq!(page["items"].as_array().map(Vec::len), Some(3), "{page:#}");
    world.judge()?;
    Ok(())
}

#[test]
fn a_request_in_the_block_after_the_deposit_finds_the_money() -> Result<()> {
    // The daemon is away while both happen, so that they reach it in one batch; then it is there.
    let mut world =
        World::with(AnvilOptions { mining: Mining::EveryTransaction, ..AnvilOptions::default() })?;
    let eth = world.token("ETH")?;
    let (alice, bob) = (world.wallet(Role::Alice)?, world.wallet(Role::Bob)?);
    let mut requests = Vec::new();
    for _ in 0..5 {
        world.vault.deposit(&alice, &eth, ETHER, bob.address())?;
        requests.push(world.vault.request(&bob, &eth, ETHER, bob.address(), VALID)?);
    }
    world.start()?;
    for _ in 0..5 {
        world.vault.deposit(&alice, &eth, ETHER, bob.address())?;
        requests.push(world.vault.request(&bob, &eth, ETHER, bob.address(), VALID)?);
    }
    for request in &requests {
        world.wait_withdrawal(request.id, "paid")?;
    }
    world.judge()?;
    Ok(())
}

#[test]
fn a_deposit_waits_for_its_confirmations() -> Result<()> {
    let mut world = World::new()?;
    world.config.chain.confirmations = 5;
    world.rpc().mine(5)?;
    world.start()?;
    let eth = world.token("ETH")?;
    let alice = world.wallet(Role::Alice)?;
    world.vault.deposit(&alice, &eth, ETHER, alice.address())?;
    let one = wait::until("the deposit to be seen", PATIENCE, || {
        let item = world.item("deposit:3")?;
        Ok((item["chain"]["confirmations"]["have"] == 1).then_some(item))
    })?;
    assert_eq!(one["state"], "pending");
    assert_eq!(one["sentence"], "waiting for finality: 1 of 5");
    world.rpc().mine(3)?;
    wait::until("four confirmations", PATIENCE, || {
        let item = world.item("deposit:3")?;
        assert_eq!(item["state"], "pending", "four of five are not enough");
        Ok((item["chain"]["confirmations"]["have"] == 4).then_some(()))
    })?;
    world.rpc().mine(1)?;
    world.wait_state("deposit:3", "cleared")?;
    world.judge()?;
    Ok(())
}

#[test]
fn a_reorganised_deposit_counts_as_the_final_chain_has_it() -> Result<()> {
    let mut world = World::new()?;
    world.config.chain.confirmations = 6;
    world.rpc().mine(6)?;
    world.start()?;
    let eth = world.token("ETH")?;
    let alice = world.wallet(Role::Alice)?;
    let before = world.rpc().snapshot()?;
    world.vault.deposit(&alice, &eth, ETHER, alice.address())?;
    world.vault.deposit(&alice, &eth, 2 * ETHER, alice.address())?;
    wait::until("the deposits to be seen", PATIENCE, || {
        Ok((world.item("deposit:4")?["state"] == "pending").then_some(()))
    })?;
    // Both are gone for ever; another one takes the first one's number.
    world.rpc().revert(&before)?;
    let bob = world.wallet(Role::Bob)?;
    world.vault.deposit(&bob, &eth, 3 * ETHER, bob.address())?;
    world.rpc().mine(6)?;
    let item = world.wait_state("deposit:3", "cleared")?;
    assert_eq!(item["chain"]["owner"], bob.address().to_string().to_lowercase());
    assert_eq!(item["ledger"]["amount"], "300000000");
    assert_eq!(world.item("deposit:4")?["state"], "pending");
    world.judge()?;
    Ok(())
}
