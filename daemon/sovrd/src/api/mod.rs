//! HTTP: health, metrics, status, and where a transfer is. Reads only.

pub mod problem;
pub mod reference;
mod search;
mod ticket;
mod transfers;
mod why;

use crate::{chain::nodes::Nodes, config, engine::Inbox, ledger::client::Ledger, metrics::Metrics};
use axum::{
    Json, Router,
    extract::{
        Path, Query, Request, State,
        rejection::{PathRejection, QueryRejection},
    },
    http::{Method, StatusCode, Uri, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};
use bridge_core::{
    block::{BlockNumber, Seq},
    endpoint::EndpointStatus,
    id::Instance,
    reserves::{Proof, TokenReserves},
    status::{Rereading, Summary},
};
use problem::Problem;
use serde::{Deserialize, Serialize};
use std::{path::PathBuf, sync::Arc, time::Duration};
use tokio::sync::{Semaphore, watch};

/// The ledger must have answered within this time to count as alive.
const LEDGER_SILENCE_MAX: Duration = Duration::from_secs(5);

/// Longest time that a request may take.
const ANSWER_MAX: Duration = Duration::from_secs(30);

/// Reads of one thing in vain from which on it counts as a trouble that lasts.
const ATTEMPTS_TOLD: u32 = 2;

/// What the handlers read from.
#[derive(Clone, Debug)]
pub struct Sources {
    /// The chain, for what is not final yet and for evidence.
    pub nodes: Nodes,
    /// The ledger: the state of record.
    pub ledger: Arc<Ledger>,
    /// The core, for open withdrawals.
    pub inbox: Inbox,
    /// The newest summary.
    pub summary: watch::Receiver<Arc<Summary>>,
    /// All metrics.
    pub metrics: Arc<Metrics>,
    /// The chain's configuration.
    pub chain: Arc<config::Chain>,
    /// The instance number.
    pub instance: Instance,
    /// Where a damaged store was moved to at the start.
    pub quarantined: Option<Arc<PathBuf>>,
    /// Turns for searches of the chain.
    pub searches: Arc<Semaphore>,
}

/// As many turns as there are for searches at the same time.
#[must_use]
pub fn turns() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(search::SEARCHES_MAX))
}

/// All routes.
pub fn router(sources: Sources) -> Router {
    Router::new()
        .route("/live", get(|| async { "alive\n" }))
        .route("/ready", get(ready))
        .route("/metrics", get(metrics))
        .route("/v1/status", get(status))
        .route("/v1/reserves", get(reserves))
        .route("/v1/transfers/{reference}", get(transfers))
        .route("/v1/why/{reference}", get(why))
        .route("/v1/withdrawals/{id}/ticket", get(ticket))
        .method_not_allowed_fallback(|method: Method, uri: Uri| async move {
            let detail = format!("{} is served for GET, not for {method}", uri.path());
            ([(header::ALLOW, "GET, HEAD")], Problem::not_allowed(detail)).into_response()
        })
        .fallback(|uri: Uri| async move {
            Problem::not_found(format!(
                "{} is not served; there are /live, /ready, /metrics, /v1/status, /v1/reserves, \
                 /v1/transfers/{{reference}}, /v1/why/{{reference}} and /v1/withdrawals/{{id}}/ticket",
                uri.path()
            ))
        })
        .layer(middleware::from_fn(within_time))
        .with_state(sources)
}

async fn within_time(request: Request, next: Next) -> Response {
    match tokio::time::timeout(ANSWER_MAX, next.run(request)).await {
        Ok(response) => response,
        Err(_elapsed) => {
            Problem::unavailable(format!("no answer within {} s", ANSWER_MAX.as_secs()))
                .into_response()
        }
    }
}

impl Sources {
    fn now(&self) -> Arc<Summary> {
        self.summary.borrow().clone()
    }

    fn not_ready_because(&self) -> Vec<String> {
        let summary = self.now();
        let mut reasons = Vec::new();
        if let Some(evidence) = summary.halted {
            reasons.push(format!("halted: {evidence}; see sovrd status"));
        }
        match (summary.final_block, summary.up_to_date) {
            (None, _) => reasons.push("the node has not answered yet".to_owned()),
            (Some(block), false) => reasons.push(format!(
                "catching up: block {} of {block} is in the ledger",
                summary.acknowledged.block.number
            )),
            (Some(_), true) => {}
        }
        for token in &summary.reserves {
            if let Some(broken) = token.broken {
                reasons.push(format!("nothing is signed for this token: {broken}"));
            }
        }
        let persisting = |r: &&Rereading| r.attempt >= ATTEMPTS_TOLD;
        reasons.extend(summary.rereading.iter().filter(persisting).map(ToString::to_string));
        if self.ledger.silent_for().is_none_or(|silent| silent > LEDGER_SILENCE_MAX) {
            reasons.push("the ledger does not answer".to_owned());
        }
        reasons
    }
}

