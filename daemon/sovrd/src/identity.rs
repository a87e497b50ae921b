//! Who we are: the checks between configuration, node, store and ledger before anything runs.

use crate::{
    chain::{
        error::ReadError,
        node::{Facts, Node},
        nodes::Nodes,
    },
    config::{self, Config},
    exit::Failure,
    failpoint,
    ledger::client::Ledger,
    retry,
};
use bridge_core::{
    account::{self, NewAccount},
    block::BlockRef,
    id::{Identity, Instance},
    transfer::AccountResult,
};
use std::{
    iter,
    net::TcpStream,
    time::{Duration, Instant},
};
use tracing::{info, warn};

/// Longest wait for the node's first answer.
const NODE_DEADLINE: Duration = Duration::from_secs(10);
/// Longest pause between two attempts at the start.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// Longest wait for a TCP connection to a replica.
const CONNECT_DEADLINE: Duration = Duration::from_secs(1);

/// The vault as the chain shows it.
#[derive(Clone, Copy, Debug)]
pub struct Vault {
    /// What the instance key is derived from.
    pub identity: Identity,
    /// The parent of the block that created the vault: where history starts.
    pub origin: BlockRef,
    /// The instance number.
    pub instance: Instance,
}

/// Asks the node and compares with the configuration.
///
/// # Errors
/// Transient if the node does not answer in time, configuration if it is another chain or vault.
pub async fn of_vault(nodes: &Nodes, chain: &config::Chain) -> Result<Vault, Failure> {
    let (facts, node) = first_answer(nodes, chain).await?;
    check_chain(&facts, node, chain)?;
    // Without that block the node cannot know the vault either: it is most likely still syncing.
    let deploy = facts.deploy.ok_or_else(|| {
        Failure::transient(format!(
            "the node at {} has no block {} (yet): wait until it has synced, or correct \
             chain.deploy_block to the block that created the vault",
            node.endpoint(),
            chain.deploy_block
        ))
    })?;
    let code_hash = check_code(&facts, chain)?;
    check_deploy_block(node, chain).await?;
    let identity = Identity {
        chain_id: facts.chain_id,
        genesis: facts.genesis,
        vault: chain.vault,
        code_hash,
        deploy_block_hash: deploy.block.hash,
    };
    let origin = BlockRef { number: chain.deploy_block.minus(1), hash: deploy.parent };
    let instance = identity.key().instance().ok_or_else(|| {
        Failure::configuration(bridge_core::bridge::CannotStart::InstanceZero.to_string())
    })?;
    info!(%instance, vault = %chain.vault, chain_id = facts.chain_id, "identity checked");
    Ok(Vault { identity, origin, instance })
}

async fn first_answer<'a>(
    nodes: &'a Nodes,
    chain: &config::Chain,
) -> Result<(Facts, &'a Node), Failure> {
    let deadline = Instant::now() + NODE_DEADLINE;
    let mut pauses = retry::pauses(LONGEST_PAUSE);
    loop {
        match nodes.facts(chain.deploy_block).await {
            Ok((facts, agree)) => {
                let first = agree.first().copied();
                let first = first.ok_or_else(|| Failure::bug("no endpoint".to_owned()))?;
                return Ok((facts, first));
            }
            Err(error) if Instant::now() >= deadline => {
                let all: Vec<String> = chain.endpoints.iter().map(ToString::to_string).collect();
                return Err(Failure::transient(format!(
                    "the node at {} did not answer within {} s: {error}; start it, or correct \
                     chain.rpc_url and chain.fallback_urls",
                    all.join(", "),
                    NODE_DEADLINE.as_secs()
                )));
            }
            Err(error) => warn!(%error, "the node does not answer yet"),
        }
        tokio::time::sleep(retry::next(&mut pauses)).await;
    }
}

fn check_chain(facts: &Facts, node: &Node, chain: &config::Chain) -> Result<(), Failure> {
    if facts.chain_id == chain.chain_id {
        return Ok(());
    }
    Err(Failure::configuration(format!(
        "chain.chain_id is {}, the node at {} serves chain {}: correct one of them",
        chain.chain_id,
        node.endpoint(),
        facts.chain_id
    )))
}

fn check_code(facts: &Facts, chain: &config::Chain) -> Result<alloy::primitives::B256, Failure> {
    let found = facts.code_hash.ok_or_else(|| {
        Failure::configuration(format!(
            "chain.vault: there is no contract at {} on chain {}; give the vault's address",
            chain.vault, facts.chain_id
        ))
    })?;
    if found == chain.vault_code_hash {
        return Ok(found);
    }
    Err(Failure::configuration(format!(
        "chain.vault_code_hash is {}, the contract at {} has {found}: it is not the vault you \
         configured; check the address, and that this code is the one you audited",
        chain.vault_code_hash, chain.vault
    )))
}

