//! How far a long way to catch up has come: a bar on a terminal, lines in the log elsewhere, and
//! metrics. What people see of it, never what anything is decided by.

use crate::{logging, metrics::Metrics};
use bridge_core::status::Summary;
use indicatif::{ProgressBar, ProgressStyle};
use std::{
    collections::VecDeque,
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::watch;
use tracing::info;

/// So many blocks or events behind, the way is long enough to be told of.
const LONG_BLOCKS: u64 = 1_000;
const LONG_EVENTS: u64 = 10_000;
/// Pause between two looks.
const LOOK: Duration = Duration::from_secs(1);
/// Looks between two lines in the log.
const LINE_EVERY: u32 = 10;
/// Looks over which speed is measured.
const LOOKS_KEPT: usize = 30;

/// Where things stand at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    at: Instant,
    block: u64,
    events: u64,
}

/// What there is to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// Everything up to this block is in the ledger.
    pub block: u64,
    /// The newest final block.
    pub final_block: u64,
    /// Events in the ledger.
    pub events: u64,
    /// Events of the vault up to the newest final block.
    pub all_events: u64,
    /// Events a second, lately.
    pub events_per_second: u64,
    /// Seconds left at that speed; `None` while nothing moves.
    pub seconds_left: Option<u64>,
}

/// One way to catch up, from the first look that found it long until nothing is left.
#[derive(Debug, Default)]
struct Way {
    looks: VecDeque<Place>,
}

impl Way {
    /// Looks once more; `None` while there is nothing to tell.
    fn look(&mut self, summary: &Summary, now: Instant) -> Option<Report> {
        let (block, events) =
            (summary.acknowledged.block.number.0, summary.acknowledged.next_seq.minus(1).0);
        let final_block = summary.final_block.unwrap_or_default().0;
        let all_events = summary.contract_seq.unwrap_or_default().0;
        let left = (final_block.saturating_sub(block), all_events.saturating_sub(events));
        let is_long = left.0 >= LONG_BLOCKS || left.1 >= LONG_EVENTS;
        let goes_on = !self.looks.is_empty() && left.0 > 0;
        if !(is_long || goes_on) {
            self.looks.clear();
            return None;
        }
        if self.looks.len() >= LOOKS_KEPT {
            self.looks.pop_front();
        }
        self.looks.push_back(Place { at: now, block, events });
        let first = self.looks.front().copied()?;
        let passed = now.saturating_duration_since(first.at);
        let (blocks, done) =
            (block.saturating_sub(first.block), events.saturating_sub(first.events));
        // Blocks tell for a chain with few events, events for one with many: the longer time holds.
        let seconds_left = [time_left(left.0, blocks, passed), time_left(left.1, done, passed)];
        let [of_blocks, of_events] = seconds_left;
        Some(Report {
            block,
            final_block,
            events,
            all_events,
            events_per_second: per_second(done, passed),
            seconds_left: of_blocks.zip(of_events).map(|(a, b)| a.max(b)),
        })
    }
}

fn per_second(done: u64, passed: Duration) -> u64 {
    let ms = u64::try_from(passed.as_millis()).unwrap_or(u64::MAX);
    done.saturating_mul(1_000).checked_div(ms).unwrap_or_default()
}

/// Seconds for what is left at the speed of what was done; `None` while nothing moves.
fn time_left(left: u64, done: u64, passed: Duration) -> Option<u64> {
    if left == 0 {
        return Some(0);
    }
    let ms = u64::try_from(passed.as_millis()).unwrap_or(u64::MAX);
    let needed = u128::from(left).saturating_mul(ms.into()).checked_div(done.into())?;
    u64::try_from(needed.div_ceil(1_000)).ok()
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { events, all_events, events_per_second, .. } = self;
        write!(f, "{events} of {all_events} events, {events_per_second}/s, ")?;
        match self.seconds_left {
            Some(left) => {
                let (h, m, s) = (left / 3_600, left / 60 % 60, left % 60);
                write!(f, "{h:02}:{m:02}:{s:02} left")
            }
            None => f.write_str("waiting"),
        }
    }
}

