//! Named points where tests end the process, as `kill -9` would. Compiled in only with the feature
//! `failpoints`; otherwise [`reach`], [`reach_any`] and [`during`] are nothing.
//!
//! A point names the moment: `…-under-way` is after a request has left and before its answer.

/// All points. Whoever adds one in the code adds it here; the crash matrix holds every one of them.
pub const POINTS: [&str; 33] = [
    "before-claim",
    "claim-under-way",
    "ledger-claimed",
    "before-range",
    "range-read",
    "payout-mined",
    "payout-read",
    "before-accounts",
    "accounts-under-way",
    "accounts-answered",
    "before-deposits",
    "deposits-under-way",
    "deposits-answered",
    "before-pendings",
    "pendings-under-way",
    "pendings-answered",
    "before-posts",
    "posts-under-way",
    "posts-answered",
    "before-voids",
    "voids-under-way",
    "voids-answered",
    "checkpoint-unsynced",
    "checkpoint-synced",
    "withdrawal-unsynced",
    "transaction-unsynced",
    "transaction-synced",
    "before-authorize",
    "payout-authorized",
    "transaction-built",
    "broadcast-under-way",
    "broadcast-answered",
    "signer-remembered",
];

#[cfg(not(feature = "failpoints"))]
pub use plain::{during, reach, reach_any};

#[cfg(feature = "failpoints")]
pub use armed::{during, reach, reach_any};

#[cfg(not(feature = "failpoints"))]
mod plain {
    /// The process got here.
    pub const fn reach(_name: &str) {}

    /// The process got to all of these at once.
    pub fn reach_any(_names: impl Iterator<Item = &'static str>) {}

    /// The points are between the first step of a call and its answer.
    pub async fn during<T, N>(_names: impl FnOnce() -> N, call: impl Future<Output = T>) -> T {
        call.await
    }
}

#[cfg(feature = "failpoints")]
mod armed {
    use super::POINTS;
    use std::{
        fs,
        future::{Future, poll_fn},
        path::PathBuf,
        pin::pin,
        process::Command,
        task::Poll,
    };

    /// The process got here. If the file that `SOVR_FAIL_POINT` names holds this name, the process
    /// ends, after giving that file the ending `reached`.
    pub fn reach(name: &'static str) {
        reach_any(std::iter::once(name));
    }

    /// The process got to all of these at once.
    pub fn reach_any(names: impl Iterator<Item = &'static str>) {
        if let Some(file) = armed(names) {
            die(&file);
        }
    }

    /// The points are between the first step of a call and its answer.
    pub async fn during<T, N: Iterator<Item = &'static str>>(
        names: impl FnOnce() -> N,
        call: impl Future<Output = T>,
    ) -> T {
        let Some(file) = armed(names()) else { return call.await };
        let mut call = pin!(call);
        // A request leaves with the first poll; the kill takes longer than the sending.
        match poll_fn(|context| Poll::Ready(call.as_mut().poll(context))).await {
            Poll::Ready(answer) => answer,
            Poll::Pending => die(&file),
        }
    }

    /// The file that asks for one of these.
    fn armed(names: impl Iterator<Item = &'static str>) -> Option<PathBuf> {
        let file = PathBuf::from(std::env::var_os("SOVR_FAIL_POINT")?);
        let wanted = fs::read_to_string(&file).ok()?;
        let mut names =
            names.inspect(|name| assert!(POINTS.contains(name), "{name} is not listed"));
        names.any(|name| name == wanted).then_some(file)
    }

    fn die(file: &std::path::Path) -> ! {
        let _reported = fs::rename(file, file.with_extension("reached"));
        let _killed = Command::new("kill").args(["-9", &std::process::id().to_string()]).status();
        // The signal ends every thread; nothing more happens here.
        loop {
            std::thread::park();
        }
    }
}
