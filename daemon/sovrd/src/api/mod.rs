//! HTTP: health, metrics, status, and where a transfer is. Reads only.

mod document;
mod info;
pub mod problem;
pub mod reference;
mod search;
mod ticket;
mod transfers;
mod why;

use crate::{chain::nodes::Nodes, config, engine::Inbox, ledger::client::Ledger, metrics::Metrics};
use alloy::primitives::Address;
use axum::{
    Json, Router,
    extract::{
        Path, Query, Request, State,
        rejection::{PathRejection, QueryRejection},
    },
    http::{HeaderValue, Method, StatusCode, Uri, header},
    middleware::{self, Next},
    response::{Html, IntoResponse, Response},
};
use bridge_core::{
    block::{BlockNumber, Seq},
    endpoint::EndpointStatus,
    id::Instance,
    reserves::{Proof, TokenReserves},
    schema::{AddressText, Bytes32Text},
    status::{Rereading, Summary},
};
use problem::Problem;
use serde::{Deserialize, Serialize};
use std::{
    path::PathBuf,
    sync::{Arc, LazyLock},
    time::Duration,
};
use tokio::sync::{Semaphore, watch};
use tower_http::cors::{AllowOrigin, Any, CorsLayer};
use utoipa::{IntoParams, OpenApi, ToSchema, openapi::OpenApi as Document};
use utoipa_axum::{router::OpenApiRouter, routes};

/// The ledger must have answered within this time to count as alive.
const LEDGER_SILENCE_MAX: Duration = Duration::from_secs(5);

/// A poll must have been answered within this time, and within [`POLLS_MISSED`] polls, for the nodes to
/// count as alive: one that hangs is asked nothing else meanwhile.
const NODE_SILENCE_MAX: Duration = Duration::from_secs(5);
const POLLS_MISSED: u32 = 3;

/// Longest time that a request may take.
const ANSWER_MAX: Duration = Duration::from_secs(30);

/// Time for which a browser may remember what a page may ask for.
const PREFLIGHT_MAX: Duration = Duration::from_secs(600);

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
    /// What is shared between those who ask.
    pub shared: Shared,
}

/// What is shared between those who ask: turns for searches of the chain, and the newest `/v1/info`.
#[derive(Clone, Debug)]
pub struct Shared {
    searches: Arc<Semaphore>,
    info: info::Cache,
}

impl Default for Shared {
    fn default() -> Self {
        Self {
            searches: Arc::new(Semaphore::new(search::SEARCHES_MAX)),
            info: info::Cache::default(),
        }
    }
}

/// All routes, each with its place in the document.
fn routes() -> OpenApiRouter<Sources> {
    OpenApiRouter::with_openapi(document::About::openapi())
        .routes(routes!(live))
        .routes(routes!(ready))
        .routes(routes!(metrics))
        .routes(routes!(info_page))
        .routes(routes!(status))
        .routes(routes!(reserves))
        .routes(routes!(transfers))
        .routes(routes!(why))
        .routes(routes!(ticket))
        .routes(routes!(openapi))
        .routes(routes!(docs))
}

/// Everything that is served, for programs.
static DOCUMENT: LazyLock<Document> = LazyLock::new(|| routes().into_openapi());

/// The service. Pages of `origins` may read it; `*` stands for everybody's.
pub fn router(sources: Sources, origins: &[String]) -> Router {
    let (router, _document) = routes().split_for_parts();
    router
        .method_not_allowed_fallback(|method: Method, uri: Uri| async move {
            let detail = format!("{} is served for GET, not for {method}", uri.path());
            ([(header::ALLOW, "GET, HEAD")], Problem::not_allowed(detail)).into_response()
        })
        .fallback(|uri: Uri| async move {
            let served = document::paths(&DOCUMENT);
            Problem::not_found(format!("{} is not served; there are {served}", uri.path()))
        })
        .layer(middleware::from_fn(within_time))
        .layer(cors(origins))
        .with_state(sources)
}

