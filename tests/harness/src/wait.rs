//! Waiting for a condition with a deadline, never for a fixed time.

use anyhow::{Result, bail};
use std::{
    thread,
    time::{Duration, Instant},
};

const POLL: Duration = Duration::from_millis(20);

/// Asks `condition` until it answers `Some`.
///
/// # Errors
/// The condition's own error at once, or that `what` did not come true within `limit`.
pub fn until<T>(
    what: &str,
    limit: Duration,
    mut condition: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let start = Instant::now();
    loop {
        if let Some(value) = condition()? {
            return Ok(value);
        }
        if start.elapsed() >= limit {
            bail!("{what}: not within {} s", limit.as_secs_f32());
        }
        thread::sleep(POLL);
    }
}
