//! `sovrd reconcile`: the proof of reserves from chain and ledger alone, no daemon asked.

use super::{
    ConfigFile,
    offline::Offline,
    print,
    proof::{Proof, prove},
};
use crate::exit::Failure;
use bridge_core::{amount::TokenAmount, checkpoint::Reach};
use clap::Args;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    file: ConfigFile,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(arguments: Arguments) -> Result<(), Failure> {
    let config = arguments.file.load()?;
    let offline = Offline::open(&config).await?;
    let proof = prove(&offline, Reach::default()).await?;
    if arguments.json {
        print(&serde_json::to_string(&proof).map_err(|e| Failure::bug(e.to_string()))?);
    } else {
        print(&table(&proof));
    }
    if proof.holds() {
        return Ok(());
    }
    Err(Failure::halted(format!(
        "chain and ledger do not agree:\n  {}",
        proof.faults().join("\n  ")
    )))
}

fn table(proof: &Proof) -> String {
    let head = format!(
        "{:<10}{:>28}{:>28}{:>28}{:>28}  {}",
        "ledger", "accounted", "explained by ledger", "balance", "claimable", "proof"
    );
    let line = |t: &super::proof::Row| {
        let explained =
            t.explained.map_or_else(|| "negative".to_owned(), |TokenAmount(a)| a.to_string());
        format!(
            "{:<10}{:>28}{:>28}{:>28}{:>28}  {}",
            t.ledger,
            t.holdings.accounted,
            explained,
            t.holdings.balance,
            t.holdings.claimable,
            if t.broken.is_none() { "holds" } else { "BROKEN" }
        )
    };
    let end = format!(
        "at final block {}, event {}: {} differences",
        proof.block,
        proof.last_seq,
        proof.faults().len()
    );
    let lines = std::iter::once(head).chain(proof.tokens.iter().map(line));
    lines.chain([end]).collect::<Vec<_>>().join("\n")
}
