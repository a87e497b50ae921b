//! What an event means in debits and credits, and what the ledger's answers mean.

use crate::{
    account::{GATE_OPERATOR, NewAccount, SUSPENSE, VAULT},
    amount::LedgerAmount,
    asset::{LedgerId, Listing},
    block::Seq,
    id::{AccountId, Instance, Kind, PersonClass, TransferId, be_u64, be_u128},
    transfer::{FoundPhase, FoundTransfer, NewTransfer, Phase, TransferCode, TransferResult},
    user_data::UserData,
    vault_event::{Deposit, Outcome, VaultLog},
    withdrawal::{RefusalReason, Withdrawal},
};
use alloy_primitives::Address;
use serde::{Deserialize, Serialize};

/// Transfers of one withdrawal, by role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WithdrawalIds {
    /// The pending.
    pub main: TransferId,
    /// The leg on the owner's gate.
    pub gate: TransferId,
    /// Its post or void.
    pub resolve: TransferId,
}

impl WithdrawalIds {
    /// Ids of the request with event number `seq`.
    #[must_use]
    pub fn of(instance: Instance, seq: Seq) -> Self {
        let id = |kind| TransferId::chain_event(instance, kind, seq);
        Self { main: id(Kind::Main), gate: id(Kind::Gate), resolve: id(Kind::Resolve) }
    }
}

/// What a final deposit credits, and where it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Credit {
    /// The deposit's number.
    pub seq: Seq,
    /// Who is credited.
    pub owner: Address,
    /// Their funds account. Kept, because deriving it hashes.
    pub account: AccountId,
    /// The token's ledger.
    pub ledger: LedgerId,
    /// How much.
    pub amount: LedgerAmount,
    /// 0 but under a supersede record.
    pub attempt: u8,
    tx_prefix: u128,
    block_prefix: u64,
    log_index: u32,
}

impl Credit {
    /// The credit of the deposit in `log`; `None` where the vault broke its own rule of exact
    /// amounts, or names another token's ledger.
    #[must_use]
    pub fn of(listing: &Listing, log: &VaultLog, deposit: &Deposit) -> Option<Self> {
        let account = AccountId::person(PersonClass::Funds, deposit.ledger, deposit.owner);
        Some(Self::to(account, credited(listing, deposit)?, log, deposit))
    }

    /// The credit of an amount to the owner's account, both known already.
    pub(crate) fn to(
        account: AccountId,
        amount: LedgerAmount,
        log: &VaultLog,
        deposit: &Deposit,
    ) -> Self {
        Self {
            seq: log.seq,
            owner: deposit.owner,
            account,
            ledger: deposit.ledger,
            amount,
            attempt: 0,
            tx_prefix: be_u128(log.tx_hash.as_slice()),
            block_prefix: be_u64(log.block.hash.as_slice()),
            log_index: log.log_index,
        }
    }

    /// The same under another attempt.
    #[must_use]
    pub const fn under(self, attempt: u8) -> Self {
        Self { attempt, ..self }
    }

    /// The id of its transfer.
    #[must_use]
    pub fn id(&self, instance: Instance) -> TransferId {
        TransferId::attempt(instance, Kind::Deposit, self.seq, self.attempt)
    }

    /// The account that is credited, to create it.
    #[must_use]
    pub fn new_account(&self) -> NewAccount {
        NewAccount::funds(self.ledger, self.owner)
    }
}

/// What a deposit is worth on its ledger; `None` as for [`Credit::of`].
pub(crate) fn credited(listing: &Listing, deposit: &Deposit) -> Option<LedgerAmount> {
    let is_listed = listing.token == deposit.token && listing.ledger == deposit.ledger;
    is_listed.then(|| listing.divisor.to_ledger(deposit.amount)).flatten()
}

/// The transfer of a final deposit; `to_suspense` where the owner's account id is taken.
#[must_use]
pub fn deposit(instance: Instance, credit_of: &Credit, to_suspense: bool) -> NewTransfer {
    let Credit { account, ledger, amount, .. } = *credit_of;
    let (credit, code) = if to_suspense {
        (AccountId::chart(ledger, SUSPENSE.number), TransferCode::DepositToSuspense)
    } else {
        (account, TransferCode::Deposit)
    };
    NewTransfer {
        id: credit_of.id(instance),
        debit: AccountId::vault_chart(ledger, instance, VAULT.number),
        credit,
        amount,
        ledger,
        code,
        phase: Phase::Direct,
        linked: false,
        user_data_128: credit_of.tx_prefix,
        user_data_64: credit_of.block_prefix,
        user_data_32: credit_of.log_index,
    }
}

