//! VAULT accounts and the sums of their ledgers, as the real adapter reads them.

use super::{Ledger, translate, types::transfer_flags as tf};
use bridge_core::{
    account::VAULT,
    amount::LedgerAmount,
    asset::LedgerId,
    event::FoundOpen,
    id::{AccountId, Instance, TransferId},
    invariant::Books,
    posting::WithdrawalIds,
    reserves::VaultReading,
    transfer::TransferCode,
};

/// Newest transfers that are looked at; few, so that lists are cut short now and then.
const NEWEST: usize = 12;

/// One VAULT account; `moves` if the ledger moved while its accounts were read.
pub(crate) fn read(
    ledger: &Ledger,
    (id, vault): (LedgerId, AccountId),
    moves: bool,
) -> Option<VaultReading> {
    let account = ledger.account(vault.0)?;
    let touches =
        |t: &&super::types::Transfer| [t.debit_account_id, t.credit_account_id].contains(&vault.0);
    let mut all: Vec<_> = ledger.transfers().filter(touches).collect();
    all.sort_by_key(|t| std::cmp::Reverse(t.timestamp));
    let is_complete = all.len() < NEWEST;
    let posted = |t: &&&super::types::Transfer| !t.has(tf::PENDING) && !t.has(tf::VOID);
    let newest = all.iter().take(NEWEST).filter(posted);
    Some(VaultReading {
        ledger: id,
        debits: LedgerAmount(account.debits_posted),
        credits: LedgerAmount(account.credits_posted),
        taken_ns: all.first().map_or(0, |t| t.timestamp),
        newest: newest.map(|t| (TransferId(t.id), LedgerAmount(t.amount))).collect(),
        is_complete,
        books: (!moves).then(|| books(ledger, id)),
    })
}

/// Gasless withdrawals of an instance that nothing ends.
pub(crate) fn open_gasless(ledger: &Ledger, instance: Instance) -> Vec<FoundOpen> {
    let ours = |t: &&super::types::Transfer| {
        let of = LedgerId((t.credit_account_id >> 64) as u32);
        let vault = AccountId::vault_chart(of, instance, VAULT.number).0;
        t.has(tf::PENDING)
            && t.code == TransferCode::Gasless.number()
            && t.credit_account_id == vault
    };
    let found = ledger.transfers().filter(ours).map(translate::found).filter_map(|main| {
        let ids = WithdrawalIds::gasless(main.gasless_id());
        let fee = ledger.transfer(ids.fee.0).map_or(LedgerAmount(0), |t| LedgerAmount(t.amount));
        let account = ledger.account(main.debit.0)?;
        let mut owner = [0; 20];
        owner[..16].copy_from_slice(&account.user_data_128.to_be_bytes());
        owner[16..].copy_from_slice(&account.user_data_32.to_be_bytes());
        let is_open = ledger.transfer(ids.resolve.0).is_none();
        is_open.then_some(FoundOpen { main, fee, owner: owner.into() })
    });
    found.collect()
}

fn books(ledger: &Ledger, id: LedgerId) -> Books {
    let (mut vault, mut others) = ((0, 0), (0, 0));
    for a in ledger.accounts().filter(|a| a.ledger == id.0) {
        let side = if a.code == VAULT.code { &mut vault } else { &mut others };
        *side = (side.0 + a.debits_posted, side.1 + a.credits_posted);
    }
    Books {
        debits: LedgerAmount(vault.0 + others.0),
        credits: LedgerAmount(vault.1 + others.1),
        held: LedgerAmount(vault.0 - vault.1),
        owed: LedgerAmount(others.1 - others.0),
    }
}
