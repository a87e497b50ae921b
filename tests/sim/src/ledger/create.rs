//! One account, one transfer: checks in the server's order.

use super::{
    Ledger,
    types::{Account, PendingStatus, Transfer, account_flags as af, transfer_flags as tf},
};
use bridge_core::transfer::{AccountResult, TransferResult};

type A = AccountResult;
type T = TransferResult;

impl Ledger {
    pub(super) fn create_account(&mut self, a: &Account, timestamp: u64) -> AccountResult {
        if a.timestamp != 0 {
            return A::TimestampMustBeZero;
        }
        if a.flags & !af::KNOWN != 0 {
            return A::ReservedFlag;
        }
        if a.id == 0 {
            return A::IdMustNotBeZero;
        }
        if a.id == u128::MAX {
            return A::IdMustNotBeIntMax;
        }
        if let Some(e) = self.accounts.get(&a.id) {
            return account_exists(a, e);
        }
        let limits = af::DEBITS_MUST_NOT_EXCEED_CREDITS | af::CREDITS_MUST_NOT_EXCEED_DEBITS;
        let wrong = [
            (a.flags & limits == limits, A::FlagsAreMutuallyExclusive),
            (a.debits_pending != 0, A::DebitsPendingMustBeZero),
            (a.debits_posted != 0, A::DebitsPostedMustBeZero),
            (a.credits_pending != 0, A::CreditsPendingMustBeZero),
            (a.credits_posted != 0, A::CreditsPostedMustBeZero),
            (a.ledger == 0, A::LedgerMustNotBeZero),
            (a.code == 0, A::CodeMustNotBeZero),
        ];
        if let Some((_, result)) = wrong.into_iter().find(|(is, _)| *is) {
            return result;
        }
        self.put_account(Account { timestamp, ..*a });
        A::Ok
    }

    pub(super) fn create_transfer(&mut self, t: &Transfer, timestamp: u64) -> TransferResult {
        if t.timestamp != 0 {
            return T::TimestampMustBeZero;
        }
        if t.flags & !tf::KNOWN != 0 {
            return T::ReservedFlag;
        }
        if t.id == 0 {
            return T::IdMustNotBeZero;
        }
        if t.id == u128::MAX {
            return T::IdMustNotBeIntMax;
        }
        if let Some(e) = self.transfers.get(&t.id) {
            return self.transfer_exists(t, e);
        }
        if self.burnt.contains(&t.id) {
            return T::IdAlreadyFailed;
        }
        let done = if t.has(tf::POST | tf::VOID) {
            self.resolve(t, timestamp)
        } else {
            self.move_money(t, timestamp)
        };
        done.err().unwrap_or(T::Ok)
    }

    fn move_money(&mut self, t: &Transfer, timestamp: u64) -> Result<(), TransferResult> {
        check_fields(t)?;
        let (dr, cr) = self.accounts_of(t)?;
        let amount = balanced(t, &dr, &cr);
        check_overflows(t, amount, &dr, &cr, timestamp)?;
        if dr.debits_exceed_credits(amount) {
            return Err(T::ExceedsCredits);
        }
        if cr.credits_exceed_debits(amount) {
            return Err(T::ExceedsDebits);
        }
        self.put_transfer(Transfer { amount, timestamp, ..*t });
        let (mut dr, mut cr) = (dr, cr);
        if t.has(tf::PENDING) {
            dr.debits_pending += amount;
            cr.credits_pending += amount;
            self.put_pending(t.id, PendingStatus::Pending);
        } else {
            dr.debits_posted += amount;
            cr.credits_posted += amount;
        }
        if t.has(tf::CLOSING_DEBIT) {
            dr.flags |= af::CLOSED;
        }
        if t.has(tf::CLOSING_CREDIT) {
            cr.flags |= af::CLOSED;
        }
        self.put_account(dr);
        self.put_account(cr);
        Ok(())
    }

