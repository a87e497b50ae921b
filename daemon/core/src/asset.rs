//! Tokens, ledgers and listings.

use crate::amount::ScaleDivisor;
use alloy_primitives::{Address, address};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The address that stands for ether (`docs/encoding.md`, section 6).
pub const ETHER: Address = address!("0xEeeeeEeeeEeEeeEeEeEeeEEEeeeeEeeeeeeeEEeE");

/// A TigerBeetle ledger number (`docs/encoding.md`, section 2).
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LedgerId(pub u32);

impl LedgerId {
    /// Registries and gates live here.
    pub const CONTROL: Self = Self(900);
    /// Limits live here, in USD cents.
    pub const LIMITS: Self = Self((1 << 31) + 1);

    /// True for the numbers a vault may list.
    #[must_use]
    pub fn is_listable(self) -> bool {
        (1000..1 << 31).contains(&self.0)
    }
}

impl fmt::Display for LedgerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a vault fixed for ever when it listed a token.
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing {
    /// ERC-20 address or [`ETHER`].
    #[cfg_attr(feature = "schema", schema(value_type = crate::schema::AddressText))]
    pub token: Address,
    /// The token's ledger.
    pub ledger: LedgerId,
    /// Token units for one ledger unit.
    pub divisor: ScaleDivisor,
}
