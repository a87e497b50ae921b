//! The canonical view: continuity, finality and completeness of what the node says.
//!
//! One cursor serves backfill and live alike. An answer that does not fit is read again; it is
//! never skipped. Only four findings, once they persist, are contradictions: another genesis, a
//! final block that was replaced after it was taken in, another event in the place of one that was
//! taken in, and an event that no vault emits.
//!
//! A range that fits may still lack its last events, and its last block is only said by one answer.
//! What comes next proves both: so the cursor goes ahead, and where the next answers do not fit, it
//! goes back to where everything is proven and reads again. No event is taken in twice.

use crate::{
    block::{BlockNumber, BlockRef, Header, Millis, Seq},
    checkpoint::Cursor,
    command::{ChainCommand, RangeRequest},
    event::{Head, Range},
    halt::{Evidence, Told},
    vault_event::{VaultEvent, VaultLog},
};
use alloy_primitives::{Address, B256};

/// What the view needs to know about its chain.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ViewConfig {
    pub(crate) genesis: B256,
    pub(crate) vault: Address,
    pub(crate) poll_interval_ms: u64,
    pub(crate) range_blocks_max: u64,
    pub(crate) range_events_max: u64,
    pub(crate) suspicions_max: u32,
}

/// Once the node found a range too large, so many go well before a larger one is tried.
const GROW_AFTER_RANGES: u32 = 32;
/// Ranges up to this many blocks are checked header by header.
const ALL_HEADERS_BLOCKS: u64 = 32;
/// First and longest pause before a range is read again, milliseconds.
const REREAD_FIRST_MS: u64 = 100;
const REREAD_LONGEST_MS: u64 = 10_000;
/// Failed reads of one position after which the known head is forgotten.
const HEAD_FORGOTTEN_AFTER: u32 = 3;
/// A poll unanswered for so long is asked again, milliseconds.
const POLL_LOST_MS: u64 = 60_000;

#[derive(Debug)]
pub(crate) struct ChainView {
    config: ViewConfig,
    cursor: Cursor,
    /// At or behind the cursor: its hash is confirmed and no event before its end is missing.
    proven: Cursor,
    /// Number of the first event that was not taken in yet.
    untaken: Seq,
    /// Events beyond `proven` that were taken in: read again, they must be the same.
    unproven: Vec<(Seq, VaultEvent)>,
    /// Heads, one after the other, whose counter did not fit what was taken in.
    odd_counters: u32,
    head: Option<Head>,
    /// The final height of the poll adopted before that.
    known_before: Option<BlockNumber>,
    /// Polls since then with a lower final height.
    lower: u32,
    polled_at: Option<Millis>,
    poll_due: Millis,
    asked: Option<RangeRequest>,
    attempt: u32,
    reread_at: Millis,
    range_blocks: u64,
    /// Ranges that must be read before larger ones are tried.
    grow_after: u32,
    /// Polls in a row that contradict what was taken in.
    suspicions: u32,
    /// Reads in a row of an event that no vault emits, or of another in the place of a taken one.
    impossible: u32,
}

/// What an answer of the node turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Finding {
    /// Nothing new, or not ours to use.
    Nothing,
    /// The final head moved, or is confirmed.
    Adopted,
    /// Final events, complete and in order; the cursor stands behind them.
    Events(Vec<VaultLog>),
    /// It does not fit: it will be read again.
    Suspect(Evidence),
    /// It does not fit and that persists: the bridge must halt.
    Contradiction(Evidence),
}

impl ChainView {
    pub(crate) const fn new(config: ViewConfig, cursor: Cursor) -> Self {
        Self {
            config,
            cursor,
            proven: cursor,
            untaken: cursor.next_seq,
            unproven: Vec::new(),
            odd_counters: 0,
            head: None,
            known_before: None,
            lower: 0,
            polled_at: None,
            poll_due: Millis(0),
            asked: None,
            attempt: 0,
            reread_at: Millis(0),
            range_blocks: config.range_blocks_max,
            grow_after: 0,
            suspicions: 0,
            impossible: 0,
        }
    }

    /// Everything up to here was taken in (not necessarily acknowledged by the ledger yet).
    pub(crate) const fn cursor(&self) -> Cursor {
        self.cursor
    }

