//! Gasless withdrawals: what their owners sign, and whether one can be taken in.
//!
//! The chain knows nothing of one before it is paid. Everything that the contract will check then is
//! checked here first, on facts that adapters read at one final block, so that nothing is set aside in
//! the ledger, and no id burnt, for what could never be paid.

use crate::{
    amount::TokenAmount,
    asset::{LedgerId, Listing},
    block::{BlockNumber, UnixSeconds},
    eip712::{Domain, WithdrawalIntent},
    event::ContractState,
    transfer::FoundTransfer,
    vault_event::Request,
};
use alloy_primitives::{Address, B256, Bytes, U256};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt};

/// Longest signature that is taken in, bytes: enough for a wallet of many owners.
pub const SIGNATURE_BYTES_MAX: usize = 2_048;

/// An order to pay, signed by its owner (`docs/encoding.md`, section 6).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// Whose balance pays.
    pub owner: Address,
    /// Who receives.
    pub to: Address,
    /// Token.
    pub token: Address,
    /// Amount to pay out, token units.
    pub amount: TokenAmount,
    /// Owed besides, token units.
    pub fee: TokenAmount,
    /// Chosen by the owner, who can make it unusable on chain.
    pub nonce: U256,
    /// Nothing is paid after it.
    pub deadline: UnixSeconds,
    /// The owner's: 65 bytes, or whatever the owner's contract takes.
    pub signature: Bytes,
}

impl Intent {
    /// Its id: what the owner signed, field by field.
    #[must_use]
    pub fn id(&self, domain: &Domain) -> B256 {
        domain.intent_id(&WithdrawalIntent {
            owner: self.owner,
            to: self.to,
            token: self.token,
            amount: self.amount.0,
            fee: self.fee.0,
            nonce: self.nonce,
            deadline: self.deadline.0,
        })
    }

    /// The same as a request on the token's ledger.
    #[must_use]
    pub const fn request(&self, id: B256, ledger: LedgerId) -> Request {
        let Self { owner, to, token, amount, deadline, .. } = *self;
        Request { id, owner, to, token, amount, deadline, ledger }
    }
}

/// What this daemon asks of gasless withdrawals.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GaslessConfig {
    /// Least fee by ledger, token units; 0 where there is none.
    pub fees: BTreeMap<LedgerId, TokenAmount>,
    /// A deadline must be so far ahead of the newest final block, seconds, or the payout would come too
    /// late.
    pub lead_s: u64,
    /// Open gasless withdrawals that one owner may have.
    pub open_per_owner_max: usize,
}

/// What the vault says of a token, at one block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Its listing.
    pub listing: Listing,
    /// Least amount, token units.
    pub minimum: TokenAmount,
    /// Largest payout, token units.
    pub maximum: TokenAmount,
}

/// What adapters found out about an intent: the chain's part all at one final block, the ledger's
/// before it was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The final block's height.
    pub block: BlockNumber,
    /// Its time.
    pub time: UnixSeconds,
    /// The vault's state of the intent's id.
    pub state: Option<ContractState>,
    /// The owner made the nonce unusable.
    pub nonce_invalidated: bool,
    /// The signature is the owner's, or the owner's contract says so.
    pub is_signed: bool,
    /// The token's terms; `None` if the vault does not list it.
    pub terms: Option<Terms>,
    /// Deadlines that the vault takes, seconds from now: the nearest and the farthest.
    pub window_s: (u64, u64),
    /// What the ledger holds under the id of its pending.
    pub pending: Option<FoundTransfer>,
    /// What the owner can spend, ledger units.
    pub available: u128,
    /// The owner's account is frozen.
    pub is_frozen: bool,
}

/// An intent that came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submission {
    /// The intent.
    pub intent: Intent,
    /// What is known of it.
    pub facts: Facts,
}

/// What is wrong with an intent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The vault does not list the token.
    UnknownToken,
    /// Less than the vault pays out.
    BelowMinimum(TokenAmount),
    /// More than the vault pays out at once.
    AboveMaximum(TokenAmount),
    /// The amount is no multiple of this.
    AmountNotDivisible(u128),
    /// The fee is no multiple of this.
    FeeNotDivisible(u128),
    /// The operator asks for more.
    FeeTooLow(TokenAmount),
    /// Nobody, or the vault itself.
    RecipientNotAllowed,
    /// The nearest one that can be kept.
    DeadlineTooSoon(UnixSeconds),
    /// The farthest one that the vault takes.
    DeadlineTooFar(UnixSeconds),
    /// The owner made it unusable.
    NonceInvalidated,
    /// Not the owner's signature of this text.
    SignatureWrong,
    /// What the owner can spend, token units.
    InsufficientFunds(TokenAmount),
    /// The owner's account is frozen.
    AccountFrozen,
    /// The ledger holds another withdrawal under this id, or one that shares its beginning is open.
    IdTaken,
    /// The ledger refused this very text before.
    RefusedBefore,
    /// The owner has so many open.
    TooManyOpen(usize),
}

