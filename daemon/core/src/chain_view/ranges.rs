//! Ranges: who is asked, what of it is taken in, and how it is read again.

use super::{ChainView, Finding, again};
use crate::{
    block::{BlockNumber, Millis},
    checkpoint::Cursor,
    command::RangeRequest,
    endpoint::{EndpointId, ReadFault, Reason},
    event::Range,
    halt::{Evidence, Told},
    range_check::{Known, same_story},
    vault_event::VaultLog,
};
use std::collections::BTreeSet;

/// Ranges up to this many blocks are checked header by header.
const ALL_HEADERS_BLOCKS: u64 = 32;
/// First and longest pause before a range is read again, milliseconds.
const REREAD_FIRST_MS: u64 = 100;
const REREAD_LONGEST_MS: u64 = 10_000;
/// Failed reads of one position after which the known head is forgotten.
const HEAD_FORGOTTEN_AFTER: u32 = 3;

/// Ranges that are read beside the one whose turn it is: so the node works on the next one while
/// this one is decoded and posted.
const AHEAD_RANGES: usize = 2;
/// Pause of reading ahead after such a read failed, milliseconds.
const AHEAD_PAUSE_MS: u64 = 10_000;

/// A range that is being read, from as many endpoints as have to say the same.
#[derive(Debug)]
pub(super) struct Reading {
    /// What is asked; to whom, is in `asked`.
    request: RangeRequest,
    asked: BTreeSet<EndpointId>,
    waiting: BTreeSet<EndpointId>,
    fits: Vec<(Range, Cursor)>,
    /// Answers that came before its turn; nothing of them was looked at.
    early: Vec<Range>,
}

/// A range that enough endpoints tell alike.
struct Agreed {
    range: Range,
    /// Where it ends.
    cursor: Cursor,
    /// Who else told of it, and whether they said the same.
    others: Vec<(EndpointId, bool)>,
}

impl Reading {
    fn waits_for(&self, request: RangeRequest) -> bool {
        let same = RangeRequest { endpoint: self.request.endpoint, ..request } == self.request;
        same && self.waiting.contains(&request.endpoint)
    }

    fn ask(&mut self, endpoint: EndpointId) -> RangeRequest {
        self.asked.insert(endpoint);
        self.waiting.insert(endpoint);
        RangeRequest { endpoint, ..self.request }
    }

    /// Takes out the first answer that enough others equal.
    fn agreed(&mut self, quorum: usize) -> Option<Agreed> {
        let votes = |one: &Range| self.fits.iter().filter(|(r, _)| same_story(one, r)).count();
        let index = self.fits.iter().position(|(range, _)| votes(range) >= quorum)?;
        let found = self.fits.swap_remove(index);
        let others = self.fits.iter();
        let others = others.map(|(r, _)| (r.request.endpoint, same_story(r, &found.0))).collect();
        Some(Agreed { range: found.0, cursor: found.1, others })
    }
}

impl ChainView {
    /// What to read now: the range behind the cursor, and some behind that.
    pub(super) fn next_ranges(&mut self, now: Millis) -> Vec<RangeRequest> {
        let mut requests = Vec::new();
        if self.reading.is_none() {
            let Some((reading, asked)) = self.begin(self.cursor.block.number) else {
                return requests;
            };
            self.reading = Some(reading);
            requests.extend(asked);
        }
        // What has to be read again may be wrong from its very start.
        while self.attempt == 0 && now >= self.ahead_at && self.ahead.len() < AHEAD_RANGES {
            let last = self.ahead.back().or(self.reading.as_ref()).map(|r| r.request.to);
            let Some((reading, asked)) = last.and_then(|last| self.begin(last)) else { break };
            self.ahead.push_back(reading);
            requests.extend(asked);
        }
        requests
    }

    /// A range behind `before`, and whom to ask for it.
    fn begin(&self, before: BlockNumber) -> Option<(Reading, Vec<RangeRequest>)> {
        let head = self.head.as_ref()?.final_head.block.number;
        let mut readers = self.endpoints.readers(head);
        // Whoever said what cannot be is soon back and first in the order; the others decide.
        let said_so = |id: &EndpointId| self.impossible_by.contains(id);
        readers.sort_by_key(|id| (!self.endpoints.is_good(*id), said_so(id)));
        readers.truncate(self.endpoints.quorum());
        let size = self.range_blocks(readers.iter().copied());
        let last = self.ceiling(size).filter(|last| before < *last)?;
        let from = before.plus(1);
        let to = from.plus(size.saturating_sub(1)).min(last);
        let all_headers = to.minus(from.0).0 < ALL_HEADERS_BLOCKS;
        let endpoint = EndpointId::default();
        let request = RangeRequest { endpoint, from, to, all_headers, attempt: self.attempt };
        let (asked, waiting) = (BTreeSet::new(), BTreeSet::new());
        let (fits, early) = (Vec::new(), Vec::new());
        let mut reading = Reading { request, asked, waiting, fits, early };
        let requests = readers.into_iter().map(|id| reading.ask(id)).collect();
        Some((reading, requests))
    }

