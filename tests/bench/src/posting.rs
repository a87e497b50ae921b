//! Decoded deposits through core, batches, ledger and checkpoint; the limit is the ledger's own
//! benchmark with as many transfers and accounts of the same kind.

use crate::{
    figure::Figure,
    machine::{self, Start},
};
use alloy::primitives::{Address, B256, U256, keccak256};
use anyhow::{Context, Result, bail};
use bridge_core::{
    amount::{ScaleDivisor, TokenAmount},
    asset::{ETHER, LedgerId, Listing},
    block::{BlockNumber, BlockRef, Header, Seq, UnixSeconds},
    command::{ChainCommand, RangeRequest},
    event::{Event, Head, Range},
    id::Identity,
    vault_event::{Deposit, VaultEvent, VaultLog},
};
use harness::paths;
use sovrd::engine::Inbox;
use std::{process::Command, sync::Arc};
use tokio::sync::mpsc;

const USERS: u64 = 10_000;
const PER_BLOCK: u64 = 200;
const LEDGER: LedgerId = LedgerId(1001);
const VAULT: Address = Address::repeat_byte(0xaa);

/// Everything the chain will say, made before the clock runs.
struct Story {
    logs: Vec<VaultLog>,
    last: u64,
}

pub(crate) fn run(deposits: u64) -> Result<Figure> {
    let limit = own_benchmark(deposits)?;
    let story = Arc::new(story(deposits)?);
    let server = machine::full_server()?;
    let identity = Identity {
        chain_id: 31_337,
        genesis: hash(0),
        vault: VAULT,
        code_hash: B256::ZERO,
        deploy_block_hash: hash(1),
    };
    let start = Start { identity, origin: BlockRef { number: BlockNumber(0), hash: hash(0) } };
    let took =
        machine::run(&server, start, deposits + 1, |orders, inbox| tell(story, orders, inbox))?;
    let rate = deposits as f64 / took.as_secs_f64();
    let note = format!(
        "{deposits} deposits, {USERS} users, one full replica, 8189 a batch, 2 cores; limit: \
         tigerbeetle benchmark, one hot debit account, history, sequential ids"
    );
    Ok(Figure::rate("posting", rate, limit, note))
}

/// Transfers a second of the ledger's own benchmark.
fn own_benchmark(transfers: u64) -> Result<f64> {
    let output = Command::new(paths::tool("tigerbeetle")?)
        .arg("benchmark")
        .arg(format!("--transfer-count={transfers}"))
        .arg(format!("--account-count={USERS}"))
        .args(["--account-count-hot=1", "--transfer-hot-percent=100"])
        .args(["--query-count=0", "--id-order=sequential"])
        .current_dir(std::env::temp_dir())
        .output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        bail!("tigerbeetle benchmark: {}", String::from_utf8_lossy(&output.stderr));
    }
    let line = said.lines().find(|l| l.contains("load accepted")).context("no rate")?;
    let rate = line.split_whitespace().find_map(|word| word.replace(',', "").parse().ok());
    rate.with_context(|| format!("no rate in {line:?}"))
}

fn hash(number: u64) -> B256 {
    keccak256(number.to_be_bytes())
}

fn header(number: u64) -> Header {
    Header {
        block: BlockRef { number: BlockNumber(number), hash: hash(number) },
        parent: hash(number.saturating_sub(1)),
        timestamp: UnixSeconds(number),
    }
}

fn story(deposits: u64) -> Result<Story> {
    let divisor = ScaleDivisor::new(1).context("divisor")?;
    let listing = Listing { token: ETHER, ledger: LEDGER, divisor };
    let mut logs = vec![log(1, 0, 1, VaultEvent::Listed(listing))];
    for n in 0..deposits {
        let block = 2 + n / PER_BLOCK;
        // Spread over the users without a pattern that the ledger's cache could like.
        let user = (n.wrapping_mul(2_654_435_761)) % USERS;
        let owner = Address::from_word(U256::from(user + 1).into());
        let amount = TokenAmount(u128::from(n % 1_000 + 1));
        let deposit = Deposit { token: ETHER, owner, amount, ledger: LEDGER };
        let index = u32::try_from(n % PER_BLOCK)?;
        logs.push(log(block, index, n + 2, VaultEvent::Deposited(deposit)));
    }
    Ok(Story { logs, last: 2 + (deposits - 1) / PER_BLOCK })
}

fn log(block: u64, log_index: u32, seq: u64, event: VaultEvent) -> VaultLog {
    VaultLog {
        emitter: VAULT,
        block: BlockRef { number: BlockNumber(block), hash: hash(block) },
        tx_hash: hash(seq.wrapping_add(1 << 40)),
        log_index,
        seq: Seq(seq),
        event,
    }
}

/// A chain that answers at once.
async fn tell(story: Arc<Story>, mut orders: mpsc::Receiver<ChainCommand>, inbox: Inbox) {
    while let Some(order) = orders.recv().await {
        match order {
            ChainCommand::Poll { endpoint, anchor, .. } => {
                inbox.send(Event::Head { endpoint, head: story.head(anchor) }).await;
            }
            ChainCommand::FetchRange(request) => {
                inbox.send(Event::Range(story.range(request))).await;
            }
            ChainCommand::ReadState { .. } | ChainCommand::ReadHoldings { .. } => {}
        }
    }
}

impl Story {
    fn head(&self, anchor: BlockNumber) -> Head {
        Head {
            genesis: hash(0),
            latest: BlockNumber(self.last),
            final_head: header(self.last),
            last_seq: self.logs.last().map(|l| l.seq).unwrap_or_default(),
            anchor: Some((anchor, hash(anchor.0))),
            base_fee: 0,
            tip: 0,
            payouts_paused_until: UnixSeconds(0),
            submitter: None,
        }
    }

    fn range(&self, request: RangeRequest) -> Range {
        let from = self.logs.partition_point(|l| l.block.number < request.from);
        let to = self.logs.partition_point(|l| l.block.number <= request.to);
        let logs = self.logs.get(from..to).unwrap_or_default().to_vec();
        let numbers = Range::wanted(&request, &logs).into_iter();
        let headers = numbers.map(|n| (n, header(n.0))).collect();
        Range { request, final_here: request.to, headers, logs }
    }
}
