//! The same over a local socket: JSON values one after the other, without frames.

use super::{State, wire::Reply};
use anyhow::Result;
use serde_json::{Deserializer, Value};
use std::{
    io::Write,
    os::unix::net::{UnixListener, UnixStream},
    sync::{Arc, atomic::Ordering},
    thread,
};

const CHUNK: usize = 64 << 10;

pub(super) fn accept(listener: &UnixListener, state: &Arc<State>) {
    for stream in listener.incoming().flatten() {
        if state.ended.load(Ordering::SeqCst) {
            return;
        }
        let state = state.clone();
        thread::spawn(move || {
            // A connection that breaks is the business of whoever opened it.
            let _ = serve(&stream, &state);
        });
    }
}

fn serve(stream: &UnixStream, state: &State) -> Result<()> {
    for request in Deserializer::from_reader(stream).into_iter::<Value>() {
        let reply = state.reply(request?.to_string().as_bytes())?;
        if !write(stream, reply)? {
            return Ok(());
        }
    }
    Ok(())
}

/// Sends a reply; true if the connection can go on.
fn write(mut stream: &UnixStream, reply: Reply) -> Result<bool> {
    match reply {
        Reply::Whole { body, .. } => {
            stream.write_all(&body)?;
            return Ok(true);
        }
        Reply::Half(body) => stream.write_all(body.get(..body.len() / 2).unwrap_or_default())?,
        Reply::Endless(bytes) => {
            // The value that begins here does not end.
            stream.write_all(b"[")?;
            let chunk = vec![b' '; CHUNK];
            for _ in 0..bytes / CHUNK {
                stream.write_all(&chunk)?;
            }
        }
        Reply::Close => {}
    }
    Ok(false)
}
