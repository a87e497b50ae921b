//! The servers that the bridge talks to, and the bridge's daemon.

mod anvil;
mod hardhat;
mod node;
mod sovrd;
mod tigerbeetle;

pub use anvil::{Anvil, AnvilOptions, Mining};
pub use hardhat::Hardhat;
pub use node::Node;
pub use sovrd::Sovrd;
pub use tigerbeetle::{Size, TigerBeetle, TigerBeetleOptions};
