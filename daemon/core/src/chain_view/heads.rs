//! Polls: whose final head is adopted, and what becomes of those who say something else.

use super::{ChainView, Finding, POLL_LOST_MS, again};
use crate::{
    agreement::{Count, Round},
    block::{BlockNumber, BlockRef, Millis},
    command::ChainCommand,
    endpoint::{EndpointId, ReadFault, Reason},
    event::Head,
    halt::Evidence,
    range_check::other_block,
};

impl ChainView {
    pub(super) fn poll_heads(&mut self, now: Millis) -> Vec<ChainCommand> {
        let lowered = std::mem::take(&mut self.lowered);
        let mut polls: Vec<_> = lowered.into_iter().map(|(id, at)| (id, Some(at))).collect();
        let over = self.round.as_ref().is_none_or(|r| now >= r.began.plus(POLL_LOST_MS));
        if now >= self.poll_due && over {
            polls = self.begin_round(now).into_iter().map(|id| (id, None)).collect();
        }
        let anchor = self.cursor.block.number;
        self.outstanding.extend(polls.iter().map(|(id, _)| (*id, now)));
        polls
            .into_iter()
            .map(|(endpoint, at)| ChainCommand::Poll { endpoint, anchor, at })
            .collect()
    }

    fn begin_round(&mut self, now: Millis) -> Vec<EndpointId> {
        for id in self.round.take().map(|round| round.missing()).unwrap_or_default() {
            self.endpoints.failed(id, ReadFault::Timeout, now);
        }
        self.outstanding.retain(|_, at| now < at.plus(POLL_LOST_MS));
        let mut asked = self.endpoints.deciders(self.undecided || self.suspicions > 0);
        self.round = Some(Round::new(&asked, now));
        let witness = self.endpoints.witness(&asked, now);
        asked.extend(witness.filter(|id| !self.outstanding.contains_key(id)));
        asked
    }

    /// A poll brought nothing; another endpoint is asked at once, or the same one after a while.
    pub(crate) fn on_head_failed(
        &mut self,
        endpoint: EndpointId,
        fault: ReadFault,
        now: Millis,
    ) -> Finding {
        self.outstanding.remove(&endpoint);
        self.endpoints.failed(endpoint, fault, now);
        let Some(round) = self.round.as_mut().filter(|r| r.waits_for(endpoint)) else {
            return Finding::Nothing;
        };
        round.fail(endpoint);
        self.count(now)
    }

    /// Takes in a poll.
    pub(crate) fn on_head(&mut self, endpoint: EndpointId, head: Head, now: Millis) -> Finding {
        self.outstanding.remove(&endpoint);
        let number = head.final_head.block.number;
        let decides = self.round.as_ref().is_some_and(|r| r.waits_for(endpoint));
        if number > head.latest {
            return self.on_nonsense(endpoint, Evidence::BrokenLink { number }, now);
        }
        let replaced = self.replaced(&head);
        if replaced.is_none() && !self.round.as_ref().is_some_and(|r| r.has_told(endpoint)) {
            self.endpoints.heard(endpoint, number, now);
        }
        if !decides {
            return self.on_witness(endpoint, &head, replaced, now);
        }
        if let Some(round) = &mut self.round {
            round.say(endpoint, head);
        }
        self.count(now)
    }

    fn on_nonsense(&mut self, endpoint: EndpointId, evidence: Evidence, now: Millis) -> Finding {
        self.endpoints.strike(endpoint, evidence, now);
        if let Some(round) = self.round.as_mut().filter(|r| r.waits_for(endpoint)) {
            round.fail(endpoint);
            match self.count(now) {
                Finding::Nothing => {}
                found @ (Finding::Adopted
                | Finding::Events(_)
                | Finding::Suspect(_)
                | Finding::Contradiction(_)) => return found,
            }
        }
        Finding::Suspect(evidence)
    }

    /// Nobody waits for this answer, but it tells how its endpoint stands.
    fn on_witness(
        &mut self,
        endpoint: EndpointId,
        head: &Head,
        replaced: Option<Evidence>,
        now: Millis,
    ) -> Finding {
        let ours = self.head.as_ref().map(|h| h.final_head.block);
        let block = head.final_head.block;
        if let Some(evidence) = replaced {
            self.endpoints.contradicts(endpoint, Reason::Contradicts(evidence), now);
            return Finding::Suspect(evidence);
        }
        if let Some(evidence) = ours.and_then(|ours| other_block(ours, block)) {
            let reason = Reason::Disagrees { number: block.number };
            self.endpoints.contradicts(endpoint, reason, now);
            return Finding::Suspect(evidence);
        }
        self.endpoints.fits(endpoint, now);
        Finding::Nothing
    }

