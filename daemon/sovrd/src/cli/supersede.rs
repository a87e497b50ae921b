//! `sovrd supersede`: an operator's answer to a reorg past finality. Shown in numbers first, done
//! only with the hash of exactly that.

use super::{
    ConfigFile,
    offline::{Offline, away},
    print,
    resume::open_store,
};
use crate::exit::Failure;
use alloy::primitives::B256;
use bridge_core::{
    account::VAULT,
    audit::Entries,
    block::Seq,
    id::{AccountId, Instance, TransferId},
    supersede::Supersede,
    supersede_plan::{self, Plan},
    transfer::{NewTransfer, TransferResult},
};
use clap::Args;
use std::collections::BTreeMap;

/// Transfers in one request; what the server takes in its smallest setting.
const BATCH: usize = 250;

/// A repetition, or an account that has nothing left: the rest is a loss.
const REPEATED: &[TransferResult] = &[
    TransferResult::Exists,
    TransferResult::ExistsWithDifferentAmount,
    TransferResult::ExceedsCredits,
    TransferResult::IdAlreadyFailed,
];

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    file: ConfigFile,
    /// First event number of the range: the first that the chain tells otherwise now.
    #[arg(long, value_name = "SEQ")]
    from: u64,
    /// Last event number of the range: the last that the ledger has anything of.
    #[arg(long, value_name = "SEQ")]
    to: u64,
    /// Do it: the hash that this command shows without it.
    #[arg(long, value_name = "HASH")]
    evidence: Option<B256>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(arguments: Arguments) -> Result<(), Failure> {
    let config = arguments.file.load()?;
    // Held to the end: no daemon runs meanwhile.
    let store = open_store(&config.store)?;
    let persisted = store.load().map_err(|e| Failure::configuration(e.to_string()))?;
    let offline = Offline::open(&config).await?;
    let (first, last) = (Seq(arguments.from), Seq(arguments.to));
    let approved = offline.records.iter().find(|r| r.first == first).copied();
    let earlier: Vec<Supersede> =
        offline.records.iter().filter(|r| r.first != first).copied().collect();
    let reach = persisted.checkpoint.as_ref().map(|c| c.reach.or(c.cursor)).unwrap_or_default();
    let seen = offline.history(earlier.clone(), reach).await?;
    let instance = offline.vault.instance;
    let entries = offline.lookup(&supersede_plan::ids(instance, &earlier, first, last)).await?;
    let plan = supersede_plan::plan(instance, &earlier, (first, last), &seen.history, &entries)
        .map_err(|e| Failure { exit: crate::exit::Exit::Usage, message: e.to_string() })?;
    let evidence = plan.evidence(instance);
    show(&plan, evidence, arguments.json)?;
    let record = plan.record(instance);
    if approved.is_some_and(|a| a != record) {
        return Err(Failure::halted(format!(
            "a record that begins with {first} was approved before, over other numbers: begin this \
             one with an earlier number"
        )));
    }
    match arguments.evidence {
        None => {
            print(&format!("nothing was changed; to do this, add --evidence {evidence}"));
            Ok(())
        }
        Some(given) if given != evidence => Err(Failure::halted(format!(
            "--evidence {given} is not the hash of what would be done now ({evidence}): look at it \
             again, chain or ledger have moved"
        ))),
        Some(_) => carry_out(&offline, &plan, record).await,
    }
}

fn show(plan: &Plan, evidence: B256, json: bool) -> Result<(), Failure> {
    if json {
        let page = serde_json::json!({"evidence": evidence, "plan": plan});
        print(&page.to_string());
        return Ok(());
    }
    let mut lines = vec![format!("events {} to {} are superseded:", plan.first, plan.last)];
    for (seq, told) in &plan.chain {
        lines.push(format!("  event {seq}: the chain now says {told}"));
    }
    for t in &plan.takes {
        lines.push(format!(
            "  deposit {} (attempt {}): {} ledger units were credited to account {} on ledger {}; \
             {} of them were paid out and vanished too; {} are debited back, and what the account \
             no longer has is taken from LOSS",
            t.seq, t.attempt, t.credited, t.account, t.ledger, t.paid_out, t.take
        ));
    }
    for c in &plan.closed {
        let end = if c.posted { "was paid and vanished: it stays posted" } else { "is voided" };
        lines.push(format!(
            "  withdrawal {} of {} ledger units by account {} on ledger {}: {end}",
            c.seq, c.amount, c.account, c.ledger
        ));
    }
    for seq in &plan.kept {
        lines.push(format!("  withdrawal {seq} stands in both histories and goes on"));
    }
    lines.push("deposits of the new history in this range are credited by the next start".into());
    lines.push(format!("evidence {evidence}"));
    print(&lines.join("\n"));
    Ok(())
}

