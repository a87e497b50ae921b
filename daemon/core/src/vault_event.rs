//! The vault's ledger-relevant events, decoded.

use crate::{
    amount::TokenAmount,
    asset::{LedgerId, Listing},
    block::{BlockRef, Seq, UnixSeconds},
};
use alloy_primitives::{Address, B256, U256};
use serde::{Deserialize, Serialize};

/// One event and where the chain has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VaultLog {
    /// The contract that emitted it; anybody else's is not ours.
    pub emitter: Address,
    /// Block it is in.
    pub block: BlockRef,
    /// Transaction it is in.
    pub tx_hash: B256,
    /// Index among all logs of the block.
    pub log_index: u32,
    /// The vault's number of it.
    pub seq: Seq,
    /// What happened.
    pub event: VaultEvent,
}

/// What happened (`IVaultEvents`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VaultEvent {
    /// Funds arrived for an owner.
    Deposited(Deposit),
    /// An owner asked for a withdrawal.
    Requested(Request),
    /// A withdrawal moved on; see [`Progress`].
    Withdrawal(WithdrawalEvent),
    /// A token can be deposited.
    Listed(Listing),
    /// A token's deposits stopped.
    Delisted(LedgerId),
    /// An owner took what a deferred payout left; the ledger posted it at the deferral.
    Claimed,
    /// An owner made an intent's nonce unusable.
    NonceInvalidated(SpentNonce),
}

/// A nonce that no intent of its owner can use any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpentNonce {
    /// Whose.
    pub owner: Address,
    /// The nonce.
    pub nonce: U256,
}

/// A deposit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deposit {
    /// Token.
    pub token: Address,
    /// Who is credited.
    pub owner: Address,
    /// Measured amount.
    pub amount: TokenAmount,
    /// The listing's ledger, as the event says.
    pub ledger: LedgerId,
}

/// A request for a withdrawal, made on chain. Its nonce is the `seq` of the event, its fee 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// EIP-712 digest over all fields.
    pub id: B256,
    /// Whose balance pays.
    pub owner: Address,
    /// Who receives.
    pub to: Address,
    /// Token.
    pub token: Address,
    /// Amount to pay out.
    pub amount: TokenAmount,
    /// Nothing is paid after it.
    pub deadline: UnixSeconds,
    /// The listing's ledger, as the event says.
    pub ledger: LedgerId,
}

/// A step of a withdrawal that exists already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WithdrawalEvent {
    /// The withdrawal.
    pub id: B256,
    /// Request or intent.
    pub origin: Origin,
    /// For a request: its `seq`; for an intent: what names it ([`Seq::of_intent`]).
    pub nonce: Seq,
    /// The step.
    pub progress: Progress,
    /// What is moved, where the event tells; the daemon needs it for intents, of which it may know
    /// nothing else.
    pub payment: Option<Payment>,
}

/// What a payout moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payment {
    /// Whose balance pays.
    pub owner: Address,
    /// Who receives.
    pub to: Address,
    /// Token.
    pub token: Address,
    /// What leaves the vault, token units.
    pub amount: TokenAmount,
    /// What is owed besides and stays, token units.
    pub fee: TokenAmount,
    /// The owner's nonce, where no request names it.
    pub nonce: U256,
}

/// How a withdrawal was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// On chain.
    Request,
    /// By a signed intent.
    Intent,
}

/// The steps after the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// A large payout waits.
    Queued(Window),
    /// Ended; see [`Outcome`].
    Ended(Outcome),
}

/// When a large payout that waits in the contract's queue can be made.
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// Not before this time. The contract counts blocks besides, which no event tells.
    pub opens: UnixSeconds,
    /// After it, it can only be cancelled.
    pub expires: UnixSeconds,
}

/// How a withdrawal ended, on chain or by its deadline.
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The money reached the recipient.
    Paid,
    /// The push failed; the owner can claim the money. A payout for the ledger.
    Deferred,
    /// Refused by the signers' quorum, or vetoed.
    Refused,
    /// Closed after its deadline.
    Cancelled,
    /// A final block is past the deadline and the state, read at that block, still Requested (of an
    /// intent: None): the contract can never pay it any more.
    Expired,
    /// The owner made the intent's nonce unusable before anything was paid.
    Revoked,
}

impl Outcome {
    /// True if money left the vault.
    #[must_use]
    pub const fn is_payout(self) -> bool {
        matches!(self, Self::Paid | Self::Deferred)
    }
}