    fn accounts_of(&self, t: &Transfer) -> Result<(Account, Account), TransferResult> {
        let dr = *self.accounts.get(&t.debit_account_id).ok_or(T::DebitAccountNotFound)?;
        let cr = *self.accounts.get(&t.credit_account_id).ok_or(T::CreditAccountNotFound)?;
        if dr.ledger != cr.ledger {
            return Err(T::AccountsMustHaveTheSameLedger);
        }
        if t.ledger != dr.ledger {
            return Err(T::TransferMustHaveTheSameLedgerAsAccounts);
        }
        if dr.is_closed() {
            return Err(T::DebitAccountAlreadyClosed);
        }
        if cr.is_closed() {
            return Err(T::CreditAccountAlreadyClosed);
        }
        Ok((dr, cr))
    }

    fn resolve(&mut self, t: &Transfer, timestamp: u64) -> Result<(), TransferResult> {
        check_resolving_fields(t)?;
        let p = *self.transfers.get(&t.pending_id).ok_or(T::PendingTransferNotFound)?;
        if !p.has(tf::PENDING) {
            return Err(T::PendingTransferNotPending);
        }
        check_against_pending(t, &p)?;
        let all = if t.has(tf::VOID) { t.amount == 0 } else { t.amount == u128::MAX };
        let amount = if all { p.amount } else { t.amount };
        if amount > p.amount {
            return Err(T::ExceedsPendingTransferAmount);
        }
        if t.has(tf::VOID) && amount < p.amount {
            return Err(T::PendingTransferHasDifferentAmount);
        }
        match self.pending.get(&p.id) {
            Some(PendingStatus::Posted) => return Err(T::PendingTransferAlreadyPosted),
            Some(PendingStatus::Voided) => return Err(T::PendingTransferAlreadyVoided),
            Some(PendingStatus::Expired) => return Err(T::PendingTransferExpired),
            Some(PendingStatus::Pending) | None => {}
        }
        if p.timeout > 0 && p.timestamp + p.timeout_ns() <= timestamp {
            return Err(T::PendingTransferExpired);
        }
        let closed = |id| self.accounts.get(&id).is_some_and(Account::is_closed);
        if t.has(tf::POST) && closed(p.debit_account_id) {
            return Err(T::DebitAccountAlreadyClosed);
        }
        if t.has(tf::POST) && closed(p.credit_account_id) {
            return Err(T::CreditAccountAlreadyClosed);
        }
        self.put_resolution(t, &p, amount, timestamp);
        Ok(())
    }

    fn put_resolution(&mut self, t: &Transfer, p: &Transfer, amount: u128, timestamp: u64) {
        self.put_transfer(Transfer {
            id: t.id,
            amount,
            user_data_128: if t.user_data_128 > 0 { t.user_data_128 } else { p.user_data_128 },
            user_data_64: if t.user_data_64 > 0 { t.user_data_64 } else { p.user_data_64 },
            user_data_32: if t.user_data_32 > 0 { t.user_data_32 } else { p.user_data_32 },
            pending_id: t.pending_id,
            timeout: 0,
            flags: t.flags,
            timestamp,
            ..*p
        });
        let posted = t.has(tf::POST);
        let status = if posted { PendingStatus::Posted } else { PendingStatus::Voided };
        self.put_pending(p.id, status);
        if posted {
            self.unreserve(p, amount, false);
        } else {
            self.unreserve(p, 0, true);
        }
    }

    /// A pending that expired.
    pub(super) fn release(&mut self, p: &Transfer, amount: u128) {
        self.unreserve(p, amount, true);
    }

    /// Takes the pending amount off both accounts, posts `amount`, and reopens what it had closed.
    fn unreserve(&mut self, p: &Transfer, amount: u128, reopen: bool) {
        if let Some(mut dr) = self.accounts.get(&p.debit_account_id).copied() {
            dr.debits_pending -= p.amount;
            dr.debits_posted += amount;
            if reopen && p.has(tf::CLOSING_DEBIT) {
                dr.flags &= !af::CLOSED;
            }
            self.put_account(dr);
        }
        if let Some(mut cr) = self.accounts.get(&p.credit_account_id).copied() {
            cr.credits_pending -= p.amount;
            cr.credits_posted += amount;
            if reopen && p.has(tf::CLOSING_CREDIT) {
                cr.flags &= !af::CLOSED;
            }
            self.put_account(cr);
        }
    }

