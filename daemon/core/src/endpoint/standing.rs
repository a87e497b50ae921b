//! How each endpoint stands, and what its answers do to that.

use super::{Aside, EndpointId, EndpointStatus, EndpointsConfig, ReadFault, Reason};
use crate::{
    block::{BlockNumber, Millis},
    halt::Evidence,
};

/// First pause of an endpoint that is set aside, milliseconds.
const PAUSE_FIRST_MS: u64 = 1_000;
/// After so long in good standing earlier faults are forgotten, milliseconds.
const FORGIVEN_AFTER_MS: u64 = 600_000;
/// Answers in a row that do not fit, after which an endpoint is set aside: the first of them is read
/// again from the same endpoint, by block hash.
const STRIKES_MAX: u32 = 2;
/// Once an endpoint found a range too large, so many go well before a larger one is tried.
const GROW_AFTER_RANGES: u32 = 32;
/// The same where nobody said that the size was the cause.
const GROW_AFTER_FAULTS: u32 = 4;

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

    /// True while it is set aside for what it said, not for failing or lagging.
    pub(crate) fn is_doubted(&self, id: EndpointId) -> bool {
        self.reason(id).is_some_and(|reason| {
            matches!(reason, Reason::Contradicts(_) | Reason::Disagrees { .. })
        })
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

    /// So many blocks were too many, or may have been: half as many at once, and more again only
    /// after many ranges that went well.
    pub(crate) fn met_limit(&mut self, id: EndpointId, blocks: u64, told: bool) {
        if let Some(endpoint) = self.get_mut(id) {
            endpoint.range_blocks = endpoint.range_blocks.min(blocks);
            endpoint.halve();
            endpoint.grow_after = if told { GROW_AFTER_RANGES } else { GROW_AFTER_FAULTS };
        }
    }

    /// Ranges grow while they hold few events and shrink when they hold many.
    pub(crate) fn learn_size(&mut self, id: EndpointId, events: usize, events_max: u64) {
        let (events, most) = (u64::try_from(events).unwrap_or(u64::MAX), self.range_blocks_max);
        let Some(endpoint) = self.get_mut(id) else { return };
        if events > events_max {
            endpoint.halve();
        } else if endpoint.grow_after > 0 {
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

impl Endpoint {
    fn halve(&mut self) {
        self.range_blocks = self.range_blocks.checked_div(2).unwrap_or_default().max(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: EndpointId = EndpointId(0);
    const B: EndpointId = EndpointId(1);
    const C: EndpointId = EndpointId(2);
    const START: Millis = Millis(1_000_000);

    fn endpoints(count: u8, quorum: u8) -> Endpoints {
        let config =
            EndpointsConfig { count, quorum, lag_max_ms: 5_000, set_aside_longest_ms: 8_000 };
        Endpoints::new(config, 1_000)
    }

    fn aside(all: &Endpoints, id: EndpointId) -> Aside {
        all.get(id).unwrap().aside.unwrap()
    }

    #[test]
    fn the_order_of_the_configuration_holds_among_those_in_good_standing() {
        let mut all = endpoints(3, 1);
        assert_eq!(all.ranked(), [A, B, C]);
        all.failed(A, ReadFault::Timeout, START);
        assert_eq!((all.leader(), all.ranked()), (B, vec![B, C, A]));
        // While the pause lasts, answers that fit change nothing.
        all.fits(A, START.plus(999));
        assert_eq!(all.leader(), B);
        all.fits(A, START.plus(1_000));
        assert_eq!(all.leader(), A);
        let news: Vec<bool> = all.take_news().iter().map(|(_, reason)| reason.is_some()).collect();
        assert_eq!(news, [true, false]);
    }

    #[test]
    fn pauses_double_up_to_their_bound_and_are_forgiven_in_the_end() {
        let mut all = endpoints(2, 1);
        let mut now = START;
        for pause in [1_000, 2_000, 4_000, 8_000, 8_000, 8_000] {
            all.failed(A, ReadFault::Refused, now);
            assert_eq!(aside(&all, A).until_ms, now.plus(pause).0);
            now = now.plus(pause);
            all.fits(A, now);
        }
        now = now.plus(FORGIVEN_AFTER_MS);
        all.failed(A, ReadFault::Refused, now);
        assert_eq!(aside(&all, A).until_ms, now.plus(1_000).0);
    }

    #[test]
    fn failing_again_during_a_pause_does_not_make_it_longer() {
        let mut all = endpoints(1, 1);
        for ms in 0..999 {
            all.failed(A, ReadFault::Timeout, START.plus(ms));
        }
        assert_eq!(aside(&all, A).until_ms, START.plus(1_000).0);
        assert_eq!(aside(&all, A).since_ms, START.0);
    }

    #[test]
    fn one_odd_answer_is_an_accident_and_two_in_a_row_are_not() {
        let odd = Evidence::BrokenLink { number: BlockNumber(7) };
        let mut all = endpoints(2, 1);
        all.strike(A, odd, START);
        all.served(A, START);
        all.strike(A, odd, START);
        assert!(all.is_good(A));
        all.strike(A, odd, START);
        assert_eq!(aside(&all, A).reason, Reason::Contradicts(odd));
    }

    #[test]
    fn who_does_not_reach_in_time_what_another_told_of_lags() {
        let mut all = endpoints(2, 1);
        // It follows, always a block behind: that is no lag.
        for n in 0..10 {
            let now = START.plus(n * 4_000);
            all.heard(B, BlockNumber(10 + n), now);
            all.heard(A, BlockNumber(9 + n), now);
        }
        assert!(all.is_good(A));
        let stopped = START.plus(36_000);
        all.heard(A, BlockNumber(18), stopped.plus(4_999));
        assert!(all.is_good(A));
        all.heard(A, BlockNumber(18), stopped.plus(5_000));
        let reason = aside(&all, A).reason;
        assert_eq!(reason, Reason::Lags { reached: BlockNumber(18), expected: BlockNumber(19) });
        // It is not back before it has caught up, however long that takes.
        all.fits(A, stopped.plus(60_000));
        assert!(!all.is_good(A));
        all.heard(A, BlockNumber(19), stopped.plus(60_000));
        all.fits(A, stopped.plus(60_000));
        assert!(all.is_good(A));
    }

    #[test]
    fn a_height_told_by_one_that_is_set_aside_makes_nobody_lag() {
        let mut all = endpoints(2, 1);
        all.heard(B, BlockNumber(1_000_000), START);
        all.heard(A, BlockNumber(8), START);
        all.contradicts(B, Reason::Disagrees { number: BlockNumber(8) }, START);
        all.heard(A, BlockNumber(9), START.plus(100_000));
        assert!(all.is_good(A));
    }

    #[test]
    fn limits_are_learned_for_each_endpoint_and_remembered() {
        let mut all = endpoints(2, 1);
        all.met_limit(A, 500, true);
        assert_eq!((all.range_blocks(A), all.range_blocks(B)), (250, 1_000));
        all.failed(A, ReadFault::Timeout, START);
        all.fits(A, START.plus(1_000));
        for _ in 0..GROW_AFTER_RANGES {
            all.learn_size(A, 0, 100);
            assert_eq!(all.range_blocks(A), 250);
        }
        all.learn_size(A, 0, 100);
        assert_eq!(all.range_blocks(A), 500);
        all.learn_size(A, 101, 100);
        assert_eq!(all.range_blocks(A), 250);
        (0..20).for_each(|_| all.met_limit(B, 1_000, false));
        assert_eq!(all.range_blocks(B), 1);
    }

    #[test]
    fn everybody_is_asked_where_too_few_are_left_or_there_is_doubt() {
        let mut all = endpoints(3, 2);
        assert_eq!(all.deciders(false), [A, B, C]);
        all.failed(A, ReadFault::Timeout, START);
        assert_eq!(all.deciders(false), [B, C]);
        assert_eq!(all.deciders(true), [A, B, C]);
        all.failed(B, ReadFault::Timeout, START);
        assert_eq!(all.deciders(false), [A, B, C]);
        assert_eq!(endpoints(3, 1).deciders(false), [A]);
    }

    #[test]
    fn the_others_are_asked_in_turn_and_one_whose_pause_is_over_first() {
        let mut all = endpoints(3, 1);
        let turns: Vec<_> = (0..3).map(|_| all.witness(&[A], START)).collect();
        assert_eq!(turns, [Some(B), Some(C), Some(B)]);
        all.failed(C, ReadFault::Timeout, START);
        assert_eq!(all.witness(&[A], START.plus(999)), Some(B));
        assert_eq!(all.witness(&[A], START.plus(1_000)), Some(C));
        assert_eq!(endpoints(1, 1).witness(&[A], START), None);
    }
}
