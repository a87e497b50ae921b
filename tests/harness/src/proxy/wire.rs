//! HTTP/1.1 as far as a JSON-RPC client needs it, and ways to break it.

use anyhow::{Context, Result, bail};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{Shutdown, TcpStream},
};

const BODY_MAX: usize = 16 << 20;
const CHUNK: usize = 64 << 10;

/// What goes back.
pub(super) enum Reply {
    /// A whole answer.
    Whole { status: &'static str, body: Vec<u8> },
    /// As many bytes are announced, half of them are sent.
    Half(Vec<u8>),
    /// So many bytes of nothing.
    Endless(usize),
    /// Nothing.
    Close,
}

/// A request's body, and whether the client waits for the connection's end.
pub(super) struct Request {
    pub(super) body: Vec<u8>,
    pub(super) is_last: bool,
}

/// The next request; `None` when the client has gone.
pub(super) fn read_request(stream: &mut TcpStream) -> Result<Option<Request>> {
    let mut reader = BufReader::new(stream);
    let (mut length, mut is_last, mut line) = (0, false, String::new());
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            bail!("the headers do not end");
        }
        if line.trim().is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').context("a header without a colon")?;
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse()?;
        }
        is_last |= name.eq_ignore_ascii_case("connection") && value.trim() == "close";
    }
    if length > BODY_MAX {
        bail!("a request of {length} bytes");
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(Some(Request { body, is_last }))
}

/// Sends a reply; true if the connection can go on.
pub(super) fn write(stream: &mut TcpStream, reply: Reply) -> Result<bool> {
    match reply {
        Reply::Whole { status, body } => {
            head(stream, status, body.len())?;
            stream.write_all(&body)?;
            Ok(true)
        }
        Reply::Half(body) => {
            head(stream, "200 OK", body.len())?;
            stream.write_all(body.get(..body.len() / 2).unwrap_or_default())?;
            stream.shutdown(Shutdown::Both)?;
            Ok(false)
        }
        Reply::Endless(bytes) => {
            head(stream, "200 OK", bytes)?;
            let chunk = vec![b'0'; CHUNK];
            for _ in 0..bytes / CHUNK {
                stream.write_all(&chunk)?;
            }
            Ok(false)
        }
        Reply::Close => {
            stream.shutdown(Shutdown::Both)?;
            Ok(false)
        }
    }
}

fn head(stream: &mut TcpStream, status: &str, length: usize) -> Result<()> {
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    );
    Ok(stream.write_all(head.as_bytes())?)
}
