//! One EVM node: reads, with a deadline on every answer. Decides nothing.

use super::bindings::{self, abi::IVault};
use crate::config;
use alloy::{
    consensus::BlockHeader,
    eips::{BlockId, BlockNumberOrTag, eip2718::Encodable2718},
    network::TransactionBuilder,
    primitives::{Address, B256, Bytes, TxHash, keccak256},
    providers::{DynProvider, Provider, ProviderBuilder},
    rpc::client::BatchRequest,
    rpc::types::{Block, Filter, Log, TransactionReceipt, TransactionRequest},
    sol_types::SolCall,
    transports::TransportError,
};
use bridge_core::{
    block::{BlockNumber, BlockRef, FinalityPolicy, Header, Seq, UnixSeconds},
    command::RangeRequest,
    event::{ContractState, Head, Range, SubmitterAccount},
    vault_event::VaultLog,
};
use futures_util::{StreamExt, TryStreamExt, future, stream};
use std::{collections::BTreeMap, future::Future, time::Duration};

/// Requests for headers under way at the same time.
const HEADERS_AT_ONCE: usize = 8;
/// Ranges up to this many blocks are re-read block by block, by hash.
const BY_HASH_BLOCKS: u64 = 16;

/// Why a read brought nothing.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// No answer in time.
    #[error("no answer within {0} ms")]
    Timeout(u64),
    /// The node or the way to it failed.
    #[error("{message}")]
    Transport {
        /// What it said, without the secrets of its URL.
        message: String,
        /// The JSON-RPC error code, if the node answered.
        code: Option<i64>,
    },
    /// The node answered that it has no such thing (yet).
    #[error("the node has no {0} (yet)")]
    Missing(String),
    /// The node's answer cannot be used.
    #[error("{0}")]
    Unusable(String),
}

impl ReadError {
    /// True if the node asks for a smaller range of logs.
    #[must_use]
    pub fn is_too_large(&self) -> bool {
        let Self::Transport { message, code: Some(code) } = self else { return false };
        let message = message.to_lowercase();
        let words = ["range", "too many", "limit", "more than", "too large", "response size"];
        *code == -32005 || words.iter().any(|w| message.contains(w))
    }
}

/// What the start needs to know of the chain.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    /// The node's chain id.
    pub chain_id: u64,
    /// Hash of block 0.
    pub genesis: B256,
    /// Keccak-256 of the vault's code now; `None` where there is none.
    pub code_hash: Option<B256>,
    /// The block that created the vault; `None` where the node has no such block.
    pub deploy: Option<Header>,
}

/// A connection to one node.
#[derive(Clone, Debug)]
pub struct Node {
    pub(super) provider: DynProvider,
    pub(super) vault: Address,
    finality: FinalityPolicy,
    timeout_ms: u64,
    endpoint: config::Endpoint,
}

impl Node {
    /// Prepares the connection; nothing is sent yet.
    ///
    /// # Errors
    /// If the URL cannot be read.
    pub fn new(config: &config::Chain) -> Result<Self, ReadError> {
        let url = config.rpc_url.secret().parse();
        let url = url.map_err(|e| ReadError::Unusable(format!("not a URL: {e}")))?;
        let provider =
            ProviderBuilder::new().disable_recommended_fillers().connect_http(url).erased();
        let (vault, finality) = (config.vault, config.finality);
        let (timeout_ms, endpoint) = (config.rpc_timeout_ms, config.rpc_url.clone());
        Ok(Self { provider, vault, finality, timeout_ms, endpoint })
    }

    pub(super) async fn within<T>(
        &self,
        read: impl Future<Output = Result<T, TransportError>>,
    ) -> Result<T, ReadError> {
        let limit = Duration::from_millis(self.timeout_ms);
        match tokio::time::timeout(limit, read).await {
            Ok(answer) => answer.map_err(|error| ReadError::Transport {
                message: self.endpoint.redact(&error.to_string()),
                code: error.as_error_resp().map(|payload| payload.code),
            }),
            Err(_elapsed) => Err(ReadError::Timeout(self.timeout_ms)),
        }
    }

