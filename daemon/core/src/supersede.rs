//! Supersede records: what an operator approved after a reorg past finality.
//!
//! A record in the ledger names a range of event numbers. Credits of the old history in it are
//! debited back, and its deposits are credited again under the next attempt. Every later replay,
//! also one with an empty store, reads the records first.

use crate::{
    account::{GATE_OPERATOR, NewAccount},
    amount::LedgerAmount,
    asset::LedgerId,
    block::Seq,
    id::{AccountId, Instance, TransferId},
    transfer::{FoundTransfer, NewTransfer, Phase, TransferCode},
};
use serde::{Deserialize, Serialize};

/// One record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Supersede {
    /// First number of the range.
    pub first: Seq,
    /// Last number of the range.
    pub last: Seq,
    /// First 16 bytes of the hash of the evidence that the operator confirmed.
    #[serde(with = "crate::amount::decimal")]
    pub evidence: u128,
}

impl Supersede {
    /// True if the event is in the range.
    #[must_use]
    pub fn covers(&self, seq: Seq) -> bool {
        (self.first..=self.last).contains(&seq)
    }

    /// The record as a transfer.
    #[must_use]
    pub fn to_transfer(&self, instance: Instance) -> NewTransfer {
        NewTransfer {
            id: TransferId::supersede(instance, self.first),
            debit: NewAccount::instance_id(instance),
            credit: AccountId::chart(LedgerId::CONTROL, GATE_OPERATOR.number),
            amount: LedgerAmount(0),
            ledger: LedgerId::CONTROL,
            code: TransferCode::DebitedBack,
            phase: Phase::Direct,
            linked: false,
            user_data_128: self.evidence,
            user_data_64: self.last.0,
            user_data_32: 0,
        }
    }

    /// Reads a record; `None` if the transfer is none of this instance.
    #[must_use]
    pub fn of(instance: Instance, found: &FoundTransfer) -> Option<Self> {
        let first = Seq(u64::try_from((found.id.0 >> 16) & u128::from(u64::MAX)).ok()?);
        let record = Self { first, last: Seq(found.user_data_64), evidence: found.user_data_128 };
        (record.to_transfer(instance).id == found.id).then_some(record)
    }
}

/// The attempt under which a deposit is credited: how many records cover it.
#[must_use]
pub fn attempt(records: &[Supersede], seq: Seq) -> u8 {
    let covering = records.iter().filter(|r| r.covers(seq)).count();
    u8::try_from(covering).unwrap_or(u8::MAX)
}
