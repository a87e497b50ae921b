//! When each block became available, as a subscriber to the node sees it.

use alloy::providers::{Provider, ProviderBuilder, WsConnect};
use anyhow::{Context, Result};
use harness::wait;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio::runtime::Runtime;

type Seen = Arc<Mutex<BTreeMap<u64, Instant>>>;

/// Listens until it is dropped.
#[derive(Debug)]
pub(crate) struct Heads {
    seen: Seen,
    runtime: Option<Runtime>,
}

impl Heads {
    /// Subscribed when it returns.
    pub(crate) fn listen(ws_url: &str) -> Result<Self> {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let seen = Seen::default();
        let connect = ProviderBuilder::new().connect_ws(WsConnect::new(ws_url));
        let provider = runtime.block_on(connect)?;
        let mut blocks = runtime.block_on(async { provider.subscribe_blocks().await })?;
        let to = seen.clone();
        runtime.spawn(async move {
            let _kept_open = provider;
            while let Ok(header) = blocks.recv().await {
                let mut seen = to.lock().unwrap_or_else(PoisonError::into_inner);
                seen.entry(header.number).or_insert_with(Instant::now);
            }
        });
        Ok(Self { seen, runtime: Some(runtime) })
    }

    /// When it came; `None` if it has not.
    pub(crate) fn at(&self, block: u64) -> Option<Instant> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).get(&block).copied()
    }

    /// Waits for a block.
    pub(crate) fn wait(&self, block: u64, limit: Duration) -> Result<Instant> {
        wait::until(&format!("block {block}"), limit, || Ok(self.at(block)))
    }
}

impl Drop for Heads {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// The smallest value that so many percent do not exceed.
pub(crate) fn percentile(times: &mut [Duration], percent: usize) -> Result<f64> {
    times.sort_unstable();
    let rank = (times.len() * percent).div_ceil(100).saturating_sub(1);
    let found = times.get(rank).context("nothing was measured")?;
    Ok(found.as_secs_f64() * 1_000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_nearest_ranks() {
        let mut times: Vec<Duration> = (1..=200).rev().map(Duration::from_millis).collect();
        assert_eq!(percentile(&mut times, 50).unwrap(), 100.0);
        assert_eq!(percentile(&mut times, 99).unwrap(), 198.0);
        assert!(percentile(&mut [], 50).is_err());
    }
}
