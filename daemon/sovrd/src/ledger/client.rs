//! One TigerBeetle client for the whole process, with what the client itself lacks: a deadline on
//! every call, and a new client after a terminal error (an evicted one never answers again).

use super::convert;
use crate::{config, metrics::Metrics};
use bridge_core::{
    account::NewAccount,
    id::{AccountId, TransferId},
    transfer::{AccountResult, FoundTransfer, NewTransfer, TransferResult},
};
use std::{
    collections::BTreeMap,
    future::Future,
    sync::{
        Arc, RwLock,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tigerbeetle_unofficial::{
    Account, Client, QueryFilter, Transfer, account,
    error::{CreateAccountsError, CreateTransfersError, NewClientError, SendError, SendErrorKind},
};
use tokio::time::timeout;
use tracing::warn;

/// Calls without an answer, one after the other, after which the client is built anew: it may have
/// been evicted without saying so.
const TIMEOUTS_BEFORE_REBUILD: u32 = 3;
/// Pause between two heartbeats.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// Why a call has no answer.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// Nothing within the deadline: the request may still execute.
    #[error("no answer from TigerBeetle within {0} ms")]
    Timeout(u64),
    /// The session ended: the request may have executed.
    #[error("the session with TigerBeetle ended: {0}")]
    Ended(SendError),
    /// There was an answer and it cannot be read: the request may have executed.
    #[error("the answer of TigerBeetle cannot be read: {0}")]
    Unreadable(String),
    /// More events than the server takes: nothing was executed.
    #[error("more events than this TigerBeetle server takes in one request")]
    TooMuch,
}

/// The shared client.
pub struct Ledger {
    cluster_id: u128,
    addresses: String,
    timeout_ms: u64,
    client: RwLock<Arc<Client>>,
    timeouts: AtomicU32,
    started: Instant,
    /// Milliseconds after `started` of the last answer; 0 before the first.
    answered_ms: AtomicU64,
    metrics: Arc<Metrics>,
}

impl std::fmt::Debug for Ledger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ledger").field("addresses", &self.addresses).finish_non_exhaustive()
    }
}

impl Ledger {
    /// Prepares the client; it connects by itself, in the background, for as long as it takes.
    ///
    /// # Errors
    /// If the client cannot be built at all.
    pub fn new(config: &config::Ledger, metrics: Arc<Metrics>) -> Result<Self, NewClientError> {
        let addresses: Vec<String> = config.addresses.iter().map(ToString::to_string).collect();
        let addresses = addresses.join(",");
        let client = Client::new(config.cluster_id, addresses.as_str())?;
        Ok(Self {
            cluster_id: config.cluster_id,
            addresses,
            timeout_ms: config.reply_timeout_ms,
            client: RwLock::new(Arc::new(client)),
            timeouts: AtomicU32::new(0),
            started: Instant::now(),
            answered_ms: AtomicU64::new(0),
            metrics,
        })
    }

    /// Creates accounts; answers by index for those that were not `ok`.
    ///
    /// # Errors
    /// If there is no answer; the accounts may exist all the same.
    pub async fn create_accounts(
        &self,
        accounts: &[NewAccount],
    ) -> Result<BTreeMap<usize, AccountResult>, CallError> {
        let batch: Vec<Account> = accounts.iter().map(convert::account).collect();
        let client = self.client();
        match self.within(&client, client.create_accounts(batch)).await? {
            Ok(()) => Ok(BTreeMap::new()),
            Err(CreateAccountsError::Send(e)) => Err(self.ended(&client, e)),
            Err(CreateAccountsError::Api(e)) => Ok(e
                .as_slice()
                .iter()
                .filter_map(|one| {
                    let index = usize::try_from(one.index()).ok()?;
                    let code = one.inner().code().get();
                    Some((index, AccountResult::from_number(code)))
                })
                .collect()),
            Err(other) => Err(CallError::Unreadable(other.to_string())),
        }
    }

    /// Creates transfers; answers for those that were not `ok`.
    ///
    /// # Errors
    /// If there is no answer; the transfers may exist all the same.
    pub async fn create_transfers(
        &self,
        transfers: &[NewTransfer],
    ) -> Result<Vec<(TransferId, TransferResult)>, CallError> {
        let batch: Vec<Transfer> = transfers.iter().map(convert::transfer).collect();
        let client = self.client();
        let failures = match self.within(&client, client.create_transfers(batch)).await? {
            Ok(()) => BTreeMap::new(),
            Err(CreateTransfersError::Send(e)) => return Err(self.ended(&client, e)),
            Err(CreateTransfersError::Api(e)) => e
                .as_slice()
                .iter()
                .filter_map(|one| {
                    let index = usize::try_from(one.index()).ok()?;
                    let code = one.inner().code().get();
                    Some((index, TransferResult::from_number(code)))
                })
                .collect(),
            Err(other) => return Err(CallError::Unreadable(other.to_string())),
        };
        let by_id =
            |(index, result): (usize, TransferResult)| transfers.get(index).map(|t| (t.id, result));
        Ok(failures.into_iter().filter_map(by_id).collect())
    }

