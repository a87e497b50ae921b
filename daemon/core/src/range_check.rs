//! Whether a range of blocks and events fits what is known: links, places, numbers, counter.

use crate::{
    block::{BlockNumber, BlockRef, Header},
    checkpoint::Cursor,
    command::RangeRequest,
    event::{Head, Range},
    halt::Evidence,
    vault_event::VaultLog,
};
use alloy_primitives::Address;

/// What a range is held against.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known<'a> {
    pub(crate) vault: Address,
    /// Everything up to here was taken in.
    pub(crate) cursor: Cursor,
    pub(crate) head: Option<&'a Head>,
}

impl Known<'_> {
    /// Where the cursor stands behind this range, or what does not fit.
    pub(crate) fn check(&self, range: &Range) -> Result<Cursor, Evidence> {
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
        let cursor = Cursor { block: last.block, next_seq };
        self.check_counter(cursor)?;
        Ok(cursor)
    }

    fn check_headers(&self, range: &Range) -> Result<Header, Evidence> {
        let RangeRequest { from, to, .. } = range.request;
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
        check_links(range)?;
        let final_head = self.head.map(|h| h.final_head.block);
        if final_head.is_some_and(|f| f.number == to && f.hash != last.block.hash) {
            return Err(broken(to));
        }
        Ok(*last)
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
        let ours = log.emitter == self.vault;
        if inside && ascending && right_block && ours {
            Ok(())
        } else {
            Err(Evidence::BrokenLink { number })
        }
    }

    /// At the newest final head the contract's own counter must agree; older blocks would need
    /// archive state, and the next range's first number tells as much.
    fn check_counter(&self, end: Cursor) -> Result<(), Evidence> {
        let Some(head) = self.head else { return Ok(()) };
        let (logs, contract, number) = (end.next_seq.minus(1), head.last_seq, end.block.number);
        let at_head = number == head.final_head.block.number;
        let wrong = if at_head { logs != contract } else { logs > contract };
        if wrong { Err(Evidence::CounterMismatch { logs, contract, number }) } else { Ok(()) }
    }
}

/// What belongs to the answer is there, and neighbours link.
fn check_links(range: &Range) -> Result<(), Evidence> {
    for number in Range::wanted(&range.request, &range.logs) {
        let broken = Evidence::BrokenLink { number };
        let header = range.headers.get(&number).ok_or(broken)?;
        let before = number.0.checked_sub(1).and_then(|n| range.headers.get(&BlockNumber(n)));
        if before.is_some_and(|before| header.parent != before.block.hash) {
            return Err(broken);
        }
    }
    Ok(())
}

/// True if two endpoints say the same of a range.
pub(crate) fn same_story(one: &Range, other: &Range) -> bool {
    let end = |range: &Range| range.headers.get(&range.request.to).map(|h| h.block);
    end(one) == end(other) && one.logs == other.logs
}

/// Another block at the height of one of ours.
pub(crate) fn other_block(ours: BlockRef, theirs: BlockRef) -> Option<Evidence> {
    let (number, differs) = (ours.number, ours.hash != theirs.hash);
    (number == theirs.number && differs).then_some(Evidence::FinalBlockReplaced {
        number,
        ours: ours.hash,
        theirs: theirs.hash,
    })
}
