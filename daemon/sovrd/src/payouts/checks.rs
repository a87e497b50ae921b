//! What must hold before the first payout: better not to start than to burn gas on reverts.

use super::Payouts;
use crate::{chain::nodes::Nodes, exit::Failure};
use alloy::primitives::Address;

/// Signatures that this daemon can give.
const SIGNERS_HERE: usize = 1;

impl Payouts {
    /// Refuses keys that the vault would refuse.
    ///
    /// # Errors
    /// Configuration if the keys cannot pay, transient if the node does not answer.
    pub async fn refuse_nonsense(&self) -> Result<(), Failure> {
        let (signer, submitter) = (self.signer.address(), self.submitter.address());
        if signer == submitter {
            return Err(Failure::configuration(format!(
                "payouts.submitter_keystore: {submitter} is the payout signer too; use a key of \
                 its own, so that whoever pays for gas cannot sign payouts"
            )));
        }
        refuse_strangers(&self.nodes, signer).await
    }
}

async fn refuse_strangers(nodes: &Nodes, signer: Address) -> Result<(), Failure> {
    let set = nodes.signer_set().await?;
    if !set.signers.contains(&signer) {
        let known: Vec<String> = set.signers.iter().map(ToString::to_string).collect();
        return Err(Failure::configuration(format!(
            "payouts.signer_keystore: {signer} is no payout signer of the vault, which knows {}; \
             use the key of one of them, or have the vault's admin set the signers",
            known.join(", ")
        )));
    }
    if set.threshold > SIGNERS_HERE {
        return Err(Failure::configuration(format!(
            "the vault asks for {} signatures, this daemon gives {SIGNERS_HERE}: leave [payouts] \
             out, or have the vault's admin lower the threshold",
            set.threshold
        )));
    }
    Ok(())
}
