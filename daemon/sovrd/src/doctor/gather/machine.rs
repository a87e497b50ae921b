//! Who answers at `api.listen`, and how much memory there is.

use crate::{
    body,
    config::Config,
    doctor::facts::{DaemonSays, Port},
};
use alloy::{primitives::Address, transports::http::reqwest::Client};
use serde::{Deserialize, de::DeserializeOwned};
use std::{fs, io, net::SocketAddr, time::Duration};
use tokio::net::TcpListener;

/// Longest wait for an answer.
const ANSWER_MAX: Duration = Duration::from_secs(5);
/// Longest answer that is read, bytes.
const ANSWER_BYTES_MAX: usize = 4 << 20;

/// Who a payout signer is: `/v1/signer`.
#[derive(Debug, Deserialize)]
struct Who {
    signer: Address,
}

pub(super) async fn port(config: &Config) -> Port {
    // An address for everybody is asked on this machine.
    let mut address = config.listen;
    if address.ip().is_unspecified() {
        address.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
    }
    if let Some(says) = page::<DaemonSays>(address, "/v1/status").await {
        return Port::Daemon(Box::new(says));
    }
    if let Some(Who { signer }) = page(address, "/v1/signer").await {
        return Port::Signer(signer);
    }
    match TcpListener::bind(config.listen).await {
        Ok(_released_at_once) => Port::Free,
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Port::Stranger,
        Err(error) => Port::Unusable(error.to_string()),
    }
}

async fn page<T: DeserializeOwned>(address: SocketAddr, path: &str) -> Option<T> {
    let client = Client::builder().timeout(ANSWER_MAX).build().ok()?;
    let response = client.get(format!("http://{address}{path}")).send().await.ok()?;
    let body = body::read(response, ANSWER_BYTES_MAX).await.ok()?;
    serde_json::from_slice(&body).ok()
}

/// Memory that is free for use: of the machine, or of the control group if that has less.
pub(super) fn memory_free() -> Option<u64> {
    let machine = available(&fs::read_to_string("/proc/meminfo").ok()?);
    let read = |name: &str| fs::read_to_string(format!("/sys/fs/cgroup/{name}")).ok();
    let group = read("memory.max").zip(read("memory.current"));
    let group = group.and_then(|(max, used)| left(&max, &used));
    machine.into_iter().chain(group).min()
}

fn available(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|l| l.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1 << 10)
}

/// `None` where the group has no limit.
fn left(max: &str, used: &str) -> Option<u64> {
    let (max, used): (u64, u64) = (max.trim().parse().ok()?, used.trim().parse().ok()?);
    Some(max.saturating_sub(used))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_as_the_kernel_writes_it() {
        let text = "MemTotal:       24576000 kB\nMemAvailable:    1024 kB\nBuffers: 1 kB\n";
        assert_eq!(available(text), Some(1 << 20));
        assert_eq!(available("MemTotal: 1 kB\n"), None);
        assert_eq!(left("max\n", "5\n"), None);
        assert_eq!(left("1000\n", "400\n"), Some(600));
        assert!(memory_free().is_some_and(|free| free > 0));
    }
}
