//! The store's folder: whose lock it is, what a copy of it says, how much room its disk has.

use crate::{
    config::Config,
    doctor::facts::{Content, StoreFacts},
    store::{SledStore, StoreError},
};
use rustix::fs::{Access, access, statvfs};
use std::{
    fs, io,
    os::unix::fs::DirBuilderExt,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// A store larger than this is not copied, bytes.
const COPY_BYTES_MAX: u64 = 256 << 20;

/// Everything of the store; `look_inside` where no daemon answers.
pub(super) async fn all(config: &Config, look_inside: bool) -> StoreFacts {
    let (folder, is_signers) = (config.store.clone(), config.signer.is_some());
    let read = move || {
        let exists = folder.exists();
        let holder = holder(&folder);
        let look_inside = look_inside && exists && holder.is_none() && !is_signers;
        let nearest = nearest(&folder);
        let room = statvfs(&nearest).ok();
        StoreFacts {
            exists,
            not_writable: not_writable(&nearest),
            holder,
            content: look_inside.then(|| content(&folder)),
            bytes_free: room.as_ref().map(|r| r.f_bavail.saturating_mul(r.f_frsize)),
            files_free: room.as_ref().filter(|r| r.f_files > 0).map(|r| r.f_favail),
            folder,
        }
    };
    let folder = config.store.clone();
    tokio::task::spawn_blocking(read).await.unwrap_or_else(|error| StoreFacts {
        folder,
        exists: false,
        not_writable: Some(error.to_string()),
        holder: None,
        content: None,
        bytes_free: None,
        files_free: None,
    })
}

/// The folder, or the nearest one above it that exists.
fn nearest(folder: &Path) -> PathBuf {
    let whole = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    whole.ancestors().find(|p| p.exists()).unwrap_or(&whole).to_owned()
}

fn not_writable(folder: &Path) -> Option<String> {
    if !folder.is_dir() {
        return Some(format!("{} is no folder", folder.display()));
    }
    access(folder, Access::WRITE_OK | Access::EXEC_OK).err().map(|e| io::Error::from(e).to_string())
}

/// The process that has the store's lock, as the kernel lists it: asking for the lock instead could
/// keep a daemon from starting at that very moment.
fn holder(folder: &Path) -> Option<u32> {
    let file = fs::metadata(folder.join("db")).ok()?;
    holder_in(&fs::read_to_string("/proc/locks").ok()?, file.dev(), file.ino())
}

/// Lines as `1: FLOCK  ADVISORY  WRITE 1234 fd:01:5678 0 EOF`: kind, owner, then device and inode.
fn holder_in(locks: &str, device: u64, inode: u64) -> Option<u32> {
    let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
    let place = format!("{major:02x}:{minor:02x}:{inode}");
    locks.lines().find_map(|line| {
        let mut fields = line.split_whitespace().skip(1).filter(|field| *field != "->");
        let is_ours = fields.next() == Some("FLOCK");
        let pid = fields.nth(2)?;
        (is_ours && fields.next() == Some(place.as_str())).then(|| pid.parse().ok()).flatten()
    })
}

fn content(folder: &Path) -> Content {
    let copy = std::env::temp_dir().join(format!("sovrd-doctor-{}", std::process::id()));
    // Nobody else's folder, and nobody else's to read: it holds transactions and signed texts.
    if let Err(error) = fs::DirBuilder::new().mode(0o700).create(&copy) {
        return Content::Unread(format!("{}: {error}", copy.display()));
    }
    let content = match copied(folder, &copy) {
        Ok(()) => read(&copy),
        Err(error) => Content::Unread(error.to_string()),
    };
    let _best_effort = fs::remove_dir_all(&copy);
    content
}

/// The files of a folder and of those in it, as long as they are small, into a folder that is there.
fn copied(from: &Path, to: &Path) -> io::Result<()> {
    let mut bytes = 0;
    let mut folders = vec![(from.to_owned(), to.to_owned())];
    while let Some((from, to)) = folders.pop() {
        for entry in fs::read_dir(&from)? {
            let entry = entry?;
            let (source, copy) = (entry.path(), to.join(entry.file_name()));
            let metadata = fs::symlink_metadata(&source)?;
            bytes += metadata.len();
            if bytes > COPY_BYTES_MAX {
                return Err(io::Error::other("it is too large to be copied"));
            }
            if metadata.is_dir() {
                fs::create_dir(&copy)?;
                folders.push((source, copy));
            } else if metadata.is_file() {
                fs::copy(&source, &copy)?;
            }
        }
    }
    Ok(())
}

fn read(copy: &Path) -> Content {
    match SledStore::open(copy).and_then(|store| store.load()) {
        Ok(persisted) => Content::Readable {
            key: persisted.checkpoint.map(|c| c.key),
            halted: persisted.halt.map(|marker| marker.evidence.to_string()),
        },
        Err(StoreError::Newer { reason, .. }) => Content::Newer(reason),
        Err(StoreError::Damaged { reason, .. }) => Content::Damaged(reason),
        Err(
            error @ (StoreError::InUse(_)
            | StoreError::Full { .. }
            | StoreError::ReadOnly { .. }
            | StoreError::Io(..)),
        ) => Content::Unread(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_list_of_locks_names_the_holder() {
        let locks = "1: FLOCK  ADVISORY  WRITE 41 fd:01:77 0 EOF\n\
                     2: POSIX  ADVISORY  WRITE 42 fd:01:78 0 EOF\n\
                     2: -> FLOCK  ADVISORY  WRITE 43 fd:01:78 0 EOF\n\
                     3: FLOCK  ADVISORY  WRITE 44 08:10:78 0 EOF\n";
        let device = |major, minor| rustix::fs::makedev(major, minor);
        assert_eq!(holder_in(locks, device(0xfd, 1), 77), Some(41));
        assert_eq!(holder_in(locks, device(0xfd, 1), 78), Some(43));
        assert_eq!(holder_in(locks, device(8, 0x10), 78), Some(44));
        assert_eq!(holder_in(locks, device(8, 0x10), 77), None);
    }

    #[test]
    fn a_store_in_use_has_a_holder_and_one_left_has_none() {
        let dir = harness::temp::TempDir::new("doctor").unwrap();
        let folder = dir.path().join("store");
        let store = SledStore::open(&folder).unwrap();
        assert_eq!(holder(&folder), Some(std::process::id()));
        drop(store);
        assert_eq!(holder(&folder), None);
        assert!(matches!(content(&folder), Content::Readable { key: None, halted: None }));
        fs::write(folder.join("written"), "").unwrap();
        assert!(matches!(content(&folder), Content::Damaged(_)));
        assert_eq!(nearest(&folder.join("a/b")), folder);
        assert!(not_writable(&folder.join("written")).unwrap().contains("is no folder"));
    }
}
