//! Finds the vault's events with certain topics, newest first, in requests that a node grants and no
//! longer than somebody waits.

use super::{bindings::Shown, error::ReadError, node::Node};
use alloy::rpc::types::Filter;
use bridge_core::{block::BlockNumber, endpoint::ReadFault};
use std::time::{Duration, Instant};

/// Longest time for one search; a request that began is still waited for.
const SEARCH_MAX: Duration = Duration::from_secs(5);
/// Most requests to a node in one search.
const REQUESTS_MAX: usize = 64;

/// Where to search.
#[derive(Clone, Copy, Debug)]
pub struct Scope {
    /// The block that created the vault: nothing is older.
    pub deployed: BlockNumber,
    /// The newest block that is known of.
    pub latest: BlockNumber,
    /// Only below this block; without it up to the newest block there is, known of or not.
    pub before: Option<BlockNumber>,
    /// Most blocks in one request.
    pub size: u64,
}

/// What a search brought.
#[derive(Debug)]
pub struct Found {
    /// In chain order.
    pub logs: Vec<Shown>,
    /// The lowest block that was searched.
    pub from: BlockNumber,
    /// True if nothing older can be there.
    pub is_complete: bool,
}

/// When a search has found enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Enough {
    /// More may be there and is wanted.
    No,
    /// More may be there.
    ForNow,
    /// That was all.
    Entirely,
}

/// Searches until `enough` is found, or time or requests are used up.
///
/// # Errors
/// If the node does not answer.
pub async fn backwards(
    node: &Node,
    filter: &Filter,
    scope: Scope,
    enough: impl Fn(&[Shown]) -> Enough,
) -> Result<Found, ReadError> {
    let Scope { deployed, latest, before, mut size } = scope;
    let mut found = Found { logs: Vec::new(), from: latest, is_complete: false };
    let (began, mut below) = (Instant::now(), before);
    for _ in 0..REQUESTS_MAX {
        if below.is_some_and(|below| below <= deployed) {
            found.is_complete = true;
            break;
        }
        let to = below.map(|below| below.minus(1));
        let from = to.unwrap_or(latest).minus(size.saturating_sub(1)).max(deployed);
        let logs = match node.logs_with(filter.clone(), from, to).await {
            Err(error) if error.fault() == ReadFault::TooLarge && size > 1 => {
                size /= 2;
                continue;
            }
            other => other?,
        };
        found.logs.splice(0..0, logs);
        found.from = from;
        let enough = enough(&found.logs);
        found.is_complete = from == deployed || enough == Enough::Entirely;
        if found.is_complete || enough == Enough::ForNow || began.elapsed() >= SEARCH_MAX {
            break;
        }
        below = Some(from);
    }
    Ok(found)
}
