//! A node that misbehaves on demand: a proxy in front of a real one, over HTTP or a local socket,
//! whose fault is chosen while it runs. What is sent through it reaches the node all the same, only the answer suffers.

mod faults;
mod socket;
mod wire;

pub use faults::Fault;

use anyhow::Result;
use std::{
    net::{Ipv4Addr, TcpListener, TcpStream},
    os::unix::net::{UnixListener, UnixStream},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
};

/// A running proxy. It ends when it is dropped.
#[derive(Debug)]
pub struct Proxy {
    address: Address,
    state: Arc<State>,
}

#[derive(Debug)]
enum Address {
    Port(u16),
    Socket(PathBuf),
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
        let address = Address::Port(listener.local_addr()?.port());
        let (state, shared) = State::shared(upstream);
        thread::spawn(move || accept(&listener, &shared));
        Ok(Self { address, state })
    }

    /// Starts one that answers at a local socket.
    ///
    /// # Errors
    /// When there is no room for a socket at this path.
    pub fn start_at(socket: &Path, upstream: &str) -> Result<Self> {
        let listener = UnixListener::bind(socket)?;
        let address = Address::Socket(socket.to_owned());
        let (state, shared) = State::shared(upstream);
        thread::spawn(move || socket::accept(&listener, &shared));
        Ok(Self { address, state })
    }

    /// Where it answers: `http://…`, or the path of its socket.
    #[must_use]
    pub fn url(&self) -> String {
        match &self.address {
            Address::Port(port) => format!("http://127.0.0.1:{port}"),
            Address::Socket(path) => path.display().to_string(),
        }
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
        match &self.address {
            Address::Port(port) => drop(TcpStream::connect((Ipv4Addr::LOCALHOST, *port))),
            Address::Socket(path) => drop(UnixStream::connect(path)),
        }
    }
}

impl State {
    fn shared(upstream: &str) -> (Arc<Self>, Arc<Self>) {
        let state = Arc::new(Self {
            upstream: upstream.to_owned(),
            fault: Mutex::new(Fault::None),
            spoiled: AtomicU64::new(0),
            exchanges: AtomicU64::new(0),
            ended: AtomicBool::new(false),
        });
        (state.clone(), state)
    }

    /// Passes a request on; what comes back.
    fn reply(&self, request: &[u8]) -> Result<wire::Reply> {
        let fault = self.fault.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let number = self.exchanges.fetch_add(1, Ordering::SeqCst);
        let answer = fault.answer(&self.upstream, request, number)?;
        if answer.spoiled {
            self.spoiled.fetch_add(1, Ordering::SeqCst);
        }
        Ok(answer.reply)
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
        if !wire::write(&mut stream, state.reply(&request.body)?)? || request.is_last {
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
        assert!(rpc.call("anvil_mine", &json!(["0x1"])).is_err());
        proxy.set(Fault::None);
        assert_eq!(rpc.block_number().unwrap(), 6);
    }
}
