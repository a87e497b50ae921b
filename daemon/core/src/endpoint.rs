//! Several ways to the chain: which one is believed first, which is set aside, why and until when.
//!
//! An endpoint that lies, lags or fails is set aside for a pause that doubles each time, up to a
//! bound, and is then tried again. What each one says is judged in [`crate::chain_view`]; here is
//! what follows for its standing. To set the last good one aside stops nothing: where nobody is in
//! good standing, everybody is asked.

mod standing;

use crate::{block::BlockNumber, halt::Evidence};
use serde::Serialize;
pub(crate) use standing::Endpoints;
use std::fmt;

/// An endpoint, by its place in the configuration.
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct EndpointId(pub u8);

impl fmt::Display for EndpointId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Why a read brought nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ReadFault {
    /// The endpoint wants a smaller range.
    TooLarge,
    /// It asks us to come less often.
    RateLimited,
    /// No answer in time.
    Timeout,
    /// No connection, or one that was cut.
    Unreachable,
    /// It answered with an error.
    Refused,
    /// It has no such block, or no state of it.
    Missing,
    /// The answer cannot be read, is too long, or contradicts itself.
    Unusable,
}

impl fmt::Display for ReadFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLarge => "it wants smaller ranges",
            Self::RateLimited => "it asks us to come less often",
            Self::Timeout => "it does not answer in time",
            Self::Unreachable => "it cannot be reached or cuts the connection",
            Self::Refused => "it answers with an error",
            Self::Missing => "it lacks a block or its state",
            Self::Unusable => "its answer cannot be used",
        })
    }
}

/// Why an endpoint is set aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It brings nothing.
    Failed(ReadFault),
    /// It did not reach in time what another told of.
    Lags {
        /// Its own final block.
        reached: BlockNumber,
        /// The final block it should have reached.
        expected: BlockNumber,
    },
    /// What it says does not fit what is known.
    Contradicts(Evidence),
    /// It says something else than those who are believed.
    Disagrees {
        /// About this block.
        number: BlockNumber,
    },
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(fault) => fault.fmt(f),
            Self::Lags { reached, expected } => {
                write!(f, "it lags: final block {reached}, others are at {expected}")
            }
            Self::Contradicts(evidence) => evidence.fmt(f),
            Self::Disagrees { number } => {
                write!(f, "it says something else about block {number} than the others")
            }
        }
    }
}

impl Serialize for Reason {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// How many endpoints there are and what is expected of them.
#[derive(Clone, Copy, Debug)]
pub struct EndpointsConfig {
    /// How many, at least 1.
    pub count: u8,
    /// How many must say the same of the final head and of a range's events; 1 means that the first
    /// one in good standing is believed.
    pub quorum: u8,
    /// Time within which an endpoint must reach a final block that another told of, milliseconds.
    pub lag_max_ms: u64,
    /// Longest pause of an endpoint that is set aside, milliseconds.
    pub set_aside_longest_ms: u64,
}

impl Default for EndpointsConfig {
    fn default() -> Self {
        Self { count: 1, quorum: 1, lag_max_ms: 30_000, set_aside_longest_ms: 60_000 }
    }
}

/// Being set aside.
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Aside {
    /// Since when, milliseconds since 1970.
    pub since_ms: u64,
    /// When it is tried again, milliseconds since 1970.
    pub until_ms: u64,
    /// The newest reason.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub reason: Reason,
    /// How often its pause has doubled.
    pub level: u32,
}

/// What people see of an endpoint.
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct EndpointStatus {
    /// Its place in the configuration.
    pub endpoint: EndpointId,
    /// True for the one that is asked first.
    pub leads: bool,
    /// The newest final block it told of.
    pub final_block: Option<BlockNumber>,
    /// Most blocks in a range that it is asked for, as learned.
    pub range_blocks: u64,
    /// Reads in all that failed or did not fit.
    pub faults: u64,
    /// Set aside, if it is.
    pub set_aside: Option<Aside>,
}
