//! How things are named from outside.

use alloy::primitives::{Address, B256};
use bridge_core::block::Seq;
use std::{fmt, str::FromStr};

/// More digits than any event number of a vault has.
const SEQ_DIGITS_MAX: usize = 19;

/// A reference as text.
#[derive(Debug, utoipa::ToSchema)]
#[schema(value_type = String, pattern = "^(deposit:[1-9][0-9]{0,18}|(withdrawal|tx):0x[0-9a-fA-F]{64}|address:0x[0-9a-fA-F]{40})$", example = "deposit:17")]
pub struct ReferenceText(pub String);

/// A thing somebody asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reference {
    /// `deposit:17`: the vault's number of it.
    Deposit(Seq),
    /// `withdrawal:0x…`: its id.
    Withdrawal(B256),
    /// `tx:0x…`: everything the vault did in a transaction.
    Transaction(B256),
    /// `address:0x…`: everything of an owner.
    Address(Address),
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deposit(seq) => write!(f, "deposit:{seq}"),
            Self::Withdrawal(id) => write!(f, "withdrawal:{id}"),
            Self::Transaction(hash) => write!(f, "tx:{hash}"),
            Self::Address(owner) => write!(f, "address:{owner}"),
        }
    }
}

/// Not a reference.
#[derive(Debug, thiserror::Error)]
#[error(
    "reference: {0:?} is not deposit:<number>, withdrawal:<0x and 64 hex digits>, \
     tx:<0x and 64 hex digits> or address:<0x and 40 hex digits>"
)]
pub struct NotAReference(String);

impl FromStr for Reference {
    type Err = NotAReference;

    fn from_str(text: &str) -> Result<Self, NotAReference> {
        // What came in is told back, but never more of it than a reference is long.
        let wrong = || NotAReference(text.chars().take(96).collect());
        let (kind, value) = text.split_once(':').ok_or_else(wrong)?;
        match kind {
            "deposit" => {
                // One way to write a number, so that every thing has one name.
                let is_plain = value.bytes().all(|b| b.is_ascii_digit()) && !value.starts_with('0');
                let seq = value.parse().ok().filter(|_| is_plain && value.len() <= SEQ_DIGITS_MAX);
                seq.map(|seq| Self::Deposit(Seq(seq))).ok_or_else(wrong)
            }
            "withdrawal" => hex(value).map(Self::Withdrawal).ok_or_else(wrong),
            "tx" => hex(value).map(Self::Transaction).ok_or_else(wrong),
            "address" => hex(value).map(Self::Address).ok_or_else(wrong),
            _ => Err(wrong()),
        }
    }
}

fn hex<T: FromStr>(value: &str) -> Option<T> {
    value.starts_with("0x").then(|| value.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_read_strictly() {
        assert_eq!("deposit:17".parse::<Reference>().unwrap(), Reference::Deposit(Seq(17)));
        let id = B256::repeat_byte(0xab);
        let text = format!("withdrawal:{id}");
        assert_eq!(text.parse::<Reference>().unwrap(), Reference::Withdrawal(id));
        for wrong in [
            "",
            "deposit:",
            "deposit:0",
            "deposit:-1",
            "deposit:+1",
            "deposit:01",
            "tx:12",
            "withdrawal:abcd",
            "x:1",
        ] {
            let error = wrong.parse::<Reference>().unwrap_err().to_string();
            assert!(error.contains("is not deposit:<number>"), "{error}");
        }
    }
}
