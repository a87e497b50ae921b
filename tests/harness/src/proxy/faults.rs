//! What a node can do wrong.

use super::wire::Reply;
use crate::{http, vault::abi::IVault};
use alloy::sol_types::SolCall;
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::{thread, time::Duration};

const OK: &str = "200 OK";
const UPSTREAM_LIMIT: Duration = Duration::from_secs(30);
/// Added to amounts that are told wrongly: as many token units as divide by every scale in use.
const TOO_MUCH: u128 = 1_000_000_000_000_000_000;

/// A way to misbehave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// None: what the node says is passed on.
    None,
    /// No logs are found, whatever is asked for.
    EmptyLogs,
    /// The last log of every answer is missing.
    LastLogMissing,
    /// Asked for a block by its number, it answers with the one before it.
    WrongBlock,
    /// It has not heard of anything after this height.
    Frozen(u64),
    /// About every second answer comes from the node at this address.
    Swapped(String),
    /// Too many requests.
    RateLimited,
    /// The connection ends in the middle of the answer.
    Cut,
    /// The connection ends without an answer.
    Away,
    /// Answers take so long.
    Slow(Duration),
    /// The answer is no JSON.
    Garbage,
    /// The answer has so many bytes.
    Huge(usize),
    /// The answer is a JSON-RPC error.
    Refusing,
    /// Logs of more blocks than this are refused; with or without saying why.
    SmallRanges {
        /// Most blocks.
        blocks: u64,
        /// Whether the error tells of the limit.
        tells: bool,
    },
    /// The vault's counter is one too high.
    WrongCounter,
    /// Every deposit is larger than it was, and all else fits.
    WrongAmounts,
    /// The last deposit of every answer is by one unit larger, which no vault would take.
    OddAmounts,
    /// The vault accounts for one unit too much of every token.
    WrongHoldings,
    /// Block 0 has another hash.
    OtherGenesis,
    /// All blocks after it that are asked for by their number have another hash.
    OtherBlocks,
    /// Logs above this height are not served.
    LogsEndAt(u64),
}

/// What goes back, and whether the fault changed it.
pub(super) struct Answer {
    pub(super) reply: Reply,
    pub(super) spoiled: bool,
}

impl Fault {
    /// Passes a request on and spoils what comes back. `number` counts the exchanges.
    pub(super) fn answer(&self, upstream: &str, body: &[u8], number: u64) -> Result<Answer> {
        let mut asked: Value = serde_json::from_slice(body).context("a request that is no JSON")?;
        let mut spoiled = self.rewrite_all(&mut asked);
        let mut upstream = upstream;
        if let Self::Swapped(other) = self
            && goes_to_the_other(number)
        {
            (spoiled, upstream) = (true, other);
        }
        let text = asked.to_string();
        let said = http::post_json(upstream, &text, UPSTREAM_LIMIT)?.body;
        if let Some(reply) = self.instead_of(&said) {
            return Ok(Answer { reply, spoiled: true });
        }
        let mut said: Value = serde_json::from_str(&said).context("no JSON from the node")?;
        let changed = self.spoil_all(&asked, &mut said);
        let body = said.to_string().into_bytes();
        Ok(Answer { reply: Reply::Whole { status: OK, body }, spoiled: spoiled || changed })
    }

    /// What comes instead of the node's answer as a whole.
    fn instead_of(&self, said: &str) -> Option<Reply> {
        match self {
            Self::RateLimited => {
                Some(Reply::Whole { status: "429 Too Many Requests", body: b"slow down".to_vec() })
            }
            Self::Cut => Some(Reply::Half(said.as_bytes().to_vec())),
            Self::Away => Some(Reply::Close),
            Self::Garbage => {
                Some(Reply::Whole { status: OK, body: b"<html>bad gateway</html>".to_vec() })
            }
            Self::Huge(bytes) => Some(Reply::Endless(*bytes)),
            Self::Slow(time) => {
                thread::sleep(*time);
                Some(Reply::Whole { status: OK, body: said.as_bytes().to_vec() })
            }
            Self::None
            | Self::EmptyLogs
            | Self::LastLogMissing
            | Self::WrongBlock
            | Self::Frozen(_)
            | Self::Swapped(_)
            | Self::Refusing
            | Self::SmallRanges { .. }
            | Self::WrongCounter
            | Self::WrongAmounts
            | Self::OddAmounts
            | Self::WrongHoldings
            | Self::OtherGenesis
            | Self::OtherBlocks
            | Self::LogsEndAt(_) => None,
        }
    }

    fn rewrite_all(&self, asked: &mut Value) -> bool {
        let calls = asked.as_array_mut().map_or(&mut [][..], Vec::as_mut_slice);
        if calls.is_empty() {
            return self.rewrite(asked);
        }
        calls.iter_mut().filter_map(|call| self.rewrite(call).then_some(())).count() > 0
    }

    /// Asks the node for something else than it was asked for.
    fn rewrite(&self, call: &mut Value) -> bool {
        let method = call["method"].as_str().unwrap_or_default().to_owned();
        match (self, method.as_str()) {
            (Self::WrongBlock, "eth_getBlockByNumber") => {
                let number = quantity(&call["params"][0]).filter(|n| *n > 1);
                number.is_some_and(|n| replace(&mut call["params"][0], json!(hex(n - 1))))
            }
            (Self::Frozen(at), "eth_getBlockByNumber")
                if quantity(&call["params"][0]).is_none() =>
            {
                replace(&mut call["params"][0], json!(hex(*at)))
            }
            (Self::Frozen(at), "eth_getLogs") => {
                let to = quantity(&call["params"][0]["toBlock"]).filter(|to| to > at);
                to.is_some_and(|_| replace(&mut call["params"][0]["toBlock"], json!(hex(*at))))
            }
            _ => false,
        }
    }