    /// What the start needs to know.
    ///
    /// # Errors
    /// If the node does not answer.
    pub async fn facts(&self, deploy_block: BlockNumber) -> Result<Facts, ReadError> {
        let chain_id = self.within(async { self.provider.get_chain_id().await }).await?;
        let genesis = self.genesis().await?;
        let code = self.within(async { self.provider.get_code_at(self.vault).await }).await?;
        let code_hash = (!code.is_empty()).then(|| keccak256(&code));
        let deploy = self.header(deploy_block.0.into()).await?;
        Ok(Facts { chain_id, genesis, code_hash, deploy })
    }

    /// Whether the vault has code at a height.
    ///
    /// # Errors
    /// If the node does not answer, or does not keep the state of that height.
    pub async fn has_vault_at(&self, number: BlockNumber) -> Result<bool, ReadError> {
        let block = BlockId::number(number.0);
        let read = async { self.provider.get_code_at(self.vault).block_id(block).await };
        Ok(!self.within(read).await?.is_empty())
    }

    async fn genesis(&self) -> Result<B256, ReadError> {
        let header = self.header(BlockNumberOrTag::Number(0)).await?;
        header.map(|h| h.block.hash).ok_or_else(|| ReadError::Missing("block 0".to_owned()))
    }

    /// The canonical header at a height or tag.
    ///
    /// # Errors
    /// If the node does not answer.
    pub async fn header(&self, tag: BlockNumberOrTag) -> Result<Option<Header>, ReadError> {
        Ok(self.block(tag).await?.map(|(header, _)| header))
    }

    async fn block(&self, tag: BlockNumberOrTag) -> Result<Option<(Header, u128)>, ReadError> {
        let block = self.within(async { self.provider.get_block_by_number(tag).await }).await?;
        Ok(block.map(|b| (header_of(&b), b.header.base_fee_per_gas().unwrap_or_default().into())))
    }

    /// One poll: heads, the contract's counter, the anchor's hash and the submitter's account.
    ///
    /// # Errors
    /// If any part of it has no usable answer.
    pub async fn poll(
        &self,
        anchor: BlockNumber,
        submitter: Option<Address>,
    ) -> Result<Head, ReadError> {
        let missing = |what: &str| ReadError::Missing(what.to_owned());
        let (latest, _) =
            self.block(BlockNumberOrTag::Latest).await?.ok_or_else(|| missing("latest block"))?;
        let final_head = self.final_header(latest).await?;
        let at = final_head.block.hash;
        let (genesis, anchor_header, last_seq, submitter, now) = tokio::try_join!(
            self.genesis(),
            self.header(anchor.0.into()),
            self.last_seq(at),
            self.submitter(submitter, at),
            self.vault_now(),
        )?;
        Ok(Head {
            genesis,
            latest: latest.block.number,
            final_head,
            last_seq,
            anchor: anchor_header.map(|h| (h.block.number, h.block.hash)),
            base_fee: now.base_fee,
            tip: now.tip,
            payouts_paused_until: now.payouts_paused_until,
            submitter,
        })
    }

    async fn final_header(&self, latest: Header) -> Result<Header, ReadError> {
        let FinalityPolicy::Confirmations(_) = self.finality else {
            let tag = self.head_tag();
            let header = self.header(tag).await?;
            return header.ok_or_else(|| ReadError::Missing(format!("block {tag}")));
        };
        let number = self.finality.final_number(latest.block.number);
        let number = number.ok_or_else(|| ReadError::Missing("final block".to_owned()))?;
        if number == latest.block.number {
            return Ok(latest);
        }
        // So many blocks deep counts only below this very head: one node answers a batch.
        let (_, header, final_here) = self.logs_and_head(Vec::new(), number).await?;
        if final_here < number {
            return Err(ReadError::Missing(format!("block {number} as final")));
        }
        Ok(header)
    }

