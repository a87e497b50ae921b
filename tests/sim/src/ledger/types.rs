//! Accounts and transfers as TigerBeetle stores them (`src/tigerbeetle.zig` of the server).

/// Bits of `Account.flags`.
pub mod account_flags {
    /// Executes together with the next account of the batch or not at all.
    pub const LINKED: u16 = 1;
    /// Liability.
    pub const DEBITS_MUST_NOT_EXCEED_CREDITS: u16 = 1 << 1;
    /// Asset.
    pub const CREDITS_MUST_NOT_EXCEED_DEBITS: u16 = 1 << 2;
    /// Keeps a balance for every transfer.
    pub const HISTORY: u16 = 1 << 3;
    /// Takes no transfer but the void of a pending.
    pub const CLOSED: u16 = 1 << 5;
    /// All bits that mean something; `imported` (bit 4) is not modelled.
    pub const KNOWN: u16 = 0b10_1111;
}

/// Bits of `Transfer.flags`.
pub mod transfer_flags {
    /// Executes together with the next transfer of the batch or not at all.
    pub const LINKED: u16 = 1;
    /// Reserves.
    pub const PENDING: u16 = 1 << 1;
    /// Posts a pending.
    pub const POST: u16 = 1 << 2;
    /// Voids a pending.
    pub const VOID: u16 = 1 << 3;
    /// At most what the debit account has.
    pub const BALANCING_DEBIT: u16 = 1 << 4;
    /// At most what the credit account lacks.
    pub const BALANCING_CREDIT: u16 = 1 << 5;
    /// Closes the debit account until the pending is voided or expires.
    pub const CLOSING_DEBIT: u16 = 1 << 6;
    /// Closes the credit account until the pending is voided or expires.
    pub const CLOSING_CREDIT: u16 = 1 << 7;
    /// All bits that mean something; `imported` (bit 8) is not modelled.
    pub const KNOWN: u16 = 0b1111_1111;
}

/// An account with its balances.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the server's own field names")]
pub struct Account {
    pub id: u128,
    pub debits_pending: u128,
    pub debits_posted: u128,
    pub credits_pending: u128,
    pub credits_posted: u128,
    pub user_data_128: u128,
    pub user_data_64: u64,
    pub user_data_32: u32,
    pub ledger: u32,
    pub code: u16,
    pub flags: u16,
    pub timestamp: u64,
}

/// A transfer, asked for or executed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the server's own field names")]
pub struct Transfer {
    pub id: u128,
    pub debit_account_id: u128,
    pub credit_account_id: u128,
    pub amount: u128,
    pub pending_id: u128,
    pub user_data_128: u128,
    pub user_data_64: u64,
    pub user_data_32: u32,
    pub timeout: u32,
    pub ledger: u32,
    pub code: u16,
    pub flags: u16,
    pub timestamp: u64,
}

/// What became of a pending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the server's own names")]
pub enum PendingStatus {
    Pending,
    Posted,
    Voided,
    Expired,
}

impl Account {
    pub(super) const fn has(&self, flag: u16) -> bool {
        self.flags & flag != 0
    }

    /// Takes no transfer but the void of a pending.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        self.has(account_flags::CLOSED)
    }

    pub(super) const fn debits_exceed_credits(&self, amount: u128) -> bool {
        self.has(account_flags::DEBITS_MUST_NOT_EXCEED_CREDITS)
            && self.debits_pending + self.debits_posted + amount > self.credits_posted
    }

    pub(super) const fn credits_exceed_debits(&self, amount: u128) -> bool {
        self.has(account_flags::CREDITS_MUST_NOT_EXCEED_DEBITS)
            && self.credits_pending + self.credits_posted + amount > self.debits_posted
    }
}

impl Transfer {
    /// Whether one of these flags is set.
    #[must_use]
    pub const fn has(&self, flags: u16) -> bool {
        self.flags & flags != 0
    }

    pub(super) const fn timeout_ns(&self) -> u64 {
        self.timeout as u64 * 1_000_000_000
    }
}
