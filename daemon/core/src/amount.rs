//! Amounts of money and their exact conversion between chain and ledger.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Token units as the chain counts them (wei for ether).
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(value_type = String, pattern = "^[0-9]{1,39}$"))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TokenAmount(#[serde(with = "decimal")] pub u128);

/// Units of a TigerBeetle ledger: token units divided by the listing's scale divisor.
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(value_type = String, pattern = "^[0-9]{1,39}$"))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LedgerAmount(#[serde(with = "decimal")] pub u128);

/// How many token units make one ledger unit; never zero.
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(value_type = String, pattern = "^[0-9]{1,39}$"))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ScaleDivisor(#[serde(with = "decimal")] u128);

impl ScaleDivisor {
    /// `None` for zero.
    #[must_use]
    pub const fn new(divisor: u128) -> Option<Self> {
        if divisor == 0 { None } else { Some(Self(divisor)) }
    }

    /// The plain number.
    #[must_use]
    pub const fn get(self) -> u128 {
        self.0
    }

    /// Exact conversion; `None` where the amount does not divide (the vault refuses such amounts).
    #[must_use]
    pub fn to_ledger(self, amount: TokenAmount) -> Option<LedgerAmount> {
        let remainder = amount.0.checked_rem(self.0)?;
        if remainder != 0 {
            return None;
        }
        amount.0.checked_div(self.0).map(LedgerAmount)
    }
}

impl fmt::Display for TokenAmount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for LedgerAmount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// 128-bit numbers as decimal strings: JSON numbers lose digits beyond 2^53 in most readers.
pub(crate) mod decimal {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(crate) fn serialize<S: Serializer>(value: &u128, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(value)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<u128, D::Error> {
        String::deserialize(d)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_exact_amounts_convert() {
        let cents = ScaleDivisor::new(10_000).unwrap();
        assert_eq!(cents.to_ledger(TokenAmount(1_230_000)), Some(LedgerAmount(123)));
        assert_eq!(cents.to_ledger(TokenAmount(1_230_001)), None);
        assert_eq!(ScaleDivisor::new(0), None);
    }
}
