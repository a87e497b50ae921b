//! Every cause of a halt that a node or a ledger can bring about: `sovrd resume` refuses while it
//! stands, and lifts the halt once it is gone.

use crate::{
    halt::{HALTED, done, refused, wait_halted},
    world::{ETHER, PATIENCE, VALID, World},
};
use alloy::{primitives::Bytes, signers::SignerSync};
use anyhow::{Context, Result, ensure};
use bridge_core::{
    amount::TokenAmount,
    asset::LedgerId,
    block::{Seq, UnixSeconds},
    command::Carried,
    eip712::Domain,
    signing::{Ask, Tree},
    vault_event::Request,
    withdrawal::{Authorization, Verdict},
};
use harness::{
    keys::Role,
    proxy::{Fault, Proxy},
    servers::{TigerBeetle, TigerBeetleOptions},
    vault::Requested,
    wait,
};
use sovrd::chain::bindings;

/// A running daemon whose only node answers through a proxy, and a deposit that has cleared.
fn behind_a_proxy() -> Result<(World, Proxy)> {
    let mut world = World::new()?;
    let proxy = Proxy::start(&world.anvil.url())?;
    world.config.chain.rpc_url = proxy.url();
    world.config.chain.ws_url = None;
    world.start()?;
    deposit(&world)?;
    world.wait_state("deposit:3", "cleared")?;
    Ok((world, proxy))
}

fn deposit(world: &World) -> Result<()> {
    let (eth, alice) = (world.token("ETH")?, world.wallet(Role::Alice)?);
    world.vault.deposit(&alice, &eth, ETHER, alice.address()).map(drop)
}

/// The halt stands as long as the node lies, however often it is asked to be lifted.
fn lifted_with_the_lie(fault: Fault, kind: &str, words: &str) -> Result<()> {
    let (mut world, proxy) = behind_a_proxy()?;
    proxy.set(fault);
    deposit(&world)?;
    let halted = wait::until("the halt", PATIENCE, || {
        world.rpc().mine(1)?;
        let page = world.sovrd.as_ref().context("no daemon")?.get("/v1/status")?;
        let page: serde_json::Value = serde_json::from_str(&page.body)?;
        Ok((!page["halted"].is_null()).then_some(page))
    })?;
    assert_eq!(halted["halted"]["kind"], kind, "{halted:#}");
    assert_eq!(world.stop()?, Some(HALTED));
    refused(&world, &["resume"], words)?;
    proxy.set(Fault::None);
    done(&world, &["resume"], "lifted")?;
    world.start()?;
    world.wait_state("deposit:4", "cleared")?;
    assert_eq!(world.stop()?, Some(0));
    Ok(())
}

#[test]
fn another_genesis() -> Result<()> {
    lifted_with_the_lie(Fault::OtherGenesis, "genesis_changed", "the cause stands")
}

#[test]
fn an_event_that_no_vault_emits() -> Result<()> {
    lifted_with_the_lie(Fault::OddAmounts, "impossible_event", "the cause stands")
}

#[test]
fn holdings_that_the_ledger_does_not_explain() -> Result<()> {
    lifted_with_the_lie(Fault::WrongHoldings, "reserves_broken", "the ledger explains")
}

#[test]
fn a_ledger_that_lost_what_it_had() -> Result<()> {
    let mut world = World::running()?;
    deposit(&world)?;
    world.wait_state("deposit:3", "cleared")?;
    assert_eq!(world.stop()?, Some(0));
    world.ledger.server().kill9()?;
    let port = world.ledger.address().rsplit(':').next().context("no port")?.parse()?;
    let cluster_id = world.ledger.cluster_id();
    let options = TigerBeetleOptions { cluster_id, port: Some(port), ..Default::default() };
    let mut empty = TigerBeetle::start(options)?;

    world.spawn(&crate::world::daemon(), vec![])?;
    let page = wait_halted(&world)?;
    assert_eq!(page["halted"]["kind"], "ledger_lost", "{page:#}");
    assert_eq!(world.stop()?, Some(HALTED));
    refused(&world, &["resume"], "the cause stands")?;
    empty.server().kill9()?;
    world.ledger.restart()?;
    done(&world, &["resume"], "lifted")?;
    world.start()?;
    deposit(&world)?;
    world.wait_state("deposit:4", "cleared")?;
    world.judge()?;
    Ok(())
}

/// The call that pays a request, signed by the vault's only payout signer behind the bridge's back.
fn stolen(world: &World, requested: &Requested, ledger: u32) -> Result<Vec<u8>> {
    let w = &requested.withdrawal;
    let request = Request {
        id: requested.id,
        owner: w.owner,
        to: w.to,
        token: w.token,
        amount: TokenAmount(w.amount),
        deadline: UnixSeconds(w.deadline),
        ledger: LedgerId(ledger),
    };
    let domain = Domain::new(world.deployment.chain_id, world.deployment.vault);
    let ask = Ask { id: requested.id, verdict: Verdict::Pay };
    let tree = Tree::over(&[ask]).context("no tree")?;
    let digest = tree.digest(&domain, Verdict::Pay);
    let signature = Role::PayoutSigner.signer()?.sign_hash_sync(&digest)?;
    let signatures = vec![Bytes::from(signature.as_bytes().to_vec())];
    let authorization = Authorization { verdict: Verdict::Pay, signatures, proof: Vec::new() };
    let carried = Carried { seq: Seq(requested.seq), request, authorization };
    bindings::carrying(&[carried]).context("no call")
}

#[test]
fn a_payout_that_nobody_reserved() -> Result<()> {
    let mut world = World::new()?;
    // It follows and keeps the ledger; nobody refuses on chain in the meantime.
    world.config.payouts = None;
    world.start()?;
    deposit(&world)?;
    let (eth, bob) = (world.token("ETH")?, world.wallet(Role::Bob)?);
    let requested = world.vault.request(&bob, &eth, ETHER / 2, bob.address(), VALID)?;
    world.wait_withdrawal(requested.id, "refusing")?;
    let before = world.rpc().snapshot()?;
    let call = stolen(&world, &requested, eth.ledger)?;
    bob.execute(Some(world.vault.address()), 0, call)?;
    let page = wait_halted(&world)?;
    assert_eq!(page["halted"]["kind"], "paid_without_reservation", "{page:#}");
    ensure!(page["halted_because"].as_str().is_some_and(|s| s.contains("paid")), "{page:#}");
    assert_eq!(world.stop()?, Some(HALTED));
    refused(&world, &["resume"], "the cause stands")?;
    // Only a chain that takes the payout back undoes the theft.
    world.rpc().revert(&before)?;
    world.rpc().mine(3)?;
    done(&world, &["resume"], "lifted")?;
    world.start()?;
    world.judge()?;
    Ok(())
}
