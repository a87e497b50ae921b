//! The ledger adapter: executes the core's requests on TigerBeetle, one client for the process.

pub mod client;
mod convert;
pub mod records;
mod recover;
pub mod survey;

use crate::{engine::Inbox, failpoint, metrics::Metrics};
use bridge_core::{
    command::LedgerCommand,
    event::{Event, LedgerEvent},
    id::TransferId,
    transfer::{NewTransfer, Phase, TransferResult},
};
use client::{CallError, Ledger};
use std::{iter, sync::Arc, time::Instant};
use tokio::sync::mpsc;
use tracing::warn;

/// Executes orders, one after the other, until the engine is gone.
pub async fn run(
    ledger: Arc<Ledger>,
    metrics: Arc<Metrics>,
    mut orders: mpsc::Receiver<LedgerCommand>,
    inbox: Inbox,
) {
    while let Some(order) = orders.recv().await {
        let started = Instant::now();
        let events = size(&order);
        let event = execute(&ledger, order).await;
        match &event {
            LedgerEvent::Unknown { .. } => metrics.ledger_unknown(),
            LedgerEvent::TooMuch { .. } => {}
            LedgerEvent::Accounts { .. }
            | LedgerEvent::Transfers { .. }
            | LedgerEvent::Found { .. }
            | LedgerEvent::Recovered { .. }
            | LedgerEvent::Surveyed { .. } => {
                metrics.ledger_answered(started.elapsed().as_secs_f64(), events);
            }
        }
        inbox.send(Event::Ledger(event)).await;
    }
}

const fn size(order: &LedgerCommand) -> usize {
    match order {
        LedgerCommand::CreateAccounts { accounts, .. } => accounts.len(),
        LedgerCommand::CreateTransfers { transfers, .. } => transfers.len(),
        LedgerCommand::LookupTransfers { ids, .. } => ids.len(),
        LedgerCommand::Survey { vaults, .. } => vaults.len(),
        LedgerCommand::Recover { .. } => 1,
    }
}

async fn execute(ledger: &Ledger, order: LedgerCommand) -> LedgerEvent {
    let events = size(&order);
    let (request, answer) = match order {
        LedgerCommand::CreateAccounts { request, accounts } => {
            failpoint::reach("before-accounts");
            let call = ledger.create_accounts(&accounts);
            let answer = failpoint::during(|| iter::once("accounts-under-way"), call).await;
            failpoint::reach("accounts-answered");
            let accounts = accounts.iter().map(|a| a.id).collect();
            (request, answer.map(|failures| LedgerEvent::Accounts { request, accounts, failures }))
        }
        LedgerCommand::CreateTransfers { request, transfers } => {
            let answer = create_transfers(ledger, &transfers).await;
            (request, answer.map(|failures| LedgerEvent::Transfers { request, failures }))
        }
        LedgerCommand::LookupTransfers { request, ids } => {
            let answer = ledger.lookup_transfers(&ids).await;
            (request, answer.map(|transfers| LedgerEvent::Found { request, transfers }))
        }
        LedgerCommand::Survey { request, vaults } => {
            let answer = survey::all(ledger, &vaults).await;
            (request, answer.map(|readings| LedgerEvent::Surveyed { request, readings }))
        }
        LedgerCommand::Recover { request, instance } => {
            let answer = recover::open(ledger, instance).await;
            (request, answer.map(|open| LedgerEvent::Recovered { request, open }))
        }
    };
    answer.unwrap_or_else(|error| match error {
        CallError::TooMuch => LedgerEvent::TooMuch { request, events },
        CallError::Timeout(_) | CallError::Ended(_) | CallError::Unreadable(_) => {
            warn!(%error, events, "outcome of a ledger request unknown; it is sent again");
            LedgerEvent::Unknown { request }
        }
    })
}

/// Fail points of a request with deposits, pendings, posts or voids in it, in this order.
const BEFORE: [&str; 4] = ["before-deposits", "before-pendings", "before-posts", "before-voids"];
const UNDER_WAY: [&str; 4] =
    ["deposits-under-way", "pendings-under-way", "posts-under-way", "voids-under-way"];
const ANSWERED: [&str; 4] =
    ["deposits-answered", "pendings-answered", "posts-answered", "voids-answered"];

async fn create_transfers(
    ledger: &Ledger,
    transfers: &[NewTransfer],
) -> Result<Vec<(TransferId, TransferResult)>, CallError> {
    let points = |[direct, pending, post, void]: [&'static str; 4]| {
        transfers.iter().map(move |transfer| match transfer.phase {
            Phase::Direct | Phase::Balancing => direct,
            Phase::Pending => pending,
            Phase::Post(_) => post,
            Phase::Void(_) => void,
        })
    };
    failpoint::reach_any(points(BEFORE));
    let call = ledger.create_transfers(transfers);
    let answer = failpoint::during(|| points(UNDER_WAY), call).await;
    failpoint::reach_any(points(ANSWERED));
    answer
}
