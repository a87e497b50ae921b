//! A seeded simulation of chain, node, ledger, disk, clock and users around the production driver
//! and core of the bridge.
//!
//! One seed decides everything. To read it in order: chance ([`rng`], [`fault`]), the things
//! simulated ([`ledger`], [`chain`], [`disk`], [`daemon`]), what is true ([`truth`]), who acts when
//! ([`world`], `operators` after a halt), what was seen ([`coverage`]), and how seeds are run ([`run`]).

pub mod chain;
mod checks;
pub mod coverage;
pub mod daemon;
pub mod disk;
mod ending;
pub mod fault;
pub mod ledger;
mod operators;
pub mod rng;
pub mod run;
mod services;
mod setup;
mod signers;
mod step;
mod trouble;
pub mod truth;
pub mod users;
pub mod world;