/// The chain that reserves a withdrawal: the gate leg, then the pending.
#[must_use]
pub fn reservation(instance: Instance, withdrawal: &Withdrawal) -> [NewTransfer; 2] {
    let ids = WithdrawalIds::of(instance, withdrawal.seq);
    let request = &withdrawal.request;
    let data = UserData::withdrawal(request.id, request.deadline);
    let main = NewTransfer {
        id: ids.main,
        debit: AccountId::person(PersonClass::Funds, request.ledger, request.owner),
        credit: AccountId::vault_chart(request.ledger, instance, VAULT.number),
        amount: withdrawal.ledger_amount,
        ledger: request.ledger,
        code: TransferCode::Withdrawal,
        phase: Phase::Pending,
        linked: false,
        user_data_128: data.of_128,
        user_data_64: data.of_64,
        user_data_32: data.of_32,
    };
    let gate = NewTransfer {
        id: ids.gate,
        debit: AccountId::person(PersonClass::Gate, LedgerId::CONTROL, request.owner),
        credit: AccountId::chart(LedgerId::CONTROL, GATE_OPERATOR.number),
        amount: LedgerAmount(0),
        ledger: LedgerId::CONTROL,
        code: TransferCode::Gate,
        phase: Phase::Direct,
        linked: true,
        ..main
    };
    [gate, main]
}

/// The end of a pending: a post of its exact amount after a payout, else a void.
#[must_use]
pub fn resolution(instance: Instance, withdrawal: &Withdrawal, outcome: Outcome) -> NewTransfer {
    let ids = WithdrawalIds::of(instance, withdrawal.seq);
    let (phase, amount) = if outcome.is_payout() {
        (Phase::Post(ids.main), withdrawal.ledger_amount)
    } else {
        (Phase::Void(ids.main), LedgerAmount(0))
    };
    NewTransfer {
        id: ids.resolve,
        debit: AccountId(0),
        credit: AccountId(0),
        amount,
        ledger: withdrawal.request.ledger,
        code: TransferCode::Withdrawal,
        phase,
        linked: false,
        user_data_128: 0,
        user_data_64: 0,
        user_data_32: 0,
    }
}

/// The accounts a reservation needs, also for people who never deposited.
#[must_use]
pub fn reservation_accounts(withdrawal: &Withdrawal) -> [NewAccount; 2] {
    let request = &withdrawal.request;
    [NewAccount::funds(request.ledger, request.owner), NewAccount::gate(request.owner)]
}

/// What the answer to a deposit's transfer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DepositVerdict {
    /// It is in the ledger.
    Posted,
    /// It is in the ledger, seen in another transaction or block: somebody should look.
    PostedElsewhere,
    /// The ledger holds another story under its id.
    Contradiction,
    /// The ledger cannot take it; its ledger stops until somebody mends the cause.
    Blocked,
}

/// Reads the answer to a deposit's transfer.
#[must_use]
#[expect(clippy::wildcard_enum_match_arm, reason = "all other failures have one meaning")]
pub const fn read_deposit(result: TransferResult) -> DepositVerdict {
    use TransferResult as R;
    match result {
        R::Ok | R::Exists => DepositVerdict::Posted,
        R::ExistsWithDifferentUserData128
        | R::ExistsWithDifferentUserData64
        | R::ExistsWithDifferentUserData32 => DepositVerdict::PostedElsewhere,
        R::ExistsWithDifferentFlags
        | R::ExistsWithDifferentPendingId
        | R::ExistsWithDifferentTimeout
        | R::ExistsWithDifferentDebitAccountId
        | R::ExistsWithDifferentCreditAccountId
        | R::ExistsWithDifferentAmount
        | R::ExistsWithDifferentLedger
        | R::ExistsWithDifferentCode => DepositVerdict::Contradiction,
        _ => DepositVerdict::Blocked,
    }
}