    /// The contract's own count of its events at a block. Where there is no contract (yet, or on
    /// another chain that answers here now) it has counted none.
    async fn last_seq(&self, block: B256) -> Result<Seq, ReadError> {
        let answer = self.call(IVault::lastSeqCall {}.abi_encode(), block).await?;
        if answer.is_empty() {
            return Ok(Seq(0));
        }
        let seq = IVault::lastSeqCall::abi_decode_returns(&answer);
        seq.map(Seq).map_err(|e| ReadError::Unusable(format!("lastSeq: {e}")))
    }

    async fn call(&self, input: Vec<u8>, block: B256) -> Result<Bytes, ReadError> {
        let request = TransactionRequest::default().with_to(self.vault).with_input(input);
        self.within(async { self.provider.call(request).block(BlockId::hash(block)).await }).await
    }

    async fn submitter(
        &self,
        address: Option<Address>,
        final_block: B256,
    ) -> Result<Option<SubmitterAccount>, ReadError> {
        let Some(address) = address else { return Ok(None) };
        let nonce = |block: BlockId| {
            self.within(async move {
                self.provider.get_transaction_count(address).block_id(block).await
            })
        };
        let balance = self.within(async { self.provider.get_balance(address).await });
        let (final_nonce, latest_nonce, pending_nonce, balance) = tokio::try_join!(
            nonce(BlockId::hash(final_block)),
            nonce(BlockId::latest()),
            nonce(BlockId::pending()),
            balance
        )?;
        let balance = u128::try_from(balance).unwrap_or(u128::MAX);
        Ok(Some(SubmitterAccount { final_nonce, latest_nonce, pending_nonce, balance }))
    }

    /// The vault's logs of a range, with the headers that prove their place.
    ///
    /// # Errors
    /// If any part of it has no usable answer.
    pub async fn range(&self, request: RangeRequest) -> Result<Range, ReadError> {
        let headers = self.headers(&request).await?;
        let blocks = request.to.0.saturating_sub(request.from.0);
        let by_hash = request.attempt > 0 && blocks < BY_HASH_BLOCKS && request.all_headers;
        let filters = if by_hash {
            headers.values().map(|h| Filter::new().at_block_hash(h.block.hash)).collect()
        } else {
            vec![Filter::new().from_block(request.from.0).to_block(request.to.0)]
        };
        let (logs, last, final_here) = self.logs_and_head(filters, request.to).await?;
        if headers.get(&request.to).map(|h| h.block) != Some(last.block) {
            let number = request.to;
            return Err(ReadError::Unusable(format!("block {number} changed while it was read")));
        }
        let decode = |log: &Log| bindings::decode(log).transpose();
        let logs: Result<Vec<VaultLog>, _> = logs.iter().filter_map(decode).collect();
        let logs = logs.map_err(|e| ReadError::Unusable(e.to_string()))?;
        Ok(Range { request, final_here, headers, logs })
    }

    /// Logs, the last block of their range and the final height in one batch of calls: where several
    /// nodes stand behind the address, it is one of them that answers a batch.
    async fn logs_and_head(
        &self,
        filters: Vec<Filter>,
        last: BlockNumber,
    ) -> Result<(Vec<Log>, Header, BlockNumber), ReadError> {
        let read = async {
            let mut batch = BatchRequest::new(self.provider.client());
            let logs = filters.into_iter().map(|filter| {
                batch.add_call::<_, Vec<Log>>("eth_getLogs", &(self.of_vault(filter),))
            });
            let logs = logs.collect::<Result<Vec<_>, _>>()?;
            let mut block = |tag: BlockNumberOrTag| {
                batch.add_call::<_, Option<Block>>("eth_getBlockByNumber", &(tag, false))
            };
            let (last, head) = (block(last.0.into())?, block(self.head_tag())?);
            batch.send().await?;
            let logs = future::try_join_all(logs).await?;
            Ok((logs, last.await?, head.await?))
        };
        let (logs, last_block, head) = self.within(read).await?;
        let last_block = last_block.ok_or_else(|| ReadError::Missing(format!("block {last}")))?;
        let head = head.ok_or_else(|| ReadError::Missing("newest block".to_owned()))?;
        let newest = BlockNumber(head.header.number());
        let final_here = match self.finality {
            FinalityPolicy::Safe | FinalityPolicy::Finalized => Some(newest),
            FinalityPolicy::Confirmations(_) => self.finality.final_number(newest),
        };
        let final_here = final_here.ok_or_else(|| ReadError::Missing("final block".to_owned()))?;
        Ok((logs.into_iter().flatten().collect(), header_of(&last_block), final_here))
    }

