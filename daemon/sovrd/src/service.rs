//! What a service manager is told (systemd's `sd_notify`): that the process is ready, that it is
//! alive, that it ends. Without one nothing is sent anywhere.

use sd_notify::NotifyState;
use std::{future::Future, time::Duration};
use tracing::warn;

/// Signs of life within the time that the service manager allows.
const SIGNS: u32 = 3;

/// Everything is open and the API answers.
pub fn ready() {
    tell(&[NotifyState::Ready]);
}

/// The end has begun.
pub fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// Gives a sign of life as long as `lives` answers in time; a process that hangs is then restarted.
/// Never ends.
pub async fn alive<F: Future<Output = bool>>(lives: impl Fn() -> F) {
    let Some(limit) = sd_notify::watchdog_enabled() else { return std::future::pending().await };
    let pause: Duration = limit / SIGNS;
    loop {
        if tokio::time::timeout(pause, lives()).await.is_ok_and(|answer| answer) {
            tell(&[NotifyState::Watchdog]);
        } else {
            warn!("no sign of life within {} ms", pause.as_millis());
        }
        tokio::time::sleep(pause).await;
    }
}

fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        warn!(%error, "the service manager was not told");
    }
}
