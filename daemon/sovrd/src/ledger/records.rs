//! The supersede records of an instance, read from the ledger itself.

use super::client::Ledger;
use crate::exit::Failure;
use bridge_core::{
    account::NewAccount,
    id::{AccountId, Instance},
    supersede::Supersede,
};
use std::time::{Duration, UNIX_EPOCH};
use tigerbeetle_unofficial::account::{Filter, FilterFlags};

/// Transfers in one page; the server gives fewer where its messages are smaller.
const PAGE: u32 = 8_189;

/// All records, oldest first.
///
/// # Errors
/// If the ledger does not answer.
pub async fn read(ledger: &Ledger, instance: Instance) -> Result<Vec<Supersede>, Failure> {
    let AccountId(account) = NewAccount::instance_id(instance);
    let mut records = Vec::new();
    let mut from = 1;
    loop {
        let filter = Filter::new(account, PAGE)
            .with_flags(FilterFlags::DEBITS)
            .with_timestamp_min(UNIX_EPOCH + Duration::from_nanos(from));
        let page = ledger.account_transfers(filter).await.map_err(|e| {
            Failure::transient(format!("the ledger's supersede records cannot be read: {e}"))
        })?;
        let Some(last) = page.last() else { return Ok(records) };
        from = last.timestamp_ns.saturating_add(1);
        records.extend(page.iter().filter_map(|t| Supersede::of(instance, t)));
    }
}
