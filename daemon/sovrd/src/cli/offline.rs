//! What commands need that look at chain and ledger themselves, without a running daemon.

use crate::{
    chain::{node::Node, nodes::Nodes},
    config::Config,
    exit::Failure,
    identity::{self, Vault},
    ledger::{client::Ledger, records, survey},
    metrics::Metrics,
};
use bridge_core::{
    audit::{Entries, History},
    block::{BlockNumber, BlockRef},
    checkpoint::Reach,
    command::RangeRequest,
    eip712::Domain,
    endpoint::EndpointId,
    id::TransferId,
    reserves::VaultReading,
    supersede::Supersede,
};
use std::sync::Arc;

/// Ids in one lookup; what the server takes in its smallest setting.
const LOOKUP: usize = 250;

/// Chain and ledger, both checked to be the right ones.
pub(super) struct Offline {
    pub(super) node: Node,
    pub(super) ledger: Ledger,
    pub(super) vault: Vault,
    pub(super) records: Vec<Supersede>,
    range_blocks_max: u64,
}

/// A final history, and the block that it ends with.
pub(super) struct Seen {
    pub(super) history: History,
    pub(super) block: BlockRef,
}

impl Offline {
    /// Connects to both.
    pub(super) async fn open(config: &Config) -> Result<Self, Failure> {
        let nodes = Nodes::new(&config.chain)
            .map_err(|e| Failure::configuration(format!("chain.rpc_url: {e}")))?;
        let vault = identity::of_vault(&nodes, &config.chain).await?;
        let (_, node) = nodes.facts(config.chain.deploy_block).await?;
        let node = node.clone();
        let ledger = Ledger::new(&config.ledger, Arc::new(Metrics::new()))
            .map_err(|e| Failure::configuration(format!("ledger.addresses: {e}")))?;
        identity::reach_ledger(&ledger, &vault, config).await?;
        let records = records::read(&ledger, vault.instance).await?;
        let range_blocks_max = config.chain.range_blocks_max;
        Ok(Self { node, ledger, vault, records, range_blocks_max })
    }

    /// Reads the whole final history; `records` are those that count.
    pub(super) async fn history(
        &self,
        records: Vec<Supersede>,
        reach: Reach,
    ) -> Result<Seen, Failure> {
        let origin = self.vault.origin.number;
        let head = self.node.poll(origin, None, None).await?;
        let end = head.final_head.block;
        let mut logs = Vec::new();
        let mut from = origin.plus(1);
        while from <= end.number {
            let to = from.plus(self.range_blocks_max.saturating_sub(1)).min(end.number);
            let (endpoint, all_headers) = (EndpointId::default(), false);
            let request = RangeRequest { endpoint, from, to, all_headers, attempt: 0 };
            logs.extend(self.node.range(request).await?.logs);
            from = to.plus(1);
        }
        let complete = logs.iter().zip(1..).all(|(log, n)| log.seq.0 == n)
            && u64::try_from(logs.len()).is_ok_and(|n| n == head.last_seq.0);
        if !complete {
            return Err(Failure::transient(format!(
                "the node left out events: it gave {} up to block {}, the vault counts {}; try \
                 again, or ask another node",
                logs.len(),
                end.number,
                head.last_seq
            )));
        }
        let identity = &self.vault.identity;
        let domain = Domain::new(identity.chain_id, identity.vault);
        let history = History::new(self.vault.instance, domain, records, logs, reach);
        Ok(Seen { history, block: end })
    }

    /// Looks transfers up.
    pub(super) async fn lookup(&self, ids: &[TransferId]) -> Result<Entries, Failure> {
        let mut entries = Entries::new();
        for ids in ids.chunks(LOOKUP) {
            let found = self.ledger.lookup_transfers(ids).await.map_err(|e| away(&e))?;
            entries.extend(found.into_iter().map(|t| (t.id, t)));
        }
        Ok(entries)
    }

    /// Reads the VAULT accounts of all listed tokens, with the sums of their ledgers.
    pub(super) async fn survey(&self, history: &History) -> Result<Vec<VaultReading>, Failure> {
        let mut readings = Vec::new();
        for ledger in history.listings().keys().copied() {
            let vault = history.vault(ledger);
            let one = survey::one(&self.ledger, ledger, vault, usize::MAX).await;
            readings.extend(one.map_err(|e| away(&e))?);
        }
        Ok(readings)
    }

    /// The hash that the node has for a height now.
    pub(super) async fn hash_at(
        &self,
        number: BlockNumber,
    ) -> Result<Option<alloy::primitives::B256>, Failure> {
        Ok(self.node.header(number.0.into()).await?.map(|h| h.block.hash))
    }
}

/// The ledger does not answer.
pub(super) fn away(error: &dyn std::error::Error) -> Failure {
    Failure::transient(format!("the ledger did not answer: {error}; is TigerBeetle running?"))
}
