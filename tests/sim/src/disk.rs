//! A disk that can fail at the worst moment, and a store on it.

use bridge_core::{
    checkpoint::{Change, Persisted},
    driver::Store,
};
use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

/// What is durable.
pub type Records = BTreeMap<Vec<u8>, Vec<u8>>;

/// How the next commit ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CommitFate {
    /// Durable when it returns.
    #[default]
    Durable,
    /// The machine dies before anything reaches the disk: unflushed writes are lost.
    LostAll,
    /// The machine dies after all of it reached the disk and before the call returns.
    DiesAfter,
    /// The machine dies while a part of it is written: checksums tell, the store is unreadable.
    Torn,
}

/// One daemon's disk.
#[derive(Clone, Debug, Default)]
pub struct Disk {
    /// Durable records.
    pub records: Records,
    /// True after a torn write.
    pub unreadable: bool,
    /// How the next commit ends.
    pub fate: CommitFate,
    /// The changes of the last commit that became durable, until somebody looks at them.
    pub committed: Vec<Change>,
    /// Commits that were begun, whatever became of them.
    pub commits: u64,
}

/// The machine died during a commit.
#[derive(Clone, Copy, Debug)]
pub struct Died;

/// The store that the driver writes to.
#[derive(Clone, Debug)]
pub struct SimStore(pub Rc<RefCell<Disk>>);

impl Store for SimStore {
    type Error = Died;

    fn commit(&mut self, changes: &[Change]) -> Result<(), Died> {
        let mut disk = self.0.borrow_mut();
        disk.commits += 1;
        match std::mem::take(&mut disk.fate) {
            CommitFate::Durable => {
                disk.write(changes);
                Ok(())
            }
            CommitFate::LostAll => Err(Died),
            CommitFate::DiesAfter => {
                disk.write(changes);
                Err(Died)
            }
            CommitFate::Torn => {
                disk.write(&changes[..changes.len() / 2]);
                disk.unreadable = true;
                Err(Died)
            }
        }
    }
}

impl Disk {
    fn write(&mut self, changes: &[Change]) {
        for change in changes {
            match change.to_write() {
                (key, Some(value)) => drop(self.records.insert(key, value)),
                (key, None) => drop(self.records.remove(&key)),
            }
        }
        self.committed.extend_from_slice(changes);
    }

    /// Everything on the disk; an unreadable store is moved away.
    ///
    /// # Errors
    /// What the core says about a record that it wrote itself.
    pub fn load(&mut self) -> Result<Persisted, String> {
        if std::mem::take(&mut self.unreadable) {
            self.records.clear();
        }
        let mut persisted = Persisted::default();
        for (key, value) in &self.records {
            persisted.read(key, value).map_err(|e| e.to_string())?;
        }
        Ok(persisted)
    }

    /// Whether a record of a transaction with these bytes is durable.
    #[must_use]
    pub fn holds_transaction(&self, nonce: u64, raw: &[u8]) -> bool {
        let key = format!("transaction/{nonce:020}").into_bytes();
        let hex = alloy_primitives::hex::encode_prefixed(raw);
        self.records.get(&key).is_some_and(|v| String::from_utf8_lossy(v).contains(&hex))
    }
}
