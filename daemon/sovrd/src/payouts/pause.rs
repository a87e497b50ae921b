//! Payouts paused on chain for as long as the bridge is halted.

use super::Payouts;
use crate::{
    chain::{bindings::abi::IVault, error::ReadError, node::raw_bytes, nodes::Nodes},
    retry,
};
use alloy::{
    consensus::{SignableTransaction, TxEip1559, TxEnvelope},
    eips::eip2930::AccessList,
    primitives::{Address, TxKind, U256},
    signers::{SignerSync, local::PrivateKeySigner},
    sol_types::SolCall,
};
use std::time::Duration;
use tracing::warn;

/// Longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Pause between two looks at the contract while it is paused.
const LOOK_AGAIN: Duration = Duration::from_secs(60);
/// Gas of one call of `pausePayouts`.
const GAS_LIMIT: u64 = 150_000;
/// Least tip and fee, wei for one unit of gas: where blocks cost nothing nodes still ask for one.
const LEAST_FEE: u128 = 1_000_000_000;

struct Pauser {
    key: PrivateKeySigner,
    nodes: Nodes,
    vault: Address,
    chain_id: u64,
}

/// Pauses in the background.
pub(super) fn start(payouts: &Payouts) {
    let Some(key) = payouts.pauser.clone() else { return };
    let Payouts { vault, chain_id, .. } = *payouts;
    let pauser = Pauser { key, nodes: payouts.nodes.clone(), vault, chain_id };
    tokio::spawn(pauser.run());
}

impl Pauser {
    /// For as long as the process runs: a pause on chain ends by itself after a while.
    async fn run(self) {
        let mut pauses = retry::pauses(LONGEST_PAUSE);
        let mut attempts = 0_u32;
        loop {
            match self.attempt(attempts).await {
                Ok(true) => {
                    if attempts > 0 {
                        warn!(vault = %self.vault, "payouts are paused on chain");
                    }
                    attempts = 0;
                    tokio::time::sleep(LOOK_AGAIN).await;
                    continue;
                }
                Ok(false) => {}
                Err(problem) => warn!(%problem, "payouts not paused on chain yet; trying again"),
            }
            attempts = attempts.saturating_add(1);
            tokio::time::sleep(retry::next(&mut pauses)).await;
        }
    }

    /// True once the contract says that payouts are paused.
    async fn attempt(&self, attempt: u32) -> Result<bool, ReadError> {
        // Another endpoint each time: one that is away must not hold this up.
        let all = self.nodes.all();
        let turn = usize::try_from(attempt).unwrap_or_default();
        let node = all.get(turn % all.len().max(1));
        let node = node.ok_or_else(|| ReadError::Missing("endpoint".to_owned()))?;
        if node.payouts_paused().await? {
            return Ok(true);
        }
        let (nonce, base_fee) = node.nonce_and_base_fee(self.key.address()).await?;
        // A repeated attempt under the same nonce offers more, or nodes would not take it.
        let fee = base_fee.saturating_mul(2).saturating_add(LEAST_FEE);
        let fee = fee.saturating_add(fee / 4 * u128::from(attempt.min(16)));
        let transaction = TxEip1559 {
            chain_id: self.chain_id,
            nonce,
            gas_limit: GAS_LIMIT,
            max_fee_per_gas: fee,
            max_priority_fee_per_gas: fee.min(LEAST_FEE * u128::from(attempt.saturating_add(1))),
            to: TxKind::Call(self.vault),
            value: U256::ZERO,
            access_list: AccessList::default(),
            input: IVault::pausePayoutsCall {}.abi_encode().into(),
        };
        let signature = self.key.sign_hash_sync(&transaction.signature_hash());
        let signature = signature.map_err(|e| ReadError::Unusable(e.to_string()))?;
        let envelope = TxEnvelope::from(transaction.into_signed(signature));
        self.nodes.send(&raw_bytes(&envelope)).await?;
        Ok(false)
    }
}
