//! Transfers as the ledger takes them, and its answers.

use crate::{
    amount::LedgerAmount,
    asset::LedgerId,
    id::{AccountId, TransferId},
};

/// A transfer to create.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewTransfer {
    /// Derived id.
    pub id: TransferId,
    /// Account that is debited; unused for post and void.
    pub debit: AccountId,
    /// Account that is credited; unused for post and void.
    pub credit: AccountId,
    /// Amount in ledger units.
    pub amount: LedgerAmount,
    /// Ledger of both accounts.
    pub ledger: LedgerId,
    /// Why (`docs/encoding.md`, section 5).
    pub code: TransferCode,
    /// Posted at once, pending, or the end of a pending.
    pub phase: Phase,
    /// Executes together with the next transfer of the batch or not at all.
    pub linked: bool,
    /// What it stands for.
    pub user_data_128: u128,
    /// See `user_data_128`.
    pub user_data_64: u64,
    /// See `user_data_128`.
    pub user_data_32: u32,
}

/// The two-phase role of a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Single-phase.
    Direct,
    /// Single-phase, of what the debit account can spend: at most the amount.
    Balancing,
    /// Reserves, without timeout.
    Pending,
    /// Posts the named pending.
    Post(TransferId),
    /// Voids the named pending.
    Void(TransferId),
}

/// Why money moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransferCode {
    /// A line of an obligation intent.
    Obligation,
    /// A final deposit.
    Deposit,
    /// A final deposit whose owner's account id is taken.
    DepositToSuspense,
    /// A deposit shown before it is final.
    Provisional,
    /// A withdrawal requested on chain.
    Withdrawal,
    /// A withdrawal by a signed intent.
    Gasless,
    /// The amount-0 leg on the owner's gate.
    Gate,
    /// The fee of a withdrawal.
    Fee,
    /// An intent's leg on the daily limit.
    DailyLimit,
    /// An intent's leg on the monthly limit.
    MonthlyLimit,
    /// A line's leg on the SKU's limit.
    SkuLimit,
    /// What a limit account holds at most is changed.
    LimitFunding,
    /// An agent fulfilled a line.
    Honored,
    /// Operators put in cash.
    CashFunding,
    /// An approved forward transfer that mends something.
    Correction,
    /// A supersede record, or a credit debited back under one.
    DebitedBack,
    /// What the operator has to make good.
    Loss,
    /// An account closed.
    Closure,
}

impl TransferCode {
    /// The number in the ledger.
    #[must_use]
    pub const fn number(self) -> u16 {
        match self {
            Self::Obligation => 1,
            Self::Deposit => 10,
            Self::DepositToSuspense => 11,
            Self::Provisional => 12,
            Self::Withdrawal => 20,
            Self::Gasless => 21,
            Self::Gate => 22,
            Self::Fee => 23,
            Self::DailyLimit => 30,
            Self::MonthlyLimit => 31,
            Self::SkuLimit => 32,
            Self::LimitFunding => 33,
            Self::Honored => 40,
            Self::CashFunding => 41,
            Self::Correction => 50,
            Self::DebitedBack => 51,
            Self::Loss => 52,
            Self::Closure => 60,
        }
    }
}

/// A transfer found in the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FoundTransfer {
    /// Its id.
    pub id: TransferId,
    /// Debited account.
    pub debit: AccountId,
    /// Credited account.
    pub credit: AccountId,
    /// Amount.
    pub amount: LedgerAmount,
    /// What it is.
    pub phase: FoundPhase,
    /// Why (`docs/encoding.md`, section 5).
    pub code: u16,
    /// What it stands for.
    pub user_data_128: u128,
    /// See `user_data_128`.
    pub user_data_64: u64,
    /// When the ledger executed it, nanoseconds since 1970.
    pub timestamp_ns: u64,
}

/// What a found transfer is, read from its flags. A pending that has ended still looks pending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FoundPhase {
    /// Single-phase.
    Direct,
    /// A pending, ended or not.
    Pending,
    /// The post of a pending.
    Post,
    /// The void of a pending.
    Void,
}

macro_rules! codes {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $code:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $name {
            $(#[doc = concat!("Code ", $code, " of the server.")] $variant,)+
            /// A code that version 0.16.78 does not document.
            Unknown(u32),
        }

        impl $name {
            /// All documented codes.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// From the server's number.
            #[must_use]
            pub const fn from_number(number: u32) -> Self {
                match number {
                    $($code => Self::$variant,)+
                    other => Self::Unknown(other),
                }
            }

            /// The server's number.
            #[must_use]
            pub const fn number(self) -> u32 {
                match self {
                    $(Self::$variant => $code,)+
                    Self::Unknown(other) => other,
                }
            }
        }
    };
}

