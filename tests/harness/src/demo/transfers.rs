//! What the daemon answers when it is asked where a deposit or withdrawal is.

use crate::{http, wait};
use anyhow::{Context, Result, bail};
use serde::Deserialize;
use std::{cell::RefCell, time::Duration};

const REPLY_LIMIT: Duration = Duration::from_secs(10);
const LIMIT: Duration = Duration::from_secs(60);

/// One deposit or withdrawal, as `GET /v1/transfers/<reference>` shows it.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Item {
    pub(super) state: String,
    pub(super) sentence: String,
    pub(super) chain: Option<ChainSide>,
    pub(super) ledger: Option<LedgerSide>,
}

/// Its events.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct ChainSide {
    pub(super) outcome_tx_hash: Option<String>,
}

/// Its transfer.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct LedgerSide {
    pub(super) transfer_id: String,
    pub(super) amount: String,
    pub(super) resolved: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Answer {
    items: Vec<Item>,
}

/// Asks until `right` says so.
pub(super) fn wait_for(api: &str, name: &str, right: impl Fn(&Item) -> bool) -> Result<Item> {
    let last = RefCell::new("no answer yet".to_owned());
    let waited = wait::until(name, LIMIT, || {
        let item = ask(api, name)?;
        *last.borrow_mut() = format!("{item:?}");
        Ok(right(&item).then_some(item))
    });
    waited.with_context(|| format!("the daemon's last answer: {}", last.borrow()))
}

fn ask(api: &str, name: &str) -> Result<Item> {
    let answer = http::get(&format!("{api}/v1/transfers/{name}"), REPLY_LIMIT)?;
    if answer.status != 200 {
        bail!("the daemon answered {}: {}", answer.status, answer.body);
    }
    let answer: Answer = serde_json::from_str(&answer.body)?;
    answer.items.into_iter().next().with_context(|| format!("the daemon knows no {name}"))
}
