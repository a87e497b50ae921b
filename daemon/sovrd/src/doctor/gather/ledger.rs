//! The ledger: replicas, an answer in time, and the accounts that should be there.

use crate::{
    config::Config,
    doctor::facts::{AccountFacts, LedgerFacts, Part, Standing, VaultFacts},
    exit::Failure,
    ledger::{
        client::{CallError, Ledger},
        survey::same,
    },
    metrics::Metrics,
};
use bridge_core::{
    account::{self, CLEARING_CHART, FEES, GATE_OPERATOR, LOSS, NewAccount, SUSPENSE, VAULT},
    id::AccountId,
};
use futures_util::future;
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};
use tigerbeetle_unofficial::{QueryFilter, core::query_filter::Flags};
use tokio::{net::TcpStream, time::timeout};

/// Longest wait for a connection to a replica.
const CONNECT_MAX: Duration = Duration::from_secs(2);
/// Accounts in one lookup; what the server takes in its smallest setting.
const LOOKUP: usize = 250;

/// Everything of the ledger; accounts only where the vault is known.
pub(super) async fn all(
    config: &Config,
    vault: Option<&VaultFacts>,
) -> Result<LedgerFacts, Failure> {
    let addresses = &config.ledger.addresses;
    let replicas = future::join_all(addresses.iter().map(connects)).await;
    let nobody = replicas.iter().all(|(_, connects)| !connects);
    let answer = match nobody {
        // The client itself would try for ever.
        true => Err("connection refused or no answer".to_owned()),
        false => ask(config, vault).await.map_err(|e| e.to_string()),
    };
    let (answer, accounts, newest_ns) = match answer {
        Ok(Answer { took_ms, accounts, newest_ns }) => (Ok(took_ms), accounts, newest_ns),
        Err(error) => (Err(error), Vec::new(), None),
    };
    Ok(LedgerFacts { replicas, answer, accounts, newest_ns })
}

struct Answer {
    took_ms: u64,
    accounts: Vec<AccountFacts>,
    newest_ns: Option<u64>,
}

#[derive(Debug, thiserror::Error)]
enum NoAnswer {
    #[error(transparent)]
    Call(#[from] CallError),
    #[error("{0}")]
    Client(#[from] tigerbeetle_unofficial::error::NewClientError),
}

async fn connects(address: &SocketAddr) -> (SocketAddr, bool) {
    let connected = timeout(CONNECT_MAX, TcpStream::connect(address)).await;
    (*address, connected.is_ok_and(|stream| stream.is_ok()))
}

async fn ask(config: &Config, vault: Option<&VaultFacts>) -> Result<Answer, NoAnswer> {
    let ledger = Ledger::new(&config.ledger, Arc::new(Metrics::new()))?;
    let began = Instant::now();
    let newest = QueryFilter::new(1).with_flags(Flags::REVERSED);
    let newest = ledger.query_transfers(newest).await?;
    let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    let wanted = vault.map(|vault| wanted(config, vault)).unwrap_or_default();
    let accounts = stand(&ledger, &wanted).await?;
    Ok(Answer { took_ms, accounts, newest_ns: newest.first().map(|t| t.timestamp_ns) })
}

/// Every account that must exist, once the daemon has run and taken in all listings.
fn wanted(config: &Config, vault: &VaultFacts) -> Vec<(Part, NewAccount)> {
    let Some(instance) = vault.identity.key().instance() else { return Vec::new() };
    let (chain_id, address) = (config.chain.chain_id, config.chain.vault);
    let mut list = Vec::new();
    let foundation = account::foundation(&vault.identity, instance, config.ledger.clearing);
    for (n, one) in foundation.into_iter().enumerate() {
        list.push((if n == 0 { Part::Instance } else { Part::Chart }, one));
    }
    for listing in vault.listings.iter().flatten() {
        let accounts = account::of_listing(listing, instance, chain_id, address);
        for (n, one) in accounts.into_iter().enumerate() {
            list.push((if n == 0 { Part::Registry } else { Part::Chart }, one));
        }
    }
    list
}

async fn stand(
    ledger: &Ledger,
    wanted: &[(Part, NewAccount)],
) -> Result<Vec<AccountFacts>, CallError> {
    let mut found = BTreeMap::new();
    let ids: Vec<AccountId> = wanted.iter().map(|(_, account)| account.id).collect();
    for ids in ids.chunks(LOOKUP) {
        let accounts = ledger.lookup_accounts(ids).await?;
        found.extend(accounts.into_iter().map(|a| (a.id(), a)));
    }
    let one = |(part, wanted): &(Part, NewAccount)| {
        let standing = match found.get(&wanted.id.0) {
            None => Standing::Missing,
            Some(account) if same(account, wanted) => Standing::AsItMust,
            Some(_) => Standing::Differs,
        };
        AccountFacts { name: name(*part, wanted), standing, part: *part }
    };
    Ok(wanted.iter().map(one).collect())
}

fn name(part: Part, account: &NewAccount) -> String {
    let number = u32::try_from(account.id.0 & u128::from(u32::MAX)).unwrap_or_default();
    match part {
        Part::Instance => "the instance's registry entry".to_owned(),
        Part::Registry => format!("the registry entry of ledger {number}"),
        Part::Chart => {
            let chart =
                CLEARING_CHART.into_iter().chain([VAULT, SUSPENSE, FEES, LOSS, GATE_OPERATOR]);
            let name = chart.into_iter().find(|e| e.number == number).map_or("account", |e| e.name);
            format!("{name} of ledger {}", account.ledger)
        }
    }
}
