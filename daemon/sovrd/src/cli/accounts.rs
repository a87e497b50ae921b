//! `sovrd accounts`: the chart and its balances, read from the ledger itself.

use super::{ConfigFile, print};
use crate::{
    config::Config,
    exit::Failure,
    ledger::client::{CallError, Ledger},
    metrics::Metrics,
};
use bridge_core::{
    account::{CLEARING_CHART, FEES, GATE_OPERATOR, LOSS, SUSPENSE, VAULT},
    asset::LedgerId,
};
use clap::Args;
use serde::Serialize;
use std::sync::Arc;
use tigerbeetle_unofficial::{Account, QueryFilter, account::Flags};

/// Accounts in one page of the ledger's answer; the server's limit for the smallest setting.
const PAGE: u32 = 250;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    file: ConfigFile,
    /// Only this ledger.
    #[arg(long, value_name = "NUMBER")]
    ledger: Option<u32>,
    /// Also the accounts of persons.
    #[arg(long)]
    persons: bool,
    /// Print JSON lines.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Row {
    ledger: u32,
    name: String,
    id: String,
    code: u16,
    side: &'static str,
    debits_posted: String,
    credits_posted: String,
    debits_pending: String,
    credits_pending: String,
}

pub(super) async fn run(arguments: Arguments) -> Result<(), Failure> {
    let config = arguments.file.load()?;
    let ledger = Ledger::new(&config.ledger, Arc::new(Metrics::new()))
        .map_err(|e| Failure::configuration(format!("ledger.addresses: {e}")))?;
    let mut rows = all(&ledger, &arguments).await.map_err(|e| away(&config, &e))?;
    rows.sort_by(|a, b| (a.ledger, a.code, &a.id).cmp(&(b.ledger, b.code, &b.id)));
    if arguments.json {
        for row in &rows {
            let line = serde_json::to_string(row).map_err(|e| Failure::bug(e.to_string()))?;
            print(&line);
        }
    } else {
        print(&table(&rows));
    }
    Ok(())
}

fn away(config: &Config, error: &CallError) -> Failure {
    let addresses = &config.ledger.addresses;
    Failure::transient(format!("{error}; is TigerBeetle running at {addresses:?}?"))
}

/// Pages through the ledger by timestamp.
async fn all(ledger: &Ledger, arguments: &Arguments) -> Result<Vec<Row>, CallError> {
    let mut rows = Vec::new();
    let mut from = 1_u64;
    loop {
        let filter = QueryFilter::new(PAGE).with_timestamp_min(raw_time(from));
        let filter = match arguments.ledger {
            Some(number) => filter.with_ledger(number),
            None => filter,
        };
        let page = ledger.query_accounts(filter).await?;
        let Some(last) = page.last() else { return Ok(rows) };
        from = last.as_raw().timestamp.saturating_add(1);
        let shown = |a: &&Account| arguments.persons || !is_person(a);
        rows.extend(page.iter().filter(shown).map(row));
    }
}

fn raw_time(ns: u64) -> std::time::SystemTime {
    std::time::UNIX_EPOCH + std::time::Duration::from_nanos(ns)
}

const fn is_person(account: &Account) -> bool {
    account.id() >> 127 == 1
}

fn row(account: &Account) -> Row {
    let side = if account.flags().contains(Flags::CREDITS_MUST_NOT_EXCEED_DEBITS) {
        "asset"
    } else if account.flags().contains(Flags::DEBITS_MUST_NOT_EXCEED_CREDITS) {
        "liability"
    } else {
        "free"
    };
    Row {
        ledger: account.ledger(),
        name: name(account),
        id: format!("{:#034x}", account.id()),
        code: account.code(),
        side,
        debits_posted: account.debits_posted().to_string(),
        credits_posted: account.credits_posted().to_string(),
        debits_pending: account.debits_pending().to_string(),
        credits_pending: account.credits_pending().to_string(),
    }
}

/// The chart's name, or whose account it is.
fn name(account: &Account) -> String {
    if is_person(account) {
        let kind = if account.ledger() == LedgerId::CONTROL.0 { "gate" } else { "funds" };
        let (high, low) = (account.user_data_128(), account.user_data_32());
        return format!("{kind} of 0x{high:032x}{low:08x}");
    }
    if account.id() >> 126 == 1 {
        return "registry".to_owned();
    }
    let number = u32::try_from(account.id() & u128::from(u32::MAX)).unwrap_or_default();
    CLEARING_CHART
        .iter()
        .chain(&[VAULT, SUSPENSE, FEES, LOSS, GATE_OPERATOR])
        .find(|entry| entry.number == number)
        .map_or_else(|| number.to_string(), |entry| entry.name.to_owned())
}

fn table(rows: &[Row]) -> String {
    let head = format!(
        "{:<10}{:<20}{:<11}{:>22}{:>22}{:>18}{:>18}  id",
        "ledger", "account", "side", "debits", "credits", "debits pending", "credits pending"
    );
    let line = |r: &Row| {
        format!(
            "{:<10}{:<20}{:<11}{:>22}{:>22}{:>18}{:>18}  {}",
            r.ledger,
            r.name,
            r.side,
            r.debits_posted,
            r.credits_posted,
            r.debits_pending,
            r.credits_pending,
            r.id
        )
    };
    std::iter::once(head).chain(rows.iter().map(line)).collect::<Vec<_>>().join("\n")
}
