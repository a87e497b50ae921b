//! The canonical view: continuity, finality and completeness of what the endpoints say.
//!
//! One cursor serves backfill and live alike. An answer that does not fit is read again: by block
//! hash, then from another endpoint, then after a pause; it is never skipped. Only four findings,
//! once they persist, are contradictions: another genesis, a final block that was replaced after it
//! was taken in, another event in the place of one that was taken in, and an event that no vault
//! emits.
//!
//! A range that fits may still lack its last events, and its last block is only said by one answer.
//! What comes next proves both: so the cursor goes ahead, and where the next answers do not fit, it
//! goes back to where everything is proven and reads again. No event is taken in twice.

mod heads;
mod ranges;

use crate::{
    agreement::Round,
    block::{BlockNumber, Millis, Seq},
    checkpoint::Cursor,
    command::{ChainCommand, RangeRequest},
    endpoint::{EndpointId, EndpointStatus, Endpoints, EndpointsConfig, ReadFault, Reason},
    event::Head,
    halt::Evidence,
    status::Rereading,
    vault_event::{VaultEvent, VaultLog},
};
use alloy_primitives::{Address, B256};
use ranges::Reading;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// What the view needs to know about its chain.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ViewConfig {
    pub(crate) genesis: B256,
    pub(crate) vault: Address,
    pub(crate) poll_interval_ms: u64,
    pub(crate) range_blocks_max: u64,
    pub(crate) range_events_max: u64,
    pub(crate) suspicions_max: u32,
    pub(crate) endpoints: EndpointsConfig,
}

/// A poll unanswered for so long is asked again, milliseconds.
const POLL_LOST_MS: u64 = 60_000;

#[derive(Debug)]
pub(crate) struct ChainView {
    config: ViewConfig,
    endpoints: Endpoints,
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
    /// Who told of it.
    head_by: Vec<EndpointId>,
    /// The final height of the poll adopted before that.
    known_before: Option<BlockNumber>,
    /// Polls since then with a lower final height.
    lower: u32,
    poll_due: Millis,
    /// The polls whose answers decide about the next head.
    round: Option<Round>,
    /// Polls without an answer, by endpoint, of whatever round.
    outstanding: BTreeMap<EndpointId, Millis>,
    /// Endpoints to ask once more, about a lower block.
    lowered: Vec<(EndpointId, BlockNumber)>,
    reading: Option<Reading>,
    /// Ranges behind it, in order, whose answers are kept until it is their turn.
    ahead: VecDeque<Reading>,
    /// Nothing is read ahead before, since such a read failed.
    ahead_at: Millis,
    /// Readers to ask beside those who were asked first.
    more_readers: Vec<RangeRequest>,
    attempt: u32,
    reread_at: Millis,
    /// Rounds in a row that contradict what was taken in, by the same.
    suspicions: u32,
    suspected: Option<Evidence>,
    /// The last round brought no agreement: whoever is set aside may be the one who is right.
    undecided: bool,
    /// Reads in a row of an event that no vault emits, or of another in the place of a taken one.
    impossible: u32,
    impossible_by: BTreeSet<EndpointId>,
    head_trouble: Option<Rereading>,
    range_trouble: Option<Rereading>,
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
    pub(crate) fn new(config: ViewConfig, cursor: Cursor) -> Self {
        Self {
            endpoints: Endpoints::new(config.endpoints, config.range_blocks_max),
            config,
            cursor,
            proven: cursor,
            untaken: cursor.next_seq,
            unproven: Vec::new(),
            odd_counters: 0,
            head: None,
            head_by: Vec::new(),
            known_before: None,
            lower: 0,
            poll_due: Millis(0),
            round: None,
            outstanding: BTreeMap::new(),
            lowered: Vec::new(),
            reading: None,
            ahead: VecDeque::new(),
            ahead_at: Millis(0),
            more_readers: Vec::new(),
            attempt: 0,
            reread_at: Millis(0),
            suspicions: 0,
            suspected: None,
            undecided: false,
            impossible: 0,
            impossible_by: BTreeSet::new(),
            head_trouble: None,
            range_trouble: None,
        }
    }

