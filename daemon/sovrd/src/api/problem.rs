//! Errors of the API: RFC 9457 problem documents with stable types.

use alloy::primitives::B256;
use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use bridge_core::signing::Refusal;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A problem document.
#[derive(Debug, Serialize, ToSchema)]
pub struct Problem {
    /// Stable name of the kind of problem.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The kind, for people.
    title: &'static str,
    /// HTTP status.
    status: u16,
    /// This very case: which field, what was wrong, what would be right.
    detail: String,
    /// Why a signer does not sign.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    refusal: Option<Refusal>,
}

/// A problem as somebody else's answer.
#[derive(Debug, Deserialize)]
pub struct Refused {
    /// What was wrong.
    pub detail: String,
}

impl Problem {
    /// The request cannot be understood.
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self {
            kind: "urn:sovr:problem:bad-request",
            title: "The request cannot be understood",
            status: 400,
            detail: detail.into(),
            refusal: None,
        }
    }

    /// There is no such page.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self {
            kind: "urn:sovr:problem:not-found",
            title: "There is no such page",
            status: 404,
            detail: detail.into(),
            refusal: None,
        }
    }

    /// The page is there, but not for this method.
    pub fn not_allowed(detail: impl Into<String>) -> Self {
        Self {
            kind: "urn:sovr:problem:method-not-allowed",
            title: "The page is not served for this method",
            status: 405,
            detail: detail.into(),
            refusal: None,
        }
    }

    /// Too many ask for the same at once.
    pub fn busy(detail: impl Into<String>) -> Self {
        Self {
            kind: "urn:sovr:problem:busy",
            title: "Too many requests at once; try again in a moment",
            status: 503,
            detail: detail.into(),
            refusal: None,
        }
    }

    /// Nothing can be signed for this withdrawal, or not any more.
    pub fn no_ticket(detail: impl Into<String>) -> Self {
        Self {
            kind: "urn:sovr:problem:no-ticket",
            title: "There is no ticket",
            status: 404,
            detail: detail.into(),
            refusal: None,
        }
    }

    /// The ticket comes once the signers have signed.
    pub fn not_signed_yet(detail: impl Into<String>) -> Self {
        Self {
            kind: "urn:sovr:problem:not-signed-yet",
            title: "Not signed yet",
            status: 409,
            detail: detail.into(),
            refusal: None,
        }
    }

    /// A signer checked for itself and does not sign.
    pub fn not_signed(id: B256, refusal: Refusal) -> Self {
        Self {
            kind: "urn:sovr:problem:not-signed",
            title: "Not signed",
            status: 409,
            detail: format!("{id}: {refusal}"),
            refusal: Some(refusal),
        }
    }

    /// Whoever asks did not show that they may.
    pub fn unauthorized(detail: impl Into<String>) -> Self {
        Self {
            kind: "urn:sovr:problem:unauthorized",
            title: "Not for everybody",
            status: 401,
            detail: detail.into(),
            refusal: None,
        }
    }

    /// Something outside does not answer now.
    pub fn unavailable(detail: impl Into<String>) -> Self {
        Self {
            kind: "urn:sovr:problem:unavailable",
            title: "Not available right now; try again",
            status: 503,
            detail: detail.into(),
            refusal: None,
        }
    }

    /// The daemon is not ready to be relied upon.
    pub fn not_ready(reasons: &[String]) -> Self {
        Self {
            kind: "urn:sovr:problem:not-ready",
            title: "Not ready",
            status: 503,
            detail: reasons.join("; "),
            refusal: None,
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_string(&self).unwrap_or_default();
        let kind = [(header::CONTENT_TYPE, "application/problem+json")];
        (status, kind, body).into_response()
    }
}
