//! Folders that live as long as their owner.

use crate::paths;
use anyhow::{Context, Result};
use std::{
    fs,
    path::{Path, PathBuf},
    process,
    sync::{
        Once,
        atomic::{AtomicU32, Ordering},
    },
};

static SWEEP: Once = Once::new();
static COUNTER: AtomicU32 = AtomicU32::new(0);

/// A folder of its own under `.local/tmp`, removed when this value is dropped.
///
/// It is in the checkout and not in the system's temporary folder because that one is often in
/// memory, and a ledger's data file takes more than a gigabyte.
#[derive(Debug)]
pub struct TempDir {
    path: PathBuf,
}

impl TempDir {
    /// Makes a folder whose name starts with `name`.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn new(name: &str) -> Result<Self> {
        let parent = paths::local().join("tmp");
        SWEEP.call_once(|| sweep(&parent));
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let path = parent.join(format!("{name}.{}.{number}", process::id()));
        fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Self { path })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// Removes what processes left behind that were killed before they could clean up.
fn sweep(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else { return };
    for entry in entries.flatten() {
        if owner(&entry.path()).is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// The process id in a folder's name.
fn owner(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    let pid = name.split('.').nth(1)?;
    pid.parse::<u32>().ok().map(|_| pid.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn removed_with_its_owner_and_after_a_dead_one() {
        let dir = TempDir::new("alive").unwrap();
        let path = dir.path().to_path_buf();
        let orphan = path.with_file_name("orphan.4294967294.0");
        fs::create_dir_all(&orphan).unwrap();
        sweep(path.parent().unwrap());
        assert!(path.is_dir() && !orphan.exists());
        drop(dir);
        assert!(!path.exists());
    }
}
