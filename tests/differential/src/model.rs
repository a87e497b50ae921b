//! The side that is under test.

use bridge_core::transfer::{AccountResult, TransferResult};
use bridge_sim::ledger::{
    Failures, Ledger,
    types::{Account, PendingStatus, Transfer, transfer_flags as tf},
};

/// A model of the ledger. Apart from the simulator's own there are those with planted faults, which
/// prove that the comparison can fail.
pub trait Model: Default {
    /// As [`Ledger::create_accounts`].
    fn create_accounts(&mut self, events: &[Account], now_ns: u64) -> Failures<AccountResult>;
    /// As [`Ledger::create_transfers`].
    fn create_transfers(&mut self, events: &[Transfer], now_ns: u64) -> Failures<TransferResult>;
    /// Ends the pendings whose time is over.
    fn expire(&mut self, now_ns: u64);
    /// An account.
    fn account(&self, id: u128) -> Option<Account>;
    /// A transfer.
    fn transfer(&self, id: u128) -> Option<Transfer>;
    /// When the pendings that are open and have a timeout expire.
    fn deadlines(&self) -> Vec<u64>;
}

impl Model for Ledger {
    fn create_accounts(&mut self, events: &[Account], now_ns: u64) -> Failures<AccountResult> {
        Self::create_accounts(self, events, now_ns)
    }

    fn create_transfers(&mut self, events: &[Transfer], now_ns: u64) -> Failures<TransferResult> {
        Self::create_transfers(self, events, now_ns)
    }

    fn expire(&mut self, now_ns: u64) {
        Self::expire(self, now_ns);
    }

    fn account(&self, id: u128) -> Option<Account> {
        Self::account(self, id).copied()
    }

    fn transfer(&self, id: u128) -> Option<Transfer> {
        Self::transfer(self, id).copied()
    }

    fn deadlines(&self) -> Vec<u64> {
        self.transfers()
            .filter(|t| t.has(tf::PENDING) && t.timeout > 0)
            .filter(|t| self.pending(t.id) == Some(PendingStatus::Pending))
            .map(|t| t.timestamp.saturating_add(u64::from(t.timeout) * 1_000_000_000))
            .collect()
    }
}
