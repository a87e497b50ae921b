//! Between the core's types and the client's.

use bridge_core::{
    account::{NewAccount, Side},
    amount::LedgerAmount,
    id::{AccountId, TransferId},
    transfer::{FoundPhase, FoundTransfer, NewTransfer, Phase},
};
use tigerbeetle_unofficial::{Account, Transfer, account, transfer};

pub(super) fn account(new: &NewAccount) -> Account {
    let side = match new.side {
        Side::Asset => account::Flags::CREDITS_MUST_NOT_EXCEED_DEBITS,
        Side::Liability => account::Flags::DEBITS_MUST_NOT_EXCEED_CREDITS,
        Side::Free => account::Flags::empty(),
    };
    let history = if new.history { account::Flags::HISTORY } else { account::Flags::empty() };
    Account::new(new.id.0, new.ledger.0, new.code)
        .with_flags(side | history)
        .with_user_data_128(new.user_data_128)
        .with_user_data_64(new.user_data_64)
        .with_user_data_32(new.user_data_32)
}

pub(super) fn transfer(new: &NewTransfer) -> Transfer {
    let linked = if new.linked { transfer::Flags::LINKED } else { transfer::Flags::empty() };
    let (phase, pending) = match new.phase {
        Phase::Direct => (transfer::Flags::empty(), 0),
        Phase::Balancing => (transfer::Flags::BALANCING_DEBIT, 0),
        Phase::Pending => (transfer::Flags::PENDING, 0),
        Phase::Post(id) => (transfer::Flags::POST_PENDING_TRANSFER, id.0),
        Phase::Void(id) => (transfer::Flags::VOID_PENDING_TRANSFER, id.0),
    };
    Transfer::new(new.id.0)
        .with_debit_account_id(new.debit.0)
        .with_credit_account_id(new.credit.0)
        .with_amount(new.amount.0)
        .with_pending_id(pending)
        .with_ledger(new.ledger.0)
        .with_code(new.code.number())
        .with_flags(linked | phase)
        .with_user_data_128(new.user_data_128)
        .with_user_data_64(new.user_data_64)
        .with_user_data_32(new.user_data_32)
}

pub(super) fn found(transfer: &Transfer) -> FoundTransfer {
    let raw = transfer.as_raw();
    let flags = transfer.flags();
    let phase = if flags.contains(transfer::Flags::PENDING) {
        FoundPhase::Pending
    } else if flags.contains(transfer::Flags::POST_PENDING_TRANSFER) {
        FoundPhase::Post
    } else if flags.contains(transfer::Flags::VOID_PENDING_TRANSFER) {
        FoundPhase::Void
    } else {
        FoundPhase::Direct
    };
    FoundTransfer {
        id: TransferId(transfer.id()),
        debit: AccountId(transfer.debit_account_id()),
        credit: AccountId(transfer.credit_account_id()),
        amount: LedgerAmount(transfer.amount()),
        phase,
        code: transfer.code(),
        user_data_128: transfer.user_data_128(),
        user_data_64: transfer.user_data_64(),
        user_data_32: transfer.user_data_32(),
        timestamp_ns: raw.timestamp,
    }
}
