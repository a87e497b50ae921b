//! Named points where tests end the process, as `kill -9` would. Compiled in only with the feature
//! `failpoints`; otherwise [`reach`] is nothing.

/// The process got here. With `SOVR_FAIL_POINT=<name>` or `<name>:<count>` it ends at its count-th
/// arrival, after writing the name into the file `SOVR_FAIL_POINT_MARKER`.
#[cfg(not(feature = "failpoints"))]
pub const fn reach(_name: &str) {}

#[cfg(feature = "failpoints")]
pub use armed::reach;

#[cfg(feature = "failpoints")]
mod armed {
    use std::{
        io::Write,
        process::Command,
        sync::atomic::{AtomicU64, Ordering},
    };

    static ARRIVALS: AtomicU64 = AtomicU64::new(0);

    /// See the module.
    pub fn reach(name: &str) {
        let Ok(wanted) = std::env::var("SOVR_FAIL_POINT") else { return };
        let (point, count) = wanted.split_once(':').unwrap_or((&wanted, "1"));
        if point != name {
            return;
        }
        let arrival = ARRIVALS.fetch_add(1, Ordering::SeqCst).saturating_add(1);
        if count.parse() == Ok(arrival) {
            die(name);
        }
    }

    fn die(name: &str) -> ! {
        if let Ok(path) = std::env::var("SOVR_FAIL_POINT_MARKER") {
            let _reported = std::fs::File::create(path).and_then(|mut marker| {
                marker.write_all(name.as_bytes())?;
                marker.sync_all()
            });
        }
        let _killed = Command::new("kill").args(["-9", &std::process::id().to_string()]).status();
        // The signal ends every thread; nothing more happens here.
        loop {
            std::thread::park();
        }
    }
}
