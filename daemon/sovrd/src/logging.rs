//! Logs for people or as JSON lines, on standard error.

use crate::{config::Log, exit::Failure};
use indicatif::MultiProgress;
use std::{
    io::{self, IsTerminal, Write},
    sync::{LazyLock, OnceLock},
};
use tracing::Metadata;
use tracing_subscriber::{
    EnvFilter, Layer,
    filter::{FilterFn, LevelFilter},
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

/// Libraries that hold the addresses of nodes, in which providers put keys. What they know comes back
/// as an error, and is told without its secrets.
const SILENT: [&str; 7] =
    ["alloy", "hyper", "reqwest", "h2", "rustls", "tungstenite", "tokio_tungstenite"];

/// Reads what `log.level` says.
///
/// # Errors
/// If it is no level and no filter. A bare word that is no level would name a target, and nothing else
/// would be logged.
pub fn filter(level: &str) -> Result<EnvFilter, String> {
    let bare = level.split(',').map(str::trim).filter(|part| !part.contains(['=', '[']));
    for word in bare {
        if word.is_empty() || word.parse::<LevelFilter>().is_err() {
            return Err(format!(
                "{word:?} is not off, error, warn, info, debug, trace or target=level"
            ));
        }
    }
    EnvFilter::builder().parse(level).map_err(|e| e.to_string())
}

/// Progress bars on standard error; log lines appear above them.
static BARS: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);
static SHOWS_BARS: OnceLock<bool> = OnceLock::new();

/// Where to add progress bars; `None` where standard error is no terminal, or logs are for programs.
pub fn bars() -> Option<&'static MultiProgress> {
    SHOWS_BARS.get().is_some_and(|shows| *shows).then(|| &*BARS)
}

/// Standard error, with the bars out of the way.
struct BesideBars;

impl Write for BesideBars {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        match bars() {
            Some(bars) => bars.suspend(|| io::stderr().write(line)),
            None => io::stderr().write(line),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

fn may_speak(metadata: &Metadata<'_>) -> bool {
    !SILENT.iter().any(|name| metadata.target().starts_with(name))
}

/// Starts logging.
///
/// # Errors
/// If the filter cannot be read.
pub fn start(log: &Log) -> Result<(), Failure> {
    let filter =
        filter(&log.level).map_err(|e| Failure::configuration(format!("log.level: {e}")))?;
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(|| BesideBars)
        .with_ansi(std::io::stderr().is_terminal());
    let _set_before = SHOWS_BARS.set(!log.json && std::io::stderr().is_terminal());
    let lines = if log.json {
        lines.json().flatten_event(true).boxed()
    } else {
        lines.with_target(false).boxed()
    };
    let lines = lines.with_filter(FilterFn::new(may_speak));
    tracing_subscriber::registry().with(filter).with(lines).init();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_level_is_no_target() {
        for right in ["info", "WARN", "info,sovrd=debug", "sovrd[step]=trace"] {
            assert!(filter(right).is_ok(), "{right}");
        }
        for wrong in ["inof", "", "info,debgu", "sovrd=loud"] {
            assert!(filter(wrong).is_err(), "{wrong}");
        }
    }
}
