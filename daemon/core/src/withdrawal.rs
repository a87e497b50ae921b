//! One withdrawal: what is known of it, and what has to happen next.

use crate::{
    amount::LedgerAmount,
    block::{Millis, Seq, UnixSeconds},
    event::ContractState,
    gasless::Intent,
    obstacle::Obstacle,
    vault_event::{Outcome, Payment, Request, Window},
};
use alloy_primitives::{B256, Bytes};
use serde::{Deserialize, Deserializer, Serialize};

/// A withdrawal that has not ended everywhere yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Withdrawal {
    /// `seq` of the request, also its nonce; of an intent what names it ([`Seq::of_intent`]).
    pub seq: Seq,
    /// What was asked for.
    pub request: Request,
    /// The amount in ledger units.
    pub ledger_amount: LedgerAmount,
    /// The fee in ledger units; none for requests.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub ledger_fee: LedgerAmount,
    /// What the owner signed. Of a gasless withdrawal that was found in the ledger alone, because the
    /// store was lost, nobody has it until the owner sends it again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intent: Option<Box<Intent>>,
    /// What the contract's queue holds of a gasless one, as long as nobody knows the rest of its text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told: Option<Payment>,
    /// What the ledger said.
    pub reservation: Reservation,
    /// Once the payout waits in the contract's queue. Earlier versions wrote only whether it did.
    #[serde(deserialize_with = "window")]
    pub queued: Option<Window>,
    /// How it ended on chain, once final.
    pub outcome: Option<Outcome>,
    /// Number of the event that ended it; `None` where its deadline did.
    #[serde(default)]
    pub ended_by: Option<Seq>,
    /// Signatures of the payout signers, once given; over payment or refusal, never both.
    pub authorization: Option<Authorization>,
    /// Where the work on it stands. Not persisted: what was under way is asked for again.
    #[serde(skip)]
    pub work: Work,
    /// What kept it from being sent the last time, until something was sent. Not persisted.
    #[serde(skip)]
    pub obstacle: Option<Obstacle>,
    /// Attempts in a row that met an obstacle; each makes the next pause longer.
    #[serde(skip)]
    pub attempts: u32,
}

const fn is_zero(amount: &LedgerAmount) -> bool {
    amount.0 == 0
}

/// What the ledger said to the pending.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reservation {
    /// Not asked, or no answer yet.
    #[default]
    Unknown,
    /// The pending stands.
    Reserved,
    /// Refused for good: the id is burnt.
    Refused(RefusalReason),
}

/// Why a withdrawal is refused; numbered as in `IVaultTypes.RefusalReason`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalReason {
    /// The owner's balance did not cover it.
    InsufficientFunds,
    /// The owner's gate is closed.
    AccountFrozen,
    /// The owner's account id belongs to another address.
    AddressMismatch,
    /// The vault account does not hold as much.
    VaultShort,
    /// Its number belongs to a history that an operator's record superseded.
    Superseded,
    /// Another gasless withdrawal has this transfer id.
    IdTaken,
}

impl RefusalReason {
    /// The number in the contract.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::InsufficientFunds => 1,
            Self::AccountFrozen => 2,
            Self::AddressMismatch => 3,
            Self::VaultShort => 4,
            // For the contract: refused by the operator.
            Self::Superseded | Self::IdTaken => 6,
        }
    }

    /// By the number in the contract; `None` for a reason that this bridge never gives.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        use RefusalReason as R;
        [R::InsufficientFunds, R::AccountFrozen, R::AddressMismatch, R::VaultShort, R::Superseded]
            .into_iter()
            .find(|reason| reason.number() == number)
    }

    /// A sentence for the person who asked.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::InsufficientFunds => "the balance in the ledger did not cover the amount",
            Self::AccountFrozen => "the account is frozen; ask the operator why",
            Self::AddressMismatch => "the account belongs to another address; ask the operator",
            Self::VaultShort => "the vault's ledger account does not hold the amount",
            Self::Superseded => "the chain was reorganised under it; please ask again",
            Self::IdTaken => "another withdrawal has its id; sign with another nonce",
        }
    }
}

/// What the signers are asked to sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Pay it.
    Pay,
    /// Refuse it.
    Refuse(RefusalReason),
}

/// Signatures over a Merkle root, and the way from the withdrawal's leaf to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Authorization {
    /// What was signed.
    pub verdict: Verdict,
    /// Signatures of the root, ascending by signer address.
    pub signatures: Vec<Bytes>,
    /// Nodes beside the way; none where the leaf is the root.
    #[serde(default)]
    pub proof: Vec<B256>,
}

