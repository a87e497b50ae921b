//! One round of polls: what each endpoint said of the final head, and what enough of them agree on.

use crate::{
    block::{BlockNumber, Millis, Seq},
    endpoint::EndpointId,
    event::Head,
};
use alloy_primitives::B256;
use std::collections::BTreeMap;

/// What an endpoint did in a round.
#[derive(Debug)]
enum Ballot {
    Waiting,
    Failed,
    Said(Box<Head>),
}

/// One round.
#[derive(Debug)]
pub(crate) struct Round {
    pub(crate) began: Millis,
    ballots: BTreeMap<EndpointId, Ballot>,
    /// The final block that each told of by itself.
    own: BTreeMap<EndpointId, BlockNumber>,
    /// Heights that were tried already.
    tried: usize,
}

/// How a round stands.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Count {
    /// Answers are missing.
    Open,
    /// These agree.
    Agreed(Vec<EndpointId>),
    /// These are ahead of a block that more of them have: they are asked about that block.
    Lower(BlockNumber, Vec<EndpointId>),
    /// All who could answer did, and too few say the same of this block.
    Disagreed(BlockNumber),
    /// Too few answered.
    TooFew,
}

/// What must be equal: the chain, the final block, the vault's counter there, and our own block.
type Key = (B256, (BlockNumber, B256), Seq, Option<(BlockNumber, B256)>);

const fn key(head: &Head) -> Key {
    let block = head.final_head.block;
    (head.genesis, (block.number, block.hash), head.last_seq, head.anchor)
}

impl Round {
    pub(crate) fn new(asked: &[EndpointId], now: Millis) -> Self {
        let ballots = asked.iter().map(|id| (*id, Ballot::Waiting)).collect();
        Self { began: now, ballots, own: BTreeMap::new(), tried: 0 }
    }

    /// True if its answer is still waited for.
    pub(crate) fn waits_for(&self, id: EndpointId) -> bool {
        matches!(self.ballots.get(&id), Some(Ballot::Waiting))
    }

    /// True if it told of its own final block already.
    pub(crate) fn has_told(&self, id: EndpointId) -> bool {
        self.own.contains_key(&id)
    }

    /// How many were asked.
    pub(crate) fn asked(&self) -> usize {
        self.ballots.len()
    }

    pub(crate) fn say(&mut self, id: EndpointId, head: Head) {
        self.own.entry(id).or_insert(head.final_head.block.number);
        self.ballots.insert(id, Ballot::Said(Box::new(head)));
    }

    pub(crate) fn fail(&mut self, id: EndpointId) {
        self.ballots.insert(id, Ballot::Failed);
    }

    pub(crate) fn is_complete(&self) -> bool {
        !self.ballots.values().any(|ballot| matches!(ballot, Ballot::Waiting))
    }

    /// Those who did not answer.
    pub(crate) fn missing(&self) -> Vec<EndpointId> {
        let waiting = |(_, ballot): &(_, &Ballot)| matches!(ballot, Ballot::Waiting);
        self.ballots.iter().filter(waiting).map(|(id, _)| *id).collect()
    }

    /// What was said so far.
    pub(crate) fn said(&self) -> impl Iterator<Item = (EndpointId, &Head)> {
        self.ballots.iter().filter_map(|(id, ballot)| match ballot {
            Ballot::Said(head) => Some((*id, &**head)),
            Ballot::Waiting | Ballot::Failed => None,
        })
    }

    pub(crate) fn head_of(&self, id: EndpointId) -> Option<&Head> {
        self.said().find_map(|(other, head)| (other == id).then_some(head))
    }

