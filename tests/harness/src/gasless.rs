//! Gasless withdrawals as a wallet asks for them: signed, and sent to the bridge.

use crate::{http, vault::Vault};
use alloy::{
    primitives::{Address, B256, Bytes, U256},
    signers::{SignerSync, local::PrivateKeySigner},
};
use anyhow::{Result, bail};
use bridge_core::{amount::TokenAmount, block::UnixSeconds, eip712::Domain, gasless::Intent};
use serde_json::{Value, json};
use std::time::Duration;

/// Signs an order in the vault's domain and gives its id.
///
/// # Errors
/// When it cannot be signed.
pub fn sign(
    chain_id: u64,
    vault: &Vault,
    key: &PrivateKeySigner,
    mut intent: Intent,
) -> Result<(B256, Intent)> {
    let id = intent.id(&Domain::new(chain_id, vault.address()));
    intent.signature = Bytes::from(key.sign_hash_sync(&id)?.as_bytes().to_vec());
    Ok((id, intent))
}

/// An order without a fee to the owner's own address.
#[must_use]
pub fn order(owner: Address, token: Address, amount: u128, deadline: u64, nonce: u64) -> Intent {
    Intent {
        owner,
        to: owner,
        token,
        amount: TokenAmount(amount),
        fee: TokenAmount(0),
        nonce: U256::from(nonce),
        deadline: UnixSeconds(deadline),
        signature: Bytes::new(),
    }
}

/// The order as the bridge reads it.
#[must_use]
pub fn body(intent: &Intent) -> Value {
    json!({
        "owner": intent.owner, "to": intent.to, "token": intent.token,
        "amount": intent.amount.0.to_string(), "fee": intent.fee.0.to_string(),
        "nonce": intent.nonce.to_string(), "deadline": intent.deadline.0,
        "signature": intent.signature,
    })
}

/// Sends an order; the status and the answer.
///
/// # Errors
/// When nobody answers with JSON.
pub fn send(api_url: &str, intent: &Intent, limit: Duration) -> Result<(u16, Value)> {
    let url = format!("{api_url}/v1/withdrawals");
    let answer = http::post_json(&url, &body(intent).to_string(), limit)?;
    match serde_json::from_str(&answer.body) {
        Ok(value) => Ok((answer.status, value)),
        Err(error) => bail!("{}: {} is no JSON: {error}", answer.status, answer.body),
    }
}
