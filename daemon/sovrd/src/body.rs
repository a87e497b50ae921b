//! The body of an answer, read to a bound: nobody else decides how much memory it takes.

use alloy::transports::http::reqwest::{self, Response};

/// Why a body was not read.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// It has more bytes than this.
    #[error("an answer of more than {0} bytes is not read")]
    TooLong(usize),
    /// It did not come whole.
    #[error(transparent)]
    Cut(#[from] reqwest::Error),
    /// The same of a local socket.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// Reads a body of at most so many bytes.
///
/// # Errors
/// If it is longer, or does not come whole.
pub async fn read(mut response: Response, bytes_max: usize) -> Result<Vec<u8>, BodyError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len().saturating_add(chunk.len()) > bytes_max {
            return Err(BodyError::TooLong(bytes_max));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
