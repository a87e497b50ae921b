//! The pure core of the SOVR bridge.
//!
//! Facts come in as [`event::Event`], orders go out as [`command::Command`], and
//! [`bridge::Bridge::apply`] is the only way from one to the other. No I/O, no clock, no
//! randomness: time is an argument, and what adapters learn comes back as another event.
//! [`driver::Driver`] makes what a step decided durable before it acts on it.
//!
//! To read it in order: what things are ([`amount`], [`block`], [`asset`], [`id`], [`account`],
//! `people`, [`namespace`], [`user_data`], [`transfer`], [`vault_event`], [`eip712`], [`intent`],
//! [`operators`]), what comes in and goes out ([`event`], [`command`]), how it is decided
//! ([`endpoint`], `agreement`, `range_check`, [`chain_view`], [`plausible`], [`posting`],
//! [`pipeline`], [`withdrawal`], [`submitter`] with its `gas`, [`reserves`] after a `hearing`,
//! [`bridge`], its payouts in `payout`), what a signer checks ([`signing`]), what is kept
//! ([`checkpoint`], [`driver`]), what must always hold ([`invariant`]), what operators do about a halt
//! ([`audit`], [`lift`], [`supersede`], [`supersede_plan`], [`supersede_work`]).

pub mod account;
mod agreement;
pub mod amount;
pub mod asset;
pub mod audit;
pub mod block;
mod book;
pub mod bridge;
mod chain_view;
pub mod checkpoint;
pub mod command;
pub mod driver;
pub mod eip712;
pub mod endpoint;
pub mod event;
mod gas;
pub mod halt;
mod hearing;
pub mod id;
pub mod intent;
pub mod invariant;
pub mod lift;
pub mod namespace;
pub mod obstacle;
mod op;
pub mod operators;
mod payout;
mod people;
mod pipeline;
mod plausible;
pub mod posting;
mod proving;
mod range_check;
pub mod reserves;
mod rewind;
#[cfg(feature = "schema")]
pub mod schema;
pub mod signing;
pub mod status;
pub mod submitter;
pub mod supersede;
pub mod supersede_plan;
pub mod supersede_work;
pub mod transfer;
pub mod user_data;
pub mod vault_event;
pub mod withdrawal;