    fn transfer_exists(&self, t: &Transfer, e: &Transfer) -> TransferResult {
        if t.flags != e.flags {
            return T::ExistsWithDifferentFlags;
        }
        if t.pending_id != e.pending_id {
            return T::ExistsWithDifferentPendingId;
        }
        if t.timeout != e.timeout {
            return T::ExistsWithDifferentTimeout;
        }
        match self.transfers.get(&t.pending_id) {
            Some(p) if t.has(tf::POST | tf::VOID) => resolution_exists(t, e, p),
            Some(_) | None => plain_exists(t, e),
        }
    }
}

fn first_wrong(checks: &[(bool, TransferResult)]) -> Result<(), TransferResult> {
    checks.iter().find(|(wrong, _)| *wrong).map_or(Ok(()), |(_, result)| Err(*result))
}

fn account_exists(a: &Account, e: &Account) -> AccountResult {
    [
        (a.flags != e.flags, A::ExistsWithDifferentFlags),
        (a.user_data_128 != e.user_data_128, A::ExistsWithDifferentUserData128),
        (a.user_data_64 != e.user_data_64, A::ExistsWithDifferentUserData64),
        (a.user_data_32 != e.user_data_32, A::ExistsWithDifferentUserData32),
        (a.ledger != e.ledger, A::ExistsWithDifferentLedger),
        (a.code != e.code, A::ExistsWithDifferentCode),
    ]
    .into_iter()
    .find(|(differs, _)| *differs)
    .map_or(A::Exists, |(_, result)| result)
}

fn check_fields(t: &Transfer) -> Result<(), TransferResult> {
    let direct = !t.has(tf::PENDING);
    first_wrong(&[
        (t.debit_account_id == 0, T::DebitAccountIdMustNotBeZero),
        (t.debit_account_id == u128::MAX, T::DebitAccountIdMustNotBeIntMax),
        (t.credit_account_id == 0, T::CreditAccountIdMustNotBeZero),
        (t.credit_account_id == u128::MAX, T::CreditAccountIdMustNotBeIntMax),
        (t.credit_account_id == t.debit_account_id, T::AccountsMustBeDifferent),
        (t.pending_id != 0, T::PendingIdMustBeZero),
        (direct && t.timeout != 0, T::TimeoutReservedForPendingTransfer),
        (direct && t.has(tf::CLOSING_DEBIT | tf::CLOSING_CREDIT), T::ClosingTransferMustBePending),
        (t.ledger == 0, T::LedgerMustNotBeZero),
        (t.code == 0, T::CodeMustNotBeZero),
    ])
}

fn check_resolving_fields(t: &Transfer) -> Result<(), TransferResult> {
    let others = tf::PENDING
        | tf::BALANCING_DEBIT
        | tf::BALANCING_CREDIT
        | tf::CLOSING_DEBIT
        | tf::CLOSING_CREDIT;
    let both = t.has(tf::POST) && t.has(tf::VOID);
    first_wrong(&[
        (both || t.has(others), T::FlagsAreMutuallyExclusive),
        (t.pending_id == 0, T::PendingIdMustNotBeZero),
        (t.pending_id == u128::MAX, T::PendingIdMustNotBeIntMax),
        (t.pending_id == t.id, T::PendingIdMustBeDifferent),
        (t.timeout != 0, T::TimeoutReservedForPendingTransfer),
    ])
}

fn check_against_pending(t: &Transfer, p: &Transfer) -> Result<(), TransferResult> {
    let (dr, cr) = (t.debit_account_id, t.credit_account_id);
    first_wrong(&[
        (dr > 0 && dr != p.debit_account_id, T::PendingTransferHasDifferentDebitAccountId),
        (cr > 0 && cr != p.credit_account_id, T::PendingTransferHasDifferentCreditAccountId),
        (t.ledger > 0 && t.ledger != p.ledger, T::PendingTransferHasDifferentLedger),
        (t.code > 0 && t.code != p.code, T::PendingTransferHasDifferentCode),
    ])
}

