//! Why a store cannot be used, and what to do about it.

use crate::exit::Failure;
use std::{
    io,
    path::{Path, PathBuf},
};

/// Why the store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process has it.
    #[error("the store {0} is in use by another process: stop that one, or use another folder")]
    InUse(PathBuf),
    /// The disk has no room.
    #[error(
        "the store {folder} cannot be written, the disk is full ({reason}): free space, then start \
         again; nothing is lost, the ledger and the chain hold everything"
    )]
    Full {
        /// Where.
        folder: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// The disk or folder cannot be written.
    #[error(
        "the store {folder} cannot be written ({reason}): mount its disk read-write, or give the \
         folder to the user that runs sovrd"
    )]
    ReadOnly {
        /// Where.
        folder: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// sled or the file system failed.
    #[error("store {0}: {1}")]
    Io(PathBuf, String),
    /// A newer program wrote it.
    #[error("the store {folder} is of a newer version of sovrd: {reason}")]
    Newer {
        /// Where.
        folder: PathBuf,
        /// What.
        reason: String,
    },
    /// A record's checksum is wrong or it does not decode.
    #[error(
        "the store {folder} is damaged ({reason}): it is moved aside and everything is rebuilt from \
         chain and ledger"
    )]
    Damaged {
        /// Where.
        folder: PathBuf,
        /// What.
        reason: String,
    },
}

/// Out of space, over quota, file too large.
const FULL: [i32; 3] = [28, 122, 27];
/// Not permitted, permission denied, read-only file system.
const READ_ONLY: [i32; 3] = [1, 13, 30];

impl StoreError {
    pub(super) fn damaged(folder: &Path, reason: impl Into<String>) -> Self {
        Self::Damaged { folder: folder.to_owned(), reason: reason.into() }
    }

    pub(super) fn of_io(folder: &Path, error: &io::Error) -> Self {
        let (folder, reason) = (folder.to_owned(), error.to_string());
        // sled keeps the text of some errors and drops their numbers.
        let says = |words: &str| reason.contains(words);
        match error.raw_os_error() {
            Some(code) if FULL.contains(&code) => Self::Full { folder, reason },
            Some(code) if READ_ONLY.contains(&code) => Self::ReadOnly { folder, reason },
            Some(_) | None if says("os error 28") || says("failed to fill whole buffer") => {
                Self::Full { folder, reason }
            }
            Some(_) | None if says("os error 30") => Self::ReadOnly { folder, reason },
            Some(_) | None => Self::Io(folder, reason),
        }
    }

    pub(super) fn of_sled(folder: &Path, error: &sled::Error, at_start: bool) -> Self {
        match error {
            sled::Error::Io(io) if at_start && is_lock_failure(io) => {
                Self::InUse(folder.to_owned())
            }
            sled::Error::Io(io) => match Self::of_io(folder, io) {
                // Files that are there and make no sense.
                Self::Io(_, reason) if at_start => Self::damaged(folder, reason),
                other => other,
            },
            sled::Error::Corruption { .. } => Self::damaged(folder, error.to_string()),
            sled::Error::CollectionNotFound(_)
            | sled::Error::Unsupported(_)
            | sled::Error::ReportableBug(_)
                if at_start =>
            {
                Self::damaged(folder, error.to_string())
            }
            sled::Error::CollectionNotFound(_)
            | sled::Error::Unsupported(_)
            | sled::Error::ReportableBug(_) => Self::Io(folder.to_owned(), error.to_string()),
        }
    }
}

fn is_lock_failure(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock || error.to_string().contains("lock")
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Full { .. } => Self::transient(error.to_string()),
            StoreError::InUse(_)
            | StoreError::ReadOnly { .. }
            | StoreError::Io(..)
            | StoreError::Newer { .. }
            | StoreError::Damaged { .. } => Self::configuration(error.to_string()),
        }
    }
}
