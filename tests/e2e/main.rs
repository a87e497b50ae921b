//! The whole bridge on real servers: Anvil (or Hardhat, where `SOVR_TEST_NODE` says so),
//! TigerBeetle, the daemon just built, and a judge that reads chain and ledger by itself. One
//! binary; each test brings its own servers.

#![allow(unreachable_pub, reason = "one binary: there is no outside")]
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking, in its helpers too")]
#![allow(missing_debug_implementations, missing_docs, reason = "a test binary")]
#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "a case that is meant for some stays as it is for others"
)]

mod api;
mod causes;
mod clients;
mod crash;
mod doctor;
mod flows;
mod gasless;
mod halt;
mod hostile;
mod large;
mod malformed;
mod nodes;
mod openapi;
mod payouts;
mod refusals;
mod reorgs;
mod reserves;
mod self_help;
mod service;
mod signers;
mod silence;
mod store;
mod table;
mod tools;
mod why;
mod world;