    fn count(&mut self, now: Millis) -> Finding {
        let quorum = self.endpoints.quorum();
        if quorum < 2 {
            return self.first_that_fits(now);
        }
        let Some(round) = &mut self.round else { return Finding::Nothing };
        match round.count(quorum) {
            Count::Open => Finding::Nothing,
            Count::Lower(at, ids) => {
                self.lowered.extend(ids.into_iter().map(|id| (id, at)));
                Finding::Nothing
            }
            Count::Agreed(ids) => self.conclude(&ids, now),
            Count::TooFew => self.on_round_failed(None, now),
            Count::Disagreed(number) => {
                self.on_round_failed(Some(Evidence::NoAgreement { number }), now)
            }
        }
    }

    /// Without a quorum the first endpoint in good standing is believed. While there is doubt about
    /// what was taken in, everybody is asked, and whoever confirms it ends the doubt.
    fn first_that_fits(&mut self, now: Millis) -> Finding {
        let Some(round) = &self.round else { return Finding::Nothing };
        let (order, doubt) = (self.endpoints.ranked(), self.suspicions > 0);
        let find = |wanted: &dyn Fn(&Head) -> bool| {
            order.iter().copied().find(|id| round.head_of(*id).is_some_and(wanted))
        };
        let fits = |h: &Head| self.replaced(h).is_none() && (!doubt || self.confirms(h));
        // Whoever is doubted does not decide while somebody else can.
        let others = self.endpoints.good().next().is_some();
        let believed = |id: &EndpointId| !(others && self.endpoints.is_doubted(*id));
        let mut trusted = order.iter().copied().filter(believed);
        let first = trusted.find(|id| round.head_of(*id).is_some_and(fits));
        if first.is_none() && !round.is_complete() {
            return Finding::Nothing;
        }
        let contradicting = || find(&|h| self.replaced(h).is_some());
        match first.or_else(contradicting).or_else(|| find(&|_| true)) {
            Some(id) => self.conclude(&[id], now),
            None => self.on_round_failed(None, now),
        }
    }

    fn on_round_failed(&mut self, evidence: Option<Evidence>, now: Millis) -> Finding {
        self.round = None;
        self.undecided = true;
        let alone = self.endpoints.quorum() > 1 || self.endpoints.good().next().is_none();
        self.poll_due = if alone { now.plus(self.config.poll_interval_ms) } else { now };
        let aside = |id: EndpointId| self.endpoints.reason(id);
        let reason = evidence.map(Reason::Contradicts);
        let reason = reason.or_else(|| self.endpoints.ranked().into_iter().find_map(aside));
        if let Some(reason) = reason {
            self.head_trouble = again(self.head_trouble, None, None, reason, now);
        }
        evidence.map_or(Finding::Nothing, Finding::Suspect)
    }

    /// These agree: everybody else in the round is judged by what they say.
    fn conclude(&mut self, ids: &[EndpointId], now: Millis) -> Finding {
        let Some(round) = self.round.take() else { return Finding::Nothing };
        self.undecided = false;
        let Some(head) = ids.first().and_then(|id| round.head_of(*id)).cloned() else {
            return Finding::Nothing;
        };
        let everybody = round.asked() == self.endpoints.all().count();
        if self.replaced(&head).is_none() {
            for (id, said) in round.said() {
                self.judge(id, said, &head, ids.contains(&id), now);
            }
        }
        self.poll_due = now.plus(self.config.poll_interval_ms);
        self.adopt(head, ids, everybody, now)
    }

    fn judge(&mut self, id: EndpointId, said: &Head, adopted: &Head, agrees: bool, now: Millis) {
        let (theirs, ours) = (said.final_head.block, adopted.final_head.block);
        if let Some(evidence) = self.replaced(said) {
            self.endpoints.contradicts(id, Reason::Contradicts(evidence), now);
        } else if !agrees && theirs.number == ours.number && !same(said, adopted) {
            self.endpoints.contradicts(id, Reason::Disagrees { number: ours.number }, now);
        } else {
            self.endpoints.fits(id, now);
        }
    }

    fn adopt(&mut self, head: Head, ids: &[EndpointId], everybody: bool, now: Millis) -> Finding {
        if let Some(evidence) = self.replaced(&head) {
            return self.on_replaced(evidence, ids, everybody, now);
        }
        if self.confirms(&head) {
            // This answer confirms our own last block, whatever else it says.
            self.suspicions = 0;
        }
        let number = head.final_head.block.number;
        if number < self.cursor.block.number {
            // A lower head is a lagging node, not a reorg: what was taken in stays.
            self.head_trouble = None;
            return Finding::Nothing;
        }
        let known = self.head.as_ref().map(|h| h.final_head);
        if known.is_some_and(|k| number < k.block.number) && self.lower < self.config.suspicions_max
        {
            // Lagging again. But a height that nobody confirms must not outlast every true one.
            self.lower = self.lower.saturating_add(1);
            return Finding::Nothing;
        }
        if let Some(evidence) = self.counter_behind(&head) {
            return self.on_odd_counter(evidence, ids, now);
        }
        self.odd_counters = 0;
        self.head_trouble = None;
        if head.final_head.block == self.cursor.block {
            self.prove(self.cursor);
        }
        self.suspicions = 0;
        let replaced = known.and_then(|known| other_block(known.block, head.final_head.block));
        self.known_before = known.map(|k| k.block.number);
        self.lower = 0;
        self.head = Some(head);
        self.head_by = ids.to_vec();
        if self.must_be_confirmed() {
            self.poll_due = Millis(0);
        }
        // Nothing was taken in up to the known head, so either of the two may be the wrong one.
        replaced.map_or(Finding::Adopted, Finding::Suspect)
    }

