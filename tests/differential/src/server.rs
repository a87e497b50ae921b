//! The real server, called through the client that the daemon uses.

use crate::history::Range;
use anyhow::{Context, Result, anyhow};
use bridge_core::transfer::{AccountResult, TransferResult};
use bridge_sim::ledger::{
    Failures,
    types::{Account, Transfer},
};
use harness::servers::{TigerBeetle, TigerBeetleOptions};
use std::{
    future::Future,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};
use tigerbeetle_unofficial::{
    Client, account,
    error::{CreateAccountsError, CreateTransfersError},
    transfer,
};
use tokio::time::timeout;

const CALL_LIMIT: Duration = Duration::from_secs(60);

/// A server of our own and the client to it.
pub struct Server {
    // Before the process, which it talks to.
    client: Client,
    ranges: AtomicU64,
    _process: TigerBeetle,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").finish_non_exhaustive()
    }
}

impl Server {
    /// Starts one, empty.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start() -> Result<Self> {
        let process = TigerBeetle::start(TigerBeetleOptions::default())?;
        let client = Client::new(process.cluster_id(), process.address())
            .map_err(|error| anyhow!("no client: {error}"))?;
        Ok(Self { client, ranges: AtomicU64::new(0), _process: process })
    }

    /// Ids that nobody used on it.
    pub fn range(&self) -> Range {
        Range(self.ranges.fetch_add(1, Ordering::Relaxed) + 1)
    }

    /// By index, the events that were not `ok`.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn create_accounts(&self, events: &[Account]) -> Result<Failures<AccountResult>> {
        let batch: Vec<_> = events.iter().map(raw_account).collect();
        match within("create_accounts", self.client.create_accounts(batch)).await? {
            Ok(()) => Ok(Vec::new()),
            Err(CreateAccountsError::Api(errors)) => errors
                .as_slice()
                .iter()
                .map(|e| {
                    let code = AccountResult::from_number(e.inner().code().get());
                    Ok((usize::try_from(e.index())?, code))
                })
                .collect(),
            Err(error) => Err(error).context("create_accounts"),
        }
    }

    /// By index, the events that were not `ok`.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn create_transfers(&self, events: &[Transfer]) -> Result<Failures<TransferResult>> {
        let batch: Vec<_> = events.iter().map(raw_transfer).collect();
        match within("create_transfers", self.client.create_transfers(batch)).await? {
            Ok(()) => Ok(Vec::new()),
            Err(CreateTransfersError::Api(errors)) => errors
                .as_slice()
                .iter()
                .map(|e| {
                    let code = TransferResult::from_number(e.inner().code().get());
                    Ok((usize::try_from(e.index())?, code))
                })
                .collect(),
            Err(error) => Err(error).context("create_transfers"),
        }
    }

    /// Those that exist, in the order asked for.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn lookup_accounts(&self, ids: &[u128]) -> Result<Vec<Account>> {
        let call = self.client.lookup_accounts(ids.to_vec());
        let found = within("lookup_accounts", call).await?.context("lookup_accounts")?;
        Ok(found.iter().map(account_of).collect())
    }

    /// Those that exist, in the order asked for.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn lookup_transfers(&self, ids: &[u128]) -> Result<Vec<Transfer>> {
        let call = self.client.lookup_transfers(ids.to_vec());
        let found = within("lookup_transfers", call).await?.context("lookup_transfers")?;
        Ok(found.iter().map(transfer_of).collect())
    }
}

/// The client itself waits for ever.
async fn within<T>(what: &str, call: impl Future<Output = T>) -> Result<T> {
    let limit = CALL_LIMIT.as_secs();
    timeout(CALL_LIMIT, call).await.with_context(|| format!("{what}: no answer in {limit} s"))
}

/// From raw: the client's own constructors refuse ids that the server has codes for.
const fn raw_account(a: &Account) -> account::Account {
    account::Account::from_raw(account::Raw {
        id: a.id,
        debits_pending: a.debits_pending,
        debits_posted: a.debits_posted,
        credits_pending: a.credits_pending,
        credits_posted: a.credits_posted,
        user_data_128: a.user_data_128,
        user_data_64: a.user_data_64,
        user_data_32: a.user_data_32,
        reserved: 0,
        ledger: a.ledger,
        code: a.code,
        flags: a.flags,
        timestamp: a.timestamp,
    })
}

const fn raw_transfer(t: &Transfer) -> transfer::Transfer {
    transfer::Transfer::from_raw(transfer::Raw {
        id: t.id,
        debit_account_id: t.debit_account_id,
        credit_account_id: t.credit_account_id,
        amount: t.amount,
        pending_id: t.pending_id,
        user_data_128: t.user_data_128,
        user_data_64: t.user_data_64,
        user_data_32: t.user_data_32,
        timeout: t.timeout,
        ledger: t.ledger,
        code: t.code,
        flags: t.flags,
        timestamp: t.timestamp,
    })
}

const fn account_of(account: &account::Account) -> Account {
    let a = account.as_raw();
    Account {
        id: a.id,
        debits_pending: a.debits_pending,
        debits_posted: a.debits_posted,
        credits_pending: a.credits_pending,
        credits_posted: a.credits_posted,
        user_data_128: a.user_data_128,
        user_data_64: a.user_data_64,
        user_data_32: a.user_data_32,
        ledger: a.ledger,
        code: a.code,
        flags: a.flags,
        timestamp: a.timestamp,
    }
}

const fn transfer_of(transfer: &transfer::Transfer) -> Transfer {
    let t = transfer.as_raw();
    Transfer {
        id: t.id,
        debit_account_id: t.debit_account_id,
        credit_account_id: t.credit_account_id,
        amount: t.amount,
        pending_id: t.pending_id,
        user_data_128: t.user_data_128,
        user_data_64: t.user_data_64,
        user_data_32: t.user_data_32,
        timeout: t.timeout,
        ledger: t.ledger,
        code: t.code,
        flags: t.flags,
        timestamp: t.timestamp,
    }
}
