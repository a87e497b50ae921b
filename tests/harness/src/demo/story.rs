//! The story: what people do, and what chain and ledger say to it.

use super::{amount, stage::Stage, stage::name, transfers::Item};
use crate::{
    contracts::{ETHER, Token},
    keys::Role,
    vault::{
        Requested,
        abi::{self, IVault},
    },
};
use alloy::{
    primitives::{B256, U256},
    rpc::types::TransactionReceipt,
    sol_types::{SolCall, SolEvent},
};
use anyhow::{Context, Result, ensure};

/// Enough for a payout on this machine, however slow.
const LONG_S: u64 = 86_400;
/// A little over the vault's least (`min_deadline_s`): the chain's clock moves between the call's
/// making and its block.
const SHORT_S: u64 = 90;

/// All steps in order.
pub(super) fn tell(stage: &Stage<'_>) -> Result<()> {
    stage.screen.heading("The story");
    deposits(stage)?;
    paid(stage)?;
    refused(stage)?;
    let waiting = paused(stage)?;
    expired(stage, &waiting)?;
    unpaused(stage)
}

fn deposits(stage: &Stage<'_>) -> Result<()> {
    stage.screen.step(1, "Alice and Bob deposit ether and dollars");
    deposit(stage, Role::Alice, &stage.ether, "2")?;
    deposit(stage, Role::Bob, &stage.ether, "1")?;
    deposit(stage, Role::Alice, &stage.dollar, "1,000")?;
    deposit(stage, Role::Bob, &stage.dollar, "250.5")
}

fn deposit(stage: &Stage<'_>, who: Role, token: &Token, text: &str) -> Result<()> {
    let units = amount::parse(text, token)?;
    let wallet = stage.wallet(who)?;
    if token.address != ETHER {
        // The development dollar has a faucet; each of them starts with 5,000.
        let mint = abi::mintCall { to: wallet.address(), amount: U256::from(FAUCET - units) };
        wallet.execute(Some(token.address), 0, mint.abi_encode())?;
    }
    let receipt = stage.vault.deposit(&wallet, token, units, wallet.address())?;
    let event = event::<IVault::Deposited>(&receipt)?;
    ensure!(event.amount == units, "{} were sent, the vault says {}", units, event.amount);
    let line = format!("{} deposits {}: Deposited", who.name(), amount::shown(units, token));
    on_chain(stage, &line, event.seq, receipt.transaction_hash);

    let item = stage.wait_for(&format!("deposit:{}", event.seq), |item| item.state == "cleared")?;
    let entry = item.ledger.as_ref().context("cleared without a transfer")?;
    let credited = stage.entry(entry, token)?;
    ensure!(credited == amount::shown(units, token), "the ledger credited {credited}");
    let id = &entry.transfer_id;
    stage.screen.ledger(&format!("{credited} from VAULT to {}, transfer {id}", who.name()));
    Ok(())
}

/// What the faucet gives each, in units of the development dollar.
const FAUCET: u128 = 5_000_000_000;

fn paid(stage: &Stage<'_>) -> Result<()> {
    stage.screen.step(2, "Alice withdraws 0.5 ETH: paid");
    let request = request(stage, Role::Alice, &stage.ether, "0.5", LONG_S)?;
    let item =
        withdrawal(stage, &request, |item| item.state == "paid" && resolved(item).is_some())?;
    ensure!(resolved(&item) == Some("posted"), "paid, but the ledger says {item:?}");
    outcome::<IVault::Paid>(stage, &item, "Paid", |e| e.seq)?;
    stage.screen.ledger("0.5 ETH taken from alice: the pending transfer is posted");
    stage.screen.means(&item.sentence);
    Ok(())
}

fn refused(stage: &Stage<'_>) -> Result<()> {
    stage.screen.step(3, "Bob asks for 5 ETH but owns 1: refused");
    let request = request(stage, Role::Bob, &stage.ether, "5", LONG_S)?;
    let item = withdrawal(stage, &request, |item| item.state == "refused")?;
    ensure!(item.ledger.is_none(), "refused, but the ledger set something aside: {item:?}");
    let reason = outcome::<IVault::Refused>(stage, &item, "Refused", |e| e.seq)?.reason;
    ensure!(reason == INSUFFICIENT_FUNDS, "refused for reason {reason}");
    stage.screen.ledger("nothing was set aside: bob's balance does not cover it");
    stage.screen.means(&item.sentence);
    Ok(())
}

