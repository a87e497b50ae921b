//! The shell around the pure core: adapters that translate, and the wiring between them.
//!
//! Facts flow one way: [`chain`], [`ledger`] and [`payouts`] bring events to [`engine`], which owns
//! the core; what the core orders goes back out to them. [`api`] and [`metrics`] only read.
//! [`signer`] is a process of its own that shares the adapters and nothing else.

pub mod api;
pub mod app;
pub mod body;
pub mod chain;
pub mod cli;
pub mod config;
pub mod doctor;
pub mod engine;
pub mod exit;
pub mod failpoint;
pub mod identity;
pub mod ledger;
pub mod logging;
pub mod metrics;
pub mod payouts;
pub mod progress;
pub mod retry;
pub mod signer;
pub mod stop;
pub mod store;
