//! JSON-RPC towards a node on this machine.

use crate::http;
use alloy::primitives::{Address, B256, U256, keccak256};
use anyhow::{Context, Result, anyhow, bail};
use serde_json::{Value, json};
use std::time::Duration;

const REPLY_LIMIT: Duration = Duration::from_secs(30);

/// A node that is asked over HTTP, one question at a time.
#[derive(Clone, Debug)]
pub struct Rpc {
    url: String,
}

impl Rpc {
    /// A node at `http://host:port`.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into() }
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Calls any method.
    ///
    /// # Errors
    /// When the node does not answer, or answers with an error.
    pub fn call(&self, method: &str, params: &Value) -> Result<Value> {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let answer = http::post_json(&self.url, &body.to_string(), REPLY_LIMIT)?;
        let mut answer: Value = serde_json::from_str(&answer.body)
            .with_context(|| format!("{method}: not JSON: {}", answer.body))?;
        if let Some(error) = answer.get("error") {
            bail!("{method} {params}: {error}");
        }
        answer
            .get_mut("result")
            .map(Value::take)
            .ok_or_else(|| anyhow!("{method}: no result in {answer}"))
    }

    /// The chain's id.
    ///
    /// # Errors
    /// As for [`Rpc::call`].
    pub fn chain_id(&self) -> Result<u64> {
        self.quantity("eth_chainId", &json!([]))
    }

    /// The newest block's number.
    ///
    /// # Errors
    /// As for [`Rpc::call`].
    pub fn block_number(&self) -> Result<u64> {
        self.quantity("eth_blockNumber", &json!([]))
    }

    /// The hash of a block.
    ///
    /// # Errors
    /// As for [`Rpc::call`], or when there is no such block.
    pub fn block_hash(&self, number: u64) -> Result<B256> {
        let block = self.call("eth_getBlockByNumber", &json!([hex(number), false]))?;
        let hash = block["hash"].as_str().ok_or_else(|| anyhow!("there is no block {number}"))?;
        Ok(hash.parse()?)
    }

    /// Keccak-256 of the code at an address.
    ///
    /// # Errors
    /// As for [`Rpc::call`], or when there is no code.
    pub fn code_hash(&self, address: Address) -> Result<B256> {
        let code = self.call("eth_getCode", &json!([address, "latest"]))?;
        let bytes = ::hex::decode(code.as_str().unwrap_or_default().trim_start_matches("0x"))?;
        if bytes.is_empty() {
            bail!("there is no contract at {address}");
        }
        Ok(keccak256(bytes))
    }

    /// Mines blocks (Anvil and Hardhat).
    ///
    /// # Errors
    /// As for [`Rpc::call`].
    pub fn mine(&self, blocks: u64) -> Result<()> {
        let version = self.call("web3_clientVersion", &json!([]))?;
        if version.as_str().is_none_or(|name| !name.starts_with("HardhatNetwork")) {
            return self.call("anvil_mine", &json!([hex(blocks)])).map(drop);
        }
        // More than two at once, and Hardhat's headers do not name their parents.
        (0..blocks).try_for_each(|_| self.call("evm_mine", &json!([])).map(drop))
    }

    /// Replaces the newest `depth` blocks by empty ones of another history (Anvil).
    ///
    /// # Errors
    /// As for [`Rpc::call`].
    pub fn reorg(&self, depth: u64) -> Result<()> {
        self.reorg_with(depth, &json!([]))
    }

    /// Replaces the newest `depth` blocks by others that hold these transactions: pairs of raw bytes
    /// and the number of the new block, from 0 (Anvil).
    ///
    /// # Errors
    /// As for [`Rpc::call`].
    pub fn reorg_with(&self, depth: u64, transactions: &Value) -> Result<()> {
        self.call("anvil_reorg", &json!([depth, transactions])).map(drop)
    }

    /// Remembers the chain as it is now (Anvil and Hardhat).
    ///
    /// # Errors
    /// As for [`Rpc::call`].
    pub fn snapshot(&self) -> Result<Value> {
        self.call("evm_snapshot", &json!([]))
    }

    /// Goes back to a snapshot: what came after it is gone.
    ///
    /// # Errors
    /// As for [`Rpc::call`], or when there is no such snapshot.
    pub fn revert(&self, snapshot: &Value) -> Result<()> {
        let done = self.call("evm_revert", &json!([snapshot]))?;
        if done == json!(true) { Ok(()) } else { bail!("there is no snapshot {snapshot}") }
    }

    /// Moves the node's clock forward; it shows in the next block (Anvil and Hardhat).
    ///
    /// # Errors
    /// As for [`Rpc::call`].
    pub fn increase_time(&self, seconds: u64) -> Result<()> {
        self.call("evm_increaseTime", &json!([seconds])).map(drop)
    }

    /// Whether a block is mined for every transaction (Anvil and Hardhat).
    ///
    /// # Errors
    /// As for [`Rpc::call`].
    pub fn set_automine(&self, on: bool) -> Result<()> {
        self.call("evm_setAutomine", &json!([on])).map(drop)
    }

    fn quantity(&self, method: &str, params: &Value) -> Result<u64> {
        let value = self.call(method, params)?;
        let text = value.as_str().ok_or_else(|| anyhow!("{method}: no number: {value}"))?;
        Ok(text.parse::<U256>()?.try_into()?)
    }
}

fn hex(number: u64) -> String {
    format!("{number:#x}")
}
