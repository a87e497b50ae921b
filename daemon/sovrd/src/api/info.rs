//! `/v1/info`: everything a wallet's page needs before it sends anything: vault, tokens, limits,
//! pauses, and how long things take.

use super::{Sources, problem::Problem};
use crate::{
    chain::{
        error::ReadError,
        node::Node,
        terms::{TokenTerms, VaultTerms},
    },
    config, engine,
};
use alloy::{eips::BlockNumberOrTag, primitives::Address};
use bridge_core::{
    asset::Listing,
    block::{BlockNumber, FinalityPolicy, Header, UnixSeconds},
    schema::{AddressText, NumberText},
    status::Summary,
};
use futures_util::future;
use serde::Serialize;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::Mutex;
use utoipa::ToSchema;

/// An answer is good for so long: what it says changes with blocks, and anybody may ask.
const FRESH: Duration = Duration::from_secs(2);
/// Blocks over which the time between two is averaged.
const AVERAGED_BLOCKS: u64 = 64;
/// Blocks that a payout usually takes, from the signatures to the block that has it.
const PAYOUT_BLOCKS: f64 = 2.0;

/// The newest answer, shared by everybody who asks within its time.
pub(super) type Cache = Arc<Mutex<Option<(Instant, Arc<Info>)>>>;

/// What a page should know before it sends anything.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Info {
    /// This program's version.
    version: &'static str,
    /// EIP-155 id of the chain.
    chain_id: u64,
    /// The vault's address.
    #[schema(value_type = AddressText)]
    vault: Address,
    /// The instance number of this vault in the ledger.
    instance: u32,
    /// The block that created the vault: nothing is older.
    deploy_block: BlockNumber,
    /// The block that this was read at.
    block: BlockNumber,
    finality: Finality,
    expected: Expected,
    /// Unix seconds until which deposits are paused; absent while they run.
    #[serde(skip_serializing_if = "Option::is_none")]
    deposits_paused_until: Option<UnixSeconds>,
    /// Unix seconds until which payouts are paused; absent while they run.
    #[serde(skip_serializing_if = "Option::is_none")]
    payouts_paused_until: Option<UnixSeconds>,
    withdrawals: Withdrawals,
    tokens: Vec<Token>,
}

/// When a block is final.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct Finality {
    /// `confirmations`, or the tag of the node that decides.
    policy: Policy,
    /// Blocks, the event's own included; absent where a tag decides.
    #[serde(skip_serializing_if = "Option::is_none")]
    confirmations: Option<u64>,
}

/// What decides that a block is final.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Policy {
    /// A number of blocks.
    Confirmations,
    /// The node's `safe` tag.
    Safe,
    /// The node's `finalized` tag.
    Finalized,
}

/// How long things take, measured on the newest blocks; seconds, and no promise.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct Expected {
    /// Between two blocks.
    block_s: f64,
    /// From a transaction's block until it is final.
    final_s: f64,
    /// From a deposit's block until it is in the ledger.
    deposit_s: f64,
    /// From a request's block until it is paid, if it need not wait for anything.
    withdrawal_s: f64,
}

/// What a request for a withdrawal must keep to.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct Withdrawals {
    /// Its deadline is at least so many seconds ahead.
    min_deadline_s: u64,
    /// And at most so many.
    max_deadline_s: u64,
    /// Open requests that one owner may have.
    max_open: u32,
    /// Seconds that a large payout waits in the vault.
    queue_window_s: u32,
    /// And blocks.
    queue_window_blocks: u32,
}

/// A token that the vault lists. Amounts are token units, as text.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct Token {
    /// Its address; for ether the address of 0xEe….
    #[schema(value_type = AddressText)]
    token: Address,
    /// As it calls itself; absent where it does not tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    symbol: Option<String>,
    /// Digits after the point, for display; absent where it does not tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    decimals: Option<u8>,
    /// Its ledger.
    ledger: u32,
    /// Token units in one ledger unit: amounts must be multiples of it.
    #[schema(value_type = NumberText)]
    scale_divisor: String,
    /// Whether deposits are taken.
    deposits_open: bool,
    /// True for tokens that take fees: use `depositMeasured`.
    credits_measured_delta: bool,
    /// Smallest deposit.
    #[schema(value_type = NumberText)]
    min_deposit: String,
    /// Smallest withdrawal.
    #[schema(value_type = NumberText)]
    min_withdrawal: String,
    /// What may still be deposited before the vault's cap is reached.
    #[schema(value_type = NumberText)]
    deposit_room: String,
    /// Largest payout.
    #[schema(value_type = NumberText)]
    max_payout: String,
    /// Payouts above this wait in the vault first.
    #[schema(value_type = NumberText)]
    queue_above: String,
    /// What may be paid at once now; it refills with time.
    #[schema(value_type = NumberText)]
    payout_budget: String,
    /// Most that the budget ever is.
    #[schema(value_type = NumberText)]
    budget_capacity: String,
    /// Seconds in which an empty budget refills.
    budget_period_s: u32,
}

/// The page, at most a moment old.
///
/// # Errors
/// If no node answers.
pub(super) async fn page(sources: &Sources) -> Result<Arc<Info>, Problem> {
    // Whoever comes while it is read waits for that very answer.
    let mut newest = sources.shared.info.lock().await;
    if let Some((at, info)) = newest.as_ref().filter(|(at, _)| at.elapsed() < FRESH) {
        let _read_at = at;
        return Ok(info.clone());
    }
    let info = Arc::new(read(sources).await?);
    *newest = Some((Instant::now(), info.clone()));
    Ok(info)
}