    fn spoil_all(&self, asked: &Value, said: &mut Value) -> bool {
        let (Some(calls), Some(answers)) = (asked.as_array(), said.as_array_mut()) else {
            return self.spoil(asked, said);
        };
        let mut changed = false;
        for call in calls {
            if let Some(answer) = answers.iter_mut().find(|a| a["id"] == call["id"]) {
                changed = self.spoil(call, answer) || changed;
            }
        }
        changed
    }

    /// Changes one answer; false if it stays as it was.
    fn spoil(&self, call: &Value, answer: &mut Value) -> bool {
        let method = call["method"].as_str().unwrap_or_default();
        let result = &mut answer["result"];
        match (self, method) {
            (Self::EmptyLogs, "eth_getLogs") => replace(result, json!([])),
            (Self::LastLogMissing, "eth_getLogs") => {
                result.as_array_mut().and_then(Vec::pop).is_some()
            }
            (Self::Frozen(at), "eth_getBlockByNumber") => {
                let above = quantity(&result["number"]).is_some_and(|n| n > *at);
                above && replace(result, Value::Null)
            }
            (Self::Frozen(at), "eth_blockNumber") => replace(result, json!(hex(*at))),
            (Self::Refusing, _) => refuse(answer, "internal error"),
            (Self::SmallRanges { blocks, tells }, "eth_getLogs") => {
                let filter = &call["params"][0];
                let range = quantity(&filter["toBlock"]).zip(quantity(&filter["fromBlock"]));
                let words = if *tells { "block range is too large" } else { "internal error" };
                range.is_some_and(|(to, from)| to - from >= *blocks) && refuse(answer, words)
            }
            (Self::LogsEndAt(height), "eth_getLogs") => {
                let to = quantity(&call["params"][0]["toBlock"]);
                to.is_some_and(|to| to > *height) && refuse(answer, "internal error")
            }
            (Self::WrongCounter, "eth_call") => {
                let is_it = calls(call, IVault::lastSeqCall::SELECTOR);
                is_it && one_more(result)
            }
            (Self::WrongAmounts, "eth_getLogs") => {
                let logs = result.as_array_mut().map_or(&mut [][..], Vec::as_mut_slice);
                logs.iter_mut().filter_map(|log| inflate(log, TOO_MUCH).then_some(())).count() > 0
            }
            (Self::OddAmounts, "eth_getLogs") => {
                let logs = result.as_array_mut().map_or(&mut [][..], Vec::as_mut_slice);
                logs.iter_mut().rev().any(|log| inflate(log, 1))
            }
            (Self::WrongHoldings, "eth_call") => {
                let is_it = calls(call, IVault::accountedCall::SELECTOR);
                is_it && one_more(result)
            }
            (Self::OtherGenesis, "eth_getBlockByNumber") => {
                let genesis = quantity(&call["params"][0]) == Some(0);
                genesis && replace(&mut result["hash"], json!(format!("{:#066x}", 0xbad)))
            }
            (Self::OtherBlocks, "eth_getBlockByNumber") => {
                let number = quantity(&call["params"][0]).filter(|number| *number > 0);
                let other = |n: u64| json!(format!("{:#066x}", 0xbad_0000_u64 + n));
                number.is_some_and(|n| replace(&mut result["hash"], other(n)))
            }
            _ => false,
        }
    }
}

/// As chance has it, but every time the same: taking turns would send each kind of question to
/// the same node for ever.
const fn goes_to_the_other(number: u64) -> bool {
    let mixed = (number ^ (number >> 3)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (mixed ^ (mixed >> 31)) & 1 == 1
}

/// A deposit's data: who sent it, the amount, the ledger. Other events are left alone.
/// True if an `eth_call` is of this function.
fn calls(call: &Value, selector: [u8; 4]) -> bool {
    let input = &call["params"][0];
    let input = input["input"].as_str().or_else(|| input["data"].as_str());
    let selector = format!("0x{}", alloy::hex::encode(selector));
    input.is_some_and(|input| input.starts_with(&selector))
}

fn one_more(word: &mut Value) -> bool {
    let number = quantity(word);
    number.is_some_and(|n| replace(word, json!(format!("{:#066x}", n + 1))))
}

fn inflate(log: &mut Value, by: u128) -> bool {
    const WORDS: usize = 3;
    let data = log["data"].as_str().unwrap_or_default().trim_start_matches("0x").to_owned();
    let topics = log["topics"].as_array().map_or(0, Vec::len);
    if data.len() != 64 * WORDS || topics != 4 {
        return false;
    }
    let Some((from, rest)) = data.split_at_checked(64) else { return false };
    let Some((amount, ledger)) = rest.split_at_checked(64) else { return false };
    let Ok(amount) = u128::from_str_radix(amount, 16) else { return false };
    let more = amount.saturating_add(by);
    replace(&mut log["data"], json!(format!("0x{from}{more:064x}{ledger}")))
}

fn refuse(answer: &mut Value, words: &str) -> bool {
    if let Some(fields) = answer.as_object_mut() {
        fields.remove("result");
        fields.insert("error".to_owned(), json!({"code": -32000, "message": words}));
    }
    true
}

/// True if that changes anything.
fn replace(place: &mut Value, value: Value) -> bool {
    let changes = *place != value;
    *place = value;
    changes
}

fn quantity(value: &Value) -> Option<u64> {
    let digits = value.as_str()?.strip_prefix("0x")?.trim_start_matches('0');
    if digits.is_empty() { Some(0) } else { u64::from_str_radix(digits, 16).ok() }
}

fn hex(number: u64) -> String {
    format!("{number:#x}")
}
