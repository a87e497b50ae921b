//! Why a read brought nothing, in words for people and as a fault for the core.

use crate::{body::BodyError, config::Endpoint};
use alloy::transports::{RpcError, TransportError, TransportErrorKind};
use bridge_core::endpoint::ReadFault;

/// Most characters of a node's own words that are kept.
const MESSAGE_CHARS: usize = 300;
/// HTTP: too many requests.
const TOO_MANY_REQUESTS: u16 = 429;
/// JSON-RPC: a call reverted, as geth tells it.
const REVERTED: i64 = 3;
/// How nodes say that a contract failed in whatever way.
const CONTRACTS_FAULTS: [&str; 5] =
    ["revert", "out of gas", "outofgas", "invalid opcode", "invalidfeopcode"];
/// JSON-RPC: some limit of the node was met, as providers use it.
const LIMIT_EXCEEDED: i64 = -32_005;

/// Why a read brought nothing.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// No answer in time.
    #[error("no answer within {0} ms")]
    Timeout(u64),
    /// No connection, a cut one, or an HTTP error.
    #[error("{message}")]
    Transport {
        /// What happened, without the secrets of the URL.
        message: String,
        /// The HTTP status, if there was one.
        status: Option<u16>,
    },
    /// The node answered with a JSON-RPC error.
    #[error("{message} (code {code})")]
    Refused {
        /// What it said.
        message: String,
        /// The error's code.
        code: i64,
    },
    /// The node answered that it has no such thing (yet).
    #[error("the node has no {0} (yet)")]
    Missing(String),
    /// The node's answer cannot be used.
    #[error("{0}")]
    Unusable(String),
    /// A contract does not answer as it should.
    #[error("{0}")]
    Contract(String),
    /// Endpoints tell different things of who they are.
    #[error("{0}")]
    Disagreement(String),
}

impl ReadError {
    /// What a transport says, as one of ours.
    pub(super) fn of(error: &TransportError, endpoint: &Endpoint) -> Self {
        let text = endpoint.redact(&sources(error));
        let message: String = text.chars().take(MESSAGE_CHARS).collect();
        match error {
            RpcError::ErrorResp(payload) => Self::Refused { message, code: payload.code },
            RpcError::NullResp | RpcError::DeserError { .. } => Self::Unusable(message),
            RpcError::Transport(kind) if is_too_long(kind) => {
                Self::Unusable(format!("{message}; see chain.answer_bytes_max"))
            }
            RpcError::Transport(kind) => {
                let status = kind.as_http_error().map(|http| http.status);
                Self::Transport { message, status }
            }
            RpcError::UnsupportedFeature(_)
            | RpcError::LocalUsageError(_)
            | RpcError::SerError(_) => Self::Transport { message, status: None },
        }
    }

    /// What it means for the endpoint. Providers word their limits differently; a limit that is not
    /// recognised is an error like any other, and the core then asks for less by itself.
    #[must_use]
    pub fn fault(&self) -> ReadFault {
        match self {
            Self::Timeout(_) => ReadFault::Timeout,
            Self::Transport { status: Some(TOO_MANY_REQUESTS), .. } => ReadFault::RateLimited,
            Self::Transport { .. } => ReadFault::Unreachable,
            Self::Refused { message, code } => {
                let message = message.to_lowercase();
                let says = |words: &[&str]| words.iter().any(|w| message.contains(w));
                if says(&["rate limit", "too many requests", "per second", "capacity", "quota"]) {
                    ReadFault::RateLimited
                } else if *code == LIMIT_EXCEEDED || says(&TOO_LARGE) {
                    ReadFault::TooLarge
                } else {
                    ReadFault::Refused
                }
            }
            Self::Missing(_) => ReadFault::Missing,
            Self::Unusable(_) | Self::Contract(_) | Self::Disagreement(_) => ReadFault::Unusable,
        }
    }

    /// True if a contract reverted, or answered as none should: no fault of the node that says so.
    #[must_use]
    pub fn is_the_contracts(&self) -> bool {
        match self {
            Self::Contract(_) => true,
            Self::Refused { message, code } => {
                let message = message.to_lowercase();
                *code == REVERTED || CONTRACTS_FAULTS.iter().any(|words| message.contains(words))
            }
            Self::Timeout(_)
            | Self::Transport { .. }
            | Self::Missing(_)
            | Self::Unusable(_)
            | Self::Disagreement(_) => false,
        }
    }
}

/// Words of nodes that want a smaller range of logs.
const TOO_LARGE: [&str; 7] =
    ["range", "too many", "limit", "more than", "too large", "response size", "exceed"];

fn is_too_long(kind: &TransportErrorKind) -> bool {
    let error = kind.as_custom().and_then(|error| error.downcast_ref());
    matches!(error, Some(BodyError::TooLong(_)))
}

/// An error with everything below it: the top alone says only that a request failed.
fn sources(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut below = error.source();
    while let Some(error) = below {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        below = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(message: &str, code: i64) -> ReadFault {
        ReadError::Refused { message: message.to_owned(), code }.fault()
    }

    #[test]
    fn a_contract_that_reverts_is_no_fault_of_its_node() {
        let says = |message: &str, code| ReadError::Refused { message: message.to_owned(), code };
        assert!(says("execution reverted: no", 3).is_the_contracts());
        assert!(
            says("VM Exception while processing transaction: revert", -32_000).is_the_contracts()
        );
        assert!(ReadError::Contract("balanceOf returned nothing".to_owned()).is_the_contracts());
        assert!(!says("header not found", -32_000).is_the_contracts());
        assert!(!ReadError::Timeout(1).is_the_contracts());
    }

    #[test]
    fn limits_of_ranges_and_of_rates_are_told_apart() {
        for (message, code) in [
            ("query returned more than 10000 results", -32_005),
            ("eth_getLogs is limited to a 10,000 range", -32_614),
            ("exceed maximum block range: 5000", -32_000),
            ("Log response size exceeded", -32_602),
            ("some words nobody knows", -32_005),
        ] {
            assert_eq!(refused(message, code), ReadFault::TooLarge, "{message}");
        }
        for message in [
            "daily request count exceeded, request rate limited: rate limit",
            "Too Many Requests",
            "your app has exceeded its compute units per second capacity",
        ] {
            assert_eq!(refused(message, -32_005), ReadFault::RateLimited, "{message}");
        }
        assert_eq!(refused("header not found", -32_000), ReadFault::Refused);
        let limited = ReadError::Transport { message: String::new(), status: Some(429) };
        assert_eq!(limited.fault(), ReadFault::RateLimited);
    }
}
