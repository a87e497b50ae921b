//! The one place that knows the `backoff` crate: growing pauses with jitter, bounded.

use backoff::{ExponentialBackoff, ExponentialBackoffBuilder, backoff::Backoff};
use std::time::Duration;

/// First pause.
const FIRST: Duration = Duration::from_millis(100);

/// Growing pauses up to `longest`, for as long as it takes.
#[must_use]
pub fn pauses(longest: Duration) -> ExponentialBackoff {
    ExponentialBackoffBuilder::new()
        .with_initial_interval(FIRST)
        .with_multiplier(2.0)
        .with_max_interval(longest)
        .with_max_elapsed_time(None)
        .build()
}

/// The next pause.
pub fn next(pauses: &mut ExponentialBackoff) -> Duration {
    pauses.next_backoff().unwrap_or(FIRST)
}
