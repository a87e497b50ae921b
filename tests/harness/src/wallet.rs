//! A user's wallet: signs and sends transactions, and waits for their receipts.

use crate::{rpc::Rpc, wait};
use alloy::{
    consensus::{SignableTransaction, TxEip1559, TxEnvelope},
    eips::{eip2718::Encodable2718, eip2930::AccessList},
    primitives::{Address, B256, Bytes, TxKind, U256},
    rpc::types::TransactionReceipt,
    signers::{SignerSync, local::PrivateKeySigner},
};
use anyhow::{Context, Result, anyhow, bail};
use serde_json::{Value, json};
use std::time::Duration;

const GAS_LIMIT: u64 = 5_000_000;
const MAX_FEE: u128 = 100_000_000_000;
const TIP: u128 = 1_000_000_000;
const MINED_LIMIT: Duration = Duration::from_secs(30);

/// One key at one node.
#[derive(Clone, Debug)]
pub struct Wallet {
    rpc: Rpc,
    signer: PrivateKeySigner,
    chain_id: u64,
    gas_limit: u64,
    tip: u128,
}

impl Wallet {
    /// A wallet of that key.
    ///
    /// # Errors
    /// When the node does not tell its chain id.
    pub fn new(rpc: &Rpc, signer: PrivateKeySigner) -> Result<Self> {
        let chain_id = rpc.chain_id()?;
        Ok(Self { rpc: rpc.clone(), signer, chain_id, gas_limit: GAS_LIMIT, tip: TIP })
    }

    /// The same wallet with another gas limit for what it sends.
    #[must_use]
    pub const fn with_gas_limit(mut self, gas_limit: u64) -> Self {
        self.gas_limit = gas_limit;
        self
    }

    /// The same wallet with another tip, wei for one unit of gas: a higher one is mined first.
    #[must_use]
    pub const fn with_tip(mut self, tip: u128) -> Self {
        self.tip = tip;
        self
    }

    /// Its address.
    #[must_use]
    pub fn address(&self) -> Address {
        self.signer.address()
    }

    /// Its node.
    #[must_use]
    pub fn rpc(&self) -> &Rpc {
        &self.rpc
    }

    /// Sends a call, or creates a contract where `to` is `None`, without waiting for a block.
    ///
    /// # Errors
    /// When the node refuses it.
    pub fn send(&self, to: Option<Address>, value: u128, input: Vec<u8>) -> Result<B256> {
        let transaction = TxEip1559 {
            chain_id: self.chain_id,
            nonce: self.nonce()?,
            gas_limit: self.gas_limit,
            max_fee_per_gas: MAX_FEE,
            max_priority_fee_per_gas: self.tip,
            to: to.map_or(TxKind::Create, TxKind::Call),
            value: U256::from(value),
            access_list: AccessList::default(),
            input: Bytes::from(input),
        };
        let signature = self.signer.sign_hash_sync(&transaction.signature_hash())?;
        let raw = TxEnvelope::from(transaction.into_signed(signature)).encoded_2718();
        let hash = self.rpc.call("eth_sendRawTransaction", &json!([Bytes::from(raw)]))?;
        Ok(serde_json::from_value(hash)?)
    }

    /// Sends, waits for the block and checks that it did not revert.
    ///
    /// # Errors
    /// When it is refused, not mined in time, or reverts; with the reason that the node gives.
    pub fn execute(
        &self,
        to: Option<Address>,
        value: u128,
        input: Vec<u8>,
    ) -> Result<TransactionReceipt> {
        let hash = self.send(to, value, input.clone())?;
        let receipt = self.receipt(hash)?;
        if receipt.status() {
            return Ok(receipt);
        }
        let call = json!([{
            "from": self.address(), "to": to, "input": Bytes::from(input),
            "value": format!("{value:#x}"),
        }, "latest"]);
        let reason = self.rpc.call("eth_call", &call).err();
        bail!("transaction {hash} reverted: {reason:?}")
    }

    /// Waits for a transaction's block.
    ///
    /// # Errors
    /// When it is not mined in time.
    pub fn receipt(&self, hash: B256) -> Result<TransactionReceipt> {
        wait::until(&format!("transaction {hash} to be mined"), MINED_LIMIT, || {
            let receipt = self.rpc.call("eth_getTransactionReceipt", &json!([hash]))?;
            Ok(serde_json::from_value::<Option<TransactionReceipt>>(receipt)?)
        })
    }

    fn nonce(&self) -> Result<u64> {
        let nonce =
            self.rpc.call("eth_getTransactionCount", &json!([self.address(), "pending"]))?;
        number(&nonce).context("eth_getTransactionCount")
    }
}

/// A JSON-RPC quantity.
fn number(value: &Value) -> Result<u64> {
    let text = value.as_str().ok_or_else(|| anyhow!("no number: {value}"))?;
    Ok(text.parse::<U256>()?.try_into()?)
}
