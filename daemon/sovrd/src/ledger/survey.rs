//! VAULT accounts and the sums of their ledgers, each read as of one instant.

use super::{
    client::{CallError, Ledger},
    convert,
};
use bridge_core::{
    account::NewAccount,
    amount::LedgerAmount,
    asset::LedgerId,
    id::{AccountId, TransferId},
    invariant::Books,
    reserves::VaultReading,
    transfer::FoundPhase,
};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tigerbeetle_unofficial::{
    Account, QueryFilter,
    account::{Filter, FilterFlags},
    core::query_filter::Flags,
};

/// Newest transfers of a VAULT account that are looked at: what somebody else has posted ahead of
/// us is among them. A page of the server's smallest setting.
const NEWEST: u32 = 250;
/// Ledgers with more accounts are not summed up while the daemon runs.
pub const ACCOUNTS_MAX: usize = 20_000;
/// Accounts in one page; the server gives fewer where its messages are smaller.
const PAGE: u32 = 8_189;
/// Code of VAULT accounts.
const VAULT_CODE: u16 = bridge_core::account::VAULT.code;

/// Reads these VAULT accounts; those that do not exist are left out.
///
/// # Errors
/// If the ledger does not answer.
pub async fn all(
    ledger: &Ledger,
    vaults: &[(LedgerId, AccountId)],
) -> Result<Vec<VaultReading>, CallError> {
    let mut readings = Vec::new();
    for (id, vault) in vaults {
        readings.extend(one(ledger, *id, *vault, ACCOUNTS_MAX).await?);
    }
    Ok(readings)
}

/// Reads one VAULT account; `None` if it does not exist. Ledgers of more than `accounts_max`
/// accounts are not summed up.
///
/// # Errors
/// If the ledger does not answer.
pub async fn one(
    ledger: &Ledger,
    id: LedgerId,
    vault: AccountId,
    accounts_max: usize,
) -> Result<Option<VaultReading>, CallError> {
    if ledger.lookup_accounts(&[vault]).await?.is_empty() {
        return Ok(None);
    }
    let both = FilterFlags::DEBITS | FilterFlags::CREDITS | FilterFlags::REVERSED;
    let newest = Filter::new(vault.0, 1).with_flags(both);
    let balance = ledger.account_balances(newest).await?;
    let books = books(ledger, id, accounts_max).await?;
    let Some(balance) = balance.first().map(|b| *b.as_raw()) else {
        // Nothing ever moved it.
        let (debits, credits) = (LedgerAmount(0), LedgerAmount(0));
        let (taken_ns, newest, is_complete) = (0, Vec::new(), true);
        let ledger = id;
        let reading =
            VaultReading { ledger, debits, credits, taken_ns, newest, is_complete, books };
        return Ok(Some(reading));
    };
    let page =
        Filter::new(vault.0, NEWEST).with_flags(both).with_timestamp_max(at(balance.timestamp));
    let page = ledger.account_transfers(page).await?;
    let moves = |phase| matches!(phase, FoundPhase::Direct | FoundPhase::Post);
    let newest: Vec<(TransferId, LedgerAmount)> =
        page.iter().filter(|t| moves(t.phase)).map(|t| (t.id, t.amount)).collect();
    Ok(Some(VaultReading {
        ledger: id,
        debits: LedgerAmount(balance.debits_posted),
        credits: LedgerAmount(balance.credits_posted),
        taken_ns: balance.timestamp,
        newest,
        is_complete: page.len() < usize::try_from(NEWEST).unwrap_or(usize::MAX),
        books,
    }))
}

/// The sums of all accounts; `None` if something moved meanwhile or there are too many.
async fn books(
    ledger: &Ledger,
    id: LedgerId,
    accounts_max: usize,
) -> Result<Option<Books>, CallError> {
    let before = last_moved(ledger, id).await?;
    let mut sums = Sums::default();
    let (mut from, mut count) = (1, 0_usize);
    loop {
        let filter = QueryFilter::new(PAGE).with_ledger(id.0).with_timestamp_min(at(from));
        let page = ledger.query_accounts(filter).await?;
        let Some(last) = page.last() else { break };
        from = last.as_raw().timestamp.saturating_add(1);
        count = count.saturating_add(page.len());
        if count > accounts_max {
            return Ok(None);
        }
        page.iter().for_each(|a| sums.add(a));
    }
    let after = last_moved(ledger, id).await?;
    Ok((before == after).then(|| sums.books()))
}

/// The time of a ledger's newest transfer, nanoseconds; 0 without one.
async fn last_moved(ledger: &Ledger, id: LedgerId) -> Result<u64, CallError> {
    let filter = QueryFilter::new(1).with_ledger(id.0).with_flags(Flags::REVERSED);
    let newest = ledger.query_transfers(filter).await?;
    Ok(newest.first().map_or(0, |t| t.timestamp_ns))
}

#[derive(Debug, Default)]
struct Sums {
    vault: (u128, u128),
    others: (u128, u128),
}

impl Sums {
    fn add(&mut self, account: &Account) {
        let side = if account.code() == VAULT_CODE { &mut self.vault } else { &mut self.others };
        side.0 = side.0.saturating_add(account.debits_posted());
        side.1 = side.1.saturating_add(account.credits_posted());
    }

    fn books(&self) -> Books {
        let ((vault_debits, vault_credits), (debits, credits)) = (self.vault, self.others);
        Books {
            debits: LedgerAmount(vault_debits.saturating_add(debits)),
            credits: LedgerAmount(vault_credits.saturating_add(credits)),
            held: LedgerAmount(vault_debits.saturating_sub(vault_credits)),
            owed: LedgerAmount(credits.saturating_sub(debits)),
        }
    }
}

fn at(ns: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_nanos(ns)
}

/// True if an account is the one that would be created; its limits apart, which an operator may have
/// changed.
#[must_use]
pub fn same(account: &Account, wanted: &NewAccount) -> bool {
    let value =
        |a: &Account| (a.ledger(), a.code(), a.user_data_128(), a.user_data_64(), a.user_data_32());
    value(account) == value(&convert::account(wanted))
}
