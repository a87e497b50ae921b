//! What a signer has signed: one verdict for one withdrawal, ever. On disk before the signature
//! leaves the process.

use super::NotSigned;
use crate::{exit::Failure, store::StoreError};
use alloy::primitives::B256;
use bridge_core::{
    signing::{Ask, Refusal},
    withdrawal::Verdict,
};
use std::{fs::File, io, path::Path, sync::Arc};

/// sled's own cache; a verdict is a few bytes.
const CACHE_BYTES: u64 = 8 << 20;

/// A signer's memory.
#[derive(Clone, Debug)]
pub(super) struct Memory {
    db: sled::Db,
    file: Arc<File>,
}

impl Memory {
    /// Opens or creates it and takes its lock.
    pub(super) fn open(folder: &Path) -> Result<Self, Failure> {
        let io = |e: io::Error| StoreError::of_io(folder, &e);
        std::fs::create_dir_all(folder).map_err(io)?;
        let config =
            sled::Config::new().path(folder).cache_capacity(CACHE_BYTES).flush_every_ms(None);
        let db = config.open().map_err(|e| StoreError::of_sled(folder, &e, true))?;
        let file = Arc::new(File::open(folder.join("db")).map_err(io)?);
        File::open(folder).and_then(|f| f.sync_all()).map_err(io)?;
        Ok(Self { db, file })
    }

    /// Remembers a verdict durably; refuses one that contradicts an earlier one.
    pub(super) async fn remember(&self, ask: &Ask) -> Result<(), NotSigned> {
        let memory = self.clone();
        let (id, verdict) = (ask.id, ask.verdict);
        let done = tokio::task::spawn_blocking(move || memory.write(id, verdict)).await;
        done.map_err(|e| NotSigned::Memory(e.to_string()))?
    }

    fn write(&self, id: B256, verdict: Verdict) -> Result<(), NotSigned> {
        let failed = |e: &dyn std::fmt::Display| NotSigned::Memory(e.to_string());
        let record = [u8::from(verdict == Verdict::Pay)];
        let known = self.db.compare_and_swap(id, None::<&[u8]>, Some(&record));
        let known = known.map_err(|e| failed(&e))?;
        if known.is_err_and(|other| other.current.as_deref() != Some(&record)) {
            return Err(NotSigned::Refused(Refusal::SignedOtherwise));
        }
        // Known already, it may still be on its way to the disk.
        self.db.flush().map_err(|e| failed(&e))?;
        self.file.sync_all().map_err(|e| failed(&e))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bridge_core::withdrawal::RefusalReason;

    #[test]
    fn the_first_verdict_stands_across_restarts() {
        let folder = std::env::temp_dir().join(format!("sovrd-memory-{}", std::process::id()));
        let refuse = Verdict::Refuse(RefusalReason::InsufficientFunds);
        let id = B256::repeat_byte(1);
        for _restart in 0..2 {
            let memory = Memory::open(&folder).unwrap();
            memory.write(id, Verdict::Pay).unwrap();
            memory.write(id, Verdict::Pay).unwrap();
            let other = memory.write(id, refuse).unwrap_err();
            assert!(matches!(other, NotSigned::Refused(Refusal::SignedOtherwise)), "{other}");
            memory.write(B256::repeat_byte(2), refuse).unwrap();
        }
        std::fs::remove_dir_all(folder).unwrap();
    }
}
