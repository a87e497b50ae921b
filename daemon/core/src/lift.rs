//! Lifting a halt: what has to be looked at for it, and whether the cause stands.

use crate::{
    audit::Entries,
    block::{BlockNumber, BlockRef},
    checkpoint::{Change, Persisted},
    halt::Evidence,
    id::{InstanceKey, TransferId},
    reserves::{Break, Equation},
};
use alloy_primitives::B256;
use std::fmt;

/// What is asked for directly, beside the whole history and the proof of reserves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// A block that must be the one that was known.
    pub block: Option<(BlockNumber, B256)>,
    /// Transfers that the ledger must have.
    pub transfers: Vec<TransferId>,
}

/// What chain and ledger say now.
#[derive(Clone, Debug)]
pub struct Looked {
    /// The vault that the node serves.
    pub key: InstanceKey,
    /// The block that was asked for; `None` where the node has none of that height.
    pub block: Option<B256>,
    /// The transfers that were asked for, as far as they are there.
    pub transfers: Entries,
    /// Where the final history and the ledger contradict each other.
    pub differences: Vec<Evidence>,
    /// Equations that do not hold.
    pub breaks: Vec<Break>,
}

/// Something for which a halt stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The node serves another vault or chain than the store belongs to.
    OtherInstance {
        /// Of the store.
        ours: InstanceKey,
        /// Of the node.
        theirs: InstanceKey,
    },
    /// A block is another one, or missing.
    OtherBlock {
        /// Its height.
        number: BlockNumber,
        /// As it was known.
        ours: B256,
        /// As it is.
        theirs: Option<B256>,
    },
    /// Chain and ledger contradict each other.
    Differs(Evidence),
    /// Chain and ledger do not add up.
    Breaks(Break),
}

impl Question {
    /// What the halt of a store makes worth asking; before the vault's own block, `origin`, nothing
    /// is compared event by event.
    #[must_use]
    pub fn of(persisted: &Persisted, origin: BlockRef) -> Self {
        let evidence = persisted.halt.map(|marker| marker.evidence);
        let block = match evidence {
            Some(Evidence::GenesisChanged { ours, .. }) => Some((BlockNumber(0), ours)),
            Some(Evidence::FinalBlockReplaced { number, ours, .. }) if number <= origin.number => {
                Some((number, ours))
            }
            Some(_) | None => None,
        };
        let lost = match evidence {
            Some(Evidence::LedgerLost { transfer }) => Some(transfer),
            Some(_) | None => None,
        };
        let witness = persisted.checkpoint.as_ref().and_then(|c| c.witness);
        Self { block, transfers: lost.into_iter().chain(witness).collect() }
    }
}

/// The store belongs to another vault or chain than this one: nothing else is worth asking then.
#[must_use]
pub fn is_other(persisted: &Persisted, theirs: InstanceKey) -> Option<Reason> {
    let ours = persisted.checkpoint.as_ref().map(|c| c.key).filter(|ours| *ours != theirs)?;
    Some(Reason::OtherInstance { ours, theirs })
}

