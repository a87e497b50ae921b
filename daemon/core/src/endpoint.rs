//! Several ways to the chain: which one is believed first, which is set aside, why and until when.
//!
//! An endpoint that lies, lags or fails is set aside for a pause that doubles each time, up to a
//! bound, and is then tried again. What each one says is judged in [`crate::chain_view`]; here is
//! what follows for its standing. To set the last good one aside stops nothing: where nobody is in
//! good standing, everybody is asked.

use crate::{
    block::{BlockNumber, Millis},
    halt::Evidence,
};
use serde::Serialize;
use std::fmt;

/// An endpoint, by its place in the configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct EndpointId(pub u8);

impl fmt::Display for EndpointId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Why a read brought nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ReadFault {
    /// The endpoint wants a smaller range.
    TooLarge,
    /// It asks us to come less often.
    RateLimited,
    /// No answer in time.
    Timeout,
    /// No connection, or one that was cut.
    Unreachable,
    /// It answered with an error.
    Refused,
    /// It has no such block, or no state of it.
    Missing,
    /// The answer cannot be read, is too long, or contradicts itself.
    Unusable,
}

impl fmt::Display for ReadFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLarge => "it wants smaller ranges",
            Self::RateLimited => "it asks us to come less often",
            Self::Timeout => "it does not answer in time",
            Self::Unreachable => "it cannot be reached or cuts the connection",
            Self::Refused => "it answers with an error",
            Self::Missing => "it lacks a block or its state",
            Self::Unusable => "its answer cannot be used",
        })
    }
}

/// Why an endpoint is set aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It brings nothing.
    Failed(ReadFault),
    /// It did not reach in time what another told of.
    Lags {
        /// Its own final block.
        reached: BlockNumber,
        /// The final block it should have reached.
        expected: BlockNumber,
    },
    /// What it says does not fit what is known.
    Contradicts(Evidence),
    /// It says something else than those who are believed.
    Disagrees {
        /// About this block.
        number: BlockNumber,
    },
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(fault) => fault.fmt(f),
            Self::Lags { reached, expected } => {
                write!(f, "it lags: final block {reached}, others are at {expected}")
            }
            Self::Contradicts(evidence) => evidence.fmt(f),
            Self::Disagrees { number } => {
                write!(f, "it says something else about block {number} than the others")
            }
        }
    }
}

impl Serialize for Reason {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// How many endpoints there are and what is expected of them.
#[derive(Clone, Copy, Debug)]
pub struct EndpointsConfig {
    /// How many, at least 1.
    pub count: u8,
    /// How many must say the same of the final head and of a range's events; 1 means that the first
    /// one in good standing is believed.
    pub quorum: u8,
    /// Time within which an endpoint must reach a final block that another told of, milliseconds.
    pub lag_max_ms: u64,
    /// Longest pause of an endpoint that is set aside, milliseconds.
    pub set_aside_longest_ms: u64,
}

impl Default for EndpointsConfig {
    fn default() -> Self {
        Self { count: 1, quorum: 1, lag_max_ms: 30_000, set_aside_longest_ms: 60_000 }
    }
}

/// Being set aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Aside {
    /// Since when, milliseconds since 1970.
    pub since_ms: u64,
    /// When it is tried again, milliseconds since 1970.
    pub until_ms: u64,
    /// The newest reason.
    pub reason: Reason,
    /// How often its pause has doubled.
    pub level: u32,
}

/// What people see of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct EndpointStatus {
    /// Its place in the configuration.
    pub endpoint: EndpointId,
    /// True for the one that is asked first.
    pub leads: bool,
    /// The newest final block it told of.
    pub final_block: Option<BlockNumber>,
    /// Most blocks in a range that it is asked for, as learned.
    pub range_blocks: u64,
    /// Reads in all that failed or did not fit.
    pub faults: u64,
    /// Set aside, if it is.
    pub set_aside: Option<Aside>,
}