/// A wrong creation block would be another identity, or leave out history. A node without old
/// state cannot tell; then the first event's number does.
async fn check_deploy_block(node: &Node, chain: &config::Chain) -> Result<(), Failure> {
    let at = chain.deploy_block;
    let before = node.has_vault_at(at.minus(1)).await;
    let created = node.has_vault_at(at).await;
    let wrong = match (before, created) {
        (Ok(true), _) if at.0 > 0 => "the vault existed before it",
        (_, Ok(false)) => "the vault does not exist in it yet",
        (Ok(_) | Err(_), _) => return Ok(()),
    };
    Err(Failure::configuration(format!(
        "chain.deploy_block is {at}, but {wrong}: give the block that created the vault"
    )))
}

/// Creates what must exist in the ledger before anything else, and claims the instance number. True
/// if nobody had claimed it: then the ledger cannot hold anything of this vault yet.
///
/// # Errors
/// Transient if no replica can be reached, configuration if they answer to another cluster or the
/// ledger belongs to somebody else.
pub async fn claim_ledger(
    ledger: &Ledger,
    vault: &Vault,
    config: &Config,
) -> Result<bool, Failure> {
    let accounts = account::foundation(&vault.identity, vault.instance, config.ledger.clearing);
    let deadline = Instant::now() + Duration::from_millis(config.ledger.start_timeout_ms);
    let mut pauses = retry::pauses(LONGEST_PAUSE);
    let failures = loop {
        failpoint::reach("before-claim");
        let call = ledger.create_accounts(&accounts);
        match failpoint::during(|| iter::once("claim-under-way"), call).await {
            Ok(failures) => break failures,
            Err(error) if Instant::now() >= deadline => return Err(unreachable(config, &error)),
            Err(error) => warn!(%error, "the ledger does not answer yet"),
        }
        tokio::time::sleep(retry::next(&mut pauses)).await;
    };
    failpoint::reach("ledger-claimed");
    let is_new = !failures.contains_key(&0);
    for (index, result) in failures {
        let Some(account) = accounts.get(index) else { continue };
        let fine = matches!(result, AccountResult::Exists);
        if index == 0 && !fine {
            return Err(Failure::configuration(format!(
                "instance number {} is taken in this ledger by another vault ({result:?}): use a \
                 ledger of its own for this vault",
                vault.instance
            )));
        }
        if !fine && result != AccountResult::ExistsWithDifferentFlags {
            return Err(Failure::configuration(format!(
                "ledger account {} cannot be created as it must be: {result:?}; is \
                 ledger.cluster_id the right cluster?",
                account.id
            )));
        }
    }
    Ok(is_new)
}

/// Waits until the ledger answers, without writing anything to it.
///
/// # Errors
/// As for [`claim_ledger`], where nothing is claimed.
pub async fn reach_ledger(ledger: &Ledger, vault: &Vault, config: &Config) -> Result<(), Failure> {
    let instance = NewAccount::instance_registry(vault.identity.key(), vault.instance).id;
    let deadline = Instant::now() + Duration::from_millis(config.ledger.start_timeout_ms);
    let mut pauses = retry::pauses(LONGEST_PAUSE);
    loop {
        match ledger.lookup_accounts(&[instance]).await {
            Ok(_) => return Ok(()),
            Err(error) if Instant::now() >= deadline => return Err(unreachable(config, &error)),
            Err(error) => warn!(%error, "the ledger does not answer yet"),
        }
        tokio::time::sleep(retry::next(&mut pauses)).await;
    }
}

/// A cluster that connects and never answers is another cluster; one that does not connect is away.
fn unreachable(config: &Config, error: &dyn std::error::Error) -> Failure {
    let addresses = &config.ledger.addresses;
    let connects = |a| TcpStream::connect_timeout(a, CONNECT_DEADLINE).is_ok();
    let list: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    let list = list.join(", ");
    if addresses.iter().any(connects) {
        return Failure::configuration(format!(
            "TigerBeetle at {list} accepts connections but does not answer as cluster {}: {error}; \
             correct ledger.cluster_id, or free connections if its limit is reached",
            config.ledger.cluster_id
        ));
    }
    Failure::transient(format!(
        "TigerBeetle at {list} cannot be reached: {error}; start it, or correct ledger.addresses"
    ))
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        Self::transient(error.to_string())
    }
}