/// What lifts the halt of a store: everything is taken in again from `origin`.
///
/// # Errors
/// With everything for which the cause stands. What a token holds too little of stops that token
/// alone, now as before: it does not keep the halt.
pub fn lift(
    persisted: &Persisted,
    origin: BlockRef,
    looked: &Looked,
) -> Result<Vec<Change>, Vec<Reason>> {
    let question = Question::of(persisted, origin);
    let mut reasons: Vec<Reason> = is_other(persisted, looked.key).into_iter().collect();
    if let Some((number, ours)) = question.block.filter(|(_, ours)| looked.block != Some(*ours)) {
        reasons.push(Reason::OtherBlock { number, ours, theirs: looked.block });
    }
    let lost = question.transfers.into_iter().filter(|id| !looked.transfers.contains_key(id));
    reasons.extend(lost.map(|transfer| Reason::Differs(Evidence::LedgerLost { transfer })));
    reasons.extend(looked.differences.iter().copied().map(Reason::Differs));
    let breaks = looked.breaks.iter().copied();
    reasons.extend(breaks.filter(|b| b.equation != Equation::Backing).map(Reason::Breaks));
    reasons.dedup();
    if reasons.is_empty() { Ok(persisted.to_resume(origin)) } else { Err(reasons) }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherInstance { ours, theirs } => write!(
                f,
                "the store belongs to instance key {}, the node serves {}; ask the node of the \
                 right chain",
                ours.0, theirs.0
            ),
            Self::OtherBlock { number, ours, theirs: Some(theirs) } => {
                write!(f, "block {number} is {theirs}, it was {ours}")
            }
            Self::OtherBlock { number, ours, theirs: None } => {
                write!(f, "block {number} is missing, it was {ours}")
            }
            Self::Differs(evidence) => evidence.fmt(f),
            Self::Breaks(broken) => broken.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        amount::TokenAmount,
        asset::LedgerId,
        block::{Millis, Seq},
        checkpoint::{Checkpoint, Cursor, Reach},
        halt::{Cause, Marker, Told},
    };
    use std::collections::BTreeMap;

    const KEY: InstanceKey = InstanceKey(B256::repeat_byte(7));
    const OURS: B256 = B256::repeat_byte(1);
    const THEIRS: B256 = B256::repeat_byte(2);
    const ORIGIN: BlockRef = BlockRef { number: BlockNumber(9), hash: OURS };
    const WITNESS: TransferId = TransferId(77);

    fn halted(evidence: Evidence) -> Persisted {
        let checkpoint = Checkpoint {
            key: KEY,
            cursor: Cursor { block: ORIGIN, next_seq: Seq(5) },
            blocked: BTreeMap::new(),
            witness: None,
            reach: Reach::default(),
            foretold: BTreeMap::new(),
            records: 0,
        };
        let halt = Some(Marker { evidence, since: Millis(0) });
        Persisted { checkpoint: Some(checkpoint), halt, ..Persisted::default() }
    }

    fn broken(equation: Equation) -> Break {
        let (left, right) = (TokenAmount(1), TokenAmount(2));
        Break { ledger: LedgerId(1001), equation, number: BlockNumber(12), left, right }
    }

    /// One of each cause that halts.
    fn example(cause: Cause) -> Option<Evidence> {
        let (seq, number, chain) = (Seq(4), ORIGIN.number, Told::Nothing);
        let ledger = None;
        Some(match cause {
            Cause::GenesisChanged => Evidence::GenesisChanged { ours: OURS, theirs: THEIRS },
            Cause::FinalBlockReplaced => {
                Evidence::FinalBlockReplaced { number, ours: OURS, theirs: THEIRS }
            }
            Cause::ImpossibleEvent => Evidence::ImpossibleEvent { seq, chain },
            Cause::DepositDiffers => Evidence::DepositDiffers { seq, chain, ledger },
            Cause::WithdrawalDiffers => Evidence::WithdrawalDiffers { seq, chain, ledger },
            Cause::PaidWithoutReservation => Evidence::PaidWithoutReservation { seq, chain },
            Cause::EventReplaced => Evidence::EventReplaced { seq, ours: chain, theirs: chain },
            Cause::LedgerLost => Evidence::LedgerLost { transfer: WITNESS },
            Cause::ReservesBroken => Evidence::ReservesBroken(broken(Equation::Solvency)),
            Cause::SeqGap
            | Cause::CounterMismatch
            | Cause::BrokenLink
            | Cause::NotFinalThere
            | Cause::NoAgreement => return None,
        })
    }

    /// What an operator finds while the cause stands, and once it is gone.
    #[allow(clippy::wildcard_enum_match_arm, reason = "all others are compared event by event")]
    fn looks(evidence: Evidence) -> [Looked; 2] {
        let found = crate::transfer::FoundTransfer {
            id: WITNESS,
            debit: crate::id::AccountId(1),
            credit: crate::id::AccountId(2),
            amount: crate::amount::LedgerAmount(1),
            phase: crate::transfer::FoundPhase::Direct,
            code: 1,
            user_data_128: 0,
            user_data_64: 0,
            timestamp_ns: 1,
        };
        let well = Looked {
            key: KEY,
            block: Some(OURS),
            transfers: Entries::from([(WITNESS, found)]),
            differences: Vec::new(),
            breaks: Vec::new(),
        };
        let ill = match evidence {
            Evidence::GenesisChanged { .. } | Evidence::FinalBlockReplaced { .. } => {
                Looked { block: Some(THEIRS), ..well.clone() }
            }
            Evidence::LedgerLost { .. } => Looked { transfers: Entries::new(), ..well.clone() },
            Evidence::ReservesBroken(broken) => Looked { breaks: vec![broken], ..well.clone() },
            other => Looked { differences: vec![other], ..well.clone() },
        };
        [ill, well]
    }

    #[test]
    fn every_cause_keeps_its_halt_as_long_as_it_stands() {
        for cause in Cause::all() {
            let Some(evidence) = example(cause) else {
                assert!(!cause.halts(), "{cause:?} halts and has no example");
                continue;
            };
            assert!(cause.halts() && Cause::from(&evidence) == cause);
            let persisted = halted(evidence);
            let [ill, well] = looks(evidence);
            assert!(lift(&persisted, ORIGIN, &ill).is_err(), "{cause:?}");
            let changes = lift(&persisted, ORIGIN, &well).expect("the cause is gone");
            assert_eq!(changes.last(), Some(&Change::ForgetHalt), "{cause:?}");
        }
    }

    #[test]
    fn another_vault_another_ledger_or_a_break_of_another_kind_keeps_it_too() {
        let evidence = Evidence::GenesisChanged { ours: OURS, theirs: THEIRS };
        let mut persisted = halted(evidence);
        let [_, well] = looks(evidence);
        let other = Looked { key: InstanceKey(THEIRS), ..well.clone() };
        let reasons = lift(&persisted, ORIGIN, &other).expect_err("another vault");
        assert!(matches!(reasons[..], [Reason::OtherInstance { .. }]));
        if let Some(checkpoint) = &mut persisted.checkpoint {
            checkpoint.witness = Some(WITNESS);
        }
        assert!(lift(&persisted, ORIGIN, &well).is_ok());
        let lost = Looked { transfers: Entries::new(), ..well.clone() };
        assert!(lift(&persisted, ORIGIN, &lost).is_err());
        for (equation, keeps) in
            [(Equation::Solvency, true), (Equation::Ledger, true), (Equation::Backing, false)]
        {
            let looked = Looked { breaks: vec![broken(equation)], ..well.clone() };
            assert_eq!(lift(&persisted, ORIGIN, &looked).is_err(), keeps, "{equation:?}");
        }
    }
}
