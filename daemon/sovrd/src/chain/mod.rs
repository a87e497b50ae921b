//! The chain adapter: executes the core's reads and brings the answers back as events.

pub mod bindings;
pub mod node;
mod vault_now;
pub mod wake;

use crate::engine::Inbox;
use alloy::primitives::Address;
use bridge_core::{
    command::{ChainCommand, RangeRequest},
    event::Event,
};
use node::Node;
use tokio::sync::mpsc;
use tracing::{debug, warn};

/// Executes orders until the engine is gone. Each runs on its own: a slow answer to one never
/// holds up another, and the core has only a bounded number of them under way.
pub async fn run(
    node: Node,
    submitter: Option<Address>,
    mut orders: mpsc::Receiver<ChainCommand>,
    inbox: Inbox,
) {
    while let Some(order) = orders.recv().await {
        let (node, inbox) = (node.clone(), inbox.clone());
        tokio::spawn(async move {
            let event = execute(&node, submitter, order).await;
            inbox.send(event).await;
        });
    }
}

async fn execute(node: &Node, submitter: Option<Address>, order: ChainCommand) -> Event {
    match order {
        ChainCommand::Poll { anchor } => match node.poll(anchor, submitter).await {
            Ok(head) => Event::Head(head),
            Err(error) => {
                warn!(%error, "poll of the node failed; it is repeated");
                Event::HeadFailed
            }
        },
        ChainCommand::FetchRange(request) => fetch(node, request).await,
        ChainCommand::ReadState { seq, id, block } => {
            let state = node.state(id, block.hash).await.unwrap_or_else(|error| {
                warn!(%error, %seq, block = %block.number, "state of a withdrawal not read");
                None
            });
            Event::State { seq, block: block.number, state }
        }
    }
}

async fn fetch(node: &Node, request: RangeRequest) -> Event {
    match node.range(request).await {
        Ok(range) => {
            debug!(from = %request.from, to = %request.to, events = range.logs.len(), "range");
            Event::Range(range)
        }
        Err(error) => {
            let too_large = error.is_too_large();
            warn!(%error, from = %request.from, to = %request.to, too_large, "range not read");
            Event::RangeFailed { request, too_large }
        }
    }
}
