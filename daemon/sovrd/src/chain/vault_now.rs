//! The vault at the newest block: prices, pauses, signers, and trials of calls. Nothing final; only
//! good for deciding whether sending something is worth its gas.

use super::{bindings::abi::IVault, error::ReadError, node::Node, nodes::Nodes};
use alloy::{
    eips::{BlockId, BlockNumberOrTag},
    network::TransactionBuilder,
    primitives::{Address, B256, Bytes},
    providers::{DynProvider, Provider},
    rpc::types::{TransactionReceipt, TransactionRequest},
    sol_types::SolCall,
    transports::TransportError,
};
use bridge_core::block::UnixSeconds;

/// Blocks whose tips are looked at.
const HISTORY_BLOCKS: u64 = 10;
/// Of each block's tips, the one in the middle.
const MEDIAN: [f64; 1] = [50.0];
/// JSON-RPC error code of an execution that reverted.
const REVERTED: i64 = 3;

/// What a payout would meet now.
#[derive(Clone, Copy, Debug)]
pub(super) struct VaultNow {
    /// Base fee of the next block, wei.
    pub(super) base_fee: u128,
    /// The median of the newest blocks' median tips, wei.
    pub(super) tip: u128,
    /// Nothing is paid before.
    pub(super) payouts_paused_until: UnixSeconds,
}

/// The payout signers that the vault knows.
#[derive(Clone, Debug)]
pub struct SignerSet {
    /// Their addresses, ascending.
    pub signers: Vec<Address>,
    /// How many must sign.
    pub threshold: usize,
}

/// What an account's next transaction needs.
#[derive(Clone, Copy, Debug)]
pub struct NextTransaction {
    /// Its nonce, after those that wait already.
    pub nonce: u64,
    /// Base fee of the next block, wei.
    pub base_fee: u128,
    /// A tip that others give, wei.
    pub tip: u128,
}

impl Node {
    pub(crate) async fn next_transaction(
        &self,
        from: Address,
    ) -> Result<NextTransaction, ReadError> {
        let pending = BlockId::pending();
        let nonce = self
            .ask(|p| async move { p.get_transaction_count(from).block_id(pending).await })
            .await?;
        let (base_fee, tip) = self.prices().await?;
        Ok(NextTransaction { nonce, base_fee, tip })
    }

    pub(super) async fn vault_now(&self) -> Result<VaultNow, ReadError> {
        let ((base_fee, tip), payouts_paused_until) =
            tokio::try_join!(self.prices(), self.payouts_paused_until())?;
        Ok(VaultNow { base_fee, tip, payouts_paused_until })
    }

    /// Base fee of the next block and a tip that others give, wei.
    async fn prices(&self) -> Result<(u128, u128), ReadError> {
        let newest = BlockNumberOrTag::Latest;
        let history = self
            .ask(|p| async move { p.get_fee_history(HISTORY_BLOCKS, newest, &MEDIAN).await })
            .await?;
        let base_fee = history.base_fee_per_gas.last().copied().unwrap_or_default();
        let tips = history.reward.unwrap_or_default();
        let mut tips: Vec<u128> = tips.iter().filter_map(|block| block.first().copied()).collect();
        tips.sort_unstable();
        Ok((base_fee, tips.get(tips.len() / 2).copied().unwrap_or_default()))
    }

    /// Where there is no contract yet, nothing is paused.
    async fn payouts_paused_until(&self) -> Result<UnixSeconds, ReadError> {
        let answer = self.call_now(IVault::payoutsPausedUntilCall {}.abi_encode()).await?;
        if answer.is_empty() {
            return Ok(UnixSeconds(0));
        }
        let until = IVault::payoutsPausedUntilCall::abi_decode_returns(&answer);
        until.map(UnixSeconds).map_err(|e| ReadError::Unusable(format!("payoutsPausedUntil: {e}")))
    }

    /// The payout signers that the vault knows.
    ///
    /// # Errors
    /// If the node does not answer.
    pub async fn signer_set(&self) -> Result<SignerSet, ReadError> {
        let unusable = |e: alloy::sol_types::Error| ReadError::Unusable(format!("signers: {e}"));
        let (signers, threshold) = tokio::try_join!(
            self.call_now(IVault::signersCall {}.abi_encode()),
            self.call_now(IVault::thresholdCall {}.abi_encode())
        )?;
        let signers = IVault::signersCall::abi_decode_returns(&signers).map_err(unusable)?;
        let threshold = IVault::thresholdCall::abi_decode_returns(&threshold).map_err(unusable)?;
        Ok(SignerSet { signers, threshold: threshold.try_into().unwrap_or(usize::MAX) })
    }

    async fn call_now(&self, input: Vec<u8>) -> Result<Bytes, ReadError> {
        let request = TransactionRequest::default().with_to(self.vault).with_input(input);
        let newest = BlockId::latest();
        let call = |p: DynProvider| {
            let request = request.clone();
            async move { p.call(request).block(newest).await }
        };
        self.ask(call).await
    }

    /// Tries a call of the vault at the newest block. `None` if it goes through, else what it reverts
    /// with.
    ///
    /// # Errors
    /// If the node does not answer, or with anything but a revert.
    pub async fn trial(
        &self,
        from: Address,
        input: Bytes,
        gas_limit: u64,
    ) -> Result<Option<Bytes>, ReadError> {
        let request = TransactionRequest::default()
            .with_from(from)
            .with_to(self.vault)
            .with_input(input)
            .with_gas_limit(gas_limit);
        let newest = BlockId::latest();
        self.ask(|p| {
            let request = request.clone();
            async move {
                match p.call(request).block(newest).await {
                    Ok(_nothing) => Ok(None),
                    Err(error) => revert_data(&error).map(Some).ok_or(error),
                }
            }
        })
        .await
    }
}

impl Nodes {
    /// Tries a call at the first endpoint that answers.
    ///
    /// # Errors
    /// What the last endpoint said, if none answers.
    pub async fn trial(
        &self,
        from: Address,
        input: Bytes,
        gas_limit: u64,
    ) -> Result<Option<Bytes>, ReadError> {
        self.first(|node| node.trial(from, input.clone(), gas_limit)).await
    }

    /// The payout signers, by the first endpoint that answers.
    ///
    /// # Errors
    /// What the last endpoint said, if none answers.
    pub async fn signer_set(&self) -> Result<SignerSet, ReadError> {
        self.first(Node::signer_set).await
    }

    /// What an account's next transaction needs, by the first endpoint that answers.
    ///
    /// # Errors
    /// What the last endpoint said, if none answers.
    pub async fn next_transaction(&self, from: Address) -> Result<NextTransaction, ReadError> {
        self.first(|node| node.next_transaction(from)).await
    }

    /// A transaction's receipt, by the first endpoint that answers.
    ///
    /// # Errors
    /// What the last endpoint said, if none answers.
    pub async fn receipt(&self, tx: B256) -> Result<Option<TransactionReceipt>, ReadError> {
        self.first(|node| node.receipt(tx)).await
    }
}

fn revert_data(error: &TransportError) -> Option<Bytes> {
    let payload = error.as_error_resp()?;
    let is_revert = payload.code == REVERTED || payload.message.contains("revert");
    payload.as_revert_data().or_else(|| is_revert.then(Bytes::new))
}
