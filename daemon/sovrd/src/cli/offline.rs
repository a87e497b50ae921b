//! What commands need that look at chain and ledger themselves, without a running daemon.

use crate::{
    chain::{error::ReadError, holdings, node::Node, nodes::Nodes},
    config::Config,
    exit::Failure,
    identity::{self, Vault},
    ledger::{client::Ledger, records, survey},
    metrics::Metrics,
};
use alloy::primitives::{Address, B256};
use bridge_core::{
    audit::{Entries, History},
    block::{BlockNumber, BlockRef, Seq},
    checkpoint::Reach,
    command::RangeRequest,
    eip712::Domain,
    endpoint::EndpointId,
    id::TransferId,
    invariant::Holdings,
    reserves::VaultReading,
    supersede::Supersede,
    vault_event::VaultLog,
};
use std::{future::Future, sync::Arc};

/// Ids in one lookup; what the server takes in its smallest setting.
const LOOKUP: usize = 250;

/// Chain and ledger, both checked to be the right ones.
pub(super) struct Offline {
    /// As many as the configuration wants to agree; never none.
    nodes: Vec<Node>,
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
        let (_, agree) = nodes.facts(config.chain.deploy_block).await?;
        let nodes = agree.into_iter().cloned().collect();
        let ledger = Ledger::new(&config.ledger, Arc::new(Metrics::new()))
            .map_err(|e| Failure::configuration(format!("ledger.addresses: {e}")))?;
        identity::reach_ledger(&ledger, &vault, config).await?;
        let records = records::read(&ledger, vault.instance).await?;
        let range_blocks_max = config.chain.range_blocks_max;
        Ok(Self { nodes, ledger, vault, records, range_blocks_max })
    }

    /// Reads the whole final history; `records` are those that count.
    pub(super) async fn history(
        &self,
        records: Vec<Supersede>,
        reach: Reach,
    ) -> Result<Seen, Failure> {
        let (end, last_seq) = self.head().await?;
        let logs = self.agreed(|node| self.logs(node, end.number)).await?;
        let complete = logs.iter().zip(1..).all(|(log, n)| log.seq.0 == n)
            && u64::try_from(logs.len()).is_ok_and(|n| n == last_seq.0);
        if !complete {
            return Err(Failure::transient(format!(
                "the node left out events: it gave {} up to block {}, the vault counts {}; try \
                 again, or ask another node",
                logs.len(),
                end.number,
                last_seq
            )));
        }
        let identity = &self.vault.identity;
        let domain = Domain::new(identity.chain_id, identity.vault);
        let history = History::new(self.vault.instance, domain, records, logs, reach);
        Ok(Seen { history, block: end })
    }

    /// The newest final block that all of them have, and how many events the vault counts there.
    async fn head(&self) -> Result<(BlockRef, Seq), Failure> {
        let origin = self.vault.origin.number;
        let mut heights = Vec::new();
        for node in &self.nodes {
            heights.push(node.poll(origin, None, None).await?.final_head.block.number);
        }
        let lowest = heights.into_iter().min();
        self.agreed(|node| async move {
            let head = node.poll(origin, lowest, None).await?;
            Ok((head.final_head.block, head.last_seq))
        })
        .await
    }

    async fn logs(&self, node: &Node, end: BlockNumber) -> Result<Vec<VaultLog>, ReadError> {
        let mut logs = Vec::new();
        let mut from = self.vault.origin.number.plus(1);
        while from <= end {
            let to = from.plus(self.range_blocks_max.saturating_sub(1)).min(end);
            let (endpoint, all_headers) = (EndpointId::default(), false);
            let request = RangeRequest { endpoint, from, to, all_headers, attempt: 0 };
            logs.extend(node.range(request).await?.logs);
            from = to.plus(1);
        }
        Ok(logs)
    }

    /// What all of them say alike: an operator must not act on a single endpoint's word where the
    /// daemon would not.
    async fn agreed<'a, T, F>(&'a self, ask: impl Fn(&'a Node) -> F) -> Result<T, Failure>
    where
        T: PartialEq,
        F: Future<Output = Result<T, ReadError>>,
    {
        let mut said: Option<T> = None;
        for node in &self.nodes {
            let answer = ask(node).await?;
            if said.as_ref().is_some_and(|before| *before != answer) {
                let list: Vec<String> =
                    self.nodes.iter().map(|n| n.endpoint().to_string()).collect();
                return Err(Failure::transient(format!(
                    "{} tell different things, and chain.quorum wants {} to agree: try again, or \
                     take the one that lies out of chain.rpc_url and chain.fallback_urls",
                    list.join(", "),
                    self.nodes.len()
                )));
            }
            said = Some(answer);
        }
        said.ok_or_else(|| Failure::bug("no endpoint".to_owned()))
    }

    /// What the contracts hold of a token at one block.
    pub(super) async fn holdings(&self, block: B256, token: Address) -> Result<Holdings, Failure> {
        let vault = self.vault.identity.vault;
        self.agreed(|node| holdings::of(node, vault, block, token)).await
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

    /// The hash that a height has now.
    pub(super) async fn hash_at(&self, number: BlockNumber) -> Result<Option<B256>, Failure> {
        let header = self.agreed(|node| node.header(number.0.into())).await?;
        Ok(header.map(|h| h.block.hash))
    }
}

/// The ledger does not answer.
pub(super) fn away(error: &dyn std::error::Error) -> Failure {
    Failure::transient(format!("the ledger did not answer: {error}; is TigerBeetle running?"))
}
