//! One EVM node: reads, with a deadline on every answer. Decides nothing.

use super::{
    bindings::{self, Shown, abi::IVault},
    error::ReadError,
    link::Link,
};
use crate::config;
use alloy::{
    consensus::BlockHeader,
    eips::{BlockId, BlockNumberOrTag, eip2718::Encodable2718},
    network::TransactionBuilder,
    primitives::{Address, B256, Bytes, TxHash, U256, keccak256},
    providers::{DynProvider, Provider},
    rpc::client::BatchRequest,
    rpc::types::{Block, Filter, Log, SyncStatus, TransactionReceipt, TransactionRequest},
    sol_types::SolCall,
    transports::TransportError,
};
use bridge_core::{
    amount::ScaleDivisor,
    asset::{LedgerId, Listing},
    block::{BlockNumber, BlockRef, FinalityPolicy, Header, Seq, UnixSeconds},
    command::RangeRequest,
    event::{ContractState, Head, Range, SubmitterAccount},
    vault_event::VaultLog,
};
use futures_util::future;
use std::{collections::BTreeMap, future::Future, time::Duration};

/// Ranges up to this many blocks are re-read block by block, by hash.
const BY_HASH_BLOCKS: u64 = 16;

/// What the start needs to know of the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

/// One endpoint.
#[derive(Clone, Debug)]
pub struct Node {
    link: Link,
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
    pub fn new(config: &config::Chain, endpoint: &config::Endpoint) -> Result<Self, ReadError> {
        let link = Link::new(endpoint, config.answer_bytes_max).map_err(ReadError::Unusable)?;
        let (vault, finality) = (config.vault, config.finality);
        let (timeout_ms, endpoint) = (config.rpc_timeout_ms, endpoint.clone());
        Ok(Self { link, vault, finality, timeout_ms, endpoint })
    }

    /// The vault that is followed.
    #[must_use]
    pub const fn vault(&self) -> Address {
        self.vault
    }

    /// Where it is, for people.
    #[must_use]
    pub const fn endpoint(&self) -> &config::Endpoint {
        &self.endpoint
    }

    /// Reads something, with a deadline that includes connecting. That a lasting connection broke is
    /// only noticed when it is used again: then it is made anew, once.
    pub(super) async fn ask<T, F>(&self, read: impl Fn(DynProvider) -> F) -> Result<T, ReadError>
    where
        F: Future<Output = Result<T, TransportError>>,
    {
        let limit = Duration::from_millis(self.timeout_ms);
        let answer = async {
            match read(self.link.provider().await?).await {
                Err(error) if self.link.is_lasting() && error.is_transport_error() => {
                    self.link.reset().await;
                    read(self.link.provider().await?).await
                }
                answer => answer,
            }
        };
        match tokio::time::timeout(limit, answer).await {
            Ok(answer) => answer.map_err(|error| ReadError::of(&error, &self.endpoint)),
            Err(_elapsed) => {
                self.link.reset().await;
                Err(ReadError::Timeout(self.timeout_ms))
            }
        }
    }

    /// What the start needs to know.
    ///
    /// # Errors
    /// If the node does not answer.
    pub async fn facts(&self, deploy_block: BlockNumber) -> Result<Facts, ReadError> {
        let chain_id = self.ask(|p| async move { p.get_chain_id().await }).await?;
        let genesis = self.genesis().await?;
        let code = self.ask(|p| async move { p.get_code_at(self.vault).await }).await?;
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
        let code = self.ask(|p| async move { p.get_code_at(self.vault).block_id(block).await });
        Ok(!code.await?.is_empty())
    }

    /// True while the node says that it is still syncing.
    ///
    /// # Errors
    /// If the node does not answer.
    pub async fn is_syncing(&self) -> Result<bool, ReadError> {
        let status = self.ask(|p| async move { p.syncing().await }).await?;
        Ok(matches!(status, SyncStatus::Info(_)))
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
        let block = self.ask(|p| async move { p.get_block_by_number(tag).await }).await?;
        Ok(block.map(|b| (header_of(&b), b.header.base_fee_per_gas().unwrap_or_default().into())))
    }

