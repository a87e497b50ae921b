//! `sovrd resume`: lifts a halt whose cause is gone, and only then.

use super::{ConfigFile, offline::Offline, print, proof::prove};
use crate::{
    exit::Failure,
    store::{SledStore, StoreError},
};
use bridge_core::{checkpoint::Persisted, driver::Store, halt::Evidence};

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
    check_identity(&offline, &persisted)?;
    let mut standing = Vec::new();
    standing.extend(chain_disagrees(&offline, &marker.evidence).await?);
    standing.extend(ledger_disagrees(&offline, &persisted).await?);
    let reach = persisted.checkpoint.as_ref().map(|c| c.reach.or(c.cursor)).unwrap_or_default();
    let proof = prove(&offline, reach).await?;
    standing.extend(proof.faults());
    if !standing.is_empty() {
        standing.dedup();
        return Err(Failure::halted(format!(
            "the cause stands; what disagrees now:\n  {}\nnothing was changed. A reorg past \
             finality is resolved with `sovrd supersede`",
            standing.join("\n  ")
        )));
    }
    store.commit(&persisted.to_resume(offline.vault.origin)).map_err(|e| {
        Failure::transient(format!("the halt could not be lifted: {e}; free space and try again"))
    })?;
    print(&format!(
        "lifted: chain and ledger agree at final block {}, event {}. The next start holds the \
         whole history against the ledger once more before it signs anything; unpause payouts on \
         chain if they were paused",
        proof.block, proof.last_seq
    ));
    Ok(())
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

fn check_identity(offline: &Offline, persisted: &Persisted) -> Result<(), Failure> {
    let ours = offline.vault.identity.key();
    match persisted.checkpoint.as_ref().map(|c| c.key).filter(|theirs| *theirs != ours) {
        Some(theirs) => Err(Failure::halted(format!(
            "the cause stands: the store belongs to instance key {}, the node serves {}; ask the \
             node of the right chain",
            theirs.0, ours.0
        ))),
        None => Ok(()),
    }
}

/// What of the evidence is about blocks, and can be asked for directly.
async fn chain_disagrees(
    offline: &Offline,
    evidence: &Evidence,
) -> Result<Option<String>, Failure> {
    let (number, ours) = match *evidence {
        Evidence::GenesisChanged { ours, .. } => (bridge_core::block::BlockNumber(0), ours),
        Evidence::FinalBlockReplaced { number, ours, .. }
            if number == offline.vault.origin.number =>
        {
            (number, ours)
        }
        // The events decide: they are all compared.
        Evidence::FinalBlockReplaced { .. }
        | Evidence::SeqGap { .. }
        | Evidence::CounterMismatch { .. }
        | Evidence::BrokenLink { .. }
        | Evidence::ImpossibleEvent { .. }
        | Evidence::DepositDiffers { .. }
        | Evidence::WithdrawalDiffers { .. }
        | Evidence::PaidWithoutReservation { .. }
        | Evidence::NotFinalThere { .. }
        | Evidence::EventReplaced { .. }
        | Evidence::LedgerLost { .. }
        | Evidence::NoAgreement { .. }
        | Evidence::ReservesBroken(_) => return Ok(None),
    };
    let now = offline.hash_at(number).await?;
    let text = now.map_or_else(|| "missing".to_owned(), |hash| hash.to_string());
    Ok((now != Some(ours)).then(|| format!("block {number} is {text}, it was {ours}")))
}

/// The ledger must still have what it had.
async fn ledger_disagrees(
    offline: &Offline,
    persisted: &Persisted,
) -> Result<Vec<String>, Failure> {
    let lost = match persisted.halt.map(|m| m.evidence) {
        Some(Evidence::LedgerLost { transfer }) => Some(transfer),
        _ => None,
    };
    let witness = persisted.checkpoint.as_ref().and_then(|c| c.witness);
    let known: Vec<_> = [lost, witness].into_iter().flatten().collect();
    let found = offline.lookup(&known).await?;
    let missing = known.into_iter().filter(|id| !found.contains_key(id));
    Ok(missing.map(|transfer| Evidence::LedgerLost { transfer }.to_string()).collect())
}
