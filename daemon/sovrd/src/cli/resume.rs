//! `sovrd resume`: lifts a halt whose cause is gone, and only then.

use super::{
    ConfigFile,
    offline::Offline,
    print,
    proof::{Proof, prove},
};
use crate::{
    exit::Failure,
    store::{SledStore, StoreError},
};
use bridge_core::{
    checkpoint::{Persisted, Reach},
    driver::Store,
    lift::{self, Looked, Question, Reason},
};

pub(super) async fn run(file: &ConfigFile) -> Result<(), Failure> {
    let config = file.load()?;
    let mut store = open_store(&config.store)?;
    let persisted = store.load().map_err(|e| Failure::configuration(e.to_string()))?;
    let Some(marker) = persisted.halt else {
        print("not halted: there is nothing to lift");
        return Ok(());
    };
    print(&format!("halted because: {}", marker.evidence));
    let offline = Offline::open(&config).await?;
    let origin = offline.vault.origin;
    if let Some(other) = lift::is_other(&persisted, offline.vault.identity.key()) {
        return Err(stands(&[other]));
    }
    let proof = prove(&offline, reach_of(&persisted)).await?;
    let looked = look(&offline, &persisted, &proof).await?;
    let changes = lift::lift(&persisted, origin, &looked).map_err(|reasons| stands(&reasons))?;
    store.commit(&changes).map_err(|e| {
        Failure::transient(format!("the halt could not be lifted: {e}; free space and try again"))
    })?;
    print(&format!(
        "lifted: chain and ledger agree at final block {}, event {}. The next start holds the \
         whole history against the ledger once more before it signs anything; unpause payouts on \
         chain if they were paused",
        proof.block, proof.last_seq
    ));
    for broken in looked.breaks {
        print(&format!("{broken}: nothing is signed for this token until it is mended"));
    }
    Ok(())
}

/// How far the bridge ever was.
pub(super) fn reach_of(persisted: &Persisted) -> Reach {
    persisted.checkpoint.as_ref().map(|c| c.reach.or(c.cursor)).unwrap_or_default()
}

async fn look(offline: &Offline, persisted: &Persisted, proof: &Proof) -> Result<Looked, Failure> {
    let question = Question::of(persisted, offline.vault.origin);
    let block = match question.block {
        Some((number, _)) => offline.hash_at(number).await?,
        None => None,
    };
    Ok(Looked {
        key: offline.vault.identity.key(),
        block,
        transfers: offline.lookup(&question.transfers).await?,
        differences: proof.differences.clone(),
        breaks: proof.tokens.iter().filter_map(|t| t.broken).collect(),
    })
}

fn stands(reasons: &[Reason]) -> Failure {
    let lines: Vec<String> = reasons.iter().map(ToString::to_string).collect();
    Failure::halted(format!(
        "the cause stands; what disagrees now:\n  {}\nnothing was changed. A reorg past finality is \
         resolved with `sovrd supersede`",
        lines.join("\n  ")
    ))
}

/// The daemon's store, with its lock: a running daemon keeps it.
#[allow(clippy::wildcard_enum_match_arm, reason = "all others are told as they are")]
pub(super) fn open_store(path: &std::path::Path) -> Result<SledStore, Failure> {
    SledStore::open(path).map_err(|error| match error {
        StoreError::InUse(_) => Failure::configuration(format!(
            "{error}; the daemon must be stopped first (SIGTERM; a halted one ends with 65)"
        )),
        other => other.into(),
    })
}
