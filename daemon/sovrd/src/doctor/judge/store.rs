//! The store and its disk.

use super::{bytes, vault};
use crate::doctor::{
    Check, Verdict,
    facts::{Content, Facts, Port, StoreFacts},
};

/// Less than this and the next checkpoint may not fit, bytes.
const FULL: u64 = 64 << 20;
/// Less than this and somebody should look, bytes.
const LOW: u64 = 1 << 30;
/// Fewer files than this can be made: the same.
const FILES_LEAST: u64 = 16;

pub(super) fn judge(facts: &Facts) -> Vec<Check> {
    let store = &facts.store;
    let mut checks = vec![usable(facts, store)];
    checks.extend(store.content.as_ref().and_then(|content| content_of(facts, store, content)));
    checks.extend(disk(store));
    checks
}

fn usable(facts: &Facts, store: &StoreFacts) -> Check {
    let folder = store.folder.display();
    if let Some(reason) = &store.not_writable {
        return Check::wrong(
            "store.not_writable",
            format!("{folder} cannot be written: {reason}"),
            "give the folder to the user that runs sovrd, and mount its disk read-write",
        );
    }
    let serves = matches!(facts.port, Port::Daemon(_) | Port::Signer(_));
    match store.holder {
        Some(pid) if serves => {
            Check::fine("store.served", format!("{folder} is used by the running process {pid}"))
        }
        Some(pid) => Check::away(
            "store.in_use",
            format!("{folder} is used by process {pid}, which does not answer at api.listen"),
            "it is starting, stuck, or has another api.listen: look at it before starting another",
        ),
        None if store.exists => {
            Check::fine("store.free", format!("{folder} is there and nobody uses it"))
        }
        None => Check::fine("store.absent", format!("{folder} is created by the first start")),
    }
}

fn content_of(facts: &Facts, store: &StoreFacts, content: &Content) -> Option<Check> {
    let folder = store.folder.display();
    match content {
        Content::Newer(reason) => Some(Check::wrong(
            "store.newer",
            format!("{folder} was written by a newer version of sovrd: {reason}"),
            "run that version, or move the folder away: it is rebuilt from chain and ledger",
        )),
        Content::Damaged(reason) => Some(Check::warning(
            "store.damaged",
            format!("{folder} is damaged: {reason}"),
            "nothing to do: the next start moves it aside and rebuilds it from chain and ledger; \
             check the disk",
        )),
        Content::Unread(reason) => Some(Check::warning(
            "store.unread",
            format!("{folder} could not be looked into: {reason}"),
            "give the user that runs this read access, and room in the folder for temporary files",
        )),
        Content::Readable { halted: Some(evidence), .. } => Some(Check::fault(
            Verdict::Halted,
            "store.halted",
            format!("the bridge halted: {evidence}"),
            "do not restart in a loop: see deploy/halted.md; sovrd resume lifts it once the cause \
             is gone",
        )),
        Content::Readable { key: Some(theirs), .. }
            if vault(facts).is_some_and(|ours| ours.identity.key() != *theirs) =>
        {
            Some(Check::wrong(
                "store.other_vault",
                format!("{folder} belongs to another vault or chain"),
                "give this vault a store.path of its own, or correct [chain]",
            ))
        }
        Content::Readable { .. } => {
            Some(Check::fine("store.readable", "its records are whole and of this version"))
        }
    }
}

fn disk(store: &StoreFacts) -> Option<Check> {
    let folder = store.folder.display();
    let free = store.bytes_free?;
    let no_files = store.files_free.is_some_and(|files| files < FILES_LEAST);
    let remedy = "free space on it; nothing is lost, chain and ledger hold everything";
    if free < FULL || no_files {
        let what = if no_files { "no more files".to_owned() } else { bytes(free) };
        return Some(Check::away(
            "store.disk_full",
            format!("the disk of {folder} has room for {what}"),
            remedy,
        ));
    }
    if free < LOW {
        return Some(Check::warning(
            "store.disk_low",
            format!("the disk of {folder} has {} left", bytes(free)),
            remedy,
        ));
    }
    Some(Check::fine("store.disk", format!("{} free", bytes(free))))
}