/// What the answers to a reservation's chain mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReservationVerdict {
    /// The pending stands.
    Reserved,
    /// Perhaps it was reserved before: a lookup must say so.
    LookUp,
    /// Refused for good.
    Refused(RefusalReason),
    /// The ledger holds another story under one of its ids.
    Contradiction,
    /// The ledger cannot take it; its ledger stops until somebody mends the cause.
    Blocked,
}

/// Reads the answers to `[gate, main]`.
///
/// A retried chain that had committed answers `exists` on its first leg and `linked_event_failed`
/// on the rest. In a failed chain only the failing leg's id is burnt, so on a replay
/// `id_already_failed` names the same reason again.
#[must_use]
pub const fn read_reservation(gate: TransferResult, main: TransferResult) -> ReservationVerdict {
    use ReservationVerdict as V;
    use TransferResult as R;
    match (gate, main) {
        (R::Ok, R::Ok) => V::Reserved,
        (R::Exists, _) => V::LookUp,
        (R::DebitAccountAlreadyClosed | R::IdAlreadyFailed, _) => {
            V::Refused(RefusalReason::AccountFrozen)
        }
        // The server looks for overflows before it looks at balances, and anybody may ask for an
        // amount that no balance covers.
        (
            R::LinkedEventFailed,
            R::ExceedsCredits
            | R::IdAlreadyFailed
            | R::OverflowsDebitsPending
            | R::OverflowsCreditsPending
            | R::OverflowsDebitsPosted
            | R::OverflowsCreditsPosted
            | R::OverflowsDebits
            | R::OverflowsCredits,
        ) => V::Refused(RefusalReason::InsufficientFunds),
        (R::LinkedEventFailed, R::ExceedsDebits) => V::Refused(RefusalReason::VaultShort),
        (
            R::ExistsWithDifferentFlags
            | R::ExistsWithDifferentDebitAccountId
            | R::ExistsWithDifferentCreditAccountId
            | R::ExistsWithDifferentAmount
            | R::ExistsWithDifferentUserData128
            | R::ExistsWithDifferentUserData64
            | R::ExistsWithDifferentUserData32
            | R::ExistsWithDifferentLedger
            | R::ExistsWithDifferentCode,
            _,
        ) => V::Contradiction,
        _ => V::Blocked,
    }
}

/// What a lookup of a withdrawal's pending and resolving id shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// No pending.
    Absent,
    /// The pending stands and nothing resolves it.
    Open,
    /// Posted.
    Posted,
    /// Voided.
    Voided,
    /// The pending or its end is not what was asked for.
    Contradiction,
}

impl Standing {
    /// For sentences.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Open => "reserved",
            Self::Posted => "posted",
            Self::Voided => "voided",
            Self::Contradiction => "otherwise than asked for",
        }
    }
}

/// Reads a lookup of `[main, resolve]`, against what the reservation must look like if it is known.
#[must_use]
pub fn read_standing(
    expected: Option<&NewTransfer>,
    main: Option<&FoundTransfer>,
    resolve: Option<&FoundTransfer>,
) -> Standing {
    let Some(main) = main else {
        return if resolve.is_none() { Standing::Absent } else { Standing::Contradiction };
    };
    let equal = main.phase == FoundPhase::Pending
        && expected.is_none_or(|e| {
            let stands_for = |d128, d64| (d128, d64) == (e.user_data_128, e.user_data_64);
            (main.amount, main.debit, main.credit) == (e.amount, e.debit, e.credit)
                && stands_for(main.user_data_128, main.user_data_64)
        });
    match resolve.map(|r| r.phase) {
        _ if !equal => Standing::Contradiction,
        None => Standing::Open,
        Some(FoundPhase::Post) => Standing::Posted,
        Some(FoundPhase::Void) => Standing::Voided,
        Some(FoundPhase::Direct | FoundPhase::Pending) => Standing::Contradiction,
    }
}

/// True if the answer to a post or void means that it is in the ledger.
#[must_use]
pub const fn is_resolved(result: TransferResult) -> bool {
    matches!(result, TransferResult::Ok | TransferResult::Exists)
}
