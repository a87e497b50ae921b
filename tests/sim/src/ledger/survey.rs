//! VAULT accounts and the sums of their ledgers, as the real adapter reads them.

use super::{Ledger, types::transfer_flags as tf};
use bridge_core::{
    account::VAULT,
    amount::LedgerAmount,
    asset::LedgerId,
    id::{AccountId, TransferId},
    invariant::Books,
    reserves::VaultReading,
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