    /// Looks for `quorum` equal answers. Heads move while they are read, so those who are ahead are
    /// asked once more, about the highest block that enough of them hold for final.
    pub(crate) fn count(&mut self, quorum: usize) -> Count {
        let mut groups: BTreeMap<Key, Vec<EndpointId>> = BTreeMap::new();
        for (id, head) in self.said() {
            groups.entry(key(head)).or_default().push(id);
        }
        let largest = groups.into_values().max_by_key(Vec::len).unwrap_or_default();
        if largest.len() >= quorum {
            return Count::Agreed(largest);
        }
        if !self.is_complete() {
            return Count::Open;
        }
        let mut heights: Vec<_> = self.own.values().copied().collect();
        heights.sort_unstable_by(|a, b| b.cmp(a));
        let Some(highest) = heights.get(quorum.saturating_sub(1)).copied() else {
            return Count::TooFew;
        };
        // An answer far ahead of the truth must not decide alone which block is asked about.
        for common in heights.into_iter().skip(quorum.saturating_sub(1)).skip(self.tried) {
            self.tried = self.tried.saturating_add(1);
            let ahead = |(_, head): &(_, &Head)| head.final_head.block.number > common;
            let ahead: Vec<EndpointId> = self.said().filter(ahead).map(|(id, _)| id).collect();
            if !ahead.is_empty() {
                self.ballots.extend(ahead.iter().map(|id| (*id, Ballot::Waiting)));
                return Count::Lower(common, ahead);
            }
        }
        Count::Disagreed(highest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::{BlockRef, Header, UnixSeconds};

    fn head(number: u64, fork: u8) -> Head {
        let block = BlockRef { number: BlockNumber(number), hash: B256::repeat_byte(fork) };
        let timestamp = UnixSeconds(number);
        Head {
            genesis: B256::ZERO,
            latest: BlockNumber(number),
            final_head: Header { block, parent: B256::ZERO, timestamp },
            last_seq: Seq(number),
            anchor: None,
            base_fee: 0,
            tip: 0,
            payouts_paused_until: crate::block::UnixSeconds(0),
            submitter: None,
        }
    }

    const A: EndpointId = EndpointId(0);
    const B: EndpointId = EndpointId(1);
    const C: EndpointId = EndpointId(2);

    #[test]
    fn two_of_three_are_enough_and_nobody_waits_for_the_third() {
        let mut round = Round::new(&[A, B, C], Millis(0));
        round.say(A, head(7, 1));
        assert_eq!(round.count(2), Count::Open);
        round.say(C, head(7, 1));
        assert_eq!(round.count(2), Count::Agreed(vec![A, C]));
        assert_eq!(round.missing(), [B]);
    }

    #[test]
    fn who_is_ahead_is_asked_once_about_the_block_that_enough_have() {
        let mut round = Round::new(&[A, B, C], Millis(0));
        round.say(A, head(9, 1));
        round.say(B, head(8, 1));
        round.say(C, head(5, 1));
        assert_eq!(round.count(2), Count::Lower(BlockNumber(8), vec![A]));
        assert!(round.waits_for(A));
        round.say(A, head(8, 1));
        assert_eq!(round.count(2), Count::Agreed(vec![A, B]));
    }

    #[test]
    fn one_that_lies_far_ahead_does_not_keep_two_others_from_agreeing() {
        let mut round = Round::new(&[A, B, C], Millis(0));
        round.say(A, head(900, 9));
        round.say(B, head(8, 1));
        round.say(C, head(7, 1));
        assert_eq!(round.count(2), Count::Lower(BlockNumber(8), vec![A]));
        round.say(A, head(900, 9));
        assert_eq!(round.count(2), Count::Lower(BlockNumber(7), vec![A, B]));
        round.say(A, head(900, 9));
        round.say(B, head(7, 1));
        assert_eq!(round.count(2), Count::Agreed(vec![B, C]));
    }

    #[test]
    fn a_counter_or_hash_that_differs_is_no_agreement() {
        for other in [head(8, 2), Head { last_seq: Seq(7), ..head(8, 1) }] {
            let mut round = Round::new(&[A, B], Millis(0));
            round.say(A, head(8, 1));
            round.say(B, other);
            assert_eq!(round.count(2), Count::Disagreed(BlockNumber(8)));
        }
    }

    #[test]
    fn one_answer_is_too_few_for_two() {
        let mut round = Round::new(&[A, B], Millis(0));
        round.say(A, head(8, 1));
        round.fail(B);
        assert_eq!(round.count(2), Count::TooFew);
    }
}
