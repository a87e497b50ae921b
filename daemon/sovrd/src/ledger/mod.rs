//! The ledger adapter: executes the core's requests on TigerBeetle, one client for the process.

pub mod client;
mod convert;
pub mod records;
mod recover;
pub mod survey;

use crate::{engine::Inbox, failpoint::reach, metrics::Metrics};
use bridge_core::{
    command::LedgerCommand,
    event::{Event, LedgerEvent},
};
use client::{CallError, Ledger};
use std::{sync::Arc, time::Instant};
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
            reach("before-accounts");
            let answer = ledger.create_accounts(&accounts).await;
            reach("after-accounts");
            let accounts = accounts.iter().map(|a| a.id).collect();
            (request, answer.map(|failures| LedgerEvent::Accounts { request, accounts, failures }))
        }
        LedgerCommand::CreateTransfers { request, transfers } => {
            reach("before-transfers");
            let answer = ledger.create_transfers(&transfers).await;
            reach("after-transfers");
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
