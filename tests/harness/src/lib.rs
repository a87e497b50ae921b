//! Real servers for tests, the local stack and the demo: started on free ports, ended with their
//! owner, and never left behind.
//!
//! [`servers`] starts Anvil or Hardhat, TigerBeetle and the daemon; [`contracts`] deploys the vault;
//! [`config`] writes the daemon's configuration; [`judge`] asks the Python judge, which looks at
//! chain and ledger by itself; [`stack`] keeps the same servers running for people, and [`demo`]
//! tells them a story with it. [`trial`] breaks all of it in every way while users go on.

pub mod config;
pub mod contracts;
pub mod demo;
pub mod disk;
pub mod http;
pub mod judge;
pub mod keys;
pub mod paths;
pub mod port;
pub mod process;
pub mod proxy;
pub mod rpc;
pub mod servers;
pub mod solidity;
pub mod stack;
pub mod temp;
pub mod trial;
pub mod vault;
pub mod wait;
pub mod wallet;
