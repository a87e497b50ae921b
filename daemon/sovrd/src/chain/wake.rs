//! A subscription to new blocks, as a wake-up only: the cursor never relies on it.

use crate::{config::Endpoint, engine::Inbox};
use alloy::providers::{Provider, ProviderBuilder, WsConnect};
use bridge_core::event::Event;
use std::time::Duration;
use tracing::{debug, info};

/// Longest pause between two attempts to subscribe.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Subscribes, and subscribes again whenever that ends.
pub async fn run(url: Endpoint, inbox: Inbox) {
    let mut pauses = crate::retry::pauses(LONGEST_PAUSE);
    loop {
        match listen(&url, &inbox).await {
            Ok(()) => pauses = crate::retry::pauses(LONGEST_PAUSE),
            Err(error) => {
                let error = url.redact(&error.to_string());
                debug!(%error, "no subscription to new blocks; polling goes on");
            }
        }
        tokio::time::sleep(crate::retry::next(&mut pauses)).await;
    }
}

async fn listen(url: &Endpoint, inbox: &Inbox) -> Result<(), alloy::transports::TransportError> {
    let provider = ProviderBuilder::new()
        .disable_recommended_fillers()
        .connect_ws(WsConnect::new(url.secret()).with_max_retries(0))
        .await?;
    let mut blocks = provider.subscribe_blocks().await?;
    info!("subscribed to new blocks");
    while blocks.recv().await.is_ok() {
        inbox.send(Event::Wake).await;
    }
    Ok(())
}