    /// How many blocks to ask these for: what all of them give, and, as far as the contract's counter
    /// tells, not many more events than go into one batch.
    pub(super) fn range_blocks(&self, ids: impl Iterator<Item = EndpointId>) -> u64 {
        let most = ids.map(|id| self.endpoints.range_blocks(id)).min().unwrap_or(1);
        let Some(head) = &self.head else { return most };
        let blocks = head.final_head.block.number.minus(self.cursor.block.number.0).0;
        let events = head.last_seq.plus(1).minus(self.cursor.next_seq.0).0;
        let wanted = self.config.range_events_max.checked_div(2).unwrap_or_default();
        let enough = blocks.saturating_mul(wanted).checked_div(events).unwrap_or(most);
        most.min(enough.max(1))
    }

    /// The next answer to the range whose turn it is now, if it came before.
    pub(crate) fn take_early(&mut self) -> Option<Range> {
        self.reading.as_mut()?.early.pop()
    }

    /// Keeps the answer to a range whose turn has not come.
    fn keep_early(&mut self, range: Range) {
        let request = range.request;
        let wanted = self.ahead.iter_mut().find(|reading| reading.waits_for(request));
        if let Some(reading) = wanted
            && !reading.early.iter().any(|other| other.request == request)
        {
            reading.early.push(range);
        }
    }

    fn waits_for(&self, request: RangeRequest) -> bool {
        self.reading.as_ref().is_some_and(|reading| reading.waits_for(request))
    }

    /// The range could not be read.
    pub(crate) fn on_range_failed(&mut self, request: RangeRequest, fault: ReadFault, now: Millis) {
        if !self.waits_for(request) {
            return self.on_ahead_failed(request, now);
        }
        let (id, blocks) = (request.endpoint, request.to.minus(request.from.0).0.saturating_add(1));
        let told = fault == ReadFault::TooLarge;
        // What fails again may have met a limit that it does not tell.
        let may_be = matches!(
            fault,
            ReadFault::Timeout | ReadFault::Unreachable | ReadFault::Refused | ReadFault::Unusable
        );
        let untold = may_be && self.attempt > 0;
        if blocks > 1 && (told || untold) {
            self.endpoints.met_limit(id, blocks, told);
        }
        if blocks > 1 && told {
            // Nothing is wrong.
            return self.drop_reading();
        }
        self.endpoints.failed(id, fault, now);
        self.read_again(request, Reason::Failed(fault), now);
        if blocks > 1 && untold {
            // A smaller one may do, so there is no reason yet to wait for long.
            self.reread_at = self.reread_at.min(now.plus(REREAD_FIRST_MS));
        }
    }

    /// It is asked for again when its turn comes, and judged only then.
    fn on_ahead_failed(&mut self, request: RangeRequest, now: Millis) {
        if let Some(index) = self.ahead.iter().position(|reading| reading.waits_for(request)) {
            self.ahead.truncate(index);
            self.ahead_at = now.plus(AHEAD_PAUSE_MS);
        }
    }

    /// The first time from the same endpoint, by block hash; then from the next one, at once; after
    /// a pause where all were asked.
    fn read_again(&mut self, request: RangeRequest, reason: Reason, now: Millis) {
        self.drop_reading();
        let (id, blocks) = (request.endpoint, Some((request.from, request.to)));
        self.range_trouble = again(self.range_trouble, blocks, Some(id), reason, now);
        let another = self.endpoints.readers(request.to).first().is_some_and(|next| *next != id);
        let good = u32::try_from(self.endpoints.good().count()).unwrap_or(u32::MAX);
        let pause = match reason {
            _ if another && good > 0 && self.attempt <= good => 0,
            // It will have the block soon, or another node behind the same address has it.
            Reason::Failed(ReadFault::Missing) => self.config.poll_interval_ms,
            Reason::Failed(_)
            | Reason::Lags { .. }
            | Reason::Contradicts(_)
            | Reason::Disagrees { .. } => {
                REREAD_FIRST_MS.saturating_mul(1 << self.attempt.min(7)).min(REREAD_LONGEST_MS)
            }
        };
        self.reread_at = now.plus(pause);
        self.attempt = self.attempt.saturating_add(1);
        // The head may be what is wrong: ask for it anew too, and in the end forget the old one,
        // for a height that does not exist would outlast every true one.
        self.poll_due = Millis(0);
        if self.attempt >= HEAD_FORGOTTEN_AFTER {
            self.head = None;
            self.endpoints.forget_heights();
        }
    }

