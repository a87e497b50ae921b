//! Finds the vault's events that a reference names, newest first, in requests that a node grants and
//! no longer than somebody waits: what is older is another search.

use super::{Sources, problem::Problem, reference::Reference};
use crate::chain::{
    bindings::{self, Shown},
    error::ReadError,
    node::Node,
};
use alloy::{
    primitives::{B256, U256},
    rpc::types::Filter,
    sol_types::SolEvent,
};
use bridge_core::{
    block::BlockNumber,
    endpoint::{EndpointStatus, ReadFault},
    vault_event::VaultEvent,
};
use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

/// Searches of all clients at the same time.
pub(super) const SEARCHES_MAX: usize = 8;
/// Longest wait for a turn.
const TURN_MAX: Duration = Duration::from_secs(2);
/// Longest time for one search; a request that began is still waited for.
const SEARCH_MAX: Duration = Duration::from_secs(5);
/// Most requests to a node in one search.
const REQUESTS_MAX: usize = 64;

/// What a search brought.
#[derive(Debug)]
pub(super) struct Found {
    /// In chain order.
    pub(super) logs: Vec<Shown>,
    /// The lowest block that was searched.
    pub(super) from: BlockNumber,
    /// True if nothing older can be there.
    pub(super) is_complete: bool,
}

/// Searches below a block, or from the newest one on, for at most so many things.
///
/// # Errors
/// If too many search already, or no node answers.
pub(super) async fn run(
    sources: &Sources,
    reference: Reference,
    before: Option<BlockNumber>,
    items_max: usize,
) -> Result<Found, Problem> {
    let turn = tokio::time::timeout(TURN_MAX, sources.searches.acquire()).await;
    let Ok(Ok(_turn)) = turn else {
        return Err(Problem::busy(format!("{SEARCHES_MAX} searches are under way; try again")));
    };
    let summary = sources.now();
    let mut last = ReadFault::Unreachable;
    for node in sources.nodes.in_order(&summary.endpoints) {
        let standing = summary.endpoints.iter().find(|e| {
            sources.nodes.get(e.endpoint).is_some_and(|n| n.endpoint() == node.endpoint())
        });
        let mut search = Search::new(sources, node, reference, standing);
        match search.go(before, items_max).await {
            Ok(()) => return Ok(search.found),
            Err(error) => last = error.fault(),
        }
    }
    Err(Problem::unavailable(format!("no node answered: {last}")))
}

struct Search<'a> {
    node: &'a Node,
    reference: Reference,
    deployed: BlockNumber,
    latest: BlockNumber,
    /// Most blocks in one request.
    size: u64,
    found: Found,
}

impl<'a> Search<'a> {
    fn new(
        sources: &Sources,
        node: &'a Node,
        reference: Reference,
        standing: Option<&EndpointStatus>,
    ) -> Self {
        let most = sources.chain.range_blocks_max;
        let size = standing.map_or(most, |s| s.range_blocks.min(most)).max(1);
        let deployed = sources.chain.deploy_block;
        let latest = sources.now().latest_block.unwrap_or(deployed).max(deployed);
        let found = Found { logs: Vec::new(), from: latest, is_complete: false };
        Self { node, reference, deployed, latest, size, found }
    }

    async fn go(&mut self, before: Option<BlockNumber>, items_max: usize) -> Result<(), ReadError> {
        if let Reference::Transaction(hash) = self.reference {
            self.found.logs = self.node.vault_logs_of(hash).await?;
            (self.found.from, self.found.is_complete) = (self.deployed, true);
            return Ok(());
        }
        let began = Instant::now();
        let mut upper = before;
        for _ in 0..REQUESTS_MAX {
            // The newest block may be newer than the one that the core knows of.
            let to = upper.map(|below| below.minus(1));
            let from = to.unwrap_or(self.latest).minus(self.size - 1).max(self.deployed);
            if to.is_some_and(|to| to < self.deployed) {
                self.found.is_complete = true;
                return Ok(());
            }
            let logs = match self.node.logs_with(self.filter(), from, to).await {
                Err(error) if error.fault() == ReadFault::TooLarge && self.size > 1 => {
                    self.size /= 2;
                    continue;
                }
                other => other?,
            };
            self.found.logs.splice(0..0, logs);
            self.found.from = from;
            self.found.is_complete = from == self.deployed || self.is_found();
            let enough = self.things() > items_max || began.elapsed() >= SEARCH_MAX;
            if self.found.is_complete || enough {
                return Ok(());
            }
            upper = Some(from);
        }
        Ok(())
    }

    fn filter(&self) -> Filter {
        match self.reference {
            Reference::Deposit(seq) => Filter::new()
                .event_signature(bindings::abi::IVault::Deposited::SIGNATURE_HASH)
                .topic1(B256::from(U256::from(seq.0))),
            Reference::Withdrawal(id) => Filter::new().topic1(id),
            Reference::Address(owner) => Filter::new().topic3(owner.into_word()),
            Reference::Transaction(_) => Filter::new(),
        }
    }

    /// True if nothing before what was found can belong to it.
    fn is_found(&self) -> bool {
        let first = self.found.logs.first().map(|shown| shown.log.event);
        match self.reference {
            Reference::Deposit(_) => first.is_some(),
            Reference::Withdrawal(_) => matches!(first, Some(VaultEvent::Requested(_))),
            Reference::Transaction(_) | Reference::Address(_) => false,
        }
    }

    /// Deposits and withdrawals among what was found.
    fn things(&self) -> usize {
        let events = self.found.logs.iter().map(|shown| &shown.log.event);
        let deposits = events.clone().filter(|e| matches!(e, VaultEvent::Deposited(_))).count();
        let id = |event: &VaultEvent| match event {
            VaultEvent::Requested(request) => Some(request.id),
            VaultEvent::Withdrawal(event) => Some(event.id),
            VaultEvent::Deposited(_)
            | VaultEvent::Listed(_)
            | VaultEvent::Delisted(_)
            | VaultEvent::Claimed
            | VaultEvent::NonceInvalidated => None,
        };
        deposits + events.filter_map(id).collect::<BTreeSet<_>>().len()
    }
}
