//! Transfer ids of everything that is no chain event, by namespace (`docs/encoding.md`, section 4).

use crate::{
    block::{Millis, Seq},
    id::{AccountId, Instance, TransferId, be_u64, be_u128},
};
use alloy_primitives::{B256, keccak256};

const GASLESS: u8 = 0x02;
const INTENT: u8 = 0x03;
const PROVISIONAL: u8 = 0x04;
const FORWARD: u8 = 0x06;
const LIMIT_FUNDING: u8 = 0x07;
const PROVISIONAL_VOID: u8 = 0x08;
const HONORED: u8 = 0x09;
const CLOSURE: u8 = 0x0a;

/// Legs of a gasless withdrawal; their ids differ in this byte alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The pending.
    Main,
    /// Amount-0 leg on the owner's gate.
    Gate,
    /// Pending fee.
    Fee,
    /// Post or void of the main pending.
    Resolve,
    /// Post or void of the fee pending.
    ResolveFee,
}

impl Role {
    const fn byte(self) -> u8 {
        match self {
            Self::Main => 1,
            Self::Gate => 2,
            Self::Fee => 3,
            Self::Resolve => 4,
            Self::ResolveFee => 5,
        }
    }
}

/// A line of an obligation intent, counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Line(u8);

impl Line {
    /// Lines that an intent has at most.
    pub const MAX: usize = 32;
    /// The one that carries what an intent has once.
    pub const FIRST: Self = Self(0);

    /// `None` past the last line that an id has room for.
    #[must_use]
    pub fn new(index: usize) -> Option<Self> {
        u8::try_from(index).ok().filter(|_| index < Self::MAX).map(Self)
    }

    /// The plain number.
    #[must_use]
    pub fn number(self) -> u32 {
        u32::from(self.0)
    }
}

/// Parts of a line of an obligation intent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The payment itself.
    Payment,
    /// Amount-0 leg on the user's gate; on line 0 alone.
    Gate,
    /// Leg on the daily limit; on line 0 alone.
    DailyLimit,
    /// Leg on the monthly limit; on line 0 alone.
    MonthlyLimit,
    /// Leg on the SKU's daily limit.
    SkuLimit,
    /// Operators give the daily limit back early.
    DailyLimitVoid,
    /// Operators give the monthly limit back early.
    MonthlyLimitVoid,
    /// Operators give the SKU's limit back early.
    SkuLimitVoid,
}

impl Part {
    const fn bits(self) -> u8 {
        match self {
            Self::Payment => 0,
            Self::Gate => 1,
            Self::DailyLimit => 2,
            Self::MonthlyLimit => 3,
            Self::SkuLimit => 4,
            Self::DailyLimitVoid => 5,
            Self::MonthlyLimitVoid => 6,
            Self::SkuLimitVoid => 7,
        }
    }
}

/// What a closure does to an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closure {
    /// Closes it.
    Close,
    /// Voids the closing of the same round.
    Reopen,
}

impl Closure {
    const fn byte(self) -> u8 {
        match self {
            Self::Close => 1,
            Self::Reopen => 2,
        }
    }
}

impl TransferId {
    /// A pending that cannot exist: an id sent as its void is burnt, or proves to be in use.
    pub const CANNOT_EXIST: Self = Self((0x7f << 120) | 1);

    /// A leg of the gasless withdrawal `digest`.
    #[must_use]
    pub fn gasless(role: Role, digest: B256) -> Self {
        Self::join(&[&[GASLESS, role.byte()], digest.as_slice()])
    }

    /// What names the gasless withdrawal of which this is a leg; `None` for other transfers.
    #[must_use]
    pub fn gasless_named(self) -> Option<Seq> {
        let [GASLESS, _, digest @ ..] = self.0.to_be_bytes() else { return None };
        let mut id = B256::ZERO;
        id.get_mut(..digest.len())?.copy_from_slice(&digest);
        Some(Seq::of_intent(id))
    }

    /// A leg of the obligation intent `digest`; `None` if the time does not fit in 48 bits.
    #[must_use]
    pub fn intent_leg(issued_at: Millis, digest: B256, line: Line, part: Part) -> Option<Self> {
        let [0, 0, issued_at @ ..] = issued_at.0.to_be_bytes() else { return None };
        let digest = be_u64(digest.as_slice()).to_be_bytes();
        let leg = (line.0 << 3) | part.bits();
        Some(Self::join(&[&[INTENT], &issued_at, &digest, &[leg]]))
    }

    /// A deposit shown before it is final; `None` if its number does not fit in 40 bits.
    #[must_use]
    pub fn provisional(instance: Instance, seq: Seq, block_hash: B256) -> Option<Self> {
        let [0, 0, 0, seq @ ..] = seq.0.to_be_bytes() else { return None };
        let instance = instance.get().to_be_bytes();
        Some(Self::join(&[&[PROVISIONAL], &instance, &seq, block_hash.as_slice()]))
    }

    /// The void of the provisional deposit with this id.
    #[must_use]
    pub fn void_of_provisional(self) -> Self {
        let [_, rest @ ..] = self.0.to_be_bytes();
        Self::join(&[&[PROVISIONAL_VOID], &rest])
    }

    /// A forward transfer that operators approved by signing `approval`.
    #[must_use]
    pub fn forward(approval: B256) -> Self {
        Self::hashed(&[FORWARD], &[b"sovr.forward.v1", approval.as_slice()])
    }

    /// The `revision`-th change, from 0, of what a limit account holds at most.
    #[must_use]
    pub fn limit_funding(account: AccountId, revision: u32) -> Self {
        let (account, revision) = (account.0.to_be_bytes(), revision.to_be_bytes());
        Self::hashed(&[LIMIT_FUNDING], &[b"sovr.funding.v1", &account, &revision])
    }

    /// That the payment with this id was honored outside; attempts are found by probing.
    #[must_use]
    pub fn honored(self, attempt: u8) -> Self {
        let payment = self.0.to_be_bytes();
        Self::hashed(&[HONORED], &[b"sovr.honored.v1", &payment, &[attempt]])
    }

    /// The `round`-th closing, from 0, of an account, or the end of it.
    #[must_use]
    pub fn closure(closure: Closure, account: AccountId, round: u32) -> Self {
        let (account, round) = (account.0.to_be_bytes(), round.to_be_bytes());
        Self::hashed(&[CLOSURE, closure.byte()], &[b"sovr.closure.v1", &account, &round])
    }

    fn hashed(head: &[u8], preimage: &[&[u8]]) -> Self {
        Self::join(&[head, keccak256(preimage.concat()).as_slice()])
    }

    /// The first sixteen bytes of `parts`, one after the other.
    fn join(parts: &[&[u8]]) -> Self {
        Self(be_u128(&parts.concat()))
    }
}
