//! What users see while things break: how long their deposits wait, and what they are told.

use crate::{http, trial::world::World, vault::Vault};
use serde_json::Value;
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

const PAUSE: Duration = Duration::from_millis(50);
const ASK_LIMIT: Duration = Duration::from_secs(2);
/// The daemon itself answers within this time, whatever happened.
const USER_LIMIT: Duration = Duration::from_secs(35);

/// What was seen since the last [`Watch::take`].
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Longest time from a block that holds an event to the ledger that has it.
    pub longest: Duration,
    /// How often it was seen that more events had cleared.
    pub cleared: u64,
    /// What `/ready` said, and how often.
    pub ready: BTreeMap<String, u64>,
    /// What the owner of the deposit was told that had waited for longest, and how often.
    pub told: BTreeMap<String, u64>,
}

/// Looks in the background until it is dropped.
#[derive(Debug)]
pub struct Watch {
    stop: Arc<AtomicBool>,
    seen: Arc<Mutex<Seen>>,
    waiting: Arc<Mutex<Waiting>>,
    threads: Vec<JoinHandle<()>>,
}

/// Events on chain that the ledger does not have yet.
#[derive(Debug, Default)]
struct Waiting {
    /// The newest that was seen.
    last: u64,
    since: VecDeque<(u64, Instant)>,
}

#[derive(Clone)]
struct Eyes {
    stop: Arc<AtomicBool>,
    seen: Arc<Mutex<Seen>>,
    waiting: Arc<Mutex<Waiting>>,
    vault: Vault,
    api: String,
}

impl Watch {
    /// Starts looking at a world.
    #[must_use]
    pub fn start(world: &World) -> Self {
        let eyes = Eyes {
            stop: Arc::default(),
            seen: Arc::default(),
            waiting: Arc::default(),
            vault: world.vault.clone(),
            api: world.config.api_url(),
        };
        let looks: [fn(&Eyes); 3] = [Eyes::progress, Eyes::readiness, Eyes::answers];
        let threads = looks.map(|look| {
            let eyes = eyes.clone();
            thread::spawn(move || {
                while !eyes.stop.load(Ordering::SeqCst) {
                    look(&eyes);
                    thread::sleep(PAUSE);
                }
            })
        });
        let Eyes { stop, seen, waiting, .. } = eyes;
        Self { stop, seen, waiting, threads: threads.into() }
    }

    /// What was seen since the last time. What still waits counts with its time so far.
    #[must_use]
    pub fn take(&self) -> Seen {
        let mut seen = std::mem::take(&mut *lock(&self.seen));
        if let Some((_, since)) = lock(&self.waiting).since.front() {
            seen.longest = seen.longest.max(since.elapsed());
        }
        seen
    }

    /// The newest event that was seen on chain.
    #[must_use]
    pub fn last(&self) -> u64 {
        lock(&self.waiting).last
    }

    /// Whether the ledger has everything up to this event.
    #[must_use]
    pub fn has_cleared(&self, event: u64) -> bool {
        lock(&self.waiting).since.front().is_none_or(|(seq, _)| *seq > event)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Eyes {
    fn progress(&self) {
        if let Ok(last) = self.vault.last_seq() {
            let mut waiting = lock(&self.waiting);
            if waiting.last < last {
                waiting.last = last;
                waiting.since.push_back((last, Instant::now()));
            }
        }
        let Some(next) = self.acknowledged() else { return };
        let mut waiting = lock(&self.waiting);
        let mut seen = lock(&self.seen);
        while let Some((_, since)) = waiting.since.front().filter(|(seq, _)| *seq < next) {
            seen.longest = seen.longest.max(since.elapsed());
            seen.cleared += 1;
            waiting.since.pop_front();
        }
    }

    fn acknowledged(&self) -> Option<u64> {
        let answer = http::get(&format!("{}/v1/status", self.api), ASK_LIMIT).ok()?;
        let page: Value = serde_json::from_str(&answer.body).ok()?;
        page["acknowledged"]["next_seq"].as_u64()
    }

    fn readiness(&self) {
        let said = match http::get(&format!("{}/ready", self.api), ASK_LIMIT) {
            Ok(answer) if answer.status == 200 => "ready".to_owned(),
            Ok(answer) => format!("{} {}", answer.status, detail(&answer.body)),
            Err(_) => "no answer".to_owned(),
        };
        *lock(&self.seen).ready.entry(said).or_default() += 1;
    }

    fn answers(&self) {
        // The one that has waited for longest.
        let Some(seq) = lock(&self.waiting).since.front().map(|(seq, _)| *seq) else { return };
        let path = format!("{}/v1/transfers/deposit:{seq}", self.api);
        let said = match http::get(&path, USER_LIMIT) {
            // Not every event is a deposit.
            Ok(answer) if answer.status == 404 => return,
            Ok(answer) if answer.status == 200 => state(&answer.body),
            Ok(answer) => format!("{} {}", answer.status, detail(&answer.body)),
            Err(_) => "no answer".to_owned(),
        };
        *lock(&self.seen).told.entry(said).or_default() += 1;
    }
}

/// The state of the one item.
fn state(body: &str) -> String {
    let page: Value = serde_json::from_str(body).unwrap_or_default();
    page["items"][0]["state"].as_str().unwrap_or("nothing").to_owned()
}

/// The sentence of a problem; numbers differ each time and say nothing here.
fn detail(body: &str) -> String {
    let page: Value = serde_json::from_str(body).unwrap_or_default();
    let text = page["detail"].as_str().unwrap_or(body).trim().to_owned();
    let mut said = String::new();
    for letter in text.chars().take(160) {
        match letter {
            '0'..='9' if said.ends_with('N') => {}
            '0'..='9' => said.push('N'),
            other => said.push(other),
        }
    }
    said
}