async fn ready(State(sources): State<Sources>) -> Response {
    let reasons = sources.not_ready_because();
    if reasons.is_empty() {
        (StatusCode::OK, "ready\n").into_response()
    } else {
        Problem::not_ready(&reasons).into_response()
    }
}

async fn metrics(State(sources): State<Sources>) -> Response {
    const TEXT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    match sources.metrics.text() {
        Ok(text) => ([(header::CONTENT_TYPE, TEXT)], text).into_response(),
        Err(error) => Problem::unavailable(error.to_string()).into_response(),
    }
}

/// `/v1/status`
#[derive(Debug, Serialize)]
struct StatusPage {
    ready: bool,
    waiting_for: Vec<String>,
    chain_id: u64,
    vault: alloy::primitives::Address,
    ledger_silent_ms: Option<u128>,
    /// Where a damaged store was moved to at the start.
    store_quarantined: Option<Arc<PathBuf>>,
    /// What disagrees, in a sentence.
    halted_because: Option<String>,
    quorum: u8,
    endpoints: Vec<EndpointRow>,
    #[serde(flatten)]
    core: Summary,
}

/// An endpoint with its address, which holds no secret here.
#[derive(Debug, Serialize)]
struct EndpointRow {
    url: String,
    #[serde(flatten)]
    standing: EndpointStatus,
}

fn endpoint_rows(chain: &config::Chain, summary: &Summary) -> Vec<EndpointRow> {
    let rows = chain.endpoints.iter().zip(&summary.endpoints);
    rows.map(|(url, standing)| EndpointRow { url: url.to_string(), standing: *standing }).collect()
}

async fn status(State(sources): State<Sources>) -> Json<StatusPage> {
    let waiting_for = sources.not_ready_because();
    let core = sources.now().as_ref().clone();
    Json(StatusPage {
        ready: waiting_for.is_empty(),
        waiting_for,
        chain_id: sources.chain.chain_id,
        vault: sources.chain.vault,
        ledger_silent_ms: sources.ledger.silent_for().map(|d| d.as_millis()),
        store_quarantined: sources.quarantined.clone(),
        halted_because: core.halted.map(|evidence| evidence.to_string()),
        quorum: sources.chain.quorum,
        endpoints: endpoint_rows(&sources.chain, &core),
        core,
    })
}

/// `/v1/reserves`
#[derive(Debug, Serialize)]
struct ReservesPage {
    /// True if every token adds up.
    proved: bool,
    tokens: Vec<TokenReserves>,
}

async fn reserves(State(sources): State<Sources>) -> Json<ReservesPage> {
    let tokens = sources.now().reserves.clone();
    let proved = !tokens.is_empty() && tokens.iter().all(|t| t.proof == Proof::Proved);
    Json(ReservesPage { proved, tokens })
}

/// Which part of a history.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Part {
    /// Only what is older than this block.
    before_block: Option<BlockNumber>,
    /// Only events with a lower number.
    before_seq: Option<Seq>,
}

async fn transfers(
    State(sources): State<Sources>,
    reference: Result<Path<String>, PathRejection>,
    part: Result<Query<Part>, QueryRejection>,
) -> Result<Json<transfers::Answer>, Problem> {
    let Path(reference) = reference.map_err(|e| Problem::bad_request(e.body_text()))?;
    let reference = reference.parse();
    let part = part.map_err(|_| "before_block, before_seq: the only parameters, both numbers");
    match (reference, part) {
        (Ok(reference), Ok(Query(part))) => {
            transfers::find(&sources, reference, &part).await.map(Json)
        }
        (reference, part) => {
            let wrong: Option<reference::NotAReference> = reference.err();
            let faults = wrong.map(|e| e.to_string()).into_iter();
            let faults: Vec<String> = faults.chain(part.err().map(str::to_owned)).collect();
            Err(Problem::bad_request(faults.join("; ")))
        }
    }
}

async fn why(
    State(sources): State<Sources>,
    reference: Result<Path<String>, PathRejection>,
) -> Result<Json<why::Page>, Problem> {
    let Path(reference) = reference.map_err(|e| Problem::bad_request(e.body_text()))?;
    let reference = reference
        .parse()
        .map_err(|e: reference::NotAReference| Problem::bad_request(e.to_string()))?;
    why::explain(&sources, reference).await.map(Json)
}

async fn ticket(
    State(sources): State<Sources>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Json<ticket::Ticket>, Problem> {
    let Path(id) = id.map_err(|e| Problem::bad_request(e.body_text()))?;
    let Ok(reference::Reference::Withdrawal(id)) = format!("withdrawal:{id}").parse() else {
        let id: String = id.chars().take(80).collect();
        return Err(Problem::bad_request(format!("id: {id:?} is not 0x and 64 hex digits")));
    };
    ticket::find(&sources, id).await.map(Json)
}
