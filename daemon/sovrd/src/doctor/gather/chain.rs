//! Endpoints and vault.

use crate::{
    chain::{
        error::ReadError,
        node::{Facts as Identity, Node},
        nodes::Nodes,
    },
    config::{self, Config},
    doctor::facts::{EndpointFacts, KeyFacts, KeyRole, VaultFacts},
    exit::Failure,
};
use alloy::{eips::BlockNumberOrTag, primitives::Address};
use bridge_core::id;
use futures_util::future;
use std::time::Instant;

/// All endpoints, and the vault by the first one that is right.
pub(super) async fn all(
    config: &Config,
    keys: &[KeyFacts],
) -> Result<(Vec<EndpointFacts>, Option<Result<VaultFacts, String>>), Failure> {
    let nodes = Nodes::new(&config.chain)
        .map_err(|e| Failure::configuration(format!("chain.rpc_url: {e}")))?;
    let endpoints = future::join_all(nodes.all().iter().map(|node| one(config, node))).await;
    let is_right = |e: &&EndpointFacts| identity(&config.chain, e).is_some();
    let right = endpoints.iter().zip(nodes.all()).find(|(facts, _)| is_right(facts));
    let Some((facts, node)) = right else { return Ok((endpoints, None)) };
    let seen = match identity(&config.chain, facts) {
        Some(identity) => Some(vault(config, node, identity, keys).await.map_err(told)),
        None => None,
    };
    Ok((endpoints, seen))
}

fn told(error: ReadError) -> String {
    error.to_string()
}

async fn one(config: &Config, node: &Node) -> EndpointFacts {
    let began = Instant::now();
    let deploy = config.chain.deploy_block;
    let identity = node.facts(deploy).await.map_err(told);
    let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    let url = node.endpoint().to_string();
    if let Err(error) = identity {
        let final_head = Err(error.clone());
        return EndpointFacts {
            url,
            took_ms,
            identity: Err(error),
            latest: None,
            final_head,
            is_syncing: false,
            vault_before: None,
            vault_created: None,
        };
    }
    let (latest, final_head, is_syncing, before, created) = tokio::join!(
        node.header(BlockNumberOrTag::Latest),
        node.final_head(),
        node.is_syncing(),
        node.has_vault_at(deploy.minus(1)),
        node.has_vault_at(deploy),
    );
    EndpointFacts {
        url,
        took_ms: took_ms / CALLS_FOR_IDENTITY,
        identity,
        latest: latest.ok().flatten(),
        final_head: final_head.map_err(told),
        is_syncing: is_syncing.unwrap_or_default(),
        vault_before: before.ok(),
        vault_created: created.ok(),
    }
}

/// Calls, one after the other, that tell who a node is.
const CALLS_FOR_IDENTITY: u64 = 4;

/// Who we are, if this endpoint has our vault.
fn identity(chain: &config::Chain, facts: &EndpointFacts) -> Option<id::Identity> {
    let Identity { chain_id, genesis, code_hash, deploy } = facts.identity.as_ref().ok()?;
    if *chain_id != chain.chain_id || *code_hash != Some(chain.vault_code_hash) {
        return None;
    }
    Some(id::Identity {
        chain_id: *chain_id,
        genesis: *genesis,
        vault: chain.vault,
        code_hash: chain.vault_code_hash,
        deploy_block_hash: (*deploy)?.block.hash,
    })
}

async fn vault(
    config: &Config,
    node: &Node,
    identity: id::Identity,
    keys: &[KeyFacts],
) -> Result<VaultFacts, ReadError> {
    let of = |role| keys.iter().find(|k| k.role == role).and_then(|k| k.address.as_ref().ok());
    let (submitter, pauser) = (of(KeyRole::Submitter), of(KeyRole::Pauser));
    let (terms, signers, clearing_token, listings, next) = tokio::try_join!(
        node.vault_terms(),
        node.signer_set(),
        node.token_of(config.ledger.clearing),
        node.listings(config.chain.deploy_block),
        node.next_transaction(submitter.copied().unwrap_or_default()),
    )?;
    Ok(VaultFacts {
        identity,
        deposits_paused_until: terms.deposits_paused_until,
        payouts_paused_until: terms.payouts_paused_until,
        signers,
        clearing_token,
        listings,
        pauser_has_role: match pauser {
            Some(key) => Some(node.has_role("PAUSER_ROLE", *key).await?),
            None => None,
        },
        pauser_balance: balance(node, pauser).await?,
        submitter_balance: balance(node, submitter).await?,
        base_fee: next.base_fee,
    })
}

async fn balance(node: &Node, of: Option<&Address>) -> Result<Option<u128>, ReadError> {
    match of {
        Some(address) => node.balance_now(*address).await.map(Some),
        None => Ok(None),
    }
}
