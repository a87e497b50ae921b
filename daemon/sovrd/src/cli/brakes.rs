//! `sovrd pause` and `sovrd unpause`: the vault's brakes, pulled from the command line.

use super::{ConfigFile, print};
use crate::{
    chain::{bindings::abi::IVault, error::ReadError, node::raw_bytes, nodes::Nodes},
    config::{Config, Keystore},
    exit::Failure,
    payouts::{keys, trial},
};
use alloy::{
    consensus::{SignableTransaction, TxEip1559, TxEnvelope},
    eips::eip2930::AccessList,
    primitives::{B256, Bytes, TxKind, U256},
    signers::{SignerSync, local::PrivateKeySigner},
    sol_types::SolCall,
};
use clap::{Args, ValueEnum};
use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

/// Gas of one call; it writes one slot and emits one event.
const GAS_LIMIT: u64 = 150_000;
/// Least tip, wei for one unit of gas: nodes ask for one even where blocks cost nothing.
const LEAST_TIP: u128 = 1_000_000_000;
/// Longest wait for the block.
const PATIENCE: Duration = Duration::from_secs(120);
/// Pause between two looks for it.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    file: ConfigFile,
    /// What to stop or let go on.
    #[arg(value_enum, default_value = "payouts")]
    what: What,
    /// Encrypted V3 keystore of the pauser; to lift a pause, of the admin.
    #[arg(long, value_name = "FILE")]
    keystore: PathBuf,
    /// File whose first line is the keystore's password.
    #[arg(long, value_name = "FILE")]
    password_file: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum What {
    /// Payouts: nothing is signed, sent or paid any more.
    Payouts,
    /// Deposits.
    Deposits,
    /// Both.
    All,
}

/// Which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Pause,
    Unpause,
}

/// Sends what was asked for and waits for its block.
pub(super) async fn run(arguments: Arguments, way: Way) -> Result<(), Failure> {
    let config = arguments.file.load()?;
    let nodes = Nodes::new(&config.chain)
        .map_err(|e| Failure::configuration(format!("chain.rpc_url: {e}")))?;
    check_chain(&nodes, &config).await?;
    let Arguments { keystore: path, password_file, what, .. } = arguments;
    let keystore = Keystore { path, password_file };
    let key = keys::open_file("--keystore", &keystore, config.chain.chain_id)?;
    for (name, input) in calls(what, way) {
        let hash = send(&nodes, &config, &key, name, input).await?;
        print(&format!("{name}: done in transaction {hash}"));
    }
    Ok(())
}

async fn check_chain(nodes: &Nodes, config: &Config) -> Result<(), Failure> {
    let (facts, _) = nodes.facts(config.chain.deploy_block).await?;
    if facts.chain_id == config.chain.chain_id {
        return Ok(());
    }
    Err(Failure::configuration(format!(
        "chain.chain_id is {}, the node serves chain {}: correct one of them",
        config.chain.chain_id, facts.chain_id
    )))
}

fn calls(what: What, way: Way) -> Vec<(&'static str, Bytes)> {
    let payouts = match way {
        Way::Pause => ("pausePayouts", IVault::pausePayoutsCall {}.abi_encode().into()),
        Way::Unpause => ("unpausePayouts", IVault::unpausePayoutsCall {}.abi_encode().into()),
    };
    let deposits = match way {
        Way::Pause => ("pauseDeposits", IVault::pauseDepositsCall {}.abi_encode().into()),
        Way::Unpause => ("unpauseDeposits", IVault::unpauseDepositsCall {}.abi_encode().into()),
    };
    match what {
        What::Payouts => vec![payouts],
        What::Deposits => vec![deposits],
        What::All => vec![payouts, deposits],
    }
}

async fn send(
    nodes: &Nodes,
    config: &Config,
    key: &PrivateKeySigner,
    name: &str,
    input: Bytes,
) -> Result<B256, Failure> {
    let from = key.address();
    if let Some(revert) = nodes.trial(from, input.clone(), GAS_LIMIT).await? {
        return Err(Failure::configuration(format!(
            "{name} would revert for {from}: {}; use the keystore of an account that holds the \
             role (a pauser pauses, only the admin lifts a pause)",
            trial::words(&revert)
        )));
    }
    let next = nodes.next_transaction(from).await?;
    let tip = next.tip.max(LEAST_TIP);
    let transaction = TxEip1559 {
        chain_id: config.chain.chain_id,
        nonce: next.nonce,
        gas_limit: GAS_LIMIT,
        max_fee_per_gas: next.base_fee.saturating_mul(2).saturating_add(tip),
        max_priority_fee_per_gas: tip,
        to: TxKind::Call(config.chain.vault),
        value: U256::ZERO,
        access_list: AccessList::default(),
        input,
    };
    let signature = key.sign_hash_sync(&transaction.signature_hash());
    let signature = signature.map_err(|e| Failure::bug(format!("{name}: not signed: {e}")))?;
    let envelope = TxEnvelope::from(transaction.into_signed(signature));
    let hash = *envelope.tx_hash();
    nodes.send(&raw_bytes(&envelope)).await?;
    wait(nodes, name, hash).await
}

async fn wait(nodes: &Nodes, name: &str, hash: B256) -> Result<B256, Failure> {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        match nodes.receipt(hash).await {
            Ok(Some(receipt)) if receipt.status() => return Ok(hash),
            Ok(Some(_reverted)) => {
                return Err(Failure::configuration(format!("{name} reverted in {hash}")));
            }
            Ok(None) | Err(ReadError::Timeout(_) | ReadError::Transport { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    Err(Failure::transient(format!(
        "{name}: transaction {hash} is sent, but in no block after {} s; look again, and send it \
         once more only if it is gone",
        PATIENCE.as_secs()
    )))
}