/// First pause of an endpoint that is set aside, milliseconds.
const PAUSE_FIRST_MS: u64 = 1_000;
/// After so long in good standing earlier faults are forgotten, milliseconds.
const FORGIVEN_AFTER_MS: u64 = 600_000;
/// Answers in a row that do not fit, after which an endpoint is set aside: the first of them is read
/// again from the same endpoint, by block hash.
const STRIKES_MAX: u32 = 2;
/// Once an endpoint found a range too large, so many go well before a larger one is tried.
const GROW_AFTER_RANGES: u32 = 32;

/// Another one's final block that this one has to reach.
#[derive(Clone, Copy, Debug)]
struct Claim {
    height: BlockNumber,
    by: EndpointId,
    since: Millis,
}

#[derive(Clone, Copy, Debug)]
struct Endpoint {
    aside: Option<Aside>,
    level: u32,
    strikes: u32,
    faults: u64,
    good_since: Millis,
    final_seen: Option<BlockNumber>,
    claim: Option<Claim>,
    range_blocks: u64,
    grow_after: u32,
}

/// All endpoints, in the order of the configuration.
#[derive(Debug)]
pub(crate) struct Endpoints {
    config: EndpointsConfig,
    range_blocks_max: u64,
    list: Vec<Endpoint>,
    /// Whose turn it is to be asked beside the leader.
    turn: u8,
    /// Who was set aside, with the reason, or is back, and was not told of yet.
    news: Vec<(EndpointId, Option<Reason>)>,
}

impl Endpoints {
    pub(crate) fn new(config: EndpointsConfig, range_blocks_max: u64) -> Self {
        let one = Endpoint {
            aside: None,
            level: 0,
            strikes: 0,
            faults: 0,
            good_since: Millis(0),
            final_seen: None,
            claim: None,
            range_blocks: range_blocks_max,
            grow_after: 0,
        };
        let list = vec![one; usize::from(config.count.max(1))];
        Self { config, range_blocks_max, list, turn: 0, news: Vec::new() }
    }

