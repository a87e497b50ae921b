//! `sovrd supersede`: an operator's answer to a reorg past finality. Shown in numbers first, done
//! only with the hash of exactly that.

use super::{
    ConfigFile,
    offline::{Offline, away},
    print,
    resume::{open_store, reach_of},
};
use crate::exit::Failure;
use alloy::primitives::B256;
use bridge_core::{
    account::{NewAccount, VAULT},
    block::Seq,
    id::{AccountId, Instance},
    supersede::Supersede,
    supersede_plan::{self, Plan},
    supersede_work::{Errand, Shown, Work},
    transfer::{NewTransfer, TransferResult},
};
use clap::Args;
use std::collections::BTreeSet;

/// Events in one request; what the server takes in its smallest setting.
const BATCH: usize = 250;

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
    let seen = offline.history(earlier.clone(), reach_of(&persisted)).await?;
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
        Some(_) => carry_out(&offline, &plan).await,
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
    lines.push("deposits of the new history in this range are credited anew".into());
    lines.push(format!("evidence {evidence}"));
    print(&lines.join("\n"));
    Ok(())
}

async fn carry_out(offline: &Offline, plan: &Plan) -> Result<(), Failure> {
    let mut work = Work::new(plan, offline.vault.instance);
    let mut taken = BTreeSet::new();
    loop {
        let shown = look(offline, &work, &taken).await?;
        match work.next(&shown) {
            Errand::Create { transfers, fine } => send(offline, &transfers, fine).await?,
            Errand::Open(accounts) => taken = open_accounts(offline, &accounts).await?,
            Errand::Wait(ledger) => {
                return Err(Failure::halted(format!(
                    "ledger {ledger}: VAULT cannot be credited what is to be debited back while so \
                     much is pending; wait until the withdrawals under way have ended, then give \
                     this command again: what was done stays done and is not repeated"
                )));
            }
            Errand::Done { back, lost, waiting } => {
                told(offline.vault.instance, back, lost, waiting);
                return Ok(());
            }
        }
    }
}

async fn look(
    offline: &Offline,
    work: &Work<'_>,
    taken: &BTreeSet<AccountId>,
) -> Result<Shown, Failure> {
    let entries = offline.lookup(&work.ids()).await?;
    let mut shown = Shown { entries, taken: taken.clone(), ..Shown::default() };
    let (vaults, owners) = (work.vaults(), work.owners());
    for ids in vaults.union(&owners).copied().collect::<Vec<AccountId>>().chunks(BATCH) {
        for account in offline.ledger.lookup_accounts(ids).await.map_err(|e| away(&e))? {
            let id = AccountId(account.id());
            let held = account.debits_posted().saturating_sub(account.credits_posted());
            let owed = account.credits_posted().saturating_sub(account.debits_posted());
            if vaults.contains(&id) {
                shown.room.insert(id, held.saturating_sub(account.credits_pending()));
            } else {
                shown.means.insert(id, owed.saturating_sub(account.debits_pending()));
            }
        }
    }
    Ok(shown)
}

/// Those of the accounts that are somebody else's.
async fn open_accounts(
    offline: &Offline,
    accounts: &[NewAccount],
) -> Result<BTreeSet<AccountId>, Failure> {
    let mut taken = BTreeSet::new();
    for batch in accounts.chunks(BATCH) {
        let failures = offline.ledger.create_accounts(batch).await.map_err(|e| away(&e))?;
        let others = failures.into_iter().filter(|(_, result)| !result.is_usable());
        taken.extend(others.filter_map(|(index, _)| batch.get(index).map(|a| a.id)));
    }
    Ok(taken)
}

fn told(instance: Instance, back: u128, lost: u128, waiting: u128) {
    print(&format!(
        "done on VAULT ({}) of instance {instance}: {back} ledger units debited back, {lost} borne \
         by LOSS; now `sovrd resume`",
        VAULT.number
    ));
    if waiting > 0 {
        print(&format!(
            "{waiting} ledger units of losses wait for room in VAULT, which so much is pending on: \
             give this command again once withdrawals under way have ended"
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
