//! `sovrd status`

use super::{ConfigFile, print};
use crate::exit::Failure;
use alloy::transports::http::reqwest;
use clap::Args;
use serde_json::Value;
use std::{
    io::{IsTerminal, Write},
    time::Duration,
};

const TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    file: ConfigFile,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// Show it again every so many seconds, until Ctrl-C.
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "1",
          value_parser = clap::value_parser!(u64).range(1..=3_600))]
    watch: Option<u64>,
}

/// Clears a terminal and goes to its first line.
const CLEAR: &str = "\x1b[2J\x1b[H";

/// Shows the status page of the daemon that this configuration belongs to.
pub(super) async fn run(arguments: Arguments) -> Result<(), Failure> {
    let config = arguments.file.load()?;
    let url = format!("http://{}/v1/status", config.listen);
    let Some(pause) = arguments.watch else {
        print(&shown(&read(&url).await?, arguments.json));
        return Ok(());
    };
    let clear = if std::io::stdout().is_terminal() { CLEAR } else { "" };
    loop {
        // A daemon that is away may come back.
        let text = match read(&url).await {
            Ok(page) => shown(&page, arguments.json),
            Err(failure) => failure.message,
        };
        if writeln!(std::io::stdout(), "{clear}{text}\n").is_err() {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_secs(pause)).await;
    }
}

async fn read(url: &str) -> Result<Value, Failure> {
    let away = |e: reqwest::Error| {
        Failure::transient(format!("no answer from {url}: {e}; is `sovrd run` running?"))
    };
    let client = reqwest::Client::builder().timeout(TIMEOUT).build().map_err(away)?;
    let page = client.get(url).send().await.map_err(away)?.text().await.map_err(away)?;
    serde_json::from_str(&page)
        .map_err(|e| Failure::transient(format!("{url} is not a status page: {e}")))
}

fn shown(page: &Value, json: bool) -> String {
    if json { page.to_string() } else { table(page) }
}

fn table(page: &Value) -> String {
    let rows = [
        ("ready", "/ready"),
        ("waiting for", "/waiting_for"),
        ("halted", "/halted_because"),
        ("comparing history with ledger", "/is_comparing"),
        ("chain id", "/chain_id"),
        ("vault", "/vault"),
        ("instance", "/instance"),
        ("latest block", "/latest_block"),
        ("final block", "/final_block"),
        ("block in the ledger", "/acknowledged/block/number"),
        ("next event", "/acknowledged/next_seq"),
        ("events counted by the vault", "/contract_seq"),
        ("operations before the ledger", "/queued_operations"),
        ("open withdrawals", "/open_withdrawals"),
        ("transactions waiting for a block", "/transactions_in_flight"),
        ("payouts paused until, Unix s", "/payouts_paused_until"),
        ("withdrawals held back", "/held"),
        ("submitter", "/submitter/address"),
        ("its gas money, wei", "/submitter/balance"),
        ("its gas money runs low", "/submitter/is_low"),
        ("ledgers that stopped", "/blocked_ledgers"),
        ("ledger silent for, ms", "/ledger_silent_ms"),
    ];
    let line = |(name, pointer): (&str, &str)| {
        let value = page.pointer(pointer).map_or_else(|| "-".to_owned(), plain);
        format!("{name:<34}{value}")
    };
    let reserves = page["reserves"].as_array().map_or(&[][..], Vec::as_slice);
    let token = |t: &Value| {
        let name = format!("reserves of ledger {}", plain(&t["ledger"]));
        let block = plain(&t["block"]);
        format!("{name:<34}{} at block {block}", plain(&t["proof"]))
    };
    let mut lines = rows.map(line).to_vec();
    lines.extend(reserves.iter().map(token));
    let list = |pointer| page.pointer(pointer).and_then(Value::as_array).into_iter().flatten();
    lines.extend(
        list("/large_payouts").map(|one| format!("{:<34}{}", "large payout waits", queued(one))),
    );
    lines.extend(list("/rereading").map(|what| format!("{:<34}{}", "reading again", again(what))));
    lines.extend(list("/endpoints").map(|one| format!("{:<34}{}", "endpoint", endpoint(one))));
    lines.join("\n")
}

fn again(what: &Value) -> String {
    let text = |key: &str| what.get(key).map_or_else(|| "-".to_owned(), plain);
    let blocks = format!("blocks {} to {}", text("from"), text("to"));
    let subject = if text("from") == "-" { "the final head".to_owned() } else { blocks };
    format!("{subject}, {} attempts: {}", text("attempt"), text("reason"))
}

fn queued(one: &Value) -> String {
    let text = |key: &str| one.get(key).map_or_else(|| "-".to_owned(), plain);
    format!(
        "{} of ledger {}, {} s left: {}",
        text("amount"),
        text("ledger"),
        text("seconds_left"),
        text("id")
    )
}

fn endpoint(one: &Value) -> String {
    let text = |key: &str| one.pointer(key).map_or_else(|| "-".to_owned(), plain);
    let standing = match (one.get("set_aside").is_some_and(Value::is_object), text("/leads")) {
        (true, _) => format!("set aside: {}", text("/set_aside/reason")),
        (false, leads) if leads == "true" => "leads".to_owned(),
        (false, _) => "stands by".to_owned(),
    };
    format!("{} at block {}, {standing}", text("/url"), text("/final_block"))
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) if items.is_empty() => "-".to_owned(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join("; "),
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => value.to_string(),
    }
}
