//! Every cause of a halt: `sovrd resume` refuses while it stands, and lifts the halt once it is gone.

use crate::{
    halt::{HALTED, done, refused, wait_halted},
    world::{ETHER, PATIENCE, VALID, World},
};
use alloy::{
    primitives::{B256, Bytes},
    signers::SignerSync,
};
use anyhow::{Context, Result, ensure};
use bridge_core::{
    amount::TokenAmount,
    asset::LedgerId,
    block::{Seq, UnixSeconds},
    command::Carried,
    eip712::Domain,
    halt::Cause,
    signing::{Ask, Tree},
    vault_event::Request,
    withdrawal::{Authorization, Verdict},
};
use harness::{
    keys::Role,
    paths,
    proxy::{Fault, Proxy},
    servers::{TigerBeetle, TigerBeetleOptions},
    vault::Requested,
    wait,
};
use serde_json::{Value, json};
use sovrd::chain::bindings;
use std::fs;

/// A running daemon whose only node answers through a proxy, and a deposit that has cleared.
fn behind_a_proxy() -> Result<(World, Proxy)> {
    let mut world = World::new()?;
    let proxy = Proxy::start(&world.node.url())?;
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
    // Each odd answer is read again after longer and longer pauses.
    let halted = wait::until("the halt", 3 * PATIENCE, || {
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

macro_rules! shown {
    ($cause:ident: $($name:ident => $test:ident,)+ | $($never:ident,)+) => {
        match $cause {
            $(Cause::$name => {
                let _it_exists: fn() -> Result<()> = $test;
                Some(stringify!($test))
            })+
            $(Cause::$never)|+ => None,
        }
    };
}

/// The test that shows it for a cause; none for what never halts.
fn shown_by(cause: Cause) -> Option<&'static str> {
    shown! { cause:
        GenesisChanged => another_genesis,
        FinalBlockReplaced => another_block_where_the_vault_begins,
        ImpossibleEvent => an_event_that_no_vault_emits,
        DepositDiffers => a_deposit_that_is_gone,
        WithdrawalDiffers => another_request,
        PaidWithoutReservation => a_payout_that_nobody_reserved,
        EventReplaced => an_event_that_changed_before_it_was_proven,
        LedgerLost => a_ledger_that_lost_what_it_had,
        ReservesBroken => holdings_that_the_ledger_does_not_explain,
        | SeqGap, CounterMismatch, BrokenLink, NotFinalThere, NoAgreement,
    }
}

#[test]
fn every_cause_of_a_halt_has_its_test_and_its_row() -> Result<()> {
    let table = fs::read_to_string(paths::root().join("docs/reliability.md"))?;
    for cause in Cause::all() {
        let Some(test) = shown_by(cause) else {
            ensure!(!cause.halts(), "{cause:?} halts, and no test shows how it is lifted");
            continue;
        };
        ensure!(cause.halts(), "{cause:?} never halts");
        ensure!(include_str!("causes.rs").contains(&format!("#[test]\nfn {test}()")), "{test}");
        let row = format!("| `{}` |", cause.name());
        let row = table.lines().find(|line| line.starts_with(&row));
        ensure!(
            row.is_some_and(|row| row.ends_with(&format!("| `{test}` |"))),
            "{cause:?}: {row:?}"
        );
    }
    Ok(())
}

#[test]
fn another_genesis() -> Result<()> {
    lifted_with_the_lie(Fault::OtherGenesis, "genesis_changed", "the cause stands")
}

#[test]
fn another_block_where_the_vault_begins() -> Result<()> {
    lifted_with_the_lie(Fault::OtherBlocks, "final_block_replaced", "the cause stands")
}

#[test]
fn an_event_that_no_vault_emits() -> Result<()> {
    lifted_with_the_lie(Fault::OddAmounts, "impossible_event", "a rule that the vault enforces")
}

#[test]
fn holdings_that_the_ledger_does_not_explain() -> Result<()> {
    lifted_with_the_lie(Fault::WrongHoldings, "reserves_broken", "the ledger explains")
}

fn raw(world: &World, hash: B256) -> Result<Value> {
    world.rpc().call("eth_getRawTransactionByHash", &json!([hash]))
}

/// The halt has this kind; the daemon is stopped.
fn halted(world: &mut World, kind: &str) -> Result<()> {
    let page = wait_halted(world)?;
    ensure!(page["halted"]["kind"] == kind, "{page:#}");
    ensure!(world.stop()? == Some(HALTED));
    Ok(())
}

#[test]
fn a_deposit_that_is_gone() -> Result<()> {
    let mut world = World::running()?;
    let snapshot = world.rpc().snapshot()?;
    deposit(&world)?;
    world.wait_state("deposit:3", "cleared")?;
    world.rpc().revert(&snapshot)?;
    world.rpc().mine(5)?;
    let page = wait_halted(&world)?;
    assert_eq!(page["halted"]["chain"]["event"], "nothing", "{page:#}");
    halted(&mut world, "deposit_differs")?;
    refused(&world, &["resume"], "that there is no such event")?;

    // The same deposit comes again under its number: the cause is gone.
    deposit(&world)?;
    done(&world, &["resume"], "lifted")?;
    world.start()?;
    done(&world, &["reconcile"], "0 differences")?;
    assert_eq!(world.stop()?, Some(0));
    Ok(())
}

#[test]
fn another_request() -> Result<()> {
    let mut world = World::new()?;
    // It follows and keeps the ledger; nothing is paid.
    world.config.payouts = None;
    world.start()?;
    deposit(&world)?;
    let (eth, alice) = (world.token("ETH")?, world.wallet(Role::Alice)?);
    let first = world.vault.request(&alice, &eth, ETHER / 2, alice.address(), VALID)?;
    world.wait_withdrawal(first.id, "reserved")?;
    let raw = raw(&world, first.tx_hash)?;
    world.rpc().reorg(1)?;
    world.vault.request(&alice, &eth, ETHER / 4, alice.address(), VALID)?;
    halted(&mut world, "withdrawal_differs")?;
    refused(&world, &["resume"], "withdrawal 4: the ledger holds")?;
    // The first request stands again, in another block.
    world.rpc().reorg_with(2, &json!([[raw, 0]]))?;
    done(&world, &["resume"], "lifted")?;
    world.start()?;
    world.wait_withdrawal(first.id, "reserved")?;
    world.judge()?;
    assert_eq!(world.stop()?, Some(0));
    Ok(())
}

/// The node has the first half of its history only; while the daemon waits for the rest, an event
/// that it has taken in already becomes another one.
#[test]
fn an_event_that_changed_before_it_was_proven() -> Result<()> {
    let mut world = World::new()?;
    let proxy = Proxy::start(&world.node.url())?;
    let chain = &mut world.config.chain;
    (chain.rpc_url, chain.ws_url, chain.range_blocks_max) = (proxy.url(), None, Some(3));
    let (eth, alice, bob) =
        (world.token("ETH")?, world.wallet(Role::Alice)?, world.wallet(Role::Bob)?);
    let receipt = world.vault.deposit(&alice, &eth, ETHER, alice.address())?;
    let raw = raw(&world, receipt.transaction_hash)?;
    let at = receipt.block_number.context("no block")?;
    world.rpc().mine(12)?;
    proxy.set(Fault::LogsEndAt(at + 4));
    world.spawn(&crate::world::daemon(), vec![])?;
    wait::until("the deposit in the ledger", PATIENCE, || {
        let page = world.sovrd.as_ref().context("no daemon")?.get("/v1/status");
        let page: Option<Value> = page.ok().and_then(|p| serde_json::from_str(&p.body).ok());
        Ok(page.filter(|page| page["acknowledged"]["next_seq"] == json!(4)))
    })?;
    world.rpc().reorg(13)?;
    world.vault.deposit(&bob, &eth, 3 * ETHER, bob.address())?;
    proxy.set(Fault::None);
    halted(&mut world, "event_replaced")?;
    refused(&world, &["resume"], "deposit 3: the ledger holds")?;
    world.rpc().reorg_with(14, &json!([[raw, 0]]))?;
    done(&world, &["resume"], "lifted")?;
    world.start()?;
    world.wait_state("deposit:3", "cleared")?;
    done(&world, &["reconcile"], "0 differences")?;
    assert_eq!(world.stop()?, Some(0));
    Ok(())
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
    let ask = Ask { id: requested.id, verdict: Verdict::Pay, intent: None };
    let tree = Tree::over(&[ask]).context("no tree")?;
    let digest = tree.digest(&domain, Verdict::Pay);
    let signature = Role::PayoutSigner.signer()?.sign_hash_sync(&digest)?;
    let signatures = vec![Bytes::from(signature.as_bytes().to_vec())];
    let authorization = Authorization { verdict: Verdict::Pay, signatures, proof: Vec::new() };
    let carried = Carried { seq: Seq(requested.seq), request, intent: None, authorization };
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