async fn read(sources: &Sources) -> Result<Info, Problem> {
    let summary = sources.now();
    let mut last = "no endpoint".to_owned();
    for (node, _) in sources.nodes.in_order(&summary.endpoints) {
        match by(node, &summary, sources).await {
            Ok(info) => return Ok(info),
            Err(error) => last = error.fault().to_string(),
        }
    }
    Err(Problem::unavailable(format!("no node answered: {last}")))
}

async fn by(node: &Node, summary: &Summary, sources: &Sources) -> Result<Info, ReadError> {
    let tokens = summary.listings.iter().map(|listing| node.token_terms(listing.token));
    let (pace, terms, tokens) = tokio::try_join!(
        pace(node, sources.chain.deploy_block),
        node.vault_terms(),
        future::try_join_all(tokens)
    )?;
    let listed = summary.listings.iter().zip(tokens);
    let tokens = listed.map(|(listing, terms)| token(listing, terms)).collect();
    Ok(info(&sources.chain, summary, pace, terms, tokens))
}

/// The newest block, the newest final one, and the seconds between two.
#[derive(Clone, Copy, Debug)]
struct Pace {
    latest: Header,
    final_head: Header,
    block_s: f64,
}

async fn pace(node: &Node, deployed: BlockNumber) -> Result<Pace, ReadError> {
    let latest = node.header(BlockNumberOrTag::Latest).await?;
    let latest = latest.ok_or_else(|| ReadError::Missing("latest block".to_owned()))?;
    let first = latest.block.number.minus(AVERAGED_BLOCKS).max(deployed);
    let (older, final_head) = tokio::try_join!(node.header(first.0.into()), node.final_head())?;
    let older = older.unwrap_or(latest);
    let blocks = latest.block.number.minus(older.block.number.0).0;
    let seconds = seconds_between(older, latest);
    let block_s = if blocks == 0 { 0.0 } else { seconds / lossy(blocks) };
    Ok(Pace { latest, final_head, block_s })
}

fn seconds_between(older: Header, newer: Header) -> f64 {
    lossy(newer.timestamp.minus(older.timestamp.0).0)
}

/// For display: far below the numbers at which it loses anything.
fn lossy(number: u64) -> f64 {
    u32::try_from(number).map_or(f64::from(u32::MAX), f64::from)
}

fn info(
    chain: &config::Chain,
    summary: &Summary,
    pace: Pace,
    terms: VaultTerms,
    tokens: Vec<Token>,
) -> Info {
    let now_s = engine::now().0 / 1_000;
    let ahead = |until: UnixSeconds| (until.0 > now_s).then_some(until);
    let settings = terms.settings;
    Info {
        version: env!("CARGO_PKG_VERSION"),
        chain_id: chain.chain_id,
        vault: chain.vault,
        instance: summary.instance,
        deploy_block: chain.deploy_block,
        block: pace.latest.block.number,
        finality: finality(chain.finality),
        expected: expected(pace, chain.poll_interval_ms),
        deposits_paused_until: ahead(terms.deposits_paused_until),
        payouts_paused_until: ahead(terms.payouts_paused_until),
        withdrawals: Withdrawals {
            min_deadline_s: settings.minDeadline,
            max_deadline_s: settings.maxDeadline,
            max_open: settings.maxOpenWithdrawals,
            queue_window_s: settings.queueWindow,
            queue_window_blocks: settings.queueWindowBlocks,
        },
        tokens,
    }
}

const fn finality(policy: FinalityPolicy) -> Finality {
    match policy {
        FinalityPolicy::Confirmations(n) => {
            Finality { policy: Policy::Confirmations, confirmations: Some(n) }
        }
        FinalityPolicy::Safe => Finality { policy: Policy::Safe, confirmations: None },
        FinalityPolicy::Finalized => Finality { policy: Policy::Finalized, confirmations: None },
    }
}

fn expected(pace: Pace, poll_interval_ms: u64) -> Expected {
    let final_s = seconds_between(pace.final_head, pace.latest);
    let deposit_s = final_s + lossy(poll_interval_ms) / 1_000.0;
    let withdrawal_s = pace.block_s.mul_add(PAYOUT_BLOCKS, deposit_s);
    Expected { block_s: pace.block_s, final_s, deposit_s, withdrawal_s }
}

fn token(listing: &Listing, terms: TokenTerms) -> Token {
    let TokenTerms { symbol, decimals, listing: limits, payout_budget } = terms;
    Token {
        token: listing.token,
        symbol,
        decimals,
        ledger: listing.ledger.0,
        scale_divisor: listing.divisor.get().to_string(),
        deposits_open: limits.depositsOpen,
        credits_measured_delta: limits.creditsMeasuredDelta,
        min_deposit: limits.minDeposit.to_string(),
        min_withdrawal: limits.minWithdrawal.to_string(),
        deposit_room: limits.depositCap.saturating_sub(limits.accounted).to_string(),
        max_payout: limits.payouts.maxPayout.to_string(),
        queue_above: limits.payouts.queueAbove.to_string(),
        payout_budget: payout_budget.to_string(),
        budget_capacity: limits.payouts.budgetCapacity.to_string(),
        budget_period_s: limits.payouts.budgetPeriod,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy::primitives::B256;
    use bridge_core::block::BlockRef;

    #[test]
    fn times_are_what_the_newest_blocks_took() {
        let header = |number, seconds| Header {
            block: BlockRef { number: BlockNumber(number), hash: B256::ZERO },
            parent: B256::ZERO,
            timestamp: UnixSeconds(seconds),
        };
        let pace =
            Pace { latest: header(100, 1_200), final_head: header(89, 1_068), block_s: 12.0 };
        let expected = expected(pace, 1_000);
        assert_eq!(
            (expected.final_s, expected.deposit_s, expected.withdrawal_s),
            (132.0, 133.0, 157.0)
        );
    }
}
