//! What is persisted, and in which encoding. All of it can be rebuilt from chain and ledger.

use crate::{
    asset::{LedgerId, Listing},
    block::{BlockRef, Seq},
    command::Fees,
    halt::Evidence,
    id::InstanceKey,
    withdrawal::Withdrawal,
};
use alloy_primitives::{Address, B256, Bytes};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::collections::BTreeMap;

/// Version byte in front of every record.
const ENCODING: u8 = 1;

/// Where a follower stands: everything up to and including `block` is in the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// Last block taken in.
    pub block: BlockRef,
    /// Number that the next event must have.
    pub next_seq: Seq,
}

/// A transaction of the submitter that may still be mined.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentTransaction {
    /// The submitter's nonce.
    pub nonce: u64,
    /// The withdrawal it carries; `None` where it only uses up a nonce.
    pub seq: Option<Seq>,
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
    /// Stop for good, with the evidence.
    Halt(Evidence),
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
    pub halt: Option<Evidence>,
}

/// A record that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("record {key:?} of the store: {reason}")]
pub struct Unreadable {
    key: String,
    reason: String,
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
            Self::Halt(evidence) => (HALT.to_vec(), Some(encode(evidence))),
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
            self.halt = Some(decode(&name, value)?);
        } else if name.starts_with(LISTING) {
            self.listings.push(decode(&name, value)?);
        } else if name.starts_with(WITHDRAWAL) {
            self.withdrawals.push(decode(&name, value)?);
        } else if name.starts_with(TRANSACTION) {
            self.transactions.push(decode(&name, value)?);
        } else {
            return Err(Unreadable { key: name, reason: "unknown kind of record".to_owned() });
        }
        Ok(())
    }
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
    let unreadable = |reason: String| Unreadable { key: key.to_owned(), reason };
    match value.split_first() {
        Some((&ENCODING, json)) => {
            serde_json::from_slice(json).map_err(|e| unreadable(e.to_string()))
        }
        Some((version, _)) => Err(unreadable(format!(
            "encoding version {version}, this program reads {ENCODING}; use the version that wrote \
             it, or delete the store: it is rebuilt from chain and ledger"
        ))),
        None => Err(unreadable("empty".to_owned())),
    }
}
