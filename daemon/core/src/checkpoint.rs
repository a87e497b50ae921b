//! What is persisted, and in which encoding. All of it can be rebuilt from chain and ledger.

use crate::{
    asset::{LedgerId, Listing},
    block::{BlockNumber, BlockRef, Millis, Seq},
    command::Fees,
    halt::{Evidence, Marker},
    id::{InstanceKey, TransferId},
    withdrawal::Withdrawal,
};
use alloy_primitives::{Address, B256, Bytes};
use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned};
use std::collections::BTreeMap;

/// Version byte in front of every record. Version 1 kept a halt without its time and a checkpoint
/// without `witness`, `reach` and `foretold`, version 2 a transaction with one withdrawal, version 3 a
/// withdrawal without the times of its window. Older ones are read, and written anew.
pub const ENCODING: u8 = 4;
const FIRST_ENCODING: u8 = 1;

/// Where a follower stands: everything up to and including `block` is in the ledger.
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// Last block taken in.
    pub block: BlockRef,
    /// Number that the next event must have.
    pub next_seq: Seq,
}

/// The farthest that was ever taken in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reach {
    /// Height.
    pub block: BlockNumber,
    /// Number after the highest event.
    pub next_seq: Seq,
}

impl Reach {
    /// The farther one of the two, in each respect.
    #[must_use]
    pub fn or(self, cursor: Cursor) -> Self {
        let block = self.block.max(cursor.block.number);
        Self { block, next_seq: self.next_seq.max(cursor.next_seq) }
    }
}

/// A transaction of the submitter that may still be mined.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentTransaction {
    /// The submitter's nonce.
    pub nonce: u64,
    /// The withdrawals it carries; none where it only uses up a nonce. Earlier versions knew one.
    #[serde(alias = "seq", deserialize_with = "one_or_many")]
    pub seqs: Vec<Seq>,
    /// The signed bytes, newest replacement.
    pub raw: Bytes,
    /// Its hash.
    pub hash: B256,
    /// Its fees.
    pub fees: Fees,
    /// Whose nonce it is. Records without it count as somebody else's.
    #[serde(default)]
    pub sender: Address,
}

/// The checkpoint itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Whose checkpoint it is.
    pub key: InstanceKey,
    /// How far the ledger has everything.
    pub cursor: Cursor,
    /// Ledgers that stopped, and where to read again from: everything up to there is served.
    pub blocked: BTreeMap<LedgerId, Cursor>,
    /// A transfer that the ledger has confirmed: were it missing, the ledger would be an older one.
    #[serde(default)]
    pub witness: Option<TransferId>,
    /// How far the bridge ever was. After a reorg past finality that may lie beyond what the chain
    /// has.
    #[serde(default)]
    pub reach: Reach,
    /// Requests whose payout the ledger has posted, with the event that paid them (the last number
    /// there is where it has not come yet), if that lies beyond `cursor`.
    #[serde(default)]
    pub foretold: BTreeMap<Seq, Seq>,
    /// How many supersede records the ledger held: with another one, what was read before it has to be
    /// read again.
    #[serde(default)]
    pub records: usize,
}

/// One change of the store; all changes of a step are durable together or not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Replace the checkpoint.
    Checkpoint(Checkpoint),
    /// Remember a listing.
    Listing(Listing),
    /// Remember a withdrawal as it stands.
    Withdrawal(Box<Withdrawal>),
    /// Forget a withdrawal that has ended everywhere.
    ForgetWithdrawal(Seq),
    /// Remember a transaction before it is sent.
    Transaction(SentTransaction),
    /// Forget a transaction that can't be mined any more or is final.
    ForgetTransaction(u64),
    /// Stop, with the evidence, until somebody mends the cause.
    Halt(Marker),
    /// Lift a halt whose cause is gone.
    ForgetHalt,
}

/// Everything the store holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Persisted {
    /// The checkpoint, if there is one.
    pub checkpoint: Option<Checkpoint>,
    /// Known listings.
    pub listings: Vec<Listing>,
    /// Open withdrawals.
    pub withdrawals: Vec<Withdrawal>,
    /// Transactions under way.
    pub transactions: Vec<SentTransaction>,
    /// Why the bridge halted, if it did.
    pub halt: Option<Marker>,
    /// True if a record was of an older version: all of them should be written anew.
    pub is_outdated: bool,
}

fn one_or_many<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Seq>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Carried {
        Many(Vec<Seq>),
        One(Option<Seq>),
    }
    Ok(match Carried::deserialize(deserializer)? {
        Carried::Many(seqs) => seqs,
        Carried::One(seq) => seq.into_iter().collect(),
    })
}

/// A record that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("record {key:?} of the store: {reason}")]
pub struct Unreadable {
    key: String,
    reason: String,
    /// True if a newer version of the program wrote it: it is not damaged.
    pub is_newer: bool,
}

/// A key with its value, or without one to delete it.
pub type Write = (Vec<u8>, Option<Vec<u8>>);

const CHECKPOINT: &[u8] = b"checkpoint";
const HALT: &[u8] = b"halt";
const LISTING: &str = "listing/";
const WITHDRAWAL: &str = "withdrawal/";
const TRANSACTION: &str = "transaction/";

