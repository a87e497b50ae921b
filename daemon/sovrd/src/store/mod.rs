//! The local store: a checkpoint and an outbox in sled. Deleting it costs time, never money.

use crate::failpoint::reach;
use alloy::primitives::keccak256;
use bridge_core::{
    checkpoint::{Change, Persisted, Unreadable},
    driver::Store,
};
use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

/// Bytes of the checksum in front of every value.
const CHECKSUM_BYTES: usize = 8;
/// sled's own cache; the store is small.
const CACHE_BYTES: u64 = 16 << 20;

/// A sled database that is on disk when it says so.
#[derive(Debug)]
pub struct SledStore {
    db: sled::Db,
    /// sled's flush hands the bytes to the kernel; syncing the file puts them on disk.
    file: File,
    folder: PathBuf,
}

/// Why the store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process has it.
    #[error("the store {0} is in use by another process: stop that one, or use another folder")]
    InUse(PathBuf),
    /// sled or the file system failed.
    #[error("store {0}: {1}")]
    Io(PathBuf, String),
    /// A record's checksum is wrong or it does not decode.
    #[error(
        "the store {folder} is damaged ({reason}): move the folder away and start again; \
         everything is rebuilt from chain and ledger"
    )]
    Damaged {
        /// Where.
        folder: PathBuf,
        /// What.
        reason: String,
    },
}

impl SledStore {
    /// Opens or creates the store and takes its lock.
    ///
    /// # Errors
    /// If it is in use, unusable or damaged.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        let wrong = |e: &dyn std::fmt::Display| StoreError::Io(folder.to_owned(), e.to_string());
        std::fs::create_dir_all(folder).map_err(|e| wrong(&e))?;
        let db = sled::Config::new()
            .path(folder)
            .cache_capacity(CACHE_BYTES)
            .flush_every_ms(None)
            .open()
            .map_err(|e| match &e {
                sled::Error::Io(io) if is_lock_failure(io) => StoreError::InUse(folder.to_owned()),
                sled::Error::Corruption { .. } => {
                    StoreError::Damaged { folder: folder.to_owned(), reason: e.to_string() }
                }
                sled::Error::CollectionNotFound(_)
                | sled::Error::Unsupported(_)
                | sled::Error::ReportableBug(_)
                | sled::Error::Io(_) => wrong(&e),
            })?;
        let file = File::open(folder.join("db")).map_err(|e| wrong(&e))?;
        // The folder's entry for the file must be durable too.
        File::open(folder).and_then(|f| f.sync_all()).map_err(|e| wrong(&e))?;
        Ok(Self { db, file, folder: folder.to_owned() })
    }

    /// Reads everything.
    ///
    /// # Errors
    /// If a record is damaged or of another version.
    pub fn load(&self) -> Result<Persisted, StoreError> {
        let damaged = |reason: String| StoreError::Damaged { folder: self.folder.clone(), reason };
        let mut persisted = Persisted::default();
        for entry in self.db.iter() {
            let (key, value) = entry.map_err(|e| damaged(e.to_string()))?;
            let value = checked(&key, &value).ok_or_else(|| {
                damaged(format!("{}: wrong checksum", String::from_utf8_lossy(&key)))
            })?;
            persisted.read(&key, value).map_err(|e: Unreadable| damaged(e.to_string()))?;
        }
        Ok(persisted)
    }

    fn sync(&self) -> Result<(), StoreError> {
        let wrong = |e: &dyn std::fmt::Display| StoreError::Io(self.folder.clone(), e.to_string());
        self.db.flush().map_err(|e| wrong(&e))?;
        self.file.sync_all().map_err(|e| wrong(&e))
    }
}

impl Store for SledStore {
    type Error = StoreError;

    fn commit(&mut self, changes: &[Change]) -> Result<(), StoreError> {
        let mut batch = sled::Batch::default();
        for change in changes {
            match change.to_write() {
                (key, Some(value)) => {
                    let value = with_checksum(&key, &value);
                    batch.insert(key, value);
                }
                (key, None) => batch.remove(key),
            }
        }
        self.db
            .apply_batch(batch)
            .map_err(|e| StoreError::Io(self.folder.clone(), e.to_string()))?;
        reach("before-sync");
        self.sync()?;
        reach("after-sync");
        Ok(())
    }
}

fn is_lock_failure(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock || error.to_string().contains("lock")
}

fn checksum(key: &[u8], value: &[u8]) -> Vec<u8> {
    let hash = keccak256([key, value].concat());
    hash.iter().copied().take(CHECKSUM_BYTES).collect()
}

fn with_checksum(key: &[u8], value: &[u8]) -> Vec<u8> {
    let mut bytes = checksum(key, value);
    bytes.extend_from_slice(value);
    bytes
}

fn checked<'a>(key: &[u8], bytes: &'a [u8]) -> Option<&'a [u8]> {
    let (sum, value) = bytes.split_at_checked(CHECKSUM_BYTES)?;
    (checksum(key, value) == sum).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bridge_core::{
        block::{BlockNumber, BlockRef, Seq},
        checkpoint::{Checkpoint, Cursor, Reach},
        id::InstanceKey,
    };
    use harness::temp::TempDir;
    use std::collections::BTreeMap;

    fn checkpoint(number: u64) -> Checkpoint {
        let block = BlockRef { number: BlockNumber(number), hash: keccak256(number.to_be_bytes()) };
        let cursor = Cursor { block, next_seq: Seq(number) };
        Checkpoint {
            key: InstanceKey(keccak256("k")),
            cursor,
            blocked: BTreeMap::new(),
            witness: None,
            reach: Reach::default(),
            foretold: BTreeMap::new(),
        }
    }

    #[test]
    fn what_was_committed_is_there_after_a_reopen() {
        let folder = TempDir::new("store").unwrap();
        let mut store = SledStore::open(folder.path()).unwrap();
        store.commit(&[Change::Checkpoint(checkpoint(7))]).unwrap();
        store.commit(&[Change::Checkpoint(checkpoint(8))]).unwrap();
        drop(store);
        let loaded = SledStore::open(folder.path()).unwrap().load().unwrap();
        assert_eq!(loaded.checkpoint, Some(checkpoint(8)));
    }

    #[test]
    fn a_second_owner_is_refused() {
        let folder = TempDir::new("store").unwrap();
        let _first = SledStore::open(folder.path()).unwrap();
        let second = SledStore::open(folder.path()).unwrap_err();
        assert!(matches!(second, StoreError::InUse(_)), "{second}");
    }

    #[test]
    fn a_changed_byte_is_found() {
        let folder = TempDir::new("store").unwrap();
        let mut store = SledStore::open(folder.path()).unwrap();
        store.commit(&[Change::Checkpoint(checkpoint(7))]).unwrap();
        let mut value = store.db.get(b"checkpoint").unwrap().unwrap().to_vec();
        *value.last_mut().unwrap() ^= 1;
        store.db.insert(b"checkpoint", value).unwrap();
        let error = store.load().unwrap_err().to_string();
        assert!(error.contains("wrong checksum") && error.contains("rebuilt"), "{error}");
    }
}
