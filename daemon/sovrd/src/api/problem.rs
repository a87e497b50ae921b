//! Errors of the API: RFC 9457 problem documents with stable types.

use alloy::primitives::B256;
use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use bridge_core::{gasless::Fault, signing::Refusal, withdrawal::RefusalReason};
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
    /// Everything that is wrong with an order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    faults: Vec<FieldFault>,
}

/// One thing that is wrong with an order.
#[derive(Debug, Serialize, ToSchema)]
pub struct FieldFault {
    /// Which field would have to change.
    field: String,
    /// Stable name of the fault.
    code: &'static str,
    /// For people: what is wrong and what would be right.
    sentence: String,
}

impl FieldFault {
    /// What the core found.
    #[must_use]
    pub fn of(fault: &Fault) -> Self {
        let (field, code) = (fault.field().to_owned(), fault.name());
        Self { field, code, sentence: fault.to_string() }
    }

    /// A field that is missing or no such thing.
    #[must_use]
    pub fn malformed(field: &str, right: &str) -> Self {
        let sentence = format!("missing or not what it must be: {right}");
        Self { field: field.to_owned(), code: "malformed", sentence }
    }

    /// A field that nobody asked for, and so nobody signed.
    #[must_use]
    pub fn unknown(field: &str, known: &str) -> Self {
        let sentence = format!("there is no such field; there are {known}");
        Self { field: field.to_owned(), code: "unknown-field", sentence }
    }

    /// Which field.
    #[cfg(test)]
    pub(super) fn field(&self) -> &str {
        &self.field
    }

    /// Its stable name.
    #[cfg(test)]
    pub(super) const fn code(&self) -> &'static str {
        self.code
    }
}

/// A problem as somebody else's answer.
#[derive(Debug, Deserialize)]
pub struct Refused {
    /// What was wrong.
    pub detail: String,
}

impl Problem {
    /// An order that cannot be taken in as it is.
    #[must_use]
    pub fn refused(faults: Vec<FieldFault>) -> Self {
        let told: Vec<String> =
            faults.iter().map(|f| format!("{}: {}", f.field, f.sentence)).collect();
        Self {
            kind: "urn:sovr:problem:withdrawal-refused",
            title: "The withdrawal cannot be taken in",
            status: 422,
            detail: told.join("; "),
            refusal: None,
            faults,
        }
    }

    /// The ledger had the last word, and it was no; the amount is not set aside.
    #[must_use]
    pub fn refused_by_ledger(reason: RefusalReason) -> Self {
        let (field, code) = match reason {
            RefusalReason::InsufficientFunds | RefusalReason::VaultShort => {
                ("amount", "insufficient-funds")
            }
            RefusalReason::AccountFrozen => ("owner", "account-frozen"),
            RefusalReason::AddressMismatch => ("owner", "account-taken"),
            RefusalReason::Superseded | RefusalReason::IdTaken => ("nonce", "id-taken"),
        };
        let sentence = format!("{}; sign with another nonce to try again", reason.sentence());
        Self::refused(vec![FieldFault { field: field.to_owned(), code, sentence }])
    }

    /// Everything that is wrong with an order.
    #[cfg(test)]
    pub(super) fn faults(&self) -> &[FieldFault] {
        &self.faults
    }

    /// The request cannot be understood.
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self {
            kind: "urn:sovr:problem:bad-request",
            title: "The request cannot be understood",
            status: 400,
            detail: detail.into(),
            refusal: None,
            faults: Vec::new(),
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
            faults: Vec::new(),
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
            faults: Vec::new(),
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
            faults: Vec::new(),
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
            faults: Vec::new(),
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
            faults: Vec::new(),
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
            faults: Vec::new(),
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
            faults: Vec::new(),
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
            faults: Vec::new(),
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
            faults: Vec::new(),
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
