//! The servers that the bridge talks to, and the bridge's daemon.

mod anvil;
mod sovrd;
mod tigerbeetle;

pub use anvil::{Anvil, AnvilOptions, Mining};
pub use sovrd::Sovrd;
pub use tigerbeetle::{Size, TigerBeetle, TigerBeetleOptions};
