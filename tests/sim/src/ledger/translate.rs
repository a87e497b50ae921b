//! From the core's types to the ledger's and back, as the real adapter does it.

use super::types::{Account, Transfer, account_flags as af, transfer_flags as tf};
use bridge_core::{
    account::{NewAccount, Side},
    amount::LedgerAmount,
    id::{AccountId, TransferId},
    transfer::{FoundPhase, FoundTransfer, NewTransfer, Phase},
};

/// An account to create.
#[must_use]
pub fn account(new: &NewAccount) -> Account {
    let side = match new.side {
        Side::Asset => af::CREDITS_MUST_NOT_EXCEED_DEBITS,
        Side::Liability => af::DEBITS_MUST_NOT_EXCEED_CREDITS,
        Side::Free => 0,
    };
    Account {
        id: new.id.0,
        ledger: new.ledger.0,
        code: new.code,
        flags: side | if new.history { af::HISTORY } else { 0 },
        user_data_128: new.user_data_128,
        user_data_64: new.user_data_64,
        user_data_32: new.user_data_32,
        ..Account::default()
    }
}

/// A transfer to create.
#[must_use]
pub fn transfer(new: &NewTransfer) -> Transfer {
    let (phase, pending_id) = match new.phase {
        Phase::Direct => (0, 0),
        Phase::Balancing => (tf::BALANCING_DEBIT, 0),
        Phase::Pending => (tf::PENDING, 0),
        Phase::Post(id) => (tf::POST, id.0),
        Phase::Void(id) => (tf::VOID, id.0),
    };
    Transfer {
        id: new.id.0,
        debit_account_id: new.debit.0,
        credit_account_id: new.credit.0,
        amount: new.amount.0,
        pending_id,
        user_data_128: new.user_data_128,
        user_data_64: new.user_data_64,
        user_data_32: new.user_data_32,
        ledger: new.ledger.0,
        code: new.code.number(),
        flags: phase | if new.linked { tf::LINKED } else { 0 },
        ..Transfer::default()
    }
}

/// A transfer as a lookup shows it.
#[must_use]
pub fn found(t: &Transfer) -> FoundTransfer {
    let phase = if t.has(tf::PENDING) {
        FoundPhase::Pending
    } else if t.has(tf::POST) {
        FoundPhase::Post
    } else if t.has(tf::VOID) {
        FoundPhase::Void
    } else {
        FoundPhase::Direct
    };
    FoundTransfer {
        id: TransferId(t.id),
        debit: AccountId(t.debit_account_id),
        credit: AccountId(t.credit_account_id),
        amount: LedgerAmount(t.amount),
        phase,
        code: t.code,
        user_data_128: t.user_data_128,
        user_data_64: t.user_data_64,
        user_data_32: t.user_data_32,
        timestamp_ns: t.timestamp,
    }
}
