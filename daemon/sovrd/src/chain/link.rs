//! The way to one endpoint: HTTP, WebSocket or a local socket, with a bound on what it may answer.

use super::socket::BoundedSocket;
use crate::{body, config::Endpoint};
use alloy::{
    providers::{DynProvider, Provider, ProviderBuilder, WsConnect},
    rpc::{
        client::RpcClient,
        json_rpc::{RequestPacket, ResponsePacket},
    },
    transports::{
        TransportError, TransportErrorKind, TransportFut,
        http::reqwest::{Client, Url},
        ws::WebSocketConfig,
    },
};
use std::{
    sync::Arc,
    task::{Context, Poll},
};
use tokio::sync::Mutex;
use tower::Service;

/// Most characters of an error page that are kept.
const ERROR_CHARS: usize = 300;

/// A connection, or what makes one.
#[derive(Clone, Debug)]
pub(super) enum Link {
    /// Each request stands for itself: HTTP, or a local socket.
    Single(DynProvider),
    /// A WebSocket, a connection that is made anew after it broke.
    Lasting(Arc<Lasting>),
}

/// A connection that lasts until it breaks.
#[derive(Debug)]
pub(super) struct Lasting {
    endpoint: Endpoint,
    answer_bytes_max: usize,
    open: Mutex<Option<DynProvider>>,
}

impl Link {
    /// Prepares the way; nothing is sent yet.
    pub(super) fn new(endpoint: &Endpoint, answer_bytes_max: usize) -> Result<Self, String> {
        let client = if endpoint.is_socket() {
            let path = endpoint.secret().into();
            RpcClient::new(BoundedSocket { path, answer_bytes_max }, true)
        } else if endpoint.is_http() {
            let url: Url = endpoint.secret().parse().map_err(|e| format!("not a URL: {e}"))?;
            RpcClient::new(BoundedHttp { client: Client::new(), url, answer_bytes_max }, false)
        } else {
            let (endpoint, open) = (endpoint.clone(), Mutex::new(None));
            return Ok(Self::Lasting(Arc::new(Lasting { endpoint, answer_bytes_max, open })));
        };
        let provider = ProviderBuilder::new().disable_recommended_fillers().connect_client(client);
        Ok(Self::Single(provider.erased()))
    }

    /// The provider, connected if need be.
    pub(super) async fn provider(&self) -> Result<DynProvider, TransportError> {
        let lasting = match self {
            Self::Single(provider) => return Ok(provider.clone()),
            Self::Lasting(lasting) => lasting,
        };
        let mut open = lasting.open.lock().await;
        if let Some(provider) = open.as_ref() {
            return Ok(provider.clone());
        }
        let provider = lasting.connect().await?;
        *open = Some(provider.clone());
        Ok(provider)
    }

    /// True for a connection that is kept open.
    pub(super) const fn is_lasting(&self) -> bool {
        matches!(self, Self::Lasting(_))
    }

    /// The connection is of no use any more.
    pub(super) async fn reset(&self) {
        if let Self::Lasting(lasting) = self {
            *lasting.open.lock().await = None;
        }
    }
}

impl Lasting {
    async fn connect(&self) -> Result<DynProvider, TransportError> {
        let builder = ProviderBuilder::new().disable_recommended_fillers();
        let address = self.endpoint.secret();
        let config = WebSocketConfig::default()
            .max_message_size(Some(self.answer_bytes_max))
            .max_frame_size(Some(self.answer_bytes_max));
        let ws = WsConnect::new(address).with_max_retries(0).with_config(config);
        Ok(builder.connect_ws(ws).await?.erased())
    }
}

/// JSON-RPC over HTTP that stops reading where an answer gets too long.
#[derive(Clone, Debug)]
struct BoundedHttp {
    client: Client,
    url: Url,
    answer_bytes_max: usize,
}

impl BoundedHttp {
    async fn exchange(self, packet: RequestPacket) -> Result<ResponsePacket, TransportError> {
        let request = self.client.post(self.url).json(&packet).headers(packet.headers());
        let response = request.send().await.map_err(TransportErrorKind::custom)?;
        let status = response.status();
        let body = body::read(response, self.answer_bytes_max).await;
        let body = body.map_err(TransportErrorKind::custom)?;
        if !status.is_success() {
            return Err(TransportErrorKind::http_error(status.as_u16(), start_of(&body)));
        }
        read_answer(&body)
    }
}

/// An answer as the library knows it.
pub(super) fn read_answer(body: &[u8]) -> Result<ResponsePacket, TransportError> {
    serde_json::from_slice(body).map_err(|e| TransportError::deser_err(e, start_of(body)))
}

fn start_of(body: &[u8]) -> String {
    String::from_utf8_lossy(body).chars().take(ERROR_CHARS).collect()
}

impl Service<RequestPacket> for BoundedHttp {
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