impl Authorization {
    /// True if both stand under one root: the same signers signed it.
    #[must_use]
    pub fn shares_root(&self, other: &Self) -> bool {
        !self.signatures.is_empty() && self.signatures == other.signatures
    }
}

/// What is under way for a withdrawal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Work {
    /// Nothing.
    #[default]
    Idle,
    /// Its pending, confirmation, post or void is in the ledger pipeline.
    Ledger,
    /// Confirmed just now: the pending stands and nothing resolves it.
    Confirmed,
    /// The signers were asked.
    Signing,
    /// A transaction carries it.
    Submitted,
    /// The chain is asked for its state at a final block.
    Reading,
    /// Nothing before this time.
    Backoff(Millis),
}

/// What has to happen next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing: it is under way, or waits for the chain.
    Wait,
    /// Set the amount aside, as the owner's signature asks.
    Reserve,
    /// Look the pending and its resolving ids up before anybody signs.
    Confirm,
    /// Ask the signers.
    Authorize(Verdict),
    /// Put the authorisation into a transaction.
    Submit,
    /// It waits in the contract's queue: pay it there once its window is over, or cancel it once that
    /// has expired. Needs no signature.
    Finish,
    /// Post (true) or void (false) the pending.
    Resolve(Outcome),
    /// Nothing was reserved and the chain is done with it.
    Forget,
    /// Paid without a reservation: the world contradicts itself.
    Contradiction(Outcome),
}

impl Withdrawal {
    /// A request just seen.
    #[must_use]
    pub const fn requested(seq: Seq, request: Request, ledger_amount: LedgerAmount) -> Self {
        Self {
            seq,
            request,
            ledger_amount,
            ledger_fee: LedgerAmount(0),
            intent: None,
            told: None,
            reservation: Reservation::Unknown,
            queued: None,
            outcome: None,
            ended_by: None,
            authorization: None,
            work: Work::Ledger,
            obstacle: None,
            attempts: 0,
        }
    }

    /// A gasless withdrawal that the owner just asked for.
    #[must_use]
    pub fn gasless(
        request: Request,
        (ledger_amount, ledger_fee): (LedgerAmount, LedgerAmount),
        intent: Intent,
    ) -> Self {
        let seq = Seq::of_intent(request.id);
        let intent = Some(Box::new(intent));
        let work = Work::Idle;
        Self { ledger_fee, intent, work, ..Self::requested(seq, request, ledger_amount) }
    }

    /// A gasless withdrawal that the ledger holds, whoever asked for it.
    #[must_use]
    pub fn found(request: Request, amounts: (LedgerAmount, LedgerAmount)) -> Self {
        let (ledger_amount, ledger_fee) = amounts;
        let seq = Seq::of_intent(request.id);
        let (reservation, work) = (Reservation::Reserved, Work::Idle);
        Self { ledger_fee, reservation, work, ..Self::requested(seq, request, ledger_amount) }
    }

    /// The state from which alone the contract pays it.
    #[must_use]
    pub const fn payable_from(&self) -> ContractState {
        if self.seq.is_intent() { ContractState::None } else { ContractState::Requested }
    }

    /// As it stood before anything of the chain's history was taken in.
    #[must_use]
    pub fn as_before_history(self) -> Self {
        Self { queued: None, told: None, outcome: None, ended_by: None, work: Work::Idle, ..self }
    }

    /// True for one that the ledger holds while nobody has the owner's signed text: it can be paid
    /// once the owner sends it again, and else ends at its deadline.
    #[must_use]
    pub const fn lacks_text(&self) -> bool {
        self.seq.is_intent() && self.intent.is_none()
    }

    /// What has to happen next; a pure function of the record.
    #[must_use]
    pub fn next(&self, now: Millis) -> Next {
        match self.work {
            Work::Ledger | Work::Signing | Work::Submitted | Work::Reading
                if self.outcome.is_none() =>
            {
                return Next::Wait;
            }
            Work::Ledger => return Next::Wait,
            Work::Backoff(until) if now < until && self.outcome.is_none() => return Next::Wait,
            Work::Idle
            | Work::Confirmed
            | Work::Signing
            | Work::Submitted
            | Work::Reading
            | Work::Backoff(_) => {}
        }
        match (self.reservation, self.outcome) {
            (Reservation::Unknown, _) if self.seq.is_intent() => Next::Reserve,
            (Reservation::Unknown, _) => Next::Wait,
            (Reservation::Reserved, Some(outcome)) => Next::Resolve(outcome),
            (Reservation::Refused(_), Some(o)) if o.is_payout() => Next::Contradiction(o),
            (Reservation::Refused(_), Some(_)) => Next::Forget,
            // The chain knows nothing of it, and never will.
            (Reservation::Refused(_), None) if self.seq.is_intent() => Next::Forget,
            (Reservation::Reserved, None) if self.lacks_text() => Next::Wait,
            (Reservation::Reserved, None) if self.queued.is_some() => Next::Finish,
            (Reservation::Reserved, None) => self.towards(Verdict::Pay),
            (Reservation::Refused(reason), None) => self.towards(Verdict::Refuse(reason)),
        }
    }

