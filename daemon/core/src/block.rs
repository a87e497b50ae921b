//! Blocks, sequence numbers and time.

use alloy_primitives::B256;
use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl $name {
            /// This number plus `n`, stopping at the largest number.
            #[must_use]
            pub const fn plus(self, n: u64) -> Self {
                Self(self.0.saturating_add(n))
            }

            /// This number minus `n`, stopping at zero.
            #[must_use]
            pub const fn minus(self, n: u64) -> Self {
                Self(self.0.saturating_sub(n))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number!(
    /// A block's height.
    BlockNumber
);
number!(
    /// The vault's own number of a ledger-relevant event; the first is 1, none is left out.
    Seq
);
number!(
    /// Seconds since 1970, as block timestamps and deadlines count them.
    UnixSeconds
);
number!(
    /// Milliseconds of the engine's one clock since 1970.
    Millis
);

/// Time that never goes back, made of a clock that may: pauses are measured with it, and a clock
/// that is set back an hour must not make any of them an hour longer.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Clock {
    last: Millis,
    elapsed: Millis,
}

impl Clock {
    /// The time at a reading of the engine's clock.
    pub(crate) const fn at(&mut self, reading: Millis) -> Millis {
        self.elapsed = self.elapsed.plus(reading.minus(self.last.0).0);
        self.last = reading;
        self.elapsed
    }
}

/// A block, named beyond doubt.
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockRef {
    /// Height.
    pub number: BlockNumber,
    /// Hash.
    #[cfg_attr(feature = "schema", schema(value_type = crate::schema::Bytes32Text))]
    pub hash: B256,
}

/// What the bridge needs of a block header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Height and hash.
    pub block: BlockRef,
    /// Hash of the block before it.
    pub parent: B256,
    /// Time the block claims.
    pub timestamp: UnixSeconds,
}

/// When a block counts as final.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FinalityPolicy {
    /// `final = head − n + 1`; 1 means that the head itself is final (development only).
    Confirmations(u64),
    /// The node's `safe` tag.
    Safe,
    /// The node's `finalized` tag.
    Finalized,
}

impl FinalityPolicy {
    /// The newest final height under a confirmation count; `None` before there are enough blocks,
    /// or where a tag decides.
    #[must_use]
    pub fn final_number(self, head: BlockNumber) -> Option<BlockNumber> {
        match self {
            Self::Confirmations(n) => {
                head.0.checked_add(1).and_then(|h| h.checked_sub(n)).map(BlockNumber)
            }
            Self::Safe | Self::Finalized => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn confirmations_count_the_block_itself() {
        let policy = FinalityPolicy::Confirmations(12);
        assert_eq!(policy.final_number(BlockNumber(11)), Some(BlockNumber(0)));
        assert_eq!(policy.final_number(BlockNumber(10)), None);
        let one = FinalityPolicy::Confirmations(1);
        assert_eq!(one.final_number(BlockNumber(7)), Some(BlockNumber(7)));
    }
}