/// Tells of every long way to catch up until the engine is gone.
pub async fn run(summary: watch::Receiver<Arc<Summary>>, metrics: Arc<Metrics>) {
    let mut interval = tokio::time::interval(LOOK);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    let (mut way, mut shown) = (Way::default(), None::<Shown>);
    while summary.has_changed().is_ok() {
        interval.tick().await;
        let now = summary.borrow().clone();
        let report = way.look(&now, Instant::now());
        metrics.progress(report.as_ref());
        match report {
            Some(report) => shown.get_or_insert_with(Shown::new).tell(&report),
            None => {
                if let Some(shown) = shown.take() {
                    shown.end(&now);
                }
            }
        }
    }
}

/// What people see of one way.
struct Shown {
    bar: Option<ProgressBar>,
    looks: u32,
}

impl Shown {
    fn new() -> Self {
        let bar = logging::bars().map(|bars| {
            let bar = bars.add(ProgressBar::new(0));
            let style = "catching up {wide_bar} block {pos} of {len}, {msg}";
            bar.with_style(
                ProgressStyle::with_template(style)
                    .unwrap_or_else(|_| ProgressStyle::default_bar()),
            )
        });
        Self { bar, looks: 0 }
    }

    fn tell(&mut self, report: &Report) {
        if let Some(bar) = &self.bar {
            bar.set_length(report.final_block);
            bar.set_position(report.block);
            bar.set_message(report.to_string());
        } else if self.looks.is_multiple_of(LINE_EVERY) {
            let Report { block, final_block, events_per_second, .. } = *report;
            let seconds_left = report.seconds_left;
            info!(block, final_block, events_per_second, seconds_left, "catching up: {report}");
        }
        self.looks = self.looks.wrapping_add(1);
    }

    fn end(self, now: &Summary) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
        let (block, last) = (now.acknowledged.block.number, now.acknowledged.next_seq.minus(1));
        info!(%block, %last, "caught up");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bridge_core::{
        block::{BlockNumber, Seq},
        bridge::Bridge,
        checkpoint::Persisted,
        id::Identity,
    };

    fn summary(block: u64, final_block: u64, events: u64, all_events: u64) -> Summary {
        let config = crate::app::core_defaults();
        let identity = Identity { chain_id: 1, ..config.identity };
        let config = bridge_core::bridge::Config { identity, ..config };
        let mut summary = Bridge::new(config, Persisted::default()).unwrap().summary();
        summary.acknowledged.block.number = BlockNumber(block);
        summary.acknowledged.next_seq = Seq(events + 1);
        summary.final_block = Some(BlockNumber(final_block));
        summary.contract_seq = Some(Seq(all_events));
        summary
    }

    #[test]
    fn a_short_way_is_not_told_of_and_a_long_one_until_its_end() {
        let (mut way, start) = (Way::default(), Instant::now());
        assert_eq!(way.look(&summary(5, 1_004, 0, 9_999), start), None);
        let first = way.look(&summary(5, 1_005, 0, 0), start).unwrap();
        assert_eq!((first.events_per_second, first.seconds_left), (0, None));
        let later = start + Duration::from_secs(2);
        let report = way.look(&summary(505, 1_005, 40, 100), later).unwrap();
        assert_eq!((report.events_per_second, report.seconds_left), (20, Some(3)));
        assert_eq!(report.to_string(), "40 of 100 events, 20/s, 00:00:03 left");
        let last = way.look(&summary(1_004, 1_005, 99, 100), later).unwrap();
        assert_eq!(last.block, 1_004, "also when little is left");
        assert_eq!(way.look(&summary(1_005, 1_005, 100, 100), later), None);
        assert_eq!(way.look(&summary(1_005, 1_006, 100, 101), later), None);
    }

    #[test]
    fn speed_is_that_of_the_newest_looks() {
        let (mut way, start) = (Way::default(), Instant::now());
        let mut report = None;
        for n in 0..200 {
            // Ten a second, then a hundred.
            let events = if n < 100 { n * 10 } else { 1_000 + (n - 100) * 100 };
            report = way.look(&summary(n, 9_999, events, 1 << 20), start + LOOK * n as u32);
        }
        assert_eq!(report.unwrap().events_per_second, 100);
        assert_eq!(way.looks.len(), LOOKS_KEPT);
    }
}