    /// Takes in a range: all of it, or nothing. `possible` says whether a vault can emit its events
    /// at all.
    pub(crate) fn on_range(
        &mut self,
        range: Range,
        now: Millis,
        possible: impl FnOnce(&[VaultLog]) -> Result<(), Evidence>,
    ) -> Finding {
        let request = range.request;
        if !self.waits_for(request) {
            self.keep_early(range);
            return Finding::Nothing;
        }
        let (vault, cursor) = (self.config.vault, self.cursor);
        let checked = Known { vault, cursor, head: self.head.as_ref() }.check(&range);
        if checked.is_ok()
            && let Err(evidence) = possible(&range.logs).and_then(|()| self.same_as_taken(&range))
        {
            return self.on_impossible(request, evidence, now);
        }
        match checked {
            Ok(cursor) => self.on_fitting(range, cursor, now),
            Err(evidence) => {
                if self.attempt > 0 {
                    self.go_back();
                }
                self.endpoints.strike(request.endpoint, evidence, now);
                self.read_again(request, Reason::Contradicts(evidence), now);
                Finding::Suspect(evidence)
            }
        }
    }

    /// It fits; it is taken in once enough endpoints say the same.
    fn on_fitting(&mut self, range: Range, cursor: Cursor, now: Millis) -> Finding {
        let (request, quorum) = (range.request, self.endpoints.quorum());
        let Some(reading) = &mut self.reading else { return Finding::Nothing };
        reading.waiting.remove(&request.endpoint);
        reading.fits.push((range, cursor));
        if let Some(Agreed { range, cursor, others }) = reading.agreed(quorum) {
            for (id, agrees) in others {
                let reason = Reason::Disagrees { number: range.request.to };
                if agrees {
                    self.endpoints.served(id, now);
                } else {
                    self.endpoints.contradicts(id, reason, now);
                }
            }
            return self.take_in(range, cursor, now);
        }
        if !reading.waiting.is_empty() {
            return Finding::Nothing;
        }
        let readers = self.endpoints.readers(request.to);
        if let Some(id) = readers.into_iter().find(|id| !reading.asked.contains(id)) {
            self.more_readers.push(reading.ask(id));
            return Finding::Nothing;
        }
        let evidence = Evidence::NoAgreement { number: request.to };
        self.read_again(request, Reason::Contradicts(evidence), now);
        Finding::Suspect(evidence)
    }

    fn take_in(&mut self, range: Range, cursor: Cursor, now: Millis) -> Finding {
        let id = range.request.endpoint;
        self.reading = self.ahead.pop_front();
        self.more_readers.clear();
        self.attempt = 0;
        self.impossible = 0;
        self.impossible_by.clear();
        self.range_trouble = None;
        self.endpoints.served(id, now);
        self.endpoints.learn_size(id, range.logs.len(), self.config.range_events_max);
        let first = self.untaken;
        self.untaken = first.max(cursor.next_seq);
        let mut events = range.logs;
        events.retain(|log| log.seq >= first);
        self.unproven.extend(events.iter().map(|log| (log.seq, log.event)));
        self.advance(cursor);
        Finding::Events(events)
    }

    /// Nobody may be left who was not asked before that counts.
    fn on_impossible(&mut self, request: RangeRequest, evidence: Evidence, now: Millis) -> Finding {
        self.impossible = self.impossible.saturating_add(1);
        self.impossible_by.insert(request.endpoint);
        self.endpoints.contradicts(request.endpoint, Reason::Contradicts(evidence), now);
        let everybody = self.endpoints.good().all(|id| self.impossible_by.contains(&id));
        let quorum = self.endpoints.quorum();
        let counts = everybody || (quorum > 1 && self.impossible_by.len() >= quorum);
        if counts && self.impossible >= self.config.suspicions_max {
            return Finding::Contradiction(evidence);
        }
        self.read_again(request, Reason::Contradicts(evidence), now);
        Finding::Suspect(evidence)
    }

    /// The range links to the block before it, and its first event shows that none before it is
    /// missing. At the final head, its hash and the contract's counter prove the end too; elsewhere
    /// what comes next does.
    fn advance(&mut self, cursor: Cursor) {
        if cursor.next_seq > self.cursor.next_seq {
            self.prove(self.cursor);
        }
        self.cursor = cursor;
        if self.is_caught_up() {
            self.prove(cursor);
        }
    }

    /// What was taken in once may move to another block; it may not change.
    fn same_as_taken(&self, range: &Range) -> Result<(), Evidence> {
        let mut again = range.logs.iter().zip(
            range
                .logs
                .first()
                .into_iter()
                .flat_map(|first| self.unproven.iter().skip_while(|(seq, _)| *seq < first.seq)),
        );
        match again.find(|(log, (seq, event))| log.seq != *seq || log.event != *event) {
            Some((log, (_, taken))) => {
                let (ours, theirs) = (Told::of(taken), Told::of(&log.event));
                Err(Evidence::EventReplaced { seq: log.seq, ours, theirs })
            }
            None => Ok(()),
        }
    }
}
