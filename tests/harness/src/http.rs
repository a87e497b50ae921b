//! The smallest HTTP client that can ask a server on this machine.

use anyhow::{Context, Result, anyhow, bail};
use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The status code, such as 200.
    pub status: u16,
    /// The lines between status and body.
    pub head: String,
    /// The body as it came.
    pub body: String,
}

impl Response {
    /// A header by its name in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(':'));
        lines.filter(|(n, _)| n.to_lowercase() == name).map(|(_, value)| value.trim()).next()
    }
}

/// Asks for `http://host:port/path`.
///
/// # Errors
/// When nobody listens, the answer takes longer than `limit`, or it is not HTTP.
pub fn get(url: &str, limit: Duration) -> Result<Response> {
    request("GET", url, "", "", limit)
}

/// Sends JSON to `http://host:port/path`.
///
/// # Errors
/// As for [`get`].
pub fn post_json(url: &str, body: &str, limit: Duration) -> Result<Response> {
    request("POST", url, "", body, limit)
}

/// The same with a token in `Authorization`.
///
/// # Errors
/// As for [`get`].
pub fn post_json_as(token: &str, url: &str, body: &str, limit: Duration) -> Result<Response> {
    request("POST", url, &format!("Authorization: Bearer {token}\r\n"), body, limit)
}

/// Asks with any method and headers of your own.
///
/// # Errors
/// As for [`get`].
pub fn ask(method: &str, url: &str, head: &[(&str, &str)], limit: Duration) -> Result<Response> {
    let head: String = head.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    request(method, url, &head, "", limit)
}

fn request(method: &str, url: &str, more: &str, body: &str, limit: Duration) -> Result<Response> {
    let (authority, path) = split(url)?;
    let mut stream =
        TcpStream::connect(authority).with_context(|| format!("nobody listens at {authority}"))?;
    stream.set_read_timeout(Some(limit))?;
    stream.set_write_timeout(Some(limit))?;
    // HTTP/1.0: the answer ends with the connection, so that no chunks need to be put together.
    let head = format!(
        "{method} {path} HTTP/1.0\r\nHost: {authority}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n{more}Connection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(body.as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).with_context(|| format!("no whole answer from {url}"))?;
    parse(&String::from_utf8_lossy(&answer)).with_context(|| format!("not HTTP from {url}"))
}

fn split(url: &str) -> Result<(&str, &str)> {
    let rest = url.strip_prefix("http://").ok_or_else(|| anyhow!("not an http:// URL: {url}"))?;
    Ok(rest.find('/').map_or((rest, "/"), |at| rest.split_at(at)))
}

fn parse(answer: &str) -> Result<Response> {
    let Some((head, body)) = answer.split_once("\r\n\r\n") else { bail!("no end of the headers") };
    let status = head.split(' ').nth(1).ok_or_else(|| anyhow!("no status line"))?.parse()?;
    let head = head.split_once("\r\n").map_or("", |(_, rest)| rest).to_owned();
    Ok(Response { status, head, body: body.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_and_answers() {
        assert_eq!(split("http://127.0.0.1:80/ready").unwrap(), ("127.0.0.1:80", "/ready"));
        assert_eq!(split("http://127.0.0.1:80").unwrap(), ("127.0.0.1:80", "/"));
        assert!(split("https://127.0.0.1").is_err());
        let parsed = parse("HTTP/1.1 503 Service Unavailable\r\nA: b\r\n\r\nnot yet").unwrap();
        assert_eq!((parsed.status, parsed.body.as_str()), (503, "not yet"));
        assert_eq!((parsed.header("a"), parsed.header("b")), (Some("b"), None));
        assert!(parse("hello").is_err());
    }
}
