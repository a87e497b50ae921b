//! All endpoints together, for reads beside the core's own and for what is sent.

use super::{
    error::ReadError,
    node::{Facts, Node},
};
use crate::config;
use alloy::primitives::TxHash;
use bridge_core::{
    block::BlockNumber,
    endpoint::{EndpointId, EndpointStatus},
};
use futures_util::future;
use std::{
    future::Future,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use tracing::warn;

/// The endpoints in the order of the configuration.
#[derive(Clone, Debug)]
pub struct Nodes {
    list: Arc<[Node]>,
    quorum: usize,
    /// When one of them answered a poll last.
    answered: Arc<Mutex<Option<Instant>>>,
}

impl Nodes {
    /// Prepares all connections; nothing is sent yet.
    ///
    /// # Errors
    /// If a URL cannot be read.
    pub fn new(config: &config::Chain) -> Result<Self, ReadError> {
        let urls = config.endpoints.iter();
        let list: Result<Vec<Node>, _> = urls.map(|url| Node::new(config, url)).collect();
        let answered = Arc::default();
        Ok(Self { list: list?.into(), quorum: usize::from(config.quorum), answered })
    }

    /// One of them answered a poll.
    pub(super) fn note_answer(&self) {
        *self.answered.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// Time since one of them answered a poll; `None` before the first.
    #[must_use]
    pub fn silent_for(&self) -> Option<Duration> {
        let answered = *self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        answered.map(|at| at.elapsed())
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> &[Node] {
        &self.list
    }

    /// One of them.
    #[must_use]
    pub fn get(&self, id: EndpointId) -> Option<&Node> {
        self.list.get(usize::from(id.0))
    }

    /// What the first one says that answers.
    ///
    /// # Errors
    /// What the last one said, if none answers.
    pub(super) async fn first<'a, T, F>(
        &'a self,
        ask: impl Fn(&'a Node) -> F,
    ) -> Result<T, ReadError>
    where
        F: Future<Output = Result<T, ReadError>>,
    {
        let mut last = ReadError::Missing("endpoint".to_owned());
        for node in self.list.iter() {
            match ask(node).await {
                Ok(answer) => return Ok(answer),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Those the core believes first; those that are set aside last.
    #[must_use]
    pub fn in_order(&self, standing: &[EndpointStatus]) -> Vec<(&Node, EndpointStatus)> {
        let mut order: Vec<&EndpointStatus> = standing.iter().collect();
        order.sort_by_key(|s| (!s.leads, s.set_aside.map(|aside| aside.until_ms)));
        order.iter().filter_map(|s| Some((self.get(s.endpoint)?, **s))).collect()
    }

    /// What the start needs to know, as the first one answers it, or as many as must agree; with those
    /// who said so.
    ///
    /// # Errors
    /// If too few answer, or too few say the same.
    pub async fn facts(&self, deploy_block: BlockNumber) -> Result<(Facts, Vec<&Node>), ReadError> {
        let mut said: Vec<(Facts, &Node)> = Vec::new();
        let mut last = ReadError::Missing("endpoint".to_owned());
        for node in self.list.iter() {
            match node.facts(deploy_block).await {
                Ok(facts) => said.push((facts, node)),
                Err(error) => {
                    warn!(%error, endpoint = %node.endpoint(), "an endpoint does not answer");
                    last = error;
                }
            }
            let votes = |facts: &Facts| said.iter().filter(|(other, _)| other == facts).count();
            if let Some((found, _)) = said.iter().find(|(facts, _)| votes(facts) >= self.quorum) {
                let agree = said.iter().filter(|(facts, _)| facts == found);
                return Ok((*found, agree.map(|(_, node)| *node).collect()));
            }
        }
        Err(if said.len() < self.quorum { last } else { disagreement(&said, self.quorum) })
    }

    /// Sends signed bytes to every endpoint: one is enough, and which one a builder sees is not ours
    /// to guess. An error means that nobody knows whether they arrived.
    ///
    /// # Errors
    /// What the last endpoint said, if none took it.
    pub async fn send(&self, raw: &[u8]) -> Result<TxHash, ReadError> {
        let sent = future::join_all(self.list.iter().map(|node| node.send(raw))).await;
        let mut last = Err(ReadError::Missing("endpoint".to_owned()));
        for answer in sent {
            if last.is_err() {
                last = answer;
            }
        }
        last
    }
}

fn disagreement(said: &[(Facts, &Node)], quorum: usize) -> ReadError {
    let one = |(facts, node): &(Facts, &Node)| {
        format!("{}: chain {}, genesis {}", node.endpoint(), facts.chain_id, facts.genesis)
    };
    let all: Vec<String> = said.iter().map(one).collect();
    let all = all.join("; ");
    ReadError::Disagreement(format!("chain.quorum wants {quorum} equal answers, got: {all}"))
}
