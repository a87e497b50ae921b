//! Gasless withdrawals that the ledger holds open: nobody else has a record of them all.

use super::client::{CallError, Ledger};
use alloy::primitives::Address;
use bridge_core::{
    account::VAULT,
    amount::LedgerAmount,
    asset::LedgerId,
    event::FoundOpen,
    id::{AccountId, Instance, TransferId},
    posting::WithdrawalIds,
    transfer::{FoundPhase, FoundTransfer, TransferCode},
};
use std::collections::BTreeMap;
use tigerbeetle_unofficial::{Account, QueryFilter};
use tracing::info;

/// Transfers in one page, and in one lookup of their ends: what the server's smallest setting takes.
const PAGE: u32 = 80;

/// Reads all pendings of gasless withdrawals, oldest first, and keeps those that nothing ends.
///
/// # Errors
/// If the ledger does not answer.
pub(super) async fn open(ledger: &Ledger, instance: Instance) -> Result<Vec<FoundOpen>, CallError> {
    let mut open = Vec::new();
    let (mut from, mut read) = (1_u64, 0_usize);
    loop {
        let filter = QueryFilter::new(PAGE)
            .with_code(TransferCode::Gasless.number())
            .with_timestamp_min(super::survey::at(from));
        let page = ledger.query_transfers(filter).await?;
        let Some(last) = page.last() else { break };
        from = last.timestamp_ns.saturating_add(1);
        read = read.saturating_add(page.len());
        let ours = page.into_iter().filter(|t| is_pending_of(t, instance)).collect();
        open.extend(unresolved(ledger, ours).await?);
    }
    info!(read, open = open.len(), "gasless withdrawals of the ledger looked at");
    Ok(open)
}

fn is_pending_of(transfer: &FoundTransfer, instance: Instance) -> bool {
    let ledger = u32::try_from(transfer.credit.0 >> 64).map(LedgerId);
    let vault = |ledger| AccountId::vault_chart(ledger, instance, VAULT.number);
    transfer.phase == FoundPhase::Pending && ledger.is_ok_and(|l| vault(l) == transfer.credit)
}

async fn unresolved(
    ledger: &Ledger,
    pendings: Vec<FoundTransfer>,
) -> Result<Vec<FoundOpen>, CallError> {
    if pendings.is_empty() {
        return Ok(Vec::new());
    }
    let ids = |main: &FoundTransfer| WithdrawalIds::gasless(main.gasless_id());
    let legs: Vec<TransferId> =
        pendings.iter().map(ids).flat_map(|ids| [ids.resolve, ids.fee]).collect();
    let legs = ledger.lookup_transfers(&legs).await?;
    let legs: BTreeMap<TransferId, FoundTransfer> = legs.into_iter().map(|t| (t.id, t)).collect();
    let open: Vec<FoundTransfer> =
        pendings.into_iter().filter(|main| !legs.contains_key(&ids(main).resolve)).collect();
    let debited: Vec<AccountId> = open.iter().map(|main| main.debit).collect();
    let owners =
        if debited.is_empty() { Vec::new() } else { ledger.lookup_accounts(&debited).await? };
    let owners: BTreeMap<u128, Address> = owners.iter().map(|a| (a.id(), owner_of(a))).collect();
    let found = |main: FoundTransfer| {
        let fee = legs.get(&ids(&main).fee).map_or(LedgerAmount(0), |fee| fee.amount);
        let owner = owners.get(&main.debit.0).copied().unwrap_or_default();
        FoundOpen { main, fee, owner }
    };
    Ok(open.into_iter().map(found).collect())
}

/// A person's address, as their account carries it.
fn owner_of(account: &Account) -> Address {
    let mut bytes = [0; 20];
    let (head, tail) = bytes.split_at_mut(16);
    head.copy_from_slice(&account.user_data_128().to_be_bytes());
    tail.copy_from_slice(&account.user_data_32().to_be_bytes());
    Address::from(bytes)
}
