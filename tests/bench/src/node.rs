//! A node that tells a [`Story`] over real HTTP, as quickly as it can be told.

use crate::story::{CHAIN_ID, Story, VAULT, hash, header};
use alloy::{
    consensus,
    primitives::{B256, Bytes, Log as Inner, U64, U256, keccak256},
    rpc::types::{Block, Header, Log},
    sol_types::{SolCall, SolEvent},
};
use anyhow::{Context, Result, bail};
use axum::{Router, body, extract::State, routing::post};
use bridge_core::vault_event::{VaultEvent, VaultLog};
use serde_json::{Value, json};
use sovrd::chain::bindings::abi::IVault;
use tokio::{net::TcpListener, runtime::Runtime};

/// The vault's code: only its hash matters here.
const CODE: &[u8] = b"a vault";

/// Serves until it is dropped.
#[derive(Debug)]
pub(crate) struct StoryNode {
    url: String,
    runtime: Option<Runtime>,
}

/// The hash of the vault's code.
pub(crate) fn code_hash() -> B256 {
    keccak256(CODE)
}

impl StoryNode {
    pub(crate) fn start(story: Story) -> Result<Self> {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
        let url = format!("http://{}", listener.local_addr()?);
        let router = Router::new().route("/", post(answer)).with_state(story);
        runtime.spawn(async move { axum::serve(listener, router).await });
        Ok(Self { url, runtime: Some(runtime) })
    }

    pub(crate) fn url(&self) -> String {
        self.url.clone()
    }
}

impl Drop for StoryNode {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn answer(State(story): State<Story>, body: body::Bytes) -> String {
    match serde_json::from_slice::<Value>(&body) {
        Ok(Value::Array(calls)) => {
            let answers: Vec<String> = calls.iter().map(|call| one(story, call)).collect();
            format!("[{}]", answers.join(","))
        }
        Ok(call) => one(story, &call),
        Err(_) => String::new(),
    }
}

fn one(story: Story, call: &Value) -> String {
    let id = &call["id"];
    match result(story, call) {
        Ok(result) => format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#),
        Err(error) => {
            let error = json!({ "code": -32_000, "message": format!("{error:#}") });
            format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{error}}}"#)
        }
    }
}

fn result(story: Story, call: &Value) -> Result<String> {
    let (method, params) = (call["method"].as_str().unwrap_or_default(), &call["params"]);
    Ok(match method {
        "eth_chainId" => serde_json::to_string(&U64::from(CHAIN_ID))?,
        "eth_getBlockByNumber" => {
            let number = number(story, &params[0])?;
            if number > story.last() { "null".to_owned() } else { block(number)? }
        }
        "eth_getLogs" => {
            let filter = &params[0];
            let (from, to) = (&filter["fromBlock"], &filter["toBlock"]);
            let logs = story.logs(number(story, from)?, number(story, to)?)?;
            serde_json::to_string(&logs.iter().map(log).collect::<Result<Vec<Log>>>()?)?
        }
        "eth_getCode" => {
            let before = number(story, &params[1])? == 0;
            serde_json::to_string(&Bytes::from_static(if before { b"" } else { CODE }))?
        }
        "eth_call" => called(story, &params[0])?,
        "eth_feeHistory" => json!({
            "oldestBlock": "0x0", "baseFeePerGas": ["0x1", "0x1"], "gasUsedRatio": [0.0],
            "reward": [["0x1"]],
        })
        .to_string(),
        other => bail!("this node does not know {other}"),
    })
}

fn number(story: Story, tag: &Value) -> Result<u64> {
    match tag.as_str() {
        Some("latest" | "safe" | "finalized" | "pending") => Ok(story.last()),
        Some(text) => {
            let digits = text.strip_prefix("0x").context("no number")?;
            Ok(u64::from_str_radix(digits, 16)?)
        }
        None => bail!("no block"),
    }
}

/// The vault's own count, and no pause.
fn called(story: Story, call: &Value) -> Result<String> {
    let input = call["input"].as_str().or_else(|| call["data"].as_str()).context("no input")?;
    let input: Bytes = input.parse()?;
    let answer = if input.starts_with(&IVault::lastSeqCall::SELECTOR) {
        story.last_seq()
    } else if input.starts_with(&IVault::payoutsPausedUntilCall::SELECTOR) {
        0
    } else {
        bail!("this vault does not know that call")
    };
    Ok(serde_json::to_string(&B256::from(U256::from(answer)))?)
}

fn block(number: u64) -> Result<String> {
    let header = header(number);
    let inner = consensus::Header {
        number,
        parent_hash: header.parent,
        timestamp: header.timestamp.0,
        base_fee_per_gas: Some(1),
        ..consensus::Header::default()
    };
    let header = Header { hash: header.block.hash, inner, total_difficulty: None, size: None };
    let block: Block = Block { header, ..Block::default() };
    Ok(serde_json::to_string(&block)?)
}

fn log(log: &VaultLog) -> Result<Log> {
    let seq = log.seq.0;
    let data = match log.event {
        VaultEvent::Listed(l) => IVault::TokenListed {
            seq,
            token: l.token,
            ledger: l.ledger.0,
            scaleDivisor: l.divisor.get(),
            decimals: 18,
            creditsMeasuredDelta: false,
        }
        .encode_log_data(),
        VaultEvent::Deposited(d) => IVault::Deposited {
            seq,
            token: d.token,
            owner: d.owner,
            from: d.owner,
            amount: d.amount.0,
            ledger: d.ledger.0,
        }
        .encode_log_data(),
        VaultEvent::Requested(_)
        | VaultEvent::Withdrawal(_)
        | VaultEvent::Delisted(_)
        | VaultEvent::Claimed
        | VaultEvent::NonceInvalidated => bail!("not in a story"),
    };
    let number = log.block.number.0;
    Ok(Log {
        inner: Inner { address: VAULT, data },
        block_hash: Some(hash(number)),
        block_number: Some(number),
        block_timestamp: None,
        transaction_hash: Some(log.tx_hash),
        transaction_index: Some(0),
        log_index: Some(log.log_index.into()),
        removed: false,
    })
}

#[cfg(test)]
mod tests {
    use crate::{catch_up::Source, story::Story};
    use bridge_core::{block::BlockNumber, command::RangeRequest, endpoint::EndpointId};
    use sovrd::chain::nodes::Nodes;

    #[tokio::test]
    async fn the_bridge_reads_the_story_as_it_was_told() {
        let story = Story { deposits: 40, blocks: 10 };
        // A runtime must not end inside another one.
        let (node, source) =
            tokio::task::spawn_blocking(move || Source::of(story).unwrap()).await.unwrap();
        let nodes = Nodes::new(&source.config().unwrap()).unwrap();
        let reader = nodes.get(EndpointId(0)).unwrap();
        let head = reader.poll(BlockNumber(3), None, None).await.unwrap();
        let told = story.head(BlockNumber(3));
        assert_eq!((head.final_head, head.last_seq), (told.final_head, told.last_seq));
        assert_eq!((head.genesis, head.anchor), (told.genesis, told.anchor));
        let (from, to) = (BlockNumber(1), BlockNumber(story.last()));
        let endpoint = EndpointId(0);
        let request = RangeRequest { endpoint, from, to, all_headers: true, attempt: 0 };
        assert_eq!(reader.range(request).await.unwrap(), story.range(request).unwrap());
        let facts = reader.facts(BlockNumber(1)).await.unwrap();
        assert_eq!(facts.code_hash, Some(super::code_hash()));
        tokio::task::spawn_blocking(move || drop(node)).await.unwrap();
    }
}