    /// The block that tells what is final.
    const fn head_tag(&self) -> BlockNumberOrTag {
        match self.finality {
            FinalityPolicy::Safe => BlockNumberOrTag::Safe,
            FinalityPolicy::Finalized => BlockNumberOrTag::Finalized,
            FinalityPolicy::Confirmations(_) => BlockNumberOrTag::Latest,
        }
    }

    async fn headers(
        &self,
        request: &RangeRequest,
    ) -> Result<BTreeMap<BlockNumber, Header>, ReadError> {
        let numbers: Vec<u64> = if request.all_headers {
            (request.from.0..=request.to.0).collect()
        } else {
            vec![request.from.0, request.to.0]
        };
        stream::iter(numbers)
            .map(|number| async move {
                let header = self.header(number.into()).await?;
                let header = header.ok_or_else(|| ReadError::Missing(format!("block {number}")))?;
                Ok((header.block.number, header))
            })
            .buffer_unordered(HEADERS_AT_ONCE)
            .try_collect()
            .await
    }

    fn of_vault(&self, filter: Filter) -> Filter {
        let filter = if filter.topics.first().is_none_or(|t| t.is_empty()) {
            filter.event_signature(bindings::sequence_signatures())
        } else {
            filter
        };
        filter.address(self.vault)
    }

    /// The vault's events that concern an indexed topic, newest last; `topic` as in the ABI.
    ///
    /// # Errors
    /// If the node does not answer or refuses the range.
    pub async fn logs_with(
        &self,
        from: BlockNumber,
        filter: Filter,
    ) -> Result<Vec<VaultLog>, ReadError> {
        let filter = self.of_vault(filter.from_block(from.0));
        let logs = self.within(async { self.provider.get_logs(&filter).await }).await?;
        let logs: Result<Vec<_>, _> =
            logs.iter().filter_map(|log| bindings::decode(log).transpose()).collect();
        logs.map_err(|e| ReadError::Unusable(e.to_string()))
    }

    /// A transaction's receipt.
    ///
    /// # Errors
    /// If the node does not answer.
    pub async fn receipt(&self, tx: TxHash) -> Result<Option<TransactionReceipt>, ReadError> {
        self.within(async { self.provider.get_transaction_receipt(tx).await }).await
    }

    /// The contract's state of a withdrawal at one block; `None` for a state we do not know.
    ///
    /// # Errors
    /// If the node does not answer for that block.
    pub async fn state(&self, id: B256, block: B256) -> Result<Option<ContractState>, ReadError> {
        let answer = self.call(IVault::stateOfCall { id }.abi_encode(), block).await?;
        let state = IVault::stateOfCall::abi_decode_returns(&answer)
            .map_err(|e| ReadError::Unusable(e.to_string()))?;
        Ok(bindings::contract_state(state))
    }

    /// Sends signed bytes. An error means that nobody knows whether they arrived.
    ///
    /// # Errors
    /// Whatever the node said.
    pub async fn send(&self, raw: &[u8]) -> Result<TxHash, ReadError> {
        let sent = self.within(async { self.provider.send_raw_transaction(raw).await }).await?;
        Ok(*sent.tx_hash())
    }
}

fn header_of(block: &Block) -> Header {
    let number = BlockNumber(block.header.number());
    let timestamp = UnixSeconds(block.header.timestamp());
    let parent = block.header.parent_hash();
    Header { block: BlockRef { number, hash: block.header.hash }, parent, timestamp }
}

/// The bytes of a signed transaction.
#[must_use]
pub fn raw_bytes(envelope: &alloy::consensus::TxEnvelope) -> Bytes {
    envelope.encoded_2718().into()
}
