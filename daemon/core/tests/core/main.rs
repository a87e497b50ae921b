//! The core from outside: golden vectors, and stories told through `Bridge::apply`.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::as_conversions,
    clippy::arithmetic_side_effects,
    clippy::wildcard_enum_match_arm,
    reason = "tests may fail loudly"
)]

mod batches;
mod common;
mod deposits;
mod endpoints;
mod gasless;
mod halts;
mod large;
mod ledger_trouble;
mod node_trouble;
mod obstacles;
mod payouts;
mod reading_ahead;
mod records;
mod reserves;
mod restarts;
mod vectors;
mod withdrawals;