    /// Finds transfers.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn lookup_transfers(
        &self,
        ids: &[TransferId],
    ) -> Result<Vec<FoundTransfer>, CallError> {
        let ids: Vec<u128> = ids.iter().map(|id| id.0).collect();
        let client = self.client();
        let found = self.within(&client, client.lookup_transfers(ids)).await?;
        let found = found.map_err(|e| self.ended(&client, e))?;
        Ok(found.iter().map(convert::found).collect())
    }

    /// Finds accounts.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn lookup_accounts(&self, ids: &[AccountId]) -> Result<Vec<Account>, CallError> {
        let ids: Vec<u128> = ids.iter().map(|id| id.0).collect();
        let client = self.client();
        let found = self.within(&client, client.lookup_accounts(ids)).await?;
        found.map_err(|e| self.ended(&client, e))
    }

    /// One page of accounts.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn query_accounts(&self, filter: QueryFilter) -> Result<Vec<Account>, CallError> {
        let client = self.client();
        let found = self.within(&client, client.query_accounts(Box::new(filter))).await?;
        found.map_err(|e| self.ended(&client, e))
    }

    /// One page of an account's transfers.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn account_transfers(
        &self,
        filter: account::Filter,
    ) -> Result<Vec<FoundTransfer>, CallError> {
        let client = self.client();
        let found = self.within(&client, client.get_account_transfers(Box::new(filter))).await?;
        let found = found.map_err(|e| self.ended(&client, e))?;
        Ok(found.iter().map(convert::found).collect())
    }

    /// One page of an account's balances, each right after a transfer.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn account_balances(
        &self,
        filter: account::Filter,
    ) -> Result<Vec<account::Balance>, CallError> {
        let client = self.client();
        let found = self.within(&client, client.get_account_balances(Box::new(filter))).await?;
        found.map_err(|e| self.ended(&client, e))
    }

    /// One page of transfers.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn query_transfers(
        &self,
        filter: QueryFilter,
    ) -> Result<Vec<FoundTransfer>, CallError> {
        let client = self.client();
        let found = self.within(&client, client.query_transfers(Box::new(filter))).await?;
        let found = found.map_err(|e| self.ended(&client, e))?;
        Ok(found.iter().map(convert::found).collect())
    }

    /// Time since the last answer; `None` before the first.
    #[must_use]
    pub fn silent_for(&self) -> Option<Duration> {
        let at = self.answered_ms.load(Ordering::Relaxed);
        (at > 0).then(|| self.started.elapsed().saturating_sub(Duration::from_millis(at)))
    }

    /// Keeps the session alive and is the health check: a lookup, never a write.
    pub async fn heartbeat(self: Arc<Self>, sentinel: AccountId) {
        loop {
            tokio::time::sleep(HEARTBEAT).await;
            if self.silent_for().is_none_or(|silent| silent >= HEARTBEAT)
                && let Err(error) = self.lookup_accounts(&[sentinel]).await
            {
                warn!(%error, "heartbeat of the ledger failed");
            }
        }
    }

    fn client(&self) -> Arc<Client> {
        self.client.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    async fn within<T>(
        &self,
        client: &Arc<Client>,
        call: impl Future<Output = T>,
    ) -> Result<T, CallError> {
        match timeout(Duration::from_millis(self.timeout_ms), call).await {
            Ok(answer) => {
                self.timeouts.store(0, Ordering::Relaxed);
                let ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
                self.answered_ms.store(ms.max(1), Ordering::Relaxed);
                Ok(answer)
            }
            Err(_elapsed) => {
                let timeouts = self.timeouts.fetch_add(1, Ordering::Relaxed).saturating_add(1);
                if timeouts >= TIMEOUTS_BEFORE_REBUILD {
                    self.rebuild(client);
                }
                Err(CallError::Timeout(self.timeout_ms))
            }
        }
    }

    fn ended(&self, client: &Arc<Client>, error: SendError) -> CallError {
        if matches!(error.kind(), SendErrorKind::TooMuchData) {
            return CallError::TooMuch;
        }
        warn!(%error, "the ledger ended the session; building a new client");
        self.rebuild(client);
        CallError::Ended(error)
    }

    /// Replaces `old`, unless somebody else did already.
    fn rebuild(&self, old: &Arc<Client>) {
        let mut current = self.client.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        if !Arc::ptr_eq(&current, old) {
            return;
        }
        match Client::new(self.cluster_id, self.addresses.as_str()) {
            Ok(client) => {
                let replaced = std::mem::replace(&mut *current, Arc::new(client));
                drop(current);
                self.timeouts.store(0, Ordering::Relaxed);
                self.metrics.ledger_rebuilt();
                // Closing waits for the client's own thread.
                tokio::task::spawn_blocking(move || drop(replaced));
            }
            Err(error) => warn!(%error, "no new ledger client; trying again"),
        }
    }
}
