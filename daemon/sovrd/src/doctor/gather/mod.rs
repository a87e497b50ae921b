//! Gathers the facts: from node, ledger, disk and this machine, each with a deadline. Writes nothing
//! and takes no lock that the daemon may want.

mod chain;
mod keys;
mod ledger;
mod machine;
mod store;

use super::facts::{Facts, Port, VaultFacts};
use crate::{config::Config, engine, exit::Failure};
use bridge_core::asset::Listing;

/// Looks at everything.
///
/// # Errors
/// If the configuration's nodes or ledger cannot even be addressed.
pub async fn facts(config: &Config) -> Result<Facts, Failure> {
    let (port, opened) = tokio::join!(machine::port(config), keys::all(config));
    let keys = opened;
    let (endpoints, vault) = chain::all(config, &keys).await?;
    let vault = vault.map(|seen| seen.map(|facts| with_listings(facts, &port)));
    let known = vault.as_ref().and_then(|v| v.as_ref().ok());
    let (ledger, signers) = tokio::join!(ledger::all(config, known), keys::signers(config));
    let is_free = matches!(port, Port::Free | Port::Stranger | Port::Unusable(_));
    Ok(Facts {
        store: store::all(config, is_free).await,
        memory_free: machine::memory_free(),
        now_ms: engine::now().0,
        port,
        endpoints,
        vault,
        ledger: ledger?,
        keys,
        signers,
    })
}

/// A running daemon knows every listing, whatever its node grants now.
fn with_listings(facts: VaultFacts, port: &Port) -> VaultFacts {
    let known = |says: &super::facts::DaemonSays| -> Vec<Listing> { says.listings.clone() };
    match (facts.listings.is_some(), port) {
        (false, Port::Daemon(says)) => VaultFacts { listings: Some(known(says)), ..facts },
        _ => facts,
    }
}