fn balanced(t: &Transfer, dr: &Account, cr: &Account) -> u128 {
    let mut amount = t.amount;
    if t.has(tf::BALANCING_DEBIT) {
        let balance = dr.debits_posted + dr.debits_pending;
        amount = amount.min(dr.credits_posted.saturating_sub(balance));
    }
    if t.has(tf::BALANCING_CREDIT) {
        let balance = cr.credits_posted + cr.credits_pending;
        amount = amount.min(cr.debits_posted.saturating_sub(balance));
    }
    amount
}

fn check_overflows(
    t: &Transfer,
    amount: u128,
    dr: &Account,
    cr: &Account,
    timestamp: u64,
) -> Result<(), TransferResult> {
    let over = |balance: u128| balance.checked_add(amount).is_none();
    let pending = t.has(tf::PENDING);
    let expiry = timestamp.checked_add(t.timeout_ns());
    first_wrong(&[
        (pending && over(dr.debits_pending), T::OverflowsDebitsPending),
        (pending && over(cr.credits_pending), T::OverflowsCreditsPending),
        (over(dr.debits_posted), T::OverflowsDebitsPosted),
        (over(cr.credits_posted), T::OverflowsCreditsPosted),
        (over(dr.debits_pending + dr.debits_posted), T::OverflowsDebits),
        (over(cr.credits_pending + cr.credits_posted), T::OverflowsCredits),
        (expiry.is_none_or(|e| e >> 63 != 0), T::OverflowsTimeout),
    ])
}

fn plain_exists(t: &Transfer, e: &Transfer) -> TransferResult {
    let amount_differs = if t.has(tf::BALANCING_DEBIT | tf::BALANCING_CREDIT) {
        t.amount < e.amount
    } else {
        t.amount != e.amount
    };
    first_wrong(&[
        (t.debit_account_id != e.debit_account_id, T::ExistsWithDifferentDebitAccountId),
        (t.credit_account_id != e.credit_account_id, T::ExistsWithDifferentCreditAccountId),
        (amount_differs, T::ExistsWithDifferentAmount),
        (t.user_data_128 != e.user_data_128, T::ExistsWithDifferentUserData128),
        (t.user_data_64 != e.user_data_64, T::ExistsWithDifferentUserData64),
        (t.user_data_32 != e.user_data_32, T::ExistsWithDifferentUserData32),
        (t.ledger != e.ledger, T::ExistsWithDifferentLedger),
        (t.code != e.code, T::ExistsWithDifferentCode),
    ])
    .err()
    .unwrap_or(T::Exists)
}

/// Zeros in a post or void stand for what the pending has.
fn resolution_exists(t: &Transfer, e: &Transfer, p: &Transfer) -> TransferResult {
    let all = if t.has(tf::VOID) { t.amount == 0 } else { t.amount == u128::MAX };
    let amount = if all { p.amount } else { t.amount };
    let or = |n: u128, inherited: u128| if n == 0 { inherited } else { n };
    let or_e = |n: u128, existing: u128| n != 0 && n != existing;
    first_wrong(&[
        (or_e(t.debit_account_id, e.debit_account_id), T::ExistsWithDifferentDebitAccountId),
        (or_e(t.credit_account_id, e.credit_account_id), T::ExistsWithDifferentCreditAccountId),
        (amount != e.amount, T::ExistsWithDifferentAmount),
        (
            or(t.user_data_128, p.user_data_128) != e.user_data_128,
            T::ExistsWithDifferentUserData128,
        ),
        (
            or(t.user_data_64.into(), p.user_data_64.into()) != e.user_data_64.into(),
            T::ExistsWithDifferentUserData64,
        ),
        (
            or(t.user_data_32.into(), p.user_data_32.into()) != e.user_data_32.into(),
            T::ExistsWithDifferentUserData32,
        ),
        (or_e(t.ledger.into(), e.ledger.into()), T::ExistsWithDifferentLedger),
        (or_e(t.code.into(), e.code.into()), T::ExistsWithDifferentCode),
    ])
    .err()
    .unwrap_or(T::Exists)
}
