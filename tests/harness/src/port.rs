//! Free ports.

use anyhow::{Context, Result};
use std::net::{Ipv4Addr, TcpListener};

const TRIES: u32 = 5;

/// A port that nobody listened on a moment ago.
///
/// # Errors
/// When the system has none.
pub fn free() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port")?;
    Ok(listener.local_addr()?.port())
}

/// Starts a server on a free port. Between asking for a port and using it somebody else may take
/// it; then another one is tried.
///
/// # Errors
/// The server's own error, at once unless it says that the port was taken.
pub fn with_free<T>(mut start: impl FnMut(u16) -> Result<T>) -> Result<T> {
    let mut tries = TRIES;
    loop {
        tries -= 1;
        match start(free()?) {
            Err(error) if tries > 0 && says_taken(&format!("{error:#}")) => {}
            result => return result,
        }
    }
}

fn says_taken(message: &str) -> bool {
    let message = message.to_lowercase();
    message.contains("address already in use") || message.contains("addressinuse")
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::bail;

    #[test]
    fn only_a_taken_port_is_tried_again() {
        let mut calls = 0;
        let port = with_free(|port| {
            calls += 1;
            if calls < 3 {
                bail!("cannot listen: Address already in use (os error 98)")
            }
            Ok(port)
        });
        assert!(port.is_ok() && calls == 3);

        calls = 0;
        let failed: Result<()> = with_free(|_| {
            calls += 1;
            bail!("no such file")
        });
        assert!(failed.is_err() && calls == 1);
    }
}
