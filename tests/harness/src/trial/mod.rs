//! Real faults on real processes: [`crashes`] ends the daemon at named points, [`kills`] at random
//! moments, and [`faults`] are those of ledger, node, disk and clock, one after the other
//! ([`series`]) or mixed ([`soak`]). Load comes from [`load`], what users see meanwhile is noted by
//! [`watch`], and the judge compares chain and ledger afterwards.

pub mod clock;
pub mod cluster;
pub mod crashes;
pub mod faults;
pub mod kills;
pub mod load;
mod net;
pub mod series;
pub mod soak;
pub mod table;
pub mod watch;
pub mod world;
