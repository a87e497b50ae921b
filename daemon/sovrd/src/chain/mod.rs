//! The chain adapter: executes the core's reads and brings the answers back as events.

pub mod bindings;
pub mod error;
pub mod holdings;
mod link;
pub mod node;
pub mod nodes;
pub mod search;
mod socket;
pub mod terms;
pub(crate) mod vault_now;
pub mod wake;

use crate::{engine::Inbox, failpoint};
use alloy::primitives::Address;
use bridge_core::{
    command::{ChainCommand, RangeRequest},
    event::Event,
    vault_event::{VaultEvent, VaultLog},
};
use node::Node;
use nodes::Nodes;
use tokio::sync::mpsc;
use tracing::{debug, error, warn};

/// Executes orders until the engine is gone. Each runs on its own: a slow answer to one never
/// holds up another, and the core has only a bounded number of them under way.
pub async fn run(
    nodes: Nodes,
    submitter: Option<Address>,
    mut orders: mpsc::Receiver<ChainCommand>,
    inbox: Inbox,
) {
    while let Some(order) = orders.recv().await {
        let Some(node) = nodes.get(endpoint_of(&order)).cloned() else {
            error!(?order, "no such endpoint");
            continue;
        };
        let (inbox, nodes) = (inbox.clone(), nodes.clone());
        tokio::spawn(async move {
            let event = execute(&node, submitter, order).await;
            if matches!(event, Event::Head { .. }) {
                nodes.note_answer();
            }
            inbox.send(event).await;
        });
    }
}

const fn endpoint_of(order: &ChainCommand) -> bridge_core::endpoint::EndpointId {
    match order {
        ChainCommand::Poll { endpoint, .. }
        | ChainCommand::ReadState { endpoint, .. }
        | ChainCommand::ReadHoldings { endpoint, .. } => *endpoint,
        ChainCommand::FetchRange(request) => request.endpoint,
    }
}

async fn execute(node: &Node, submitter: Option<Address>, order: ChainCommand) -> Event {
    match order {
        ChainCommand::Poll { endpoint, anchor, at } => {
            match node.poll(anchor, at, submitter).await {
                Ok(head) => {
                    let unfinal = head.submitter.filter(|s| s.latest_nonce > s.final_nonce);
                    failpoint::reach_any(unfinal.iter().map(|_| "payout-mined"));
                    Event::Head { endpoint, head }
                }
                Err(error) => {
                    warn!(%error, endpoint = %node.endpoint(), "a poll brought nothing");
                    Event::HeadFailed { endpoint, fault: error.fault() }
                }
            }
        }
        ChainCommand::FetchRange(request) => fetch(node, request).await,
        ChainCommand::ReadState { endpoint, seq, id, block } => {
            let state = node.state(id, block.hash).await.unwrap_or_else(|error| {
                warn!(%error, endpoint = %node.endpoint(), %seq, "a withdrawal's state not read");
                None
            });
            Event::State { endpoint, seq, block: block.number, state }
        }
        ChainCommand::ReadHoldings { endpoint, block, tokens } => {
            let (readings, fault) = holdings::all(node, node.vault(), block.hash, &tokens).await;
            Event::Holdings { endpoint, block, readings, fault }
        }
    }
}

async fn fetch(node: &Node, request: RangeRequest) -> Event {
    let RangeRequest { from, to, .. } = request;
    failpoint::reach("before-range");
    match node.range(request).await {
        Ok(range) => {
            debug!(%from, %to, events = range.logs.len(), "range");
            failpoint::reach_any(range.logs.iter().map(point));
            Event::Range(range)
        }
        Err(error) => {
            let fault = error.fault();
            warn!(%error, endpoint = %node.endpoint(), %from, %to, "a range brought nothing");
            Event::RangeFailed { request, fault }
        }
    }
}

/// The fail point of an event that was read and is known to nobody yet.
const fn point(log: &VaultLog) -> &'static str {
    if matches!(log.event, VaultEvent::Withdrawal(_)) { "payout-read" } else { "range-read" }
}