/// `IVaultTypes.RefusalReason.InsufficientFunds`
const INSUFFICIENT_FUNDS: u8 = 1;

fn paused(stage: &Stage<'_>) -> Result<Requested> {
    stage.screen.step(4, "Payouts are paused; Bob asks for 100 TUSD and has to wait");
    let receipt = stage.vault.pause_payouts(&stage.wallet(Role::Pauser)?)?;
    stage.screen.chain(&format!("the pauser stops payouts: {}", receipt.transaction_hash));
    let request = request(stage, Role::Bob, &stage.dollar, "100", SHORT_S)?;
    let item = withdrawal(stage, &request, |item| item.ledger.is_some())?;
    let entry = item.ledger.as_ref().context("no transfer")?;
    ensure!(entry.resolved.is_none(), "resolved while payouts are paused: {item:?}");
    let shown = stage.entry(entry, &stage.dollar)?;
    let id = &entry.transfer_id;
    stage.screen.ledger(&format!("{shown} set aside: pending transfer {id}"));
    Ok(request)
}

fn expired(stage: &Stage<'_>, request: &Requested) -> Result<()> {
    stage.screen.step(5, "The deadline passes; Carol, a stranger, closes the request");
    stage.rpc.increase_time(SHORT_S + 1)?;
    stage.rpc.mine(1)?;
    let carol = stage.wallet(Role::Carol)?;
    let receipt = stage.vault.cancel_expired(&carol, request)?;
    let event = event::<IVault::Cancelled>(&receipt)?;
    let line = format!("{} calls cancelExpired: Cancelled", name(carol.address()));
    on_chain(stage, &line, event.seq, receipt.transaction_hash);
    let item =
        withdrawal(stage, request, |item| item.state == "cancelled" && resolved(item).is_some())?;
    ensure!(resolved(&item) == Some("voided"), "cancelled, but the ledger says {item:?}");
    stage.screen.ledger("the pending transfer is void: bob can use the 100 TUSD again");
    stage.screen.means(&item.sentence);
    Ok(())
}

fn unpaused(stage: &Stage<'_>) -> Result<()> {
    stage.screen.step(6, "Payouts go on");
    let receipt = stage.vault.unpause_payouts(&stage.wallet(Role::Admin)?)?;
    stage.screen.chain(&format!("the admin lifts the pause: {}", receipt.transaction_hash));
    Ok(())
}

fn request(
    stage: &Stage<'_>,
    who: Role,
    token: &Token,
    text: &str,
    valid_s: u64,
) -> Result<Requested> {
    let units = amount::parse(text, token)?;
    let wallet = stage.wallet(who)?;
    let request = stage.vault.request(&wallet, token, units, wallet.address(), valid_s)?;
    let line =
        format!("{} requests {}: WithdrawalRequested", who.name(), amount::shown(units, token));
    on_chain(stage, &line, request.seq, request.tx_hash);
    stage.screen.chain(&format!("its id: {}", request.id));
    Ok(request)
}

fn withdrawal(
    stage: &Stage<'_>,
    request: &Requested,
    right: impl Fn(&Item) -> bool,
) -> Result<Item> {
    stage.wait_for(&format!("withdrawal:{}", request.id), right)
}

fn resolved(item: &Item) -> Option<&str> {
    item.ledger.as_ref()?.resolved.as_deref()
}

/// The daemon's own transaction that ended a withdrawal, read from the chain.
fn outcome<E: SolEvent>(
    stage: &Stage<'_>,
    item: &Item,
    event_name: &str,
    seq: impl Fn(&E) -> u64,
) -> Result<E> {
    let hash = item.chain.as_ref().and_then(|chain| chain.outcome_tx_hash.as_ref());
    let hash: B256 = hash.context("the daemon names no transaction")?.parse()?;
    let receipt = stage.wallet(Role::Alice)?.receipt(hash)?;
    let found = event::<E>(&receipt)?;
    on_chain(stage, &format!("the daemon answers: {event_name}"), seq(&found), hash);
    Ok(found)
}

fn on_chain(stage: &Stage<'_>, what: &str, seq: u64, hash: B256) {
    stage.screen.chain(&format!("{what} #{seq}, transaction {hash}"));
}

fn event<E: SolEvent>(receipt: &TransactionReceipt) -> Result<E> {
    let found = receipt.logs().iter().find_map(|log| E::decode_log(&log.inner).ok());
    let missing =
        || format!("transaction {} emitted no {}", receipt.transaction_hash, E::SIGNATURE);
    found.map(|log| log.data).with_context(missing)
}
