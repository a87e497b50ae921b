//! Opening a store, whatever state it is in: an older one is written anew, a damaged one moved aside.

use super::{SledStore, StoreError};
use bridge_core::{
    checkpoint::{Change, Persisted},
    driver::Store,
};
use std::{
    fs::File,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};
use tracing::{error, info};

/// A store and what it held.
#[derive(Debug)]
pub struct Opened {
    /// The store.
    pub store: SledStore,
    /// Everything in it.
    pub persisted: Persisted,
    /// Where the damaged one was moved to, if it was.
    pub quarantined: Option<PathBuf>,
}

/// Opens the store. Damage costs time, never money: the store is rebuilt from chain and ledger.
///
/// # Errors
/// If it is in use, cannot be written, or a newer program wrote it.
pub fn open(folder: &Path) -> Result<Opened, StoreError> {
    let mut halt = None;
    let damaged = match SledStore::open(folder) {
        Ok(store) => match store.load() {
            Ok(persisted) => return upgraded(store, persisted),
            Err(error @ StoreError::Damaged { .. }) => {
                halt = store.halt();
                error
            }
            Err(other) => return Err(other),
        },
        Err(error @ StoreError::Damaged { .. }) => error,
        Err(other) => return Err(other),
    };
    let aside = move_aside(folder)?;
    error!(%damaged, aside = %aside.display(), "STORE DAMAGED: moved aside, rebuilding");
    let mut store = SledStore::open(folder)?;
    let persisted = Persisted { halt, ..Persisted::default() };
    if let Some(marker) = halt {
        store.commit(&[Change::Halt(marker)])?;
    }
    Ok(Opened { store, persisted, quarantined: Some(aside) })
}

fn upgraded(mut store: SledStore, mut persisted: Persisted) -> Result<Opened, StoreError> {
    if persisted.is_outdated {
        info!("the store is of an older version; writing it anew");
        store.commit(&persisted.to_changes())?;
        persisted.is_outdated = false;
    }
    Ok(Opened { store, persisted, quarantined: None })
}

fn move_aside(folder: &Path) -> Result<PathBuf, StoreError> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let aside = folder.with_file_name(format!("{name}.damaged-{now}"));
    let wrong = |e: std::io::Error| StoreError::of_io(folder, &e);
    std::fs::rename(folder, &aside).map_err(wrong)?;
    if let Some(parent) = folder.parent().filter(|p| !p.as_os_str().is_empty()) {
        File::open(parent).and_then(|f| f.sync_all()).map_err(wrong)?;
    }
    Ok(aside)
}
