//! Compares the simulator's model of TigerBeetle with the real server: the same random histories on
//! both, the same answers and the same state after every batch.
//!
//! To read it in order: what is run ([`history`], [`generate`]), the two sides ([`model`],
//! [`server`]), how they are compared ([`compare`], [`shrink`]), and many of them ([`campaign`],
//! [`codes`]).
//!
//! Not compared, because the model has none of it: imported events, queries, balances by time.

pub mod campaign;
pub mod codes;
pub mod compare;
pub mod generate;
pub mod history;
pub mod model;
pub mod server;
pub mod shrink;
