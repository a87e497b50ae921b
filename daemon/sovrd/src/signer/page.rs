//! A signer's HTTP: one request to sign, for whoever has the token, and its health.

use super::{NotSigned, Signer};
use crate::api::problem::Problem;
use alloy::primitives::{Address, Bytes};
use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, State, rejection::JsonRejection},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use bridge_core::signing::{Ask, Tree};
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};
use tokio::sync::Semaphore;
use tracing::warn;

/// Longest request that is read, bytes: the longest texts of owners, hex digits and all.
const BODY_BYTES_MAX: usize = 8 << 10 << 5;
/// Most withdrawals under one root.
const ITEMS_MAX: usize = 32;
/// Requests that are judged at the same time.
const JUDGED_MAX: usize = 32;
/// Most that ask at the same time whether it is ready.
const HEALTH_MAX: usize = 4;
/// Longest wait for a turn.
const TURN_MAX: Duration = Duration::from_secs(2);

/// A signature, and whose.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Signed {
    /// Who signed.
    pub(crate) signer: Address,
    /// 65 bytes: r, s, v.
    pub(crate) signature: Bytes,
}

#[derive(Clone)]
struct Desk {
    signer: Arc<Signer>,
    turns: Arc<Semaphore>,
    /// Anybody may ask whether it is ready: that takes no turn from signing.
    health: Arc<Semaphore>,
}

pub(super) fn router(signer: Arc<Signer>) -> Router {
    let turns = Arc::new(Semaphore::new(JUDGED_MAX));
    Router::new()
        .route("/live", get(|| async { "alive\n" }))
        .route("/ready", get(ready))
        .route("/v1/signer", get(who))
        .route("/v1/sign", post(sign))
        .method_not_allowed_fallback(|| async { Problem::not_allowed("POST /v1/sign") })
        .fallback(|| async {
            Problem::not_found("there are /live, /ready, /v1/signer and POST /v1/sign")
        })
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(Desk { signer, turns, health: Arc::new(Semaphore::new(HEALTH_MAX)) })
}

/// Whose key it is: public, for the vault names its signers to everybody.
#[derive(Debug, Serialize)]
struct Who {
    signer: Address,
}

async fn who(State(desk): State<Desk>) -> Json<Who> {
    Json(Who { signer: desk.signer.address() })
}

async fn ready(State(desk): State<Desk>) -> Response {
    let Ok(_turn) = desk.health.try_acquire() else {
        return Problem::busy(format!("{HEALTH_MAX} ask for it already")).into_response();
    };
    match desk.signer.is_ready().await {
        Ok(()) => (StatusCode::OK, "ready\n").into_response(),
        Err(error) => Problem::not_ready(&[error.to_string()]).into_response(),
    }
}

async fn sign(
    State(desk): State<Desk>,
    headers: HeaderMap,
    asks: Result<Json<Vec<Ask>>, JsonRejection>,
) -> Result<Json<Signed>, Problem> {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = given.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
    if !desk.signer.knows(token) {
        return Err(Problem::unauthorized("Authorization: Bearer and the signer's token"));
    }
    let Json(asks) = asks.map_err(|e| Problem::bad_request(e.body_text()))?;
    if asks.is_empty() || asks.len() > ITEMS_MAX || Tree::over(&asks).is_none() {
        return Err(Problem::bad_request(format!(
            "give 1 to {ITEMS_MAX} withdrawals, all to pay or all to refuse"
        )));
    }
    let turn = tokio::time::timeout(TURN_MAX, desk.turns.acquire()).await;
    let Ok(Ok(_turn)) = turn else {
        return Err(Problem::busy(format!("{JUDGED_MAX} requests are judged already")));
    };
    match desk.signer.sign(&asks).await {
        Ok(signature) => Ok(Json(Signed { signer: desk.signer.address(), signature })),
        Err((Ask { id, verdict, .. }, NotSigned::Refused(refusal))) => {
            warn!(%id, ?verdict, %refusal, "not signed");
            Err(Problem::not_signed(id, refusal))
        }
        Err((ask, error)) => {
            warn!(id = %ask.id, %error, "not signed");
            Err(Problem::unavailable(error.to_string()))
        }
    }
}