    /// Everything up to here is beyond doubt: safe to go on from after a restart.
    pub(crate) const fn proven(&self) -> Cursor {
        self.proven
    }

    /// The newest poll that was adopted.
    pub(crate) const fn head(&self) -> Option<&Head> {
        self.head.as_ref()
    }

    /// True if everything that is final has been taken in and the node is not under suspicion.
    pub(crate) fn is_caught_up(&self) -> bool {
        let reached = |h: &Head| h.final_head.block == self.cursor.block;
        self.suspicions == 0 && self.head.as_ref().is_some_and(reached)
    }

    /// Asks the node at the next opportunity.
    pub(crate) const fn wake(&mut self) {
        self.poll_due = Millis(0);
    }

    /// What to ask the node now. `room` is false while the ledger's queue is full.
    pub(crate) fn poll(&mut self, now: Millis, room: bool) -> Vec<ChainCommand> {
        let mut commands = Vec::new();
        let lost = self.polled_at.is_none_or(|at| now >= at.plus(POLL_LOST_MS));
        if now >= self.poll_due && lost {
            self.polled_at = Some(now);
            commands.push(ChainCommand::Poll { anchor: self.cursor.block.number });
        }
        if room && self.asked.is_none() && now >= self.reread_at {
            commands.extend(self.next_range().map(ChainCommand::FetchRange));
        }
        commands
    }

    fn next_range(&mut self) -> Option<RangeRequest> {
        let last = self.ceiling()?;
        if self.cursor.block.number >= last {
            return None;
        }
        let from = self.cursor.block.number.plus(1);
        let to = from.plus(self.range_blocks.saturating_sub(1)).min(last);
        let all_headers = to.minus(from.0).0 < ALL_HEADERS_BLOCKS;
        let request = RangeRequest { from, to, all_headers, attempt: self.attempt };
        self.asked = Some(request);
        Some(request)
    }

    /// How far to read. One range up to the head proves the head's hash by its links; where it takes
    /// more of them, two polls must agree that there is so much: a single answer with a height that
    /// is not final, or not there at all, would have us take in what can still change.
    fn ceiling(&self) -> Option<BlockNumber> {
        let head = self.head.as_ref()?.final_head.block.number;
        if head <= self.cursor.block.number.plus(self.range_blocks) {
            return Some(head);
        }
        self.known_before.map(|before| before.min(head))
    }

    /// The poll brought nothing; it is repeated after the usual interval.
    pub(crate) fn on_head_failed(&mut self, now: Millis) {
        self.polled_at = None;
        self.poll_due = now.plus(self.config.poll_interval_ms);
    }

    /// Takes in a poll.
    pub(crate) fn on_head(&mut self, head: Head, now: Millis) -> Finding {
        self.polled_at = None;
        self.poll_due = now.plus(self.config.poll_interval_ms);
        if let Some(evidence) = self.replaced(&head) {
            return self.on_replaced(evidence);
        }
        if head.anchor.is_some_and(|(number, _)| number == self.cursor.block.number) {
            // This answer confirms our own last block, whatever else it says.
            self.suspicions = 0;
        }
        let number = head.final_head.block.number;
        if number > head.latest {
            return Finding::Suspect(Evidence::BrokenLink { number });
        }
        if number < self.cursor.block.number {
            // A lower head is a lagging node, not a reorg: what was taken in stays.
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
            return self.on_odd_counter(evidence);
        }
        self.odd_counters = 0;
        if head.final_head.block == self.cursor.block {
            self.prove(self.cursor);
        }
        self.suspicions = 0;
        let replaced = known.and_then(|known| other_block(known.block, head.final_head.block));
        self.known_before = known.map(|k| k.block.number);
        self.lower = 0;
        self.head = Some(head);
        if self.ceiling().is_none() {
            self.poll_due = Millis(0);
        }
        // Nothing was taken in up to the known head, so either of the two may be the wrong one.
        replaced.map_or(Finding::Adopted, Finding::Suspect)
    }