    /// One poll: heads, the contract's counter, the anchor's hash and the submitter's account. The
    /// final head is the newest one, or the final block `at` a height.
    ///
    /// # Errors
    /// If any part of it has no usable answer.
    pub async fn poll(
        &self,
        anchor: BlockNumber,
        at: Option<BlockNumber>,
        submitter: Option<Address>,
    ) -> Result<Head, ReadError> {
        let missing = |what: &str| ReadError::Missing(what.to_owned());
        let (latest, _) =
            self.block(BlockNumberOrTag::Latest).await?.ok_or_else(|| missing("latest block"))?;
        let final_head = self.final_header(latest, at).await?;
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

    async fn final_header(
        &self,
        latest: Header,
        at: Option<BlockNumber>,
    ) -> Result<Header, ReadError> {
        let newest = self.newest_final(latest).await?;
        match at {
            None => Ok(newest),
            Some(at) if at == newest.block.number => Ok(newest),
            Some(at) if at > newest.block.number => {
                Err(ReadError::Missing(format!("block {at} as final")))
            }
            Some(at) => {
                let header = self.header(at.0.into()).await?;
                header.ok_or_else(|| ReadError::Missing(format!("block {at}")))
            }
        }
    }

    /// The newest final block.
    ///
    /// # Errors
    /// If the node does not answer.
    pub async fn final_head(&self) -> Result<Header, ReadError> {
        let latest = self.header(BlockNumberOrTag::Latest).await?;
        let latest = latest.ok_or_else(|| ReadError::Missing("latest block".to_owned()))?;
        self.newest_final(latest).await
    }

    async fn newest_final(&self, latest: Header) -> Result<Header, ReadError> {
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
        let Batch { headers, final_here, .. } = self.batch(Vec::new(), vec![number.0]).await?;
        let header = headers.get(&number).filter(|_| final_here >= number);
        header.copied().ok_or_else(|| ReadError::Missing(format!("block {number} as final")))
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
        self.view(self.vault, input, block).await
    }

    /// What a contract answers at one block.
    pub(super) async fn view(
        &self,
        to: Address,
        input: Vec<u8>,
        block: B256,
    ) -> Result<Bytes, ReadError> {
        let request = TransactionRequest::default().with_to(to).with_input(input);
        let (block, request) = (BlockId::hash_canonical(block), &request);
        self.ask(|p| async move { p.call(request.clone()).block(block).await }).await
    }

    /// What an address has of the chain's own money at one block, wei.
    pub(super) async fn ether_of(&self, address: Address, block: B256) -> Result<U256, ReadError> {
        let at = BlockId::hash_canonical(block);
        self.ask(|p| async move { p.get_balance(address).block_id(at).await }).await
    }

    async fn submitter(
        &self,
        address: Option<Address>,
        final_block: B256,
    ) -> Result<Option<SubmitterAccount>, ReadError> {
        let Some(address) = address else { return Ok(None) };
        let nonce = |block: BlockId| {
            self.ask(move |p| async move { p.get_transaction_count(address).block_id(block).await })
        };
        let balance = self.ask(move |p| async move { p.get_balance(address).await });
        let (final_nonce, latest_nonce, pending_nonce, balance) = tokio::try_join!(
            nonce(BlockId::hash_canonical(final_block)),
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
        let blocks = request.to.0.saturating_sub(request.from.0);
        let by_hash = request.attempt > 0 && blocks < BY_HASH_BLOCKS && request.all_headers;
        let answer = if by_hash {
            self.logs_by_hash(&request).await?
        } else {
            let filter = Filter::new().from_block(request.from.0).to_block(request.to.0);
            self.batch(vec![filter], numbers(&request)).await?
        };
        let Batch { logs, headers, final_here } = answer;
        let decode = |log: &Log| bindings::decode(log).transpose();
        let logs: Result<Vec<VaultLog>, _> = logs.iter().filter_map(decode).collect();
        let logs = logs.map_err(|e| ReadError::Unusable(e.to_string()))?;
        let headers = self.with_events(&request, &logs, headers).await?;
        Ok(Range { request, final_here, headers, logs })
    }

    /// Adds the headers of blocks with events. Which these are is only known with the logs, so they
    /// come in another batch; its last header tells whether it is of the same history.
    async fn with_events(
        &self,
        request: &RangeRequest,
        logs: &[VaultLog],
        mut headers: Headers,
    ) -> Result<Headers, ReadError> {
        let wanted = Range::wanted(request, logs).into_iter();
        let mut missing: Vec<u64> =
            wanted.filter(|n| !headers.contains_key(n)).map(|n| n.0).collect();
        if missing.is_empty() {
            return Ok(headers);
        }
        missing.push(request.to.0);
        let more = self.batch(Vec::new(), missing).await?.headers;
        is_same_end(request, &headers, &more)?;
        headers.extend(more);
        Ok(headers)
    }

    /// The same, block by block: a node that does not have one of these very blocks cannot answer
    /// with no logs.
    async fn logs_by_hash(&self, request: &RangeRequest) -> Result<Batch, ReadError> {
        let headers = self.batch(Vec::new(), numbers(request)).await?.headers;
        let by_hash = |h: &Header| Filter::new().at_block_hash(h.block.hash);
        let filters = headers.values().map(by_hash).collect();
        let again = self.batch(filters, vec![request.to.0]).await?;
        is_same_end(request, &headers, &again.headers)?;
        Ok(Batch { headers, ..again })
    }

    /// Logs, headers and the final height in one batch of calls: where several nodes stand behind
    /// the address, it is one of them that answers a batch.
    async fn batch(&self, filters: Vec<Filter>, numbers: Vec<u64>) -> Result<Batch, ReadError> {
        let (filters, numbers) = (&filters, &numbers);
        let read = |p: DynProvider| async move {
            let mut batch = BatchRequest::new(p.client());
            let logs = filters.iter().map(|filter| {
                batch.add_call::<_, Vec<Log>>("eth_getLogs", &(self.of_vault(filter.clone()),))
            });
            let logs = logs.collect::<Result<Vec<_>, _>>()?;
            let mut block = |tag: BlockNumberOrTag| {
                batch.add_call::<_, Option<Block>>("eth_getBlockByNumber", &(tag, false))
            };
            let blocks = numbers.iter().map(|number| block((*number).into()));
            let (blocks, head) = (blocks.collect::<Result<Vec<_>, _>>()?, block(self.head_tag())?);
            batch.send().await?;
            let (logs, blocks) =
                tokio::try_join!(future::try_join_all(logs), future::try_join_all(blocks))?;
            Ok((logs, blocks, head.await?))
        };
        let (logs, blocks, head) = self.ask(read).await?;
        let missing = |what: &str| ReadError::Missing(what.to_owned());
        let blocks = blocks.into_iter().collect::<Option<Vec<_>>>();
        let headers = blocks.ok_or_else(|| missing("block of the range"))?;
        let headers = headers.iter().map(header_of).map(|h| (h.block.number, h)).collect();
        let newest = head.ok_or_else(|| missing("newest block"))?.header.number();
        let final_here = match self.finality {
            FinalityPolicy::Safe | FinalityPolicy::Finalized => Some(BlockNumber(newest)),
            FinalityPolicy::Confirmations(_) => self.finality.final_number(BlockNumber(newest)),
        };
        let final_here = final_here.ok_or_else(|| missing("final block"))?;
        Ok(Batch { logs: logs.into_iter().flatten().collect(), headers, final_here })
    }

    /// The block that tells what is final.
    const fn head_tag(&self) -> BlockNumberOrTag {
        match self.finality {
            FinalityPolicy::Safe => BlockNumberOrTag::Safe,
            FinalityPolicy::Finalized => BlockNumberOrTag::Finalized,
            FinalityPolicy::Confirmations(_) => BlockNumberOrTag::Latest,
        }
    }

    fn of_vault(&self, filter: Filter) -> Filter {
        let filter = if filter.topics.first().is_none_or(|t| t.is_empty()) {
            filter.event_signature(bindings::sequence_signatures())
        } else {
            filter
        };
        filter.address(self.vault)
    }

    /// The vault's events of a range, up to the newest block without `to`, that have certain topics;
    /// newest last.
    ///
    /// # Errors
    /// If the node does not answer or refuses the range.
    pub async fn logs_with(
        &self,
        filter: Filter,
        from: BlockNumber,
        to: Option<BlockNumber>,
    ) -> Result<Vec<Shown>, ReadError> {
        let to = to.map_or(BlockNumberOrTag::Latest, |to| to.0.into());
        let filter = self.of_vault(filter.from_block(from.0).to_block(to));
        let filter = &filter;
        let logs = self.ask(|p| async move { p.get_logs(filter).await }).await?;
        shown(&logs)
    }

    /// The vault's events of one transaction; none if the node does not know it.
    ///
    /// # Errors
    /// If the node does not answer.
    pub async fn vault_logs_of(&self, tx: TxHash) -> Result<Vec<Shown>, ReadError> {
        let receipt = self.receipt(tx).await?;
        let logs = receipt.map(|r| r.inner.logs().to_vec()).unwrap_or_default();
        let ours: Vec<Log> = logs.into_iter().filter(|l| l.address() == self.vault).collect();
        shown(&ours)
    }

    /// A transaction's receipt.
    ///
    /// # Errors
    /// If the node does not answer.
    pub async fn receipt(&self, tx: TxHash) -> Result<Option<TransactionReceipt>, ReadError> {
        self.ask(|p| async move { p.get_transaction_receipt(tx).await }).await
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

    /// How the vault lists a token at one block; `None` if it never did.
    ///
    /// # Errors
    /// If the node does not answer for that block.
    pub async fn listing(&self, token: Address, block: B256) -> Result<Option<Listing>, ReadError> {
        let answer = self.call(IVault::listingOfCall { token }.abi_encode(), block).await?;
        let view = IVault::listingOfCall::abi_decode_returns(&answer)
            .map_err(|e| ReadError::Unusable(format!("listingOf: {e}")))?;
        let divisor = ScaleDivisor::new(view.scaleDivisor);
        Ok(divisor.map(|divisor| Listing { token, ledger: LedgerId(view.ledger), divisor }))
    }

    /// The vault pays nothing before this time, as of one block.
    ///
    /// # Errors
    /// If the node does not answer for that block.
    pub async fn paused_until(&self, block: B256) -> Result<UnixSeconds, ReadError> {
        let answer = self.call(IVault::payoutsPausedUntilCall {}.abi_encode(), block).await?;
        let until = IVault::payoutsPausedUntilCall::abi_decode_returns(&answer);
        until.map(UnixSeconds).map_err(|e| ReadError::Unusable(format!("payoutsPausedUntil: {e}")))
    }

    /// Whether the contract would pay nothing in the newest block.
    ///
    /// # Errors
    /// If the node does not answer.
    pub async fn payouts_paused(&self) -> Result<bool, ReadError> {
        let newest = self.header(BlockNumberOrTag::Latest).await?;
        let newest = newest.ok_or_else(|| ReadError::Missing("latest block".to_owned()))?;
        let until = self.paused_until(newest.block.hash).await?;
        Ok(newest.timestamp < until)
    }

    /// The next nonce of an account at the newest block, and that block's base fee.
    ///
    /// # Errors
    /// If the node does not answer.
    pub async fn nonce_and_base_fee(&self, address: Address) -> Result<(u64, u128), ReadError> {
        let nonce = |p: DynProvider| async move { p.get_transaction_count(address).await };
        let nonce = self.ask(nonce).await?;
        let newest = self.block(BlockNumberOrTag::Latest).await?;
        Ok((nonce, newest.map_or(0, |(_, base_fee)| base_fee)))
    }

    /// Sends signed bytes. An error means that nobody knows whether they arrived.
    ///
    /// # Errors
    /// Whatever the node said.
    pub async fn send(&self, raw: &[u8]) -> Result<TxHash, ReadError> {
        let sent = self.ask(|p| async move { p.send_raw_transaction(raw).await }).await?;
        Ok(*sent.tx_hash())
    }
}

/// What one batch of calls brings.
#[derive(Debug)]
struct Batch {
    logs: Vec<Log>,
    headers: Headers,
    final_here: BlockNumber,
}

type Headers = BTreeMap<BlockNumber, Header>;

/// Two batches may come from two nodes behind one address.
fn is_same_end(request: &RangeRequest, one: &Headers, other: &Headers) -> Result<(), ReadError> {
    let number = request.to;
    if one.get(&number) == other.get(&number) {
        return Ok(());
    }
    Err(ReadError::Unusable(format!("block {number} changed while it was read")))
}

fn shown(logs: &[Log]) -> Result<Vec<Shown>, ReadError> {
    let one = |log| bindings::show(log).transpose();
    let shown: Result<Vec<Shown>, _> = logs.iter().filter_map(one).collect();
    shown.map_err(|e| ReadError::Unusable(e.to_string()))
}

/// The headers that a range needs, whatever happened in it.
fn numbers(request: &RangeRequest) -> Vec<u64> {
    Range::wanted(request, &[]).into_iter().map(|n| n.0).collect()
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