codes! {
    /// Result of `create_accounts` for one account, numbered as the server does.
    AccountResult {
        Ok = 0,
        LinkedEventFailed = 1,
        LinkedEventChainOpen = 2,
        TimestampMustBeZero = 3,
        ReservedField = 4,
        ReservedFlag = 5,
        IdMustNotBeZero = 6,
        IdMustNotBeIntMax = 7,
        FlagsAreMutuallyExclusive = 8,
        DebitsPendingMustBeZero = 9,
        DebitsPostedMustBeZero = 10,
        CreditsPendingMustBeZero = 11,
        CreditsPostedMustBeZero = 12,
        LedgerMustNotBeZero = 13,
        CodeMustNotBeZero = 14,
        ExistsWithDifferentFlags = 15,
        ExistsWithDifferentUserData128 = 16,
        ExistsWithDifferentUserData64 = 17,
        ExistsWithDifferentUserData32 = 18,
        ExistsWithDifferentLedger = 19,
        ExistsWithDifferentCode = 20,
        Exists = 21,
    }
}

impl AccountResult {
    /// True if the account is there and the one that is meant. A frozen one shows up with other flags.
    #[must_use]
    pub const fn is_usable(self) -> bool {
        matches!(self, Self::Ok | Self::Exists | Self::ExistsWithDifferentFlags)
    }
}

codes! {
    /// Result of `create_transfers` for one transfer, numbered as the server does.
    TransferResult {
        Ok = 0,
        LinkedEventFailed = 1,
        LinkedEventChainOpen = 2,
        TimestampMustBeZero = 3,
        ReservedFlag = 4,
        IdMustNotBeZero = 5,
        IdMustNotBeIntMax = 6,
        FlagsAreMutuallyExclusive = 7,
        DebitAccountIdMustNotBeZero = 8,
        DebitAccountIdMustNotBeIntMax = 9,
        CreditAccountIdMustNotBeZero = 10,
        CreditAccountIdMustNotBeIntMax = 11,
        AccountsMustBeDifferent = 12,
        PendingIdMustBeZero = 13,
        PendingIdMustNotBeZero = 14,
        PendingIdMustNotBeIntMax = 15,
        PendingIdMustBeDifferent = 16,
        TimeoutReservedForPendingTransfer = 17,
        LedgerMustNotBeZero = 19,
        CodeMustNotBeZero = 20,
        DebitAccountNotFound = 21,
        CreditAccountNotFound = 22,
        AccountsMustHaveTheSameLedger = 23,
        TransferMustHaveTheSameLedgerAsAccounts = 24,
        PendingTransferNotFound = 25,
        PendingTransferNotPending = 26,
        PendingTransferHasDifferentDebitAccountId = 27,
        PendingTransferHasDifferentCreditAccountId = 28,
        PendingTransferHasDifferentLedger = 29,
        PendingTransferHasDifferentCode = 30,
        ExceedsPendingTransferAmount = 31,
        PendingTransferHasDifferentAmount = 32,
        PendingTransferAlreadyPosted = 33,
        PendingTransferAlreadyVoided = 34,
        PendingTransferExpired = 35,
        ExistsWithDifferentFlags = 36,
        ExistsWithDifferentDebitAccountId = 37,
        ExistsWithDifferentCreditAccountId = 38,
        ExistsWithDifferentAmount = 39,
        ExistsWithDifferentPendingId = 40,
        ExistsWithDifferentUserData128 = 41,
        ExistsWithDifferentUserData64 = 42,
        ExistsWithDifferentUserData32 = 43,
        ExistsWithDifferentTimeout = 44,
        ExistsWithDifferentCode = 45,
        Exists = 46,
        OverflowsDebitsPending = 47,
        OverflowsCreditsPending = 48,
        OverflowsDebitsPosted = 49,
        OverflowsCreditsPosted = 50,
        OverflowsDebits = 51,
        OverflowsCredits = 52,
        OverflowsTimeout = 53,
        ExceedsCredits = 54,
        ExceedsDebits = 55,
        ClosingTransferMustBePending = 64,
        DebitAccountAlreadyClosed = 65,
        CreditAccountAlreadyClosed = 66,
        ExistsWithDifferentLedger = 67,
        IdAlreadyFailed = 68,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn result_numbers_round_trip() {
        for result in TransferResult::ALL {
            assert_eq!(TransferResult::from_number(result.number()), *result);
        }
        for result in AccountResult::ALL {
            assert_eq!(AccountResult::from_number(result.number()), *result);
        }
        assert_eq!(TransferResult::from_number(999), TransferResult::Unknown(999));
    }
}