    fn towards(&self, verdict: Verdict) -> Next {
        match &self.authorization {
            Some(given) if given.verdict == verdict => Next::Submit,
            Some(_) | None if self.work == Work::Confirmed => Next::Authorize(verdict),
            Some(_) | None => Next::Confirm,
        }
    }

    /// The verdict that its reservation calls for.
    #[must_use]
    pub const fn verdict(&self) -> Option<Verdict> {
        match self.reservation {
            Reservation::Unknown => None,
            Reservation::Reserved => Some(Verdict::Pay),
            Reservation::Refused(reason) => Some(Verdict::Refuse(reason)),
        }
    }

    /// Where it stands, for people.
    #[must_use]
    pub fn status(&self) -> Status {
        match (self.outcome, self.reservation) {
            (Some(Outcome::Paid), _) => Status::Paid,
            (Some(Outcome::Deferred), _) => Status::Deferred,
            (Some(Outcome::Refused), _) => Status::Refused,
            (Some(Outcome::Cancelled), _) => Status::Cancelled,
            (Some(Outcome::Expired), _) => Status::Expired,
            (Some(Outcome::Revoked), _) => Status::Revoked,
            (None, Reservation::Unknown) => Status::Requested,
            (None, Reservation::Refused(_)) => Status::Refusing,
            (None, Reservation::Reserved) if self.queued.is_some() => Status::Queued,
            (None, Reservation::Reserved) if self.lacks_text() => Status::TextMissing,
            (None, Reservation::Reserved) => match (&self.authorization, self.work) {
                (None, _) => Status::Reserved,
                (Some(_), Work::Submitted) => Status::Submitted,
                (Some(_), _) => Status::Authorized,
            },
        }
    }
}

/// Of a record that tells no times, the contract itself is asked again and again.
fn window<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Window>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Queued {
        Known(Option<Window>),
        Whether(bool),
    }
    let unknown = Window { opens: UnixSeconds(0), expires: UnixSeconds(u64::MAX) };
    Ok(match Queued::deserialize(deserializer)? {
        Queued::Known(window) => window,
        Queued::Whether(queued) => queued.then_some(unknown),
    })
}

/// The states of a withdrawal, from core to page.
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Not seen, or not final on chain yet.
    Pending,
    /// Final on chain, not in the ledger yet.
    Requested,
    /// The amount is set aside in the ledger.
    Reserved,
    /// The payout signers signed.
    Authorized,
    /// The payout transaction is on its way.
    Submitted,
    /// A large payout waits for its window.
    Queued,
    /// Paid.
    Paid,
    /// The push failed; claimable.
    Deferred,
    /// The ledger refused; the refusal is on its way to the chain.
    Refusing,
    /// Refused on chain.
    Refused,
    /// Closed on chain after its deadline.
    Cancelled,
    /// Past its deadline; it can never be paid any more.
    Expired,
    /// Gasless: its owner made its nonce unusable before it was paid.
    Revoked,
    /// Gasless: the amount is set aside and the signed text is lost; it must be sent again.
    TextMissing,
}

impl Status {
    /// What the person who asked should know.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Pending => "not final on chain yet",
            Self::Requested => "the request is final; the ledger is asked to set the amount aside",
            Self::Reserved => "the amount is set aside; the payout is being signed",
            Self::Authorized => "the payout is signed; its transaction is being sent",
            Self::Submitted => "the payout transaction is sent; waiting for its block",
            Self::Queued => {
                "a large payout: it waits for its window in the contract, then it is paid"
            }
            Self::Paid => "the money reached the recipient",
            Self::Deferred => "the recipient refused the money; the owner can claim it",
            Self::Refusing => "the ledger refused it; the refusal is being written on chain",
            Self::Refused => "refused; nothing was taken",
            Self::Cancelled => "cancelled after its deadline; the amount is free again",
            Self::Expired => "past its deadline unpaid; the amount is free again",
            Self::Revoked => "its owner made its nonce unusable; the amount is free again",
            Self::TextMissing => {
                "the amount is set aside, but the signed text is lost: send the same text again, or \
                 the amount is free again once the deadline has passed"
            }
        }
    }
}