/// Which web pages may read what is served. Nothing here depends on who asks, so no page ever gets
/// anything that a visitor's browser would add.
fn cors(origins: &[String]) -> CorsLayer {
    let layer = CorsLayer::new()
        .allow_methods([Method::GET, Method::HEAD])
        .allow_headers([header::CONTENT_TYPE])
        .max_age(PREFLIGHT_MAX);
    if origins.iter().any(|origin| origin == "*") {
        return layer.allow_origin(Any);
    }
    let list = origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok());
    layer.allow_origin(AllowOrigin::list(list))
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
        let most = Duration::from_millis(self.chain.poll_interval_ms);
        let most = most.saturating_mul(POLLS_MISSED).max(NODE_SILENCE_MAX);
        if let Some(silent) = self.nodes.silent_for().filter(|silent| *silent > most) {
            reasons.push(format!("no node has answered for {} s", silent.as_secs()));
        }
        if self.ledger.silent_for().is_none_or(|silent| silent > LEDGER_SILENCE_MAX) {
            reasons.push("the ledger does not answer".to_owned());
        }
        reasons
    }
}

/// Whether the process answers
#[utoipa::path(get, path = "/live", tag = "health", responses(
    (status = 200, description = "It does", content_type = "text/plain", body = String),
))]
async fn live() -> &'static str {
    "alive\n"
}

/// Whether everything final is in the ledger
#[utoipa::path(get, path = "/ready", tag = "health", responses(
    (status = 200, description = "It is", content_type = "text/plain", body = String),
    (status = 503, description = "Why not", content_type = "application/problem+json", body = Problem),
))]
async fn ready(State(sources): State<Sources>) -> Response {
    let reasons = sources.not_ready_because();
    if reasons.is_empty() {
        (StatusCode::OK, "ready\n").into_response()
    } else {
        Problem::not_ready(&reasons).into_response()
    }
}

/// Measurements, as OpenMetrics
#[utoipa::path(get, path = "/metrics", tag = "health", responses(
    (status = 200, description = "All of them", content_type = "application/openmetrics-text",
     body = String),
    (status = 503, description = "Not now", content_type = "application/problem+json", body = Problem),
))]
async fn metrics(State(sources): State<Sources>) -> Response {
    const TEXT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    match sources.metrics.text() {
        Ok(text) => ([(header::CONTENT_TYPE, TEXT)], text).into_response(),
        Err(error) => Problem::unavailable(error.to_string()).into_response(),
    }
}

/// Vault, tokens with their limits, pauses, and how long things take
#[utoipa::path(get, path = "/v1/info", tag = "wallets", responses(
    (status = 200, description = "What a page should know before it sends anything", body = info::Info),
    (status = 503, description = "No node answers", content_type = "application/problem+json",
     body = Problem),
))]
async fn info_page(State(sources): State<Sources>) -> Result<Json<Arc<info::Info>>, Problem> {
    info::page(&sources).await.map(Json)
}

/// This interface, as an OpenAPI document
#[utoipa::path(get, path = "/v1/openapi.json", tag = "documentation", responses(
    (status = 200, description = "OpenAPI 3.1", content_type = "application/json", body = Object),
))]
async fn openapi() -> Json<&'static Document> {
    Json(&DOCUMENT)
}

/// This interface, as a page
#[utoipa::path(get, path = "/docs", tag = "documentation", responses(
    (status = 200, description = "HTML that loads nothing from anywhere", content_type = "text/html",
     body = String),
))]
async fn docs() -> Response {
    let policy = [(header::CONTENT_SECURITY_POLICY, document::POLICY)];
    (policy, Html(document::page(&DOCUMENT))).into_response()
}

/// `/v1/status`
#[derive(Debug, Serialize, ToSchema)]
struct StatusPage {
    ready: bool,
    waiting_for: Vec<String>,
    chain_id: u64,
    #[schema(value_type = AddressText)]
    vault: Address,
    /// Time since the ledger's last answer, milliseconds.
    #[schema(value_type = Option<u64>)]
    ledger_silent_ms: Option<u128>,
    /// Where a damaged store was moved to at the start.
    #[schema(value_type = Option<String>)]
    store_quarantined: Option<Arc<PathBuf>>,
    /// What disagrees, in a sentence.
    halted_because: Option<String>,
    quorum: u8,
    endpoints: Vec<EndpointRow>,
    #[serde(flatten)]
    core: Summary,
}

/// An endpoint with its address, which holds no secret here.
#[derive(Debug, Serialize, ToSchema)]
struct EndpointRow {
    url: String,
    #[serde(flatten)]
    standing: EndpointStatus,
}