impl Change {
    /// The key and value that a store writes.
    #[must_use]
    pub fn to_write(&self) -> Write {
        match self {
            Self::Checkpoint(c) => (CHECKPOINT.to_vec(), Some(encode(c))),
            Self::Listing(l) => (numbered(LISTING, u64::from(l.ledger.0)), Some(encode(l))),
            Self::Withdrawal(w) => (numbered(WITHDRAWAL, w.seq.0), Some(encode(w))),
            Self::ForgetWithdrawal(seq) => (numbered(WITHDRAWAL, seq.0), None),
            Self::Transaction(t) => (numbered(TRANSACTION, t.nonce), Some(encode(t))),
            Self::ForgetTransaction(nonce) => (numbered(TRANSACTION, *nonce), None),
            Self::Halt(marker) => (HALT.to_vec(), Some(encode(marker))),
            Self::ForgetHalt => (HALT.to_vec(), None),
        }
    }
}

impl Persisted {
    /// Takes in one record of the store.
    ///
    /// # Errors
    /// If the key is not ours or the value is of another version or broken.
    pub fn read(&mut self, key: &[u8], value: &[u8]) -> Result<(), Unreadable> {
        let name = String::from_utf8_lossy(key).into_owned();
        if key == CHECKPOINT {
            self.checkpoint = Some(decode(&name, value)?);
        } else if key == HALT {
            self.halt = Some(read_marker(&name, value)?);
        } else if name.starts_with(LISTING) {
            self.listings.push(decode(&name, value)?);
        } else if name.starts_with(WITHDRAWAL) {
            self.withdrawals.push(decode(&name, value)?);
        } else if name.starts_with(TRANSACTION) {
            self.transactions.push(decode(&name, value)?);
        } else {
            let reason = "unknown kind of record".to_owned();
            return Err(Unreadable { key: name, reason, is_newer: false });
        }
        self.is_outdated |= value.first() != Some(&ENCODING);
        Ok(())
    }

    /// Everything as changes, to write it anew in today's encoding.
    #[must_use]
    pub fn to_changes(&self) -> Vec<Change> {
        let mut changes: Vec<Change> = self.listings.iter().copied().map(Change::Listing).collect();
        let withdrawals = self.withdrawals.iter().cloned();
        changes.extend(withdrawals.map(|w| Change::Withdrawal(Box::new(w))));
        changes.extend(self.transactions.iter().cloned().map(Change::Transaction));
        changes.extend(self.checkpoint.clone().map(Change::Checkpoint));
        changes.extend(self.halt.map(Change::Halt));
        changes
    }

    /// What lifts a halt: the marker goes, and the next start takes the whole history in again from
    /// `origin`, held against the ledger event by event before anything is signed. What was sent is
    /// kept, and so is what tells whether the ledger is the one that was known.
    #[must_use]
    pub fn to_resume(&self, origin: BlockRef) -> Vec<Change> {
        // What owners signed stands nowhere else.
        let mut changes: Vec<Change> = Vec::new();
        for w in &self.withdrawals {
            changes.push(match &w.intent {
                None => Change::ForgetWithdrawal(w.seq),
                Some(_) => Change::Withdrawal(Box::new(w.clone().as_before_history())),
            });
        }
        changes.extend(self.checkpoint.as_ref().map(|c| {
            let cursor = Cursor { block: origin, next_seq: Seq(1) };
            let (blocked, foretold) = (BTreeMap::new(), BTreeMap::new());
            let reach = c.reach.or(c.cursor);
            Change::Checkpoint(Checkpoint { cursor, blocked, reach, foretold, ..c.clone() })
        }));
        changes.push(Change::ForgetHalt);
        changes
    }
}

/// Version 1 kept the evidence alone.
fn read_marker(key: &str, value: &[u8]) -> Result<Marker, Unreadable> {
    if value.first() == Some(&FIRST_ENCODING) {
        let evidence: Evidence = decode(key, value)?;
        return Ok(Marker { evidence, since: Millis(0) });
    }
    decode(key, value)
}

fn numbered(prefix: &str, number: u64) -> Vec<u8> {
    format!("{prefix}{number:020}").into_bytes()
}

fn encode<T: Serialize>(record: &T) -> Vec<u8> {
    let mut bytes = vec![ENCODING];
    #[expect(clippy::expect_used, reason = "records hold no maps with keys that are not strings")]
    serde_json::to_writer(&mut bytes, record).expect("a record always encodes");
    bytes
}

fn decode<T: DeserializeOwned>(key: &str, value: &[u8]) -> Result<T, Unreadable> {
    let unreadable =
        |reason: String, is_newer| Unreadable { key: key.to_owned(), reason, is_newer };
    match value.split_first() {
        Some((&(FIRST_ENCODING..=ENCODING), json)) => {
            serde_json::from_slice(json).map_err(|e| unreadable(e.to_string(), false))
        }
        Some((version, _)) => {
            let reason = format!(
                "encoding version {version}, this program reads up to {ENCODING}; use the version \
                 that wrote it, or delete the store: it is rebuilt from chain and ledger"
            );
            Err(unreadable(reason, *version > ENCODING))
        }
        None => Err(unreadable("empty".to_owned(), false)),
    }
}