    fn confirms(&self, head: &Head) -> bool {
        let ours = self.cursor.block;
        head.genesis == self.config.genesis && head.anchor == Some((ours.number, ours.hash))
    }

    fn replaced(&self, head: &Head) -> Option<Evidence> {
        if head.genesis != self.config.genesis {
            let (ours, theirs) = (self.config.genesis, head.genesis);
            return Some(Evidence::GenesisChanged { ours, theirs });
        }
        // A node that lags may still be on a branch that was given up above its own final block.
        let told = head.anchor.filter(|(number, _)| *number <= head.final_head.block.number);
        let anchor = told.map(|(number, hash)| BlockRef { number, hash });
        anchor
            .into_iter()
            .chain([head.final_head.block])
            .find_map(|theirs| other_block(self.cursor.block, theirs))
    }

    /// At our own block or later, the contract cannot have counted fewer events than we took in.
    fn counter_behind(&self, head: &Head) -> Option<Evidence> {
        let logs = self.cursor.next_seq.minus(1);
        let number = head.final_head.block.number;
        let at_cursor = number == self.cursor.block.number;
        let wrong = head.last_seq < logs || (at_cursor && head.last_seq != logs);
        wrong.then_some(Evidence::CounterMismatch { logs, contract: head.last_seq, number })
    }

    /// A block that one answer spoke of, and nothing proved yet, may have been wrong then.
    fn on_replaced(
        &mut self,
        evidence: Evidence,
        ids: &[EndpointId],
        everybody: bool,
        now: Millis,
    ) -> Finding {
        for id in ids {
            self.endpoints.contradicts(*id, Reason::Contradicts(evidence), now);
        }
        self.note_head_trouble(evidence, ids, now);
        let ours = matches!(evidence, Evidence::FinalBlockReplaced { .. });
        if ours && self.cursor != self.proven {
            self.go_back();
            return Finding::Suspect(evidence);
        }
        // Only what is said again and again persists, not one odd answer after another.
        let again = self.suspected == Some(evidence);
        self.suspicions = if again { self.suspicions.saturating_add(1) } else { 1 };
        self.suspected = Some(evidence);
        // Nobody is left who could say otherwise, or as many say it as the configuration wants.
        let counts = everybody || ids.len() > 1;
        if counts && self.suspicions >= self.config.suspicions_max {
            Finding::Contradiction(evidence)
        } else {
            Finding::Suspect(evidence)
        }
    }

    /// Once: the counter may be wrong. Twice: so may the logs be that were taken for complete.
    fn on_odd_counter(&mut self, evidence: Evidence, ids: &[EndpointId], now: Millis) -> Finding {
        self.odd_counters = self.odd_counters.saturating_add(1);
        ids.iter().for_each(|id| self.endpoints.strike(*id, evidence, now));
        self.note_head_trouble(evidence, ids, now);
        if self.odd_counters > 1 {
            self.go_back();
        }
        Finding::Suspect(evidence)
    }

    fn note_head_trouble(&mut self, evidence: Evidence, ids: &[EndpointId], now: Millis) {
        let (who, reason) = (ids.first().copied(), Reason::Contradicts(evidence));
        self.head_trouble = again(self.head_trouble, None, who, reason, now);
    }

    /// How far to read. One range up to the head proves the head's hash by its links; where it takes
    /// more of them, two polls must agree that there is so much: a single answer with a height that
    /// is not final, or not there at all, would have us take in what can still change.
    pub(super) fn ceiling(&self, range_blocks: u64) -> Option<BlockNumber> {
        let head = self.head.as_ref()?.final_head.block.number;
        if head <= self.cursor.block.number.plus(range_blocks) {
            return Some(head);
        }
        self.known_before.map(|before| before.min(head))
    }

    fn must_be_confirmed(&self) -> bool {
        self.ceiling(self.range_blocks(self.endpoints.all())).is_none()
    }
}

fn same(one: &Head, other: &Head) -> bool {
    one.final_head.block == other.final_head.block
        && one.last_seq == other.last_seq
        && one.genesis == other.genesis
}