    /// Everything up to here was taken in (not necessarily acknowledged by the ledger yet).
    pub(crate) const fn cursor(&self) -> Cursor {
        self.cursor
    }

    /// The first event that was not taken in since the start.
    pub(crate) const fn untaken(&self) -> Seq {
        self.untaken
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

    /// Whom to ask for a contract's state at a final block.
    pub(crate) fn reader_at(&self, number: BlockNumber) -> EndpointId {
        self.endpoints.readers(number).first().copied().unwrap_or_default()
    }

    /// Whom to ask, best first, where several must say the same of a final block, and how many: as
    /// far as there are enough, only those in good standing.
    pub(crate) fn witnesses(&self, number: BlockNumber) -> (Vec<EndpointId>, usize) {
        let (mut readers, quorum) = (self.endpoints.readers(number), self.endpoints.quorum());
        if self.endpoints.good().count() >= quorum {
            readers.retain(|id| self.endpoints.is_good(*id));
        }
        (readers, quorum)
    }

    /// It says something else of a final block than those who are believed.
    pub(crate) fn on_liar(&mut self, endpoint: EndpointId, number: BlockNumber, now: Millis) {
        self.endpoints.contradicts(endpoint, Reason::Disagrees { number }, now);
    }

    /// A contract's state could not be read, or not be used.
    pub(crate) fn on_state_failed(&mut self, endpoint: EndpointId, fault: ReadFault, now: Millis) {
        self.endpoints.failed(endpoint, fault, now);
    }

    /// What to ask now. `room` is false while the ledger's queue is full.
    pub(crate) fn poll(&mut self, now: Millis, room: bool) -> Vec<ChainCommand> {
        self.drop_doubted_head();
        let mut commands = self.poll_heads(now);
        let more = std::mem::take(&mut self.more_readers);
        commands.extend(more.into_iter().map(ChainCommand::FetchRange));
        if room && now >= self.reread_at {
            commands.extend(self.next_ranges(now).into_iter().map(ChainCommand::FetchRange));
        }
        commands
    }

    /// Who was set aside, with the reason, or is back.
    pub(crate) fn take_news(&mut self) -> Vec<(EndpointId, Option<Reason>)> {
        self.endpoints.take_news()
    }

    /// How each endpoint stands.
    pub(crate) fn endpoints(&self) -> Vec<EndpointStatus> {
        self.endpoints.status()
    }

    /// What is being read again.
    pub(crate) fn rereading(&self) -> Vec<Rereading> {
        self.head_trouble.into_iter().chain(self.range_trouble).collect()
    }

    fn prove(&mut self, cursor: Cursor) {
        self.proven = cursor;
        self.unproven.retain(|(seq, _)| *seq >= cursor.next_seq);
    }

    /// Reads again from where everything is proven.
    fn go_back(&mut self) {
        self.cursor = self.proven;
        self.drop_reading();
    }

    /// A head that only those told of who are not believed any more is asked for anew, from others.
    pub(crate) fn drop_doubted_head(&mut self) {
        let doubted = self.head_by.iter().all(|id| self.endpoints.is_doubted(*id));
        if self.head.is_some() && doubted && self.endpoints.good().next().is_some() {
            self.head = None;
            self.drop_reading();
            self.poll_due = Millis(0);
        }
    }

    fn drop_reading(&mut self) {
        self.reading = None;
        self.ahead.clear();
        self.more_readers.clear();
    }
}

/// One more attempt at the same thing.
fn again(
    trouble: Option<Rereading>,
    blocks: Option<(BlockNumber, BlockNumber)>,
    endpoint: Option<EndpointId>,
    reason: Reason,
    now: Millis,
) -> Option<Rereading> {
    let (from, to) = blocks.unzip();
    let since_ms = trouble.map_or(now.0, |t| t.since_ms);
    let attempt = trouble.map_or(0, |t| t.attempt).saturating_add(1);
    Some(Rereading { from, to, attempt, since_ms, endpoint, reason })
}
