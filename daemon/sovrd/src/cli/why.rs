//! `sovrd why`

use super::{ConfigFile, print};
use crate::{
    body,
    exit::{Exit, Failure},
};
use alloy::transports::http::reqwest::{self, StatusCode};
use clap::Args;
use serde_json::Value;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Longest wait for the daemon: it asks node and ledger in turn.
const TIMEOUT: Duration = Duration::from_secs(35);
/// Longest answer that is read, bytes.
const ANSWER_BYTES_MAX: usize = 4 << 20;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// deposit:<number>, withdrawal:<id>, tx:<hash> or address:<owner>.
    #[arg(value_name = "REFERENCE")]
    reference: String,
    #[command(flatten)]
    file: ConfigFile,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Says what a deposit or withdrawal waits for, as the running daemon knows it.
pub(super) async fn run(arguments: Arguments) -> Result<(), Failure> {
    let config = arguments.file.load()?;
    let Arguments { reference, json, .. } = arguments;
    // What is no reference is not sent anywhere.
    let reference: crate::api::reference::Reference =
        reference.parse().map_err(|e| Failure { exit: Exit::Usage, message: format!("{e}") })?;
    let url = format!("http://{}/v1/why/{reference}", config.listen);
    let (status, page) = ask(&url).await.map_err(|e| away(&url, &e))?;
    if status != StatusCode::OK {
        let detail = page["detail"].as_str().unwrap_or("no reason given").to_owned();
        return Err(Failure::transient(format!("{detail}; sovrd doctor says what is wrong")));
    }
    if json {
        print(&page.to_string());
    } else {
        let items = page["items"].as_array().map_or(&[][..], Vec::as_slice);
        print(&items.iter().map(told).collect::<Vec<_>>().join("\n\n"));
    }
    Ok(())
}

async fn ask(url: &str) -> Result<(StatusCode, Value), String> {
    let client = reqwest::Client::builder().timeout(TIMEOUT).build().map_err(|e| e.to_string())?;
    let response = client.get(url).send().await.map_err(|e| e.to_string())?;
    let status = response.status();
    let body = body::read(response, ANSWER_BYTES_MAX).await.map_err(|e| e.to_string())?;
    let page = serde_json::from_slice(&body).map_err(|e| format!("no page of sovrd: {e}"))?;
    Ok((status, page))
}

fn away(url: &str, error: &str) -> Failure {
    Failure::transient(format!(
        "no answer from {url}: {error}. Everything waits while the daemon is down, and nothing is \
         lost: start it with sovrd run; sovrd doctor says what keeps it from running. Without it, \
         the vault's stateOf(id) tells where a withdrawal is on chain (docs/self-help.md)"
    ))
}

fn told(item: &Value) -> String {
    let text = |key: &str| item[key].as_str().unwrap_or("-").to_owned();
    let since = item["since_s"].as_u64().map_or_else(|| "-".to_owned(), ago);
    format!(
        "{}\n  state      {}\n  waits for  {} ({})\n  since      {since}\n  moved by   {}",
        text("ref"),
        text("state"),
        text("sentence"),
        text("waits_for"),
        text("moves"),
    )
}

/// A time in the past, for people.
fn ago(at_s: u64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let text = match now.saturating_sub(at_s) {
        seconds @ ..120 => format!("{seconds} seconds ago"),
        seconds @ 120..7_200 => format!("{} minutes ago", seconds / 60),
        seconds @ 7_200..172_800 => format!("{} hours ago", seconds / 3_600),
        seconds => format!("{} days ago", seconds / 86_400),
    };
    format!("{text} (Unix time {at_s})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_as_people_do() {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        for (seconds, text) in
            [(5, "5 seconds"), (119, "119 seconds"), (600, "10 minutes"), (7_200, "2 hours")]
        {
            assert!(ago(now - seconds).starts_with(text), "{}", ago(now - seconds));
        }
        assert!(ago(now - 86_400 * 9).starts_with("9 days"));
    }
}