    fn replaced(&self, head: &Head) -> Option<Evidence> {
        if head.genesis != self.config.genesis {
            let (ours, theirs) = (self.config.genesis, head.genesis);
            return Some(Evidence::GenesisChanged { ours, theirs });
        }
        let anchor = head.anchor.map(|(number, hash)| BlockRef { number, hash });
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
    fn on_replaced(&mut self, evidence: Evidence) -> Finding {
        let ours = matches!(evidence, Evidence::FinalBlockReplaced { .. });
        if ours && self.cursor != self.proven {
            self.go_back();
            return Finding::Suspect(evidence);
        }
        self.suspect(evidence)
    }

    /// Once: the counter may be wrong. Twice: so may the logs be that were taken for complete.
    const fn on_odd_counter(&mut self, evidence: Evidence) -> Finding {
        self.odd_counters = self.odd_counters.saturating_add(1);
        if self.odd_counters > 1 {
            self.go_back();
        }
        Finding::Suspect(evidence)
    }

    /// Reads again from where everything is proven.
    const fn go_back(&mut self) {
        self.cursor = self.proven;
        self.asked = None;
    }

    const fn suspect(&mut self, evidence: Evidence) -> Finding {
        self.suspicions = self.suspicions.saturating_add(1);
        if self.suspicions >= self.config.suspicions_max {
            Finding::Contradiction(evidence)
        } else {
            Finding::Suspect(evidence)
        }
    }

    /// The range could not be read.
    pub(crate) fn on_range_failed(&mut self, request: RangeRequest, too_large: bool, now: Millis) {
        if self.asked != Some(request) {
            return;
        }
        if too_large && request.from != request.to {
            // Nothing is wrong: smaller at once, and larger again only after many that went well.
            self.range_blocks = self.range_blocks.checked_div(2).unwrap_or_default().max(1);
            self.grow_after = GROW_AFTER_RANGES;
            self.asked = None;
            return;
        }
        self.read_again(now);
    }

    fn read_again(&mut self, now: Millis) {
        self.asked = None;
        let pause =
            REREAD_FIRST_MS.saturating_mul(1 << if self.attempt > 7 { 7 } else { self.attempt });
        let pause = if pause > REREAD_LONGEST_MS { REREAD_LONGEST_MS } else { pause };
        self.reread_at = now.plus(pause);
        self.attempt = self.attempt.saturating_add(1);
        // The head may be what is wrong: ask for it anew too, and in the end forget the old one,
        // for a height that does not exist would outlast every true one.
        self.poll_due = Millis(0);
        if self.attempt >= HEAD_FORGOTTEN_AFTER {
            self.head = None;
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
        if self.asked != Some(range.request) {
            return Finding::Nothing;
        }
        let checked = self.check(&range);
        if checked.is_ok()
            && let Err(evidence) = possible(&range.logs).and_then(|()| self.same_as_taken(&range))
        {
            return self.on_impossible(evidence, now);
        }
        match checked {
            Ok(cursor) => {
                self.asked = None;
                self.attempt = 0;
                self.impossible = 0;
                self.learn_size(range.logs.len());
                let first = self.untaken;
                self.untaken = first.max(cursor.next_seq);
                let mut events = range.logs;
                events.retain(|log| log.seq >= first);
                self.unproven.extend(events.iter().map(|log| (log.seq, log.event)));
                self.advance(cursor);
                Finding::Events(events)
            }
            Err(evidence) => {
                if self.attempt > 0 {
                    self.go_back();
                }
                self.read_again(now);
                Finding::Suspect(evidence)
            }
        }
    }

    fn on_impossible(&mut self, evidence: Evidence, now: Millis) -> Finding {
        self.impossible = self.impossible.saturating_add(1);
        if self.impossible >= self.config.suspicions_max {
            return Finding::Contradiction(evidence);
        }
        self.read_again(now);
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

    fn prove(&mut self, cursor: Cursor) {
        self.proven = cursor;
        self.unproven.retain(|(seq, _)| *seq >= cursor.next_seq);
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

    /// Ranges grow while they hold few events and shrink when they hold many.
    fn learn_size(&mut self, events: usize) {
        let events = u64::try_from(events).unwrap_or(u64::MAX);
        if events > self.config.range_events_max {
            self.range_blocks = self.range_blocks.checked_div(2).unwrap_or_default().max(1);
        } else if self.grow_after > 0 {
            self.grow_after = self.grow_after.saturating_sub(1);
        } else if events < self.config.range_events_max.checked_div(4).unwrap_or_default() {
            self.range_blocks =
                self.range_blocks.saturating_mul(2).min(self.config.range_blocks_max);
        }
    }

    fn check(&self, range: &Range) -> Result<Cursor, Evidence> {
        let last = self.check_headers(range)?;
        let mut next_seq = self.cursor.next_seq;
        let mut place = (self.cursor.block.number, u32::MAX);
        let mut previous: Option<&VaultLog> = None;
        for log in &range.logs {
            self.check_log(range, log, place, previous)?;
            if log.seq != next_seq {
                return Err(Evidence::SeqGap { expected: next_seq, found: log.seq });
            }
            next_seq = next_seq.plus(1);
            place = (log.block.number, log.log_index);
            previous = Some(log);
        }
        self.check_counter(range, next_seq)?;
        Ok(Cursor { block: last.block, next_seq })
    }

    fn check_headers(&self, range: &Range) -> Result<Header, Evidence> {
        let RangeRequest { from, to, all_headers, .. } = range.request;
        let broken = |number| Evidence::BrokenLink { number };
        // Behind one address there may be a node that lags, on a branch that was given up since:
        // its blocks link just as well. What it holds for final itself is final for everybody.
        if range.final_here < to {
            return Err(Evidence::NotFinalThere { number: range.final_here, asked: to });
        }
        let first = range.headers.get(&from).ok_or_else(|| broken(from))?;
        let last = range.headers.get(&to).ok_or_else(|| broken(to))?;
        if first.parent != self.cursor.block.hash {
            return Err(broken(from));
        }
        if range.headers.iter().any(|(number, h)| h.block.number != *number) {
            return Err(broken(from));
        }
        if all_headers {
            self.check_every_link(range)?;
        }
        let final_head = self.head.as_ref().map(|h| h.final_head.block);
        if final_head.is_some_and(|f| f.number == to && f.hash != last.block.hash) {
            return Err(broken(to));
        }
        Ok(*last)
    }

    fn check_every_link(&self, range: &Range) -> Result<(), Evidence> {
        let mut parent = self.cursor.block.hash;
        let mut number = range.request.from;
        while number <= range.request.to {
            match range.headers.get(&number) {
                Some(header) if header.parent == parent => parent = header.block.hash,
                Some(_) | None => return Err(Evidence::BrokenLink { number }),
            }
            number = number.plus(1);
        }
        Ok(())
    }

    fn check_log(
        &self,
        range: &Range,
        log: &VaultLog,
        place: (BlockNumber, u32),
        previous: Option<&VaultLog>,
    ) -> Result<(), Evidence> {
        let number = log.block.number;
        let inside = (range.request.from..=range.request.to).contains(&number);
        let ascending = (number, log.log_index) > place;
        let header = range.headers.get(&number);
        let right_block = header.is_none_or(|h| h.block.hash == log.block.hash)
            && previous.is_none_or(|p| p.block.number != number || p.block.hash == log.block.hash);
        let ours = log.emitter == self.config.vault;
        if inside && ascending && right_block && ours {
            Ok(())
        } else {
            Err(Evidence::BrokenLink { number })
        }
    }

    /// At the newest final head the contract's own counter must agree; older blocks would need
    /// archive state, and the next range's first number tells as much.
    fn check_counter(&self, range: &Range, next_seq: Seq) -> Result<(), Evidence> {
        let Some(head) = &self.head else { return Ok(()) };
        let logs = next_seq.minus(1);
        let number = range.request.to;
        let wrong = if number == head.final_head.block.number {
            logs != head.last_seq
        } else {
            logs > head.last_seq
        };
        let contract = head.last_seq;
        if wrong { Err(Evidence::CounterMismatch { logs, contract, number }) } else { Ok(()) }
    }
}

/// Another block at the height of one of ours.
fn other_block(ours: BlockRef, theirs: BlockRef) -> Option<Evidence> {
    let (number, differs) = (ours.number, ours.hash != theirs.hash);
    (number == theirs.number && differs).then_some(Evidence::FinalBlockReplaced {
        number,
        ours: ours.hash,
        theirs: theirs.hash,
    })
}
