//! JSON-RPC over a local socket that stops reading where an answer gets too long: the library's own
//! reads on until it has a whole answer, however long that is.

use super::link;
use crate::body::BodyError;
use alloy::{
    rpc::json_rpc::{RequestPacket, ResponsePacket},
    transports::{TransportError, TransportErrorKind, TransportFut},
};
use std::{
    io,
    path::PathBuf,
    task::{Context, Poll},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
};
use tower::Service;

/// Bytes read at a time.
const CHUNK: usize = 64 << 10;

/// A socket of a node on this machine. Each request has a connection of its own, which costs little
/// here: an answer can only be the answer to it.
#[derive(Clone, Debug)]
pub(super) struct BoundedSocket {
    pub(super) path: PathBuf,
    pub(super) answer_bytes_max: usize,
}

impl BoundedSocket {
    async fn exchange(self, packet: RequestPacket) -> Result<ResponsePacket, TransportError> {
        let question = serde_json::to_vec(&packet).map_err(TransportError::ser_err)?;
        let answer = self.ask(&question).await.map_err(TransportErrorKind::custom)?;
        link::read_answer(&answer)
    }

    async fn ask(&self, question: &[u8]) -> Result<Vec<u8>, BodyError> {
        let mut stream = UnixStream::connect(&self.path).await?;
        stream.write_all(question).await?;
        let (mut answer, mut extent) = (Vec::new(), Extent::default());
        let mut chunk = vec![0; CHUNK];
        loop {
            let read = stream.read(&mut chunk).await?;
            let read = chunk.get(..read).unwrap_or_default();
            if read.is_empty() {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
            let (whole, end) = match extent.end_in(read) {
                Some(end) => (true, end),
                None => (false, read.len()),
            };
            answer.extend_from_slice(read.get(..end).unwrap_or_default());
            if answer.len() > self.answer_bytes_max {
                return Err(BodyError::TooLong(self.answer_bytes_max));
            }
            if whole {
                return Ok(answer);
            }
        }
    }
}

impl Service<RequestPacket> for BoundedSocket {
    type Response = ResponsePacket;
    type Error = TransportError;
    type Future = TransportFut<'static>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, packet: RequestPacket) -> Self::Future {
        Box::pin(self.clone().exchange(packet))
    }
}

/// Where a JSON value ends of which pieces come one after the other: nodes do not agree on what comes
/// behind it. Each byte is looked at once.
#[derive(Debug, Default)]
struct Extent {
    depth: u64,
    in_text: bool,
    escaped: bool,
}

impl Extent {
    /// How many bytes of this piece belong to the value, if it ends there: with the bracket that
    /// closes the first one.
    fn end_in(&mut self, piece: &[u8]) -> Option<usize> {
        for (byte, end) in piece.iter().zip(1_usize..) {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' if self.in_text => self.escaped = true,
                b'"' => self.in_text = !self.in_text,
                _ if self.in_text => {}
                b'{' | b'[' => self.depth = self.depth.saturating_add(1),
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 {
                        return Some(end);
                    }
                }
                _ => {}
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::net::UnixListener;

    const MAX: usize = 1 << 16;

    #[test]
    fn a_value_ends_with_its_own_bracket() {
        let text = br#" {"a":[1,{"b":"]}\"\\"}],"c":"{"} {"next":1}"#;
        let end = text.iter().rposition(|b| *b == b'{').unwrap() - 1;
        for cut in 0..text.len() {
            let mut extent = Extent::default();
            let (one, two) = text.split_at(cut);
            let found = extent.end_in(one).or_else(|| extent.end_in(two).map(|n| cut + n));
            assert_eq!(found, Some(end), "cut at {cut}");
        }
        assert_eq!(Extent::default().end_in(b"[\"]\", {}"), None);
    }

    /// What comes of a node that answers like this; it goes on for as long as somebody reads.
    async fn answered(start: &'static [u8], filler: &'static [u8]) -> Result<Vec<u8>, BodyError> {
        let dir = harness::temp::TempDir::new("socket").unwrap();
        let path = dir.path().join("ipc");
        let listener = UnixListener::bind(&path).unwrap();
        let node = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut question = vec![0; 64];
            let read = stream.read(&mut question).await.unwrap();
            assert_eq!(&question[..read], b"[]");
            stream.write_all(start).await.unwrap();
            while !filler.is_empty() && stream.write_all(filler).await.is_ok() {}
        });
        let socket = BoundedSocket { path, answer_bytes_max: MAX };
        let answer =
            tokio::time::timeout(Duration::from_secs(20), socket.ask(b"[]")).await.unwrap();
        node.await.unwrap();
        answer
    }

    #[tokio::test]
    async fn what_gets_too_long_is_not_read_on() {
        let endless = answered(b"[\"", &[b'x'; 4096]).await;
        assert!(matches!(endless, Err(BodyError::TooLong(MAX))), "{endless:?}");
        let whole = answered(b"[{\"id\":1}]\n", b"").await;
        assert_eq!(whole.unwrap(), b"[{\"id\":1}]");
        let cut = answered(b"[{\"id\":1}", b"").await;
        assert!(matches!(cut, Err(BodyError::Io(_))), "{cut:?}");
    }
}