/// Record, voids, debits, losses: in this order, each repeatable.
async fn carry_out(offline: &Offline, plan: &Plan, record: Supersede) -> Result<(), Failure> {
    let instance = offline.vault.instance;
    send(offline, &[record.to_transfer(instance)], REPEATED).await?;
    send(offline, &plan.voids(instance), REPEATED).await?;
    let debits = plan.debits_back(instance);
    let waiting = without_room(offline, &debits).await?;
    if let Some(first) = waiting.first() {
        return Err(Failure::halted(format!(
            "ledger {}: VAULT cannot be credited what is to be debited back while so much is \
             pending; wait until the withdrawals under way have ended, then give this command \
             again: what was done stays done and is not repeated",
            first.ledger
        )));
    }
    send(offline, &debits, REPEATED).await?;
    let ids: Vec<TransferId> = debits.iter().map(|t| t.id).collect();
    let taken = offline.lookup(&ids).await?;
    let losses = plan.shortfalls(instance, &taken);
    let waiting = without_room(offline, &losses).await?;
    let (waiting, now): (Vec<_>, Vec<_>) = losses.into_iter().partition(|t| waiting.contains(t));
    send(offline, &now, &[TransferResult::Exists]).await?;
    told(instance, &taken, &now, &waiting);
    Ok(())
}

/// Transfers into VAULT for which it has no room yet, pendings included. To try them would burn their
/// ids.
async fn without_room(
    offline: &Offline,
    transfers: &[NewTransfer],
) -> Result<Vec<NewTransfer>, Failure> {
    let ids: Vec<TransferId> = transfers.iter().map(|t| t.id).collect();
    let done = offline.lookup(&ids).await?;
    let mut room: BTreeMap<AccountId, u128> = BTreeMap::new();
    let mut waiting = Vec::new();
    for transfer in transfers.iter().filter(|t| !done.contains_key(&t.id)) {
        let vault = transfer.credit;
        let left = match room.get(&vault) {
            Some(left) => *left,
            None => {
                let found = offline.ledger.lookup_accounts(&[vault]).await.map_err(|e| away(&e))?;
                found.first().map_or(0, |account| {
                    let held = account.debits_posted().saturating_sub(account.credits_posted());
                    held.saturating_sub(account.credits_pending())
                })
            }
        };
        let after = left.checked_sub(transfer.amount.0);
        room.insert(vault, after.unwrap_or(left));
        waiting.extend(after.is_none().then_some(*transfer));
    }
    Ok(waiting)
}

fn told(instance: Instance, taken: &Entries, losses: &[NewTransfer], waiting: &[NewTransfer]) {
    let sum = |amounts: &mut dyn Iterator<Item = u128>| amounts.fold(0, u128::saturating_add);
    let back = sum(&mut taken.values().map(|t| t.amount.0));
    let lost = sum(&mut losses.iter().map(|t| t.amount.0));
    print(&format!(
        "done on VAULT ({}) of instance {instance}: {back} ledger units debited back, {lost} borne \
         by LOSS; now `sovrd resume`",
        VAULT.number
    ));
    if !waiting.is_empty() {
        let units = sum(&mut waiting.iter().map(|t| t.amount.0));
        print(&format!(
            "{units} ledger units of losses wait for room in VAULT: start the daemon, and once the \
             deposits of the new history are credited, stop it and give this command again"
        ));
    }
}

async fn send(
    offline: &Offline,
    transfers: &[NewTransfer],
    fine: &[TransferResult],
) -> Result<(), Failure> {
    for batch in transfers.chunks(BATCH) {
        let failures = offline.ledger.create_transfers(batch).await.map_err(|e| away(&e))?;
        for (id, result) in failures {
            if !fine.contains(&result) {
                return Err(Failure::halted(format!(
                    "transfer {id} was not taken by the ledger ({result:?}): look at the account, \
                     then give this command again; what was done stays done and is not repeated"
                )));
            }
        }
    }
    Ok(())
}
