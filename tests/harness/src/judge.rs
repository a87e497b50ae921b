//! Asks the Python judge, which reads chain and ledger by itself and never asks the daemon.

use crate::{contracts::Deployment, paths};
use alloy::primitives::Address;
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::{process::Command, time::Duration};

/// Where the judge shall look.
#[derive(Clone, Debug)]
pub struct Question {
    /// The node: `http://…`.
    pub rpc_url: String,
    /// The vault.
    pub vault: Address,
    /// The block that created it.
    pub deploy_block: u64,
    /// The ledger's cluster id.
    pub cluster_id: u128,
    /// The ledger's replicas, in order.
    pub addresses: Vec<String>,
    /// What makes a block final, as in the daemon's configuration: `confirmations`, `safe` or
    /// `finalized`.
    pub finality: String,
    /// With `confirmations`: the final block is head − this + 1.
    pub confirmations: u64,
    /// Whether a withdrawal that has not ended on chain counts as a difference.
    pub settled: bool,
}

impl Question {
    /// About a vault and a ledger, with one confirmation; withdrawals may still be open.
    #[must_use]
    pub fn about(
        rpc_url: &str,
        deployment: &Deployment,
        cluster_id: u128,
        addresses: &[String],
    ) -> Self {
        Self {
            rpc_url: rpc_url.to_owned(),
            vault: deployment.vault,
            deploy_block: deployment.deploy_block,
            cluster_id,
            addresses: addresses.to_vec(),
            finality: "confirmations".to_owned(),
            confirmations: 1,
            settled: false,
        }
    }
}

/// Asks again and again until everything is as it must be; the judge's report in JSON.
///
/// # Errors
/// Every difference that is still there after `wait`, spelled out.
pub fn check(question: &Question, wait: Duration) -> Result<Value> {
    let output = Command::new("python3")
        .arg(paths::root().join("tests/judge/judge.py"))
        .args(["--rpc-url", &question.rpc_url])
        .args(["--vault", &question.vault.to_string()])
        .args(["--deploy-block", &question.deploy_block.to_string()])
        .args(["--cluster-id", &question.cluster_id.to_string()])
        .args(["--addresses", &question.addresses.join(",")])
        .args(["--finality", &question.finality])
        .args(["--confirmations", &question.confirmations.to_string()])
        .args(question.settled.then_some("--settled"))
        .args(["--wait", &wait.as_secs_f64().to_string(), "--json"])
        .output()
        .context("cannot run python3")?;
    let said = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        let erred = String::from_utf8_lossy(&output.stderr);
        bail!("the judge found a fault ({}):\n{erred}{said}", output.status);
    }
    serde_json::from_str(&said).with_context(|| format!("the judge's report is not JSON: {said}"))
}

/// Opens so many sessions of the ledger, one after the other, and leaves them: more than it bears,
/// and it evicts older ones.
///
/// # Errors
/// When the program fails.
pub fn crowd(cluster_id: u128, addresses: &[String], sessions: usize) -> Result<()> {
    let output = Command::new("python3")
        .arg(paths::root().join("tests/judge/crowd.py"))
        .args([cluster_id.to_string(), addresses.join(","), sessions.to_string()])
        .output()
        .context("cannot run python3")?;
    if !output.status.success() {
        bail!("no crowd of sessions: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        contracts::{DeployOptions, deploy},
        keys::Role,
        servers::{Anvil, AnvilOptions, TigerBeetle, TigerBeetleOptions},
    };
    use alloy::{sol, sol_types::SolCall};
    use serde_json::json;

    sol! {
        function depositEther(address owner) external payable;
    }

    #[test]
    fn a_deposit_that_nobody_credited_is_found() {
        let anvil = Anvil::start(AnvilOptions::default()).unwrap();
        let ledger = TigerBeetle::start(TigerBeetleOptions::default()).unwrap();
        let rpc = anvil.rpc();
        let deployment = deploy(&rpc, &DeployOptions::development().unwrap()).unwrap();
        let alice = Role::Alice.address().unwrap();
        let call = depositEtherCall { owner: alice }.abi_encode();
        let call = alloy::primitives::Bytes::from(call);
        let value = format!("{:#x}", 10_u128.pow(18));
        let send = json!([{"from": alice, "to": deployment.vault, "data": call, "value": value}]);
        rpc.call("eth_sendTransaction", &send).unwrap();

        let addresses = [ledger.address()];
        let question = Question::about(rpc.url(), &deployment, ledger.cluster_id(), &addresses);
        let fault = check(&question, Duration::ZERO).unwrap_err().to_string();
        for words in ["deposit:3: no transfer", "no entry for instance", "there is no such account"]
        {
            assert!(fault.contains(words), "no {words:?} in {fault}");
        }
    }
}
