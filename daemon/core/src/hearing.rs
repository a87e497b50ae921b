//! Several endpoints asked what the contracts hold at one block, and what of it is believed.
//!
//! As many as the quorum wants must say the same of a token. Where what they say would stop
//! payouts, one more in good standing is heard first: a single endpoint that lies must not be able
//! to halt the bridge as long as there is another.

use crate::{amount::TokenAmount, asset::LedgerId, endpoint::EndpointId, reserves::TokenReading};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// One question to several.
#[derive(Debug)]
pub(crate) struct Hearing {
    quorum: usize,
    /// Not asked yet, best first.
    left: VecDeque<EndpointId>,
    waiting: BTreeSet<EndpointId>,
    said: Vec<(EndpointId, Vec<TokenReading>)>,
    tokens: BTreeSet<LedgerId>,
}

/// How a hearing stands.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// Answers are missing.
    Open,
    /// This one has to be asked too.
    Ask(EndpointId),
    /// Nobody is left to be asked.
    Done {
        /// What enough of them agree on; tokens without agreement are missing.
        believed: Vec<TokenReading>,
        /// Who says something else.
        liars: Vec<EndpointId>,
    },
}

impl Hearing {
    /// About these tokens; `readers` are those who may be asked, best first.
    pub(crate) fn new(tokens: BTreeSet<LedgerId>, readers: Vec<EndpointId>, quorum: usize) -> Self {
        let (waiting, said) = (BTreeSet::new(), Vec::new());
        Self { quorum: quorum.max(1), left: readers.into(), waiting, said, tokens }
    }

    /// Whom to ask to begin with.
    pub(crate) fn begin(&mut self) -> Vec<EndpointId> {
        (0..self.quorum).filter_map(|_| self.ask()).collect()
    }

    fn ask(&mut self) -> Option<EndpointId> {
        let next = self.left.pop_front()?;
        self.waiting.insert(next);
        Some(next)
    }

    /// An answer; false if it was not waited for. Without readings it says nothing.
    pub(crate) fn say(&mut self, id: EndpointId, readings: &[TokenReading]) -> bool {
        let is_ours = self.waiting.remove(&id);
        if is_ours && !readings.is_empty() {
            self.said.push((id, readings.to_vec()));
        }
        is_ours
    }

    /// What follows, where `fits` says whether a reading adds up with the ledger.
    pub(crate) fn hear(&mut self, fits: impl Fn(&TokenReading) -> bool) -> Heard {
        let believed = self.believed(&fits);
        let is_short = believed.len() < self.tokens.len();
        let is_doubtful = self.said.len() <= self.quorum && !believed.iter().all(fits);
        if is_short || is_doubtful {
            if !self.waiting.is_empty() {
                return Heard::Open;
            }
            if let Some(next) = self.ask() {
                return Heard::Ask(next);
            }
        }
        let says_else = |said: &TokenReading| {
            believed.iter().any(|b| b.ledger == said.ledger && b.holdings != said.holdings)
        };
        let liars = self.said.iter().filter(|(_, said)| said.iter().any(says_else));
        let liars = liars.map(|(id, _)| *id).collect();
        Heard::Done { believed, liars }
    }

