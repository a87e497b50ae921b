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

impl StoreError {
    pub(super) fn damaged(folder: &Path, reason: impl Into<String>) -> Self {
        Self::Damaged { folder: folder.to_owned(), reason: reason.into() }
    }

    pub(crate) fn of_io(folder: &Path, error: &io::Error) -> Self {
        use io::ErrorKind as Kind;
        let (folder, reason) = (folder.to_owned(), error.to_string());
        // sled keeps the kind of an error and drops its number.
        let kind = error.kind();
        if matches!(kind, Kind::StorageFull | Kind::QuotaExceeded | Kind::FileTooLarge) {
            return Self::Full { folder, reason };
        }
        if matches!(kind, Kind::ReadOnlyFilesystem | Kind::PermissionDenied) {
            return Self::ReadOnly { folder, reason };
        }
        Self::Io(folder, reason)
    }

    #[allow(clippy::wildcard_enum_match_arm, reason = "all others stay as they are")]
    pub(crate) fn of_sled(folder: &Path, error: &sled::Error, at_start: bool) -> Self {
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