impl Fault {
    /// Its stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::UnknownToken => "unknown-token",
            Self::BelowMinimum(_) => "below-minimum",
            Self::AboveMaximum(_) => "above-maximum",
            Self::AmountNotDivisible(_) => "amount-not-divisible",
            Self::FeeNotDivisible(_) => "fee-not-divisible",
            Self::FeeTooLow(_) => "fee-too-low",
            Self::RecipientNotAllowed => "recipient-not-allowed",
            Self::DeadlineTooSoon(_) => "deadline-too-soon",
            Self::DeadlineTooFar(_) => "deadline-too-far",
            Self::NonceInvalidated => "nonce-invalidated",
            Self::SignatureWrong => "signature-wrong",
            Self::InsufficientFunds(_) => "insufficient-funds",
            Self::AccountFrozen => "account-frozen",
            Self::IdTaken => "id-taken",
            Self::RefusedBefore => "refused-before",
            Self::TooManyOpen(_) => "too-many-open",
        }
    }

    /// The field that would have to change.
    #[must_use]
    pub const fn field(self) -> &'static str {
        match self {
            Self::UnknownToken => "token",
            Self::BelowMinimum(_)
            | Self::AboveMaximum(_)
            | Self::AmountNotDivisible(_)
            | Self::InsufficientFunds(_) => "amount",
            Self::FeeNotDivisible(_) | Self::FeeTooLow(_) => "fee",
            Self::RecipientNotAllowed => "to",
            Self::DeadlineTooSoon(_) | Self::DeadlineTooFar(_) => "deadline",
            Self::NonceInvalidated | Self::IdTaken | Self::RefusedBefore => "nonce",
            Self::SignatureWrong => "signature",
            Self::AccountFrozen | Self::TooManyOpen(_) => "owner",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownToken => f.write_str("the vault does not list this token"),
            Self::BelowMinimum(least) => {
                write!(f, "the vault pays out no less than {least} token units")
            }
            Self::AboveMaximum(most) => {
                write!(
                    f,
                    "the vault pays out no more than {most} token units at once; ask for less"
                )
            }
            Self::AmountNotDivisible(divisor) => {
                write!(f, "the amount must be a multiple of {divisor} token units")
            }
            Self::FeeNotDivisible(divisor) => {
                write!(f, "the fee must be a multiple of {divisor} token units")
            }
            Self::FeeTooLow(least) => {
                write!(f, "the operator asks for a fee of at least {least} token units")
            }
            Self::RecipientNotAllowed => {
                f.write_str("the money cannot go to nobody or to the vault itself")
            }
            Self::DeadlineTooSoon(nearest) => {
                write!(f, "too near or past: sign one of at least {nearest} (Unix seconds)")
            }
            Self::DeadlineTooFar(farthest) => {
                write!(f, "too far ahead: sign one of at most {farthest} (Unix seconds)")
            }
            Self::NonceInvalidated => {
                f.write_str("you made this nonce unusable on chain; sign with another one")
            }
            Self::SignatureWrong => f.write_str(
                "this is not the owner's signature of these fields: compare domain, fields and \
                 account with what the wallet showed",
            ),
            Self::InsufficientFunds(available) => {
                write!(f, "amount and fee are more than the {available} token units there are")
            }
            Self::AccountFrozen => f.write_str("the account is frozen; ask the operator why"),
            Self::IdTaken => f.write_str(
                "another withdrawal has an id that begins like this one; sign with another nonce",
            ),
            Self::RefusedBefore => f.write_str(
                "the ledger refused this very text before, for good; sign with another nonce",
            ),
            Self::TooManyOpen(most) => write!(
                f,
                "{most} of the owner's withdrawals are open already; wait until one has ended"
            ),
        }
    }
}

/// Everything that is wrong with an intent, by what was found out about it.
#[must_use]
pub fn faults(
    Submission { intent, facts }: &Submission,
    vault: Address,
    config: &GaslessConfig,
) -> Vec<Fault> {
    let mut faults = Vec::new();
    if let Some(terms) = facts.terms {
        faults.extend(of_amounts(intent, facts, terms, config));
    } else {
        faults.push(Fault::UnknownToken);
    }
    if intent.to == Address::ZERO || intent.to == vault {
        faults.push(Fault::RecipientNotAllowed);
    }
    let (nearest, farthest) = facts.window_s;
    let nearest = facts.time.plus(nearest.max(config.lead_s));
    if intent.deadline < nearest {
        faults.push(Fault::DeadlineTooSoon(nearest));
    } else if intent.deadline > facts.time.plus(farthest) {
        faults.push(Fault::DeadlineTooFar(facts.time.plus(farthest)));
    }
    if facts.nonce_invalidated {
        faults.push(Fault::NonceInvalidated);
    }
    if !facts.is_signed {
        faults.push(Fault::SignatureWrong);
    }
    if facts.is_frozen {
        faults.push(Fault::AccountFrozen);
    }
    faults
}

fn of_amounts(
    intent: &Intent,
    facts: &Facts,
    terms: Terms,
    config: &GaslessConfig,
) -> impl Iterator<Item = Fault> {
    let Terms { listing, minimum, maximum } = terms;
    let least_fee = config.fees.get(&listing.ledger).copied().unwrap_or_default();
    let divisor = listing.divisor;
    let amount = divisor.to_ledger(intent.amount);
    let fee = divisor.to_ledger(intent.fee);
    let needed = amount.zip(fee).map(|(amount, fee)| amount.0.saturating_add(fee.0));
    // What is set aside already is not there to be spent, and need not be.
    let is_short = facts.pending.is_none() && needed.is_some_and(|n| n > facts.available);
    let available = TokenAmount(facts.available.saturating_mul(divisor.get()));
    [
        (intent.amount < minimum).then_some(Fault::BelowMinimum(minimum)),
        (intent.amount > maximum).then_some(Fault::AboveMaximum(maximum)),
        amount.is_none().then_some(Fault::AmountNotDivisible(divisor.get())),
        fee.is_none().then_some(Fault::FeeNotDivisible(divisor.get())),
        (intent.fee < least_fee).then_some(Fault::FeeTooLow(least_fee)),
        is_short.then_some(Fault::InsufficientFunds(available)),
    ]
    .into_iter()
    .flatten()
}
