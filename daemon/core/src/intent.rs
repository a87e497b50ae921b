//! Obligation intents: what users, their passkeys and attestors sign, and whom a line pays
//! (`docs/encoding.md`, sections 7 and 8).

use crate::{
    amount::LedgerAmount,
    asset::LedgerId,
    block::Millis,
    id::{AccountId, PersonClass},
    namespace::Line,
};
use alloy_primitives::{Address, U256};
use alloy_sol_types::sol;
use std::num::NonZeroU64;
use thiserror::Error;

sol! {
    #![sol(all_derives)]

    /// One payment of an intent.
    struct ObligationLine {
        string purpose;
        uint128 amount;
    }

    /// A user's order to clear one or more payments, all or none.
    struct ObligationIntent {
        address user;
        uint32 ledger;
        ObligationLine[] lines;
        string reference;
        bytes32 nonce;
        uint64 issuedAtMs;
        uint64 expiresAtMs;
    }

    /// An attestor's word for the intent with this digest.
    struct IntentAttestation {
        bytes32 intent;
        uint64 attestedAtMs;
    }

    /// An owner's order that a passkey may sign intents for them.
    struct PasskeyRegistration {
        address owner;
        bytes32 x;
        bytes32 y;
    }

    /// An owner's order that it may not any more.
    struct PasskeyRevocation {
        address owner;
        bytes32 x;
        bytes32 y;
    }
}

/// Whom a line pays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payee {
    /// The credited account.
    pub account: AccountId,
    /// Chart number of the SKU whose daily limit applies.
    pub sku: Option<u32>,
}

/// A purpose with a name.
struct Named {
    purpose: &'static str,
    number: u32,
    is_sku: bool,
}

const fn agent(purpose: &'static str, number: u32) -> Named {
    Named { purpose, number, is_sku: false }
}

const fn sku(purpose: &'static str, number: u32) -> Named {
    Named { purpose, number, is_sku: true }
}

const NAMED: [Named; 6] = [
    agent("agent:stripe", 3_000_001),
    agent("agent:instacart", 3_000_002),
    agent("utility", 3_000_003),
    sku("sku:milk", 4_000_001),
    sku("sku:eggs", 4_000_002),
    sku("sku:bread", 4_000_003),
];

impl Payee {
    /// Whom `purpose` names, byte for byte; `None` is a refusal. The specification's chart exists
    /// on the clearing ledger alone, agents with an address on every ledger.
    #[must_use]
    pub fn of(purpose: &str, ledger: LedgerId, clearing: LedgerId) -> Option<Self> {
        if let Some(digits) = purpose.strip_prefix("agent:0x") {
            let account = AccountId::person(PersonClass::Funds, ledger, address(digits)?);
            return Some(Self { account, sku: None });
        }
        let named = NAMED.iter().find(|n| n.purpose == purpose && ledger == clearing)?;
        let account = AccountId::chart(ledger, named.number);
        Some(Self { account, sku: named.is_sku.then_some(named.number) })
    }
}

/// 40 lower-case hex digits, not all 0.
fn address(digits: &str) -> Option<Address> {
    let is_lower = digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let mut bytes = [0; 20];
    hex::decode_to_slice(digits, &mut bytes).ok()?;
    (is_lower && bytes != [0; 20]).then_some(Address(bytes.into()))
}

/// What a ledger's unit is worth in USD cents: a configured fraction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CentRate {
    /// Cents.
    pub numerator: NonZeroU64,
    /// For so many units.
    pub denominator: NonZeroU64,
}

impl CentRate {
    /// The worth in cents, rounded up; `None` if it does not fit.
    #[must_use]
    pub fn cents(self, units: LedgerAmount) -> Option<LedgerAmount> {
        let product = U256::from(units.0).checked_mul(U256::from(self.numerator.get()))?;
        let cents = product.div_ceil(U256::from(self.denominator.get()));
        u128::try_from(cents).ok().map(LedgerAmount)
    }
}

/// Why an intent cannot be encoded, so that nothing of it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum IntentFault {
    /// None, or more than an id has room for.
    #[error("an intent has 1 to {max} lines: split it", max = Line::MAX)]
    LineCount,
    /// It does not fit in its id.
    #[error("issuedAtMs is 2^48 or more: give Unix time in milliseconds")]
    IssuedAt,
    /// It would never be valid.
    #[error("expiresAtMs is not after issuedAtMs")]
    ExpiresAt,
    /// It names nobody, or nobody on this ledger.
    #[error("the purpose of line {0} names nobody on this ledger")]
    Purpose(usize),
    /// It would pay the user.
    #[error("line {0} pays the user who signed")]
    PaysItself(usize),
    /// Nothing to pay.
    #[error("the amount of line {0} is 0")]
    NoAmount(usize),
    /// More than the ledger can count.
    #[error("the amounts of all lines together do not fit in 128 bits")]
    Total,
}

/// What a valid intent comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Whom each line pays.
    pub payees: Vec<Payee>,
    /// The worth of all lines in USD cents.
    pub total_cents: LedgerAmount,
}

impl ObligationIntent {
    /// Reads it by the rules of section 8; its age is not judged.
    ///
    /// # Errors
    /// The first rule that does not hold.
    pub fn read(&self, clearing: LedgerId, rate: CentRate) -> Result<Reading, IntentFault> {
        if !(1..=Line::MAX).contains(&self.lines.len()) {
            return Err(IntentFault::LineCount);
        }
        if self.issuedAtMs >= 1 << 48 {
            return Err(IntentFault::IssuedAt);
        }
        if self.expiresAtMs <= self.issuedAtMs {
            return Err(IntentFault::ExpiresAt);
        }
        let payee = |(at, line)| self.payee(at, line, clearing);
        let payees = self.lines.iter().enumerate().map(payee).collect::<Result<_, _>>()?;
        let total = self.lines.iter().try_fold(0_u128, |sum, line| sum.checked_add(line.amount));
        let total_cents = total.and_then(|units| rate.cents(LedgerAmount(units)));
        Ok(Reading { payees, total_cents: total_cents.ok_or(IntentFault::Total)? })
    }

    fn payee(
        &self,
        at: usize,
        line: &ObligationLine,
        clearing: LedgerId,
    ) -> Result<Payee, IntentFault> {
        let ledger = LedgerId(self.ledger);
        let payee = Payee::of(&line.purpose, ledger, clearing).ok_or(IntentFault::Purpose(at))?;
        if payee.account == AccountId::person(PersonClass::Funds, ledger, self.user) {
            return Err(IntentFault::PaysItself(at));
        }
        if line.amount == 0 { Err(IntentFault::NoAmount(at)) } else { Ok(payee) }
    }

    /// When the user signed it, by their clock.
    #[must_use]
    pub const fn issued_at(&self) -> Millis {
        Millis(self.issuedAtMs)
    }

    /// From when on it is not cleared any more.
    #[must_use]
    pub const fn expires_at(&self) -> Millis {
        Millis(self.expiresAtMs)
    }
}
