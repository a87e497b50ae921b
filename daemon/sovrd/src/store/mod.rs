//! The local store: a checkpoint and an outbox in sled. Deleting it costs time, never money.

mod error;
mod opening;

pub use error::StoreError;
pub use opening::{Opened, open};

use crate::failpoint;
use alloy::primitives::keccak256;
use bridge_core::{
    checkpoint::{Change, Persisted, Unreadable},
    driver::Store,
    halt::Marker,
};
use std::{
    fs::File,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
};

/// Bytes of the checksum in front of every value.
const CHECKSUM_BYTES: usize = 8;
/// sled's own cache; the store is small.
const CACHE_BYTES: u64 = 16 << 20;

/// Stands beside sled's files once something was committed.
const WRITTEN: &str = "written";

/// A sled database that is on disk when it says so.
#[derive(Debug)]
pub struct SledStore {
    db: sled::Db,
    /// sled's flush hands the bytes to the kernel; syncing the file puts them on disk.
    file: File,
    folder: PathBuf,
    /// True once something was committed.
    is_written: bool,
}

impl SledStore {
    /// Opens or creates the store and takes its lock.
    ///
    /// # Errors
    /// If it is in use, unusable or damaged.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        let io = |e: io::Error| StoreError::of_io(folder, &e);
        std::fs::create_dir_all(folder).map_err(io)?;
        let config =
            sled::Config::new().path(folder).cache_capacity(CACHE_BYTES).flush_every_ms(None);
        // Whatever the bytes on disk are, they must not end the program.
        let opened = catch_unwind(AssertUnwindSafe(|| config.open()));
        let db = opened
            .map_err(|_| StoreError::damaged(folder, "its files cannot be parsed"))?
            .map_err(|e| StoreError::of_sled(folder, &e, true))?;
        let file = File::open(folder.join("db")).map_err(io)?;
        // The folder's entry for the file must be durable too.
        File::open(folder).and_then(|f| f.sync_all()).map_err(io)?;
        let is_written = folder.join(WRITTEN).exists();
        // sled takes files that it cannot read for those of a store that was never written.
        if is_written && db.is_empty() {
            return Err(StoreError::damaged(folder, "all its records are gone"));
        }
        Ok(Self { db, file, folder: folder.to_owned(), is_written })
    }

    /// Reads everything.
    ///
    /// # Errors
    /// If a record is damaged or of a newer version.
    pub fn load(&self) -> Result<Persisted, StoreError> {
        let damaged = |reason: String| StoreError::damaged(&self.folder, reason);
        let mut persisted = Persisted::default();
        for entry in self.db.iter() {
            let (key, value) = entry.map_err(|e| damaged(e.to_string()))?;
            let value = checked(&key, &value).ok_or_else(|| {
                damaged(format!("{}: wrong checksum", String::from_utf8_lossy(&key)))
            })?;
            persisted.read(&key, value).map_err(|e: Unreadable| {
                let reason = e.to_string();
                if e.is_newer {
                    StoreError::Newer { folder: self.folder.clone(), reason }
                } else {
                    damaged(reason)
                }
            })?;
        }
        Ok(persisted)
    }

    /// The halt, if its record alone can be read.
    pub(super) fn halt(&self) -> Option<Marker> {
        let mut persisted = Persisted::default();
        for entry in self.db.iter().flatten() {
            let (key, value) = entry;
            if let Some(value) = checked(&key, &value) {
                let _others_do_not_matter = persisted.read(&key, value);
            }
        }
        persisted.halt
    }

    /// From now on an empty store is a damaged one.
    fn note_written(&mut self) -> io::Result<()> {
        File::create(self.folder.join(WRITTEN))?.sync_all()?;
        File::open(&self.folder)?.sync_all()?;
        self.is_written = true;
        Ok(())
    }

    fn sync(&self) -> Result<(), StoreError> {
        self.db.flush().map_err(|e| StoreError::of_sled(&self.folder, &e, false))?;
        self.file.sync_all().map_err(|e| StoreError::of_io(&self.folder, &e))
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
        self.db.apply_batch(batch).map_err(|e| StoreError::of_sled(&self.folder, &e, false))?;
        failpoint::reach_any(changes.iter().filter_map(unsynced));
        self.sync()?;
        failpoint::reach_any(changes.iter().filter_map(synced));
        if !self.is_written {
            self.note_written().map_err(|e| StoreError::of_io(&self.folder, &e))?;
        }
        Ok(())
    }
}

/// The fail point before a change is on disk.
const fn unsynced(change: &Change) -> Option<&'static str> {
    match change {
        Change::Checkpoint(_) => Some("checkpoint-unsynced"),
        Change::Withdrawal(_) => Some("withdrawal-unsynced"),
        Change::Transaction(_) => Some("transaction-unsynced"),
        Change::Listing(_)
        | Change::ForgetWithdrawal(_)
        | Change::ForgetTransaction(_)
        | Change::Halt(_)
        | Change::ForgetHalt => None,
    }
}