    /// For each token what enough say; where that is more than one thing, the one that adds up.
    fn believed(&self, fits: impl Fn(&TokenReading) -> bool) -> Vec<TokenReading> {
        let mut votes: BTreeMap<(LedgerId, [TokenAmount; 3]), (usize, TokenReading)> =
            BTreeMap::new();
        for reading in self.said.iter().flat_map(|(_, said)| said) {
            let holdings = reading.holdings;
            let key = [holdings.accounted, holdings.claimable, holdings.balance];
            let entry = votes.entry((reading.ledger, key)).or_insert((0, *reading));
            entry.0 = entry.0.saturating_add(1);
        }
        let mut believed: BTreeMap<LedgerId, TokenReading> = BTreeMap::new();
        let enough = votes.into_values().filter(|(count, _)| *count >= self.quorum);
        for (_, reading) in enough.filter(|(_, r)| self.tokens.contains(&r.ledger)) {
            let entry = believed.entry(reading.ledger).or_insert(reading);
            if fits(&reading) {
                *entry = reading;
            }
        }
        believed.into_values().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invariant::Holdings;

    const A: EndpointId = EndpointId(0);
    const B: EndpointId = EndpointId(1);
    const C: EndpointId = EndpointId(2);
    const ONE: LedgerId = LedgerId(1001);
    const TWO: LedgerId = LedgerId(1002);
    const TRUE: u128 = 7;

    fn reading(ledger: LedgerId, accounted: u128) -> TokenReading {
        let accounted = TokenAmount(accounted);
        let holdings = Holdings { accounted, claimable: TokenAmount(0), balance: accounted };
        TokenReading { ledger, holdings }
    }

    fn fits(reading: &TokenReading) -> bool {
        reading.holdings.accounted.0 == TRUE
    }

    fn hearing(tokens: &[LedgerId], readers: &[EndpointId], quorum: usize) -> Hearing {
        Hearing::new(tokens.iter().copied().collect(), readers.to_vec(), quorum)
    }

    fn done(believed: &[TokenReading], liars: &[EndpointId]) -> Heard {
        Heard::Done { believed: believed.to_vec(), liars: liars.to_vec() }
    }

    #[test]
    fn one_that_adds_up_is_enough_without_a_quorum() {
        let mut all = hearing(&[ONE], &[A, B], 1);
        assert_eq!(all.begin(), [A]);
        assert!(all.say(A, &[reading(ONE, TRUE)]));
        assert_eq!(all.hear(fits), done(&[reading(ONE, TRUE)], &[]));
    }

    #[test]
    fn what_breaks_is_asked_of_another_who_adds_up_and_is_believed() {
        let mut all = hearing(&[ONE], &[A, B], 1);
        all.begin();
        all.say(A, &[reading(ONE, 8)]);
        assert_eq!(all.hear(fits), Heard::Ask(B));
        assert_eq!(all.hear(fits), Heard::Open);
        all.say(B, &[reading(ONE, TRUE)]);
        assert_eq!(all.hear(fits), done(&[reading(ONE, TRUE)], &[A]));
    }

    #[test]
    fn a_break_that_the_other_sees_too_or_cannot_deny_is_one() {
        let broken = [reading(ONE, 8)];
        for second in [&broken[..], &[]] {
            let mut all = hearing(&[ONE], &[A, B], 1);
            all.begin();
            all.say(A, &broken);
            assert_eq!(all.hear(fits), Heard::Ask(B));
            all.say(B, second);
            assert_eq!(all.hear(fits), done(&broken, &[]));
        }
        let mut alone = hearing(&[ONE], &[A], 1);
        alone.begin();
        alone.say(A, &broken);
        assert_eq!(alone.hear(fits), done(&broken, &[]));
    }

    #[test]
    fn two_of_three_outvote_a_liar_for_every_token_apart() {
        let truth = [reading(ONE, TRUE), reading(TWO, TRUE)];
        let mut all = hearing(&[ONE, TWO], &[A, B, C], 2);
        assert_eq!(all.begin(), [A, B]);
        all.say(A, &[reading(ONE, TRUE), reading(TWO, 9)]);
        assert_eq!(all.hear(fits), Heard::Open);
        all.say(B, &truth);
        assert_eq!(all.hear(fits), Heard::Ask(C));
        all.say(C, &truth);
        assert_eq!(all.hear(fits), done(&truth, &[A]));
    }

    #[test]
    fn without_agreement_nothing_is_believed_and_nobody_is_blamed() {
        let mut all = hearing(&[ONE], &[A, B], 2);
        all.begin();
        all.say(A, &[reading(ONE, TRUE)]);
        all.say(B, &[reading(ONE, 9)]);
        assert_eq!(all.hear(fits), done(&[], &[]));
    }

    #[test]
    fn nobody_speaks_twice_or_unasked() {
        let mut all = hearing(&[ONE], &[A, B, C], 2);
        all.begin();
        assert!(all.say(A, &[reading(ONE, 9)]));
        assert!(!all.say(A, &[reading(ONE, 9)]));
        assert!(!all.say(C, &[reading(ONE, 9)]));
        assert_eq!(all.hear(fits), Heard::Open);
    }
}