    pub(crate) fn quorum(&self) -> usize {
        usize::from(self.config.quorum.clamp(1, self.config.count.max(1)))
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = EndpointId> + use<> {
        (0..self.config.count.max(1)).map(EndpointId)
    }

    fn get(&self, id: EndpointId) -> Option<&Endpoint> {
        self.list.get(usize::from(id.0))
    }

    fn get_mut(&mut self, id: EndpointId) -> Option<&mut Endpoint> {
        self.list.get_mut(usize::from(id.0))
    }

    pub(crate) fn is_good(&self, id: EndpointId) -> bool {
        self.get(id).is_some_and(|e| e.aside.is_none())
    }

    pub(crate) fn good(&self) -> impl Iterator<Item = EndpointId> {
        self.all().filter(|id| self.is_good(*id))
    }

    /// Those in good standing as configured, then the others, the one first that is tried first.
    pub(crate) fn ranked(&self) -> Vec<EndpointId> {
        let mut ids: Vec<EndpointId> = self.all().collect();
        let until =
            |id: &EndpointId| self.get(*id).and_then(|e| e.aside).map_or(0, |aside| aside.until_ms);
        ids.sort_by_key(until);
        ids
    }

    /// Who is asked first.
    pub(crate) fn leader(&self) -> EndpointId {
        self.ranked().first().copied().unwrap_or_default()
    }

    /// Whose answers are waited for. With a quorum that is everybody in good standing, without one
    /// the leader alone; everybody where too few are in good standing, or where there is doubt.
    pub(crate) fn deciders(&self, doubt: bool) -> Vec<EndpointId> {
        let quorum = self.quorum();
        if doubt || self.good().count() < quorum {
            self.all().collect()
        } else if quorum > 1 {
            self.good().collect()
        } else {
            vec![self.leader()]
        }
    }

    /// One more to ask beside the deciders, so that lag and recovery are seen: one that is set aside
    /// and whose pause is over, else one in good standing, in turn.
    pub(crate) fn witness(&mut self, deciders: &[EndpointId], now: Millis) -> Option<EndpointId> {
        let is_free = |id: &EndpointId| !deciders.contains(id);
        let is_due = |id: &EndpointId| {
            self.get(*id).and_then(|e| e.aside).is_some_and(|aside| now.0 >= aside.until_ms)
        };
        let due =
            self.all().filter(is_free).filter(is_due).min_by_key(|id| {
                self.get(*id).and_then(|e| e.aside).map_or(0, |aside| aside.until_ms)
            });
        let next = self.good().filter(is_free).find(|id| id.0 >= self.turn);
        let witness = due.or(next).or_else(|| self.good().find(is_free));
        self.turn = witness.map_or(0, |id| id.0.saturating_add(1));
        witness
    }

    /// Whom to ask for a range that ends at this block, best first: those who told of it.
    pub(crate) fn readers(&self, last: BlockNumber) -> Vec<EndpointId> {
        let mut ids = self.ranked();
        let lacks = |id: &EndpointId| {
            let seen = self.get(*id).and_then(|e| e.final_seen);
            (!self.is_good(*id), seen.is_none_or(|seen| seen < last))
        };
        ids.sort_by_key(lacks);
        ids
    }

    /// Sets an endpoint aside, or keeps it there for longer.
    pub(crate) fn set_aside(&mut self, id: EndpointId, reason: Reason, now: Millis) {
        let longest = self.config.set_aside_longest_ms;
        let Some(endpoint) = self.get_mut(id) else { return };
        if endpoint.aside.is_none() && now >= endpoint.good_since.plus(FORGIVEN_AFTER_MS) {
            endpoint.level = 0;
        }
        let pause_is_over = endpoint.aside.is_none_or(|aside| now.0 >= aside.until_ms);
        let until_ms = match endpoint.aside {
            Some(aside) if !pause_is_over => aside.until_ms,
            Some(_) | None => {
                let pause = PAUSE_FIRST_MS.saturating_mul(1 << endpoint.level.min(20));
                endpoint.level = endpoint.level.saturating_add(1);
                now.plus(pause.min(longest)).0
            }
        };
        let (since_ms, is_new) = endpoint.aside.map_or((now.0, true), |a| (a.since_ms, false));
        endpoint.strikes = 0;
        endpoint.aside = Some(Aside { since_ms, until_ms, reason, level: endpoint.level });
        self.news.extend(is_new.then_some((id, Some(reason))));
        // What it told of is not waited for.
        for other in &mut self.list {
            other.claim = other.claim.filter(|claim| claim.by != id);
        }
    }

    /// It brought nothing: whoever is left is asked at once.
    pub(crate) fn failed(&mut self, id: EndpointId, fault: ReadFault, now: Millis) {
        self.count_fault(id);
        self.set_aside(id, Reason::Failed(fault), now);
    }

    /// Its answer does not fit. Once may be an accident; twice in a row sets it aside.
    pub(crate) fn strike(&mut self, id: EndpointId, evidence: Evidence, now: Millis) {
        self.count_fault(id);
        let Some(endpoint) = self.get_mut(id) else { return };
        endpoint.strikes = endpoint.strikes.saturating_add(1);
        if endpoint.strikes >= STRIKES_MAX {
            self.set_aside(id, Reason::Contradicts(evidence), now);
        }
    }

    /// It says what cannot be true, or not together with what those say who are believed.
    pub(crate) fn contradicts(&mut self, id: EndpointId, reason: Reason, now: Millis) {
        self.count_fault(id);
        self.set_aside(id, reason, now);
    }

    /// Why it is set aside.
    pub(crate) fn reason(&self, id: EndpointId) -> Option<Reason> {
        self.get(id).and_then(|e| e.aside).map(|aside| aside.reason)
    }

    fn count_fault(&mut self, id: EndpointId) {
        if let Some(endpoint) = self.get_mut(id) {
            endpoint.faults = endpoint.faults.saturating_add(1);
        }
    }

    /// A poll of it fits. Ends its time aside if the pause is over and it does not lag, or if it only
    /// failed and nobody else is left.
    pub(crate) fn fits(&mut self, id: EndpointId, now: Millis) {
        let alone = self.good().next().is_none();
        let Some(endpoint) = self.get_mut(id) else { return };
        let over = endpoint.aside.is_some_and(|aside| {
            now.0 >= aside.until_ms || (alone && matches!(aside.reason, Reason::Failed(_)))
        });
        if over && endpoint.claim.is_none() {
            self.restore(id, now);
        }
    }

    /// A range of it was taken in: nothing speaks better for it.
    pub(crate) fn served(&mut self, id: EndpointId, now: Millis) {
        let alone = self.good().next().is_none();
        let Some(endpoint) = self.get_mut(id) else { return };
        endpoint.strikes = 0;
        if endpoint.aside.is_some_and(|aside| alone || now.0 >= aside.until_ms) {
            self.restore(id, now);
        }
    }

    fn restore(&mut self, id: EndpointId, now: Millis) {
        let Some(endpoint) = self.get_mut(id) else { return };
        endpoint.aside = None;
        endpoint.strikes = 0;
        endpoint.good_since = now;
        self.news.push((id, None));
    }

    /// Who was set aside or is back since this was last asked.
    pub(crate) fn take_news(&mut self) -> Vec<(EndpointId, Option<Reason>)> {
        std::mem::take(&mut self.news)
    }

    /// It told of a final block. Sets it aside if it has not reached in time what another one in
    /// good standing told of.
    pub(crate) fn heard(&mut self, id: EndpointId, height: BlockNumber, now: Millis) {
        let best = self.good().filter(|other| *other != id).filter_map(|other| {
            self.get(other).and_then(|e| e.final_seen).map(|height| (height, other))
        });
        let best = best.max().filter(|(theirs, _)| *theirs > height);
        let lag_max = self.config.lag_max_ms;
        let Some(endpoint) = self.get_mut(id) else { return };
        endpoint.final_seen = Some(height);
        endpoint.claim = endpoint
            .claim
            .filter(|claim| claim.height > height)
            .or_else(|| best.map(|(height, by)| Claim { height, by, since: now }));
        if let Some(claim) = endpoint.claim.filter(|claim| now >= claim.since.plus(lag_max)) {
            let reason = Reason::Lags { reached: height, expected: claim.height };
            self.set_aside(id, reason, now);
        }
    }

    /// A height that nobody can read is nobody's final block.
    pub(crate) fn forget_heights(&mut self) {
        for endpoint in &mut self.list {
            endpoint.final_seen = None;
            endpoint.claim = None;
        }
    }

    /// Most blocks to ask this endpoint for.
    pub(crate) fn range_blocks(&self, id: EndpointId) -> u64 {
        self.get(id).map_or(1, |e| e.range_blocks)
    }

    /// Its limit was met: smaller at once, and larger again only after many that went well.
    pub(crate) fn met_limit(&mut self, id: EndpointId) {
        self.halve(id);
        if let Some(endpoint) = self.get_mut(id) {
            endpoint.grow_after = GROW_AFTER_RANGES;
        }
    }

    /// It failed without saying why: the size may be the cause.
    pub(crate) fn halve(&mut self, id: EndpointId) {
        if let Some(endpoint) = self.get_mut(id) {
            let half = endpoint.range_blocks.checked_div(2).unwrap_or_default();
            endpoint.range_blocks = half.max(1);
        }
    }

    /// Ranges grow while they hold few events and shrink when they hold many.
    pub(crate) fn learn_size(&mut self, id: EndpointId, events: usize, events_max: u64) {
        let (events, most) = (u64::try_from(events).unwrap_or(u64::MAX), self.range_blocks_max);
        if events > events_max {
            return self.halve(id);
        }
        let Some(endpoint) = self.get_mut(id) else { return };
        if endpoint.grow_after > 0 {
            endpoint.grow_after = endpoint.grow_after.saturating_sub(1);
        } else if events < events_max.checked_div(4).unwrap_or_default() {
            endpoint.range_blocks = endpoint.range_blocks.saturating_mul(2).min(most);
        }
    }

    /// All of them, for people.
    pub(crate) fn status(&self) -> Vec<EndpointStatus> {
        let leader = self.leader();
        let status = |(id, e): (EndpointId, &Endpoint)| EndpointStatus {
            endpoint: id,
            leads: id == leader,
            final_block: e.final_seen,
            range_blocks: e.range_blocks,
            faults: e.faults,
            set_aside: e.aside,
        };
        self.all().zip(&self.list).map(status).collect()
    }
}
