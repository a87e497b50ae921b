//! A node that misbehaves on demand: an HTTP proxy in front of a real one, whose fault is chosen
//! while it runs. What is sent through it reaches the node all the same, only the answer suffers.

mod faults;
mod wire;

pub use faults::Fault;

use anyhow::Result;
use std::{
    net::{Ipv4Addr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
};

/// A running proxy. It ends when it is dropped.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    upstream: String,
    fault: Mutex<Fault>,
    spoiled: AtomicU64,
    exchanges: AtomicU64,
    ended: AtomicBool,
}

impl Proxy {
    /// Starts one in front of a node at `http://host:port`, without a fault.
    ///
    /// # Errors
    /// When no port is free.
    pub fn start(upstream: &str) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let state = Arc::new(State {
            upstream: upstream.to_owned(),
            fault: Mutex::new(Fault::None),
            spoiled: AtomicU64::new(0),
            exchanges: AtomicU64::new(0),
            ended: AtomicBool::new(false),
        });
        let shared = state.clone();
        thread::spawn(move || accept(&listener, &shared));
        Ok(Self { port, state })
    }

    /// Where it answers: `http://…`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What it does from the next request on; [`Fault::None`] for nothing.
    pub fn set(&self, fault: Fault) {
        self.state.spoiled.store(0, Ordering::SeqCst);
        *self.state.fault.lock().unwrap_or_else(PoisonError::into_inner) = fault;
    }

    /// How many answers the fault changed since it was set: a test that spoiled nothing proves
    /// nothing.
    #[must_use]
    pub fn spoiled(&self) -> u64 {
        self.state.spoiled.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.state.ended.store(true, Ordering::SeqCst);
        // Wakes the thread that waits for connections.
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
    }
}

fn accept(listener: &TcpListener, state: &Arc<State>) {
    for stream in listener.incoming().flatten() {
        if state.ended.load(Ordering::SeqCst) {
            return;
        }
        let state = state.clone();
        thread::spawn(move || {
            // A connection that breaks is the business of whoever opened it.
            let _ = serve(stream, &state);
        });
    }
}

fn serve(mut stream: TcpStream, state: &State) -> Result<()> {
    stream.set_nodelay(true)?;
    while let Some(request) = wire::read_request(&mut stream)? {
        if state.ended.load(Ordering::SeqCst) {
            return Ok(());
        }
        let fault = state.fault.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let number = state.exchanges.fetch_add(1, Ordering::SeqCst);
        let answer = fault.answer(&state.upstream, &request.body, number)?;
        if answer.spoiled {
            state.spoiled.fetch_add(1, Ordering::SeqCst);
        }
        if !wire::write(&mut stream, answer.reply)? || request.is_last {
            return Ok(());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        http,
        rpc::Rpc,
        servers::{Anvil, AnvilOptions},
    };
    use serde_json::json;
    use std::time::Duration;

    #[test]
    fn passes_on_and_spoils_on_demand() {
        let anvil = Anvil::start(AnvilOptions::default()).unwrap();
        anvil.rpc().mine(5).unwrap();
        let proxy = Proxy::start(&anvil.url()).unwrap();
        let rpc = Rpc::new(proxy.url());
        assert_eq!(rpc.block_number().unwrap(), 5);
        assert_eq!(proxy.spoiled(), 0);

        proxy.set(Fault::Frozen(3));
        assert_eq!(rpc.block_number().unwrap(), 3);
        let latest = rpc.call("eth_getBlockByNumber", &json!(["latest", false])).unwrap();
        assert_eq!(latest["number"], "0x3");
        assert!(rpc.block_hash(4).is_err());

        proxy.set(Fault::WrongBlock);
        let four = rpc.call("eth_getBlockByNumber", &json!(["0x5", false])).unwrap();
        assert_eq!(four["number"], "0x4");

        for fault in [Fault::Cut, Fault::Away, Fault::Garbage, Fault::RateLimited, Fault::Refusing]
        {
            proxy.set(fault.clone());
            assert!(rpc.block_number().is_err(), "{fault:?}");
            assert_eq!(proxy.spoiled(), 1, "{fault:?}");
        }
        proxy.set(Fault::Huge(1 << 20));
        let answer = http::post_json(&proxy.url(), "{}", Duration::from_secs(5)).unwrap();
        assert_eq!(answer.body.len(), 1 << 20);

        // What was refused reached the node.
        proxy.set(Fault::Refusing);
        assert!(rpc.mine(1).is_err());
        proxy.set(Fault::None);
        assert_eq!(rpc.block_number().unwrap(), 6);
    }
}
