//! TigerBeetle 0.16.78 as a model, read off the server's source (`src/state_machine.zig`), and
//! checked against the real server by `tests/differential`.
//!
//! Left out because the bridge uses none of it: imported events, queries, balances by time.

mod create;
pub(crate) mod survey;
pub mod translate;
pub mod types;

use bridge_core::transfer::{AccountResult, TransferResult};
use std::collections::{BTreeMap, BTreeSet};
use types::{Account, PendingStatus, Transfer};

/// The state of a cluster.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    accounts: BTreeMap<u128, Account>,
    transfers: BTreeMap<u128, Transfer>,
    pending: BTreeMap<u128, PendingStatus>,
    /// Ids of transfers that failed for a passing reason: burnt for ever.
    burnt: BTreeSet<u128>,
    /// Newest timestamp given out, nanoseconds.
    timestamp: u64,
    /// What an open chain changed, to take it back.
    undo: Option<Vec<Undo>>,
    /// Grows with every change.
    version: u64,
}

#[derive(Clone, Debug)]
enum Undo {
    Account(u128, Option<Account>),
    Transfer(u128),
    Pending(u128, Option<PendingStatus>),
}

/// By index, the events that were not `ok`.
pub type Failures<R> = Vec<(usize, R)>;

impl Ledger {
    /// Creates accounts; `now_ns` is the primary's clock.
    pub fn create_accounts(&mut self, events: &[Account], now_ns: u64) -> Failures<AccountResult> {
        let first = self.prepare(events.len(), now_ns);
        let linked = |a: &Account| a.has(types::account_flags::LINKED);
        let codes = (AccountResult::LinkedEventFailed, AccountResult::LinkedEventChainOpen);
        self.execute(events, linked, codes, |ledger, index, event| {
            let result = ledger.create_account(event, first + index as u64);
            (result, result == AccountResult::Ok)
        })
    }

    /// Creates transfers.
    pub fn create_transfers(
        &mut self,
        events: &[Transfer],
        now_ns: u64,
    ) -> Failures<TransferResult> {
        let first = self.prepare(events.len(), now_ns);
        let linked = |t: &Transfer| t.has(types::transfer_flags::LINKED);
        let codes = (TransferResult::LinkedEventFailed, TransferResult::LinkedEventChainOpen);
        self.execute(events, linked, codes, |ledger, index, event| {
            let result = ledger.create_transfer(event, first + index as u64);
            if is_transient(result) {
                // Not taken back with its chain.
                ledger.burnt.insert(event.id);
            }
            (result, result == TransferResult::Ok)
        })
    }

    /// Pendings expire before anything that comes later is executed.
    fn prepare(&mut self, events: usize, now_ns: u64) -> u64 {
        let last = now_ns.max(self.timestamp + events as u64 + 1);
        self.expire(last - events as u64);
        self.version += 1;
        self.timestamp = last;
        last - events as u64 + 1
    }

    /// `execute_create` of the server: linked chains are all or nothing, and a chain that the batch
    /// ends in the midst of fails.
    fn execute<E, R: Copy>(
        &mut self,
        events: &[E],
        linked: impl Fn(&E) -> bool,
        (chain_failed, chain_open): (R, R),
        mut create: impl FnMut(&mut Self, usize, &E) -> (R, bool),
    ) -> Failures<R> {
        let mut failures = Vec::new();
        let mut chain: Option<usize> = None;
        let mut broken = false;
        for (index, event) in events.iter().enumerate() {
            let is_linked = linked(event);
            if is_linked && chain.is_none() {
                chain = Some(index);
                self.undo = Some(Vec::new());
            }
            let open = is_linked && index == events.len() - 1;
            let (result, ok) = if open {
                (chain_open, false)
            } else if broken {
                (chain_failed, false)
            } else {
                create(self, index, event)
            };
            if !ok {
                if let (Some(start), false) = (chain, broken) {
                    broken = true;
                    self.roll_back();
                    failures.extend((start..index).map(|i| (i, chain_failed)));
                }
                failures.push((index, result));
            }
            if chain.is_some() && (!is_linked || open) {
                self.undo = None;
                chain = None;
                broken = false;
            }
        }
        failures
    }

    fn roll_back(&mut self) {
        for step in self.undo.take().unwrap_or_default().into_iter().rev() {
            match step {
                Undo::Account(id, Some(old)) => drop(self.accounts.insert(id, old)),
                Undo::Account(id, None) => drop(self.accounts.remove(&id)),
                Undo::Transfer(id) => drop(self.transfers.remove(&id)),
                Undo::Pending(id, Some(old)) => drop(self.pending.insert(id, old)),
                Undo::Pending(id, None) => drop(self.pending.remove(&id)),
            }
        }
    }

    fn put_account(&mut self, account: Account) {
        let old = self.accounts.insert(account.id, account);
        if let Some(undo) = &mut self.undo {
            undo.push(Undo::Account(account.id, old));
        }
    }

    fn put_transfer(&mut self, transfer: Transfer) {
        self.transfers.insert(transfer.id, transfer);
        if let Some(undo) = &mut self.undo {
            undo.push(Undo::Transfer(transfer.id));
        }
    }

    fn put_pending(&mut self, id: u128, status: PendingStatus) {
        let old = self.pending.insert(id, status);
        if let Some(undo) = &mut self.undo {
            undo.push(Undo::Pending(id, old));
        }
    }

    /// Ends the pendings whose time is over.
    pub fn expire(&mut self, now_ns: u64) {
        let over: Vec<Transfer> = self
            .pending
            .iter()
            .filter(|(_, status)| **status == PendingStatus::Pending)
            .filter_map(|(id, _)| self.transfers.get(id))
            .filter(|p| p.timeout > 0 && p.timestamp + p.timeout_ns() <= now_ns)
            .copied()
            .collect();
        for p in over {
            self.release(&p, 0);
            self.put_pending(p.id, PendingStatus::Expired);
        }
    }

    /// An account.
    #[must_use]
    pub fn account(&self, id: u128) -> Option<&Account> {
        self.accounts.get(&id)
    }

    /// All accounts.
    pub fn accounts(&self) -> impl Iterator<Item = &Account> {
        self.accounts.values()
    }

    /// A transfer.
    #[must_use]
    pub fn transfer(&self, id: u128) -> Option<&Transfer> {
        self.transfers.get(&id)
    }

    /// All transfers.
    pub fn transfers(&self) -> impl Iterator<Item = &Transfer> {
        self.transfers.values()
    }

    /// What became of a pending.
    #[must_use]
    pub fn pending(&self, id: u128) -> Option<PendingStatus> {
        self.pending.get(&id).copied()
    }

    /// True if a transfer with this id can never execute any more.
    #[must_use]
    pub fn is_burnt(&self, id: u128) -> bool {
        self.burnt.contains(&id)
    }

    /// Grows with every request that may have changed something.
    #[must_use]
    pub const fn version(&self) -> u64 {
        self.version
    }
}

/// Codes after which an id cannot be used again (`CreateTransferResult.transient`).
#[must_use]
pub const fn is_transient(result: TransferResult) -> bool {
    use TransferResult as R;
    matches!(
        result,
        R::DebitAccountNotFound
            | R::CreditAccountNotFound
            | R::PendingTransferNotFound
            | R::ExceedsCredits
            | R::ExceedsDebits
            | R::DebitAccountAlreadyClosed
            | R::CreditAccountAlreadyClosed
    )
}