/// The fail point once a change is on disk and nothing has come of it yet.
const fn synced(change: &Change) -> Option<&'static str> {
    match change {
        Change::Checkpoint(_) => Some("checkpoint-synced"),
        Change::Transaction(_) => Some("transaction-synced"),
        Change::Listing(_)
        | Change::Withdrawal(_)
        | Change::ForgetWithdrawal(_)
        | Change::ForgetTransaction(_)
        | Change::Halt(_)
        | Change::ForgetHalt => None,
    }
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
        checkpoint::{Checkpoint, Cursor, ENCODING, Reach},
        halt::{Evidence, Told},
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
            records: 0,
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

    /// What version 1 wrote for this record.
    fn written_by_version_1(store: &SledStore, key: &str, json: &str) {
        let value = [b"\x01", json.as_bytes()].concat();
        store.db.insert(key, with_checksum(key.as_bytes(), &value)).unwrap();
        store.sync().unwrap();
    }

    const HASH: &str = "0x0707070707070707070707070707070707070707070707070707070707070707";

    #[test]
    fn a_store_of_version_1_is_read_and_written_anew() {
        let folder = TempDir::new("store").unwrap();
        let store = SledStore::open(folder.path()).unwrap();
        let cursor = format!(r#"{{"block":{{"number":7,"hash":"{HASH}"}},"next_seq":9}}"#);
        let checkpoint =
            format!(r#"{{"key":"{HASH}","cursor":{cursor},"blocked":{{"1001":{cursor}}}}}"#);
        written_by_version_1(&store, "checkpoint", &checkpoint);
        written_by_version_1(&store, "halt", r#"{"kind":"deposit_differs","seq":3}"#);
        drop(store);

        let opened = open(folder.path()).unwrap();
        let persisted = opened.persisted;
        let read = persisted.checkpoint.clone().unwrap();
        assert_eq!((read.cursor.block.number, read.cursor.next_seq), (BlockNumber(7), Seq(9)));
        assert_eq!(read.blocked.len(), 1);
        let evidence = persisted.halt.unwrap().evidence;
        let expected =
            Evidence::DepositDiffers { seq: Seq(3), chain: Told::Unrecorded, ledger: None };
        assert_eq!(evidence, expected);
        assert_eq!(opened.quarantined, None);

        for record in opened.store.db.iter() {
            let (key, value) = record.unwrap();
            let version = checked(&key, &value).unwrap()[0];
            assert_eq!(version, ENCODING, "{}", String::from_utf8_lossy(&key));
        }
        drop(opened.store);
        let again = SledStore::open(folder.path()).unwrap().load().unwrap();
        assert_eq!(again, Persisted { is_outdated: false, ..persisted });
    }

    #[test]
    fn a_damaged_store_is_moved_aside_with_its_halt_kept() {
        let folder = TempDir::new("store").unwrap();
        let path = folder.path().join("store");
        let mut store = SledStore::open(&path).unwrap();
        let evidence = Evidence::BrokenLink { number: BlockNumber(5) };
        let marker = Marker { evidence, since: bridge_core::block::Millis(1) };
        store.commit(&[Change::Checkpoint(checkpoint(7)), Change::Halt(marker)]).unwrap();
        let mut value = store.db.get(b"checkpoint").unwrap().unwrap().to_vec();
        *value.last_mut().unwrap() ^= 1;
        store.db.insert(b"checkpoint", value).unwrap();
        store.sync().unwrap();
        drop(store);

        let opened = open(&path).unwrap();
        assert!(opened.quarantined.as_ref().unwrap().exists());
        assert_eq!(opened.persisted.checkpoint, None);
        assert_eq!(opened.persisted.halt, Some(marker), "a damaged store lifts no halt");
        drop(opened.store);
        assert_eq!(open(&path).unwrap().persisted.halt, Some(marker));
    }

    #[test]
    fn garbage_is_moved_aside() {
        let folder = TempDir::new("store").unwrap();
        let path = folder.path().join("store");
        let mut store = SledStore::open(&path).unwrap();
        store.commit(&[Change::Checkpoint(checkpoint(7))]).unwrap();
        drop(store);
        let length = std::fs::metadata(path.join("db")).unwrap().len();
        std::fs::write(path.join("db"), vec![0x5a; usize::try_from(length).unwrap()]).unwrap();
        let opened = open(&path).unwrap();
        assert_eq!((opened.persisted, opened.quarantined.is_some()), (Persisted::default(), true));
    }

    #[test]
    fn a_store_of_a_newer_program_is_refused_and_left_alone() {
        let folder = TempDir::new("store").unwrap();
        let store = SledStore::open(folder.path()).unwrap();
        let newer = [ENCODING + 1, b'{', b'}'];
        store.db.insert("checkpoint", with_checksum(b"checkpoint", &newer)).unwrap();
        store.sync().unwrap();
        drop(store);
        let error = open(folder.path()).map(|_| ()).unwrap_err();
        assert!(matches!(error, StoreError::Newer { .. }), "{error}");
        assert!(folder.path().join("db").exists());
    }
}