fn endpoint_rows(chain: &config::Chain, summary: &Summary) -> Vec<EndpointRow> {
    let rows = chain.endpoints.iter().zip(&summary.endpoints);
    rows.map(|(url, standing)| EndpointRow { url: url.to_string(), standing: *standing }).collect()
}

/// Where the bridge stands
#[utoipa::path(get, path = "/v1/status", tag = "operators", responses(
    (status = 200, description = "Blocks, event numbers, open withdrawals, why it waits", body = StatusPage),
))]
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
#[derive(Debug, Serialize, ToSchema)]
struct ReservesPage {
    /// True if every token adds up.
    proved: bool,
    tokens: Vec<TokenReserves>,
}

/// The proof of reserves of each token
#[utoipa::path(get, path = "/v1/reserves", tag = "operators", responses(
    (status = 200, description = "Both sides, at which block", body = ReservesPage),
))]
async fn reserves(State(sources): State<Sources>) -> Json<ReservesPage> {
    let tokens = sources.now().reserves.clone();
    let proved = !tokens.is_empty() && tokens.iter().all(|t| t.proof == Proof::Proved);
    Json(ReservesPage { proved, tokens })
}

/// Which part of a history.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Part {
    /// Only what is older than this block.
    #[param(value_type = Option<u64>)]
    before_block: Option<BlockNumber>,
    /// Only events with a lower number.
    #[param(value_type = Option<u64>)]
    before_seq: Option<Seq>,
}

impl Part {
    /// The document calls them 64-bit numbers, which for most programs have a sign.
    fn is_sane(&self) -> bool {
        let is_sane = |number: u64| i64::try_from(number).is_ok();
        self.before_block.is_none_or(|n| is_sane(n.0))
            && self.before_seq.is_none_or(|n| is_sane(n.0))
    }
}

/// Where a deposit or withdrawal is, on chain and in the ledger
#[utoipa::path(get, path = "/v1/transfers/{reference}", tag = "wallets",
    params(("reference" = reference::ReferenceText, Path,
        description = "deposit:<number>, withdrawal:<id>, tx:<hash> or address:<owner>"), Part),
    responses(
        (status = 200, description = "Oldest first", body = transfers::Answer),
        (status = 400, description = "Which parameter is wrong, and what would be right",
         content_type = "application/problem+json", body = Problem),
        (status = 503, description = "Node or ledger does not answer, or too many search",
         content_type = "application/problem+json", body = Problem),
    ))]
async fn transfers(
    State(sources): State<Sources>,
    reference: Result<Path<String>, PathRejection>,
    part: Result<Query<Part>, QueryRejection>,
) -> Result<Json<transfers::Answer>, Problem> {
    let Path(reference) = reference.map_err(|e| Problem::bad_request(e.body_text()))?;
    let reference = reference.parse();
    let part = part.ok().filter(|Query(part)| part.is_sane());
    let part = part.ok_or("before_block, before_seq: the only parameters, both numbers");
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

/// What a deposit or withdrawal waits for, since when, and what would move it
#[utoipa::path(get, path = "/v1/why/{reference}", tag = "wallets",
    params(("reference" = reference::ReferenceText, Path,
        description = "deposit:<number>, withdrawal:<id>, tx:<hash> or address:<owner>")),
    responses(
        (status = 200, description = "One for each thing, oldest first", body = why::Page),
        (status = 400, description = "What would be a reference",
         content_type = "application/problem+json", body = Problem),
        (status = 503, description = "Node or ledger does not answer, or too many search",
         content_type = "application/problem+json", body = Problem),
    ))]
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

/// A signed payout or refusal, for whoever wants to send it themselves
#[utoipa::path(get, path = "/v1/withdrawals/{id}/ticket", tag = "wallets",
    params(("id" = Bytes32Text, Path, description = "The withdrawal's id")),
    responses(
        (status = 200, description = "The whole call", body = ticket::Ticket),
        (status = 400, description = "What would be an id",
         content_type = "application/problem+json", body = Problem),
        (status = 404, description = "Nothing is open under this id",
         content_type = "application/problem+json", body = Problem),
        (status = 409, description = "Not signed yet",
         content_type = "application/problem+json", body = Problem),
    ))]
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
