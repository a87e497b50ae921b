//! What must hold before the first payout: better not to start than to burn gas on reverts.

use super::Payouts;
use crate::{chain::vault_now::SignerSet, exit::Failure};
use alloy::primitives::Address;

impl Payouts {
    /// Refuses keys that the vault would refuse.
    ///
    /// # Errors
    /// Configuration if the keys cannot pay, transient if the node does not answer.
    pub async fn refuse_nonsense(&self) -> Result<(), Failure> {
        let set = self.nodes.signer_set().await?;
        let submitter = self.submitter.address();
        let local = self.signers.local.as_ref().map(|key| key.address());
        if local == Some(submitter) || set.signers.contains(&submitter) {
            return Err(Failure::configuration(format!(
                "payouts.submitter_keystore: {submitter} is a payout signer too; use a key of its \
                 own, so that whoever pays for gas cannot sign payouts"
            )));
        }
        if let Some(local) = local {
            refuse_stranger("payouts.signer_keystore", local, &set)?;
        }
        let here = self.signers.count();
        if set.threshold > here {
            return Err(Failure::configuration(format!(
                "the vault asks for {} signatures, this daemon can ask {here} signers: name more of \
                 them in payouts.signer_urls, or have the vault's admin lower the threshold",
                set.threshold
            )));
        }
        Ok(())
    }
}

/// A key that the vault does not know signs for nobody; `field` names where it was given.
///
/// # Errors
/// Configuration, with those that the vault knows.
pub(crate) fn refuse_stranger(
    field: &str,
    signer: Address,
    set: &SignerSet,
) -> Result<(), Failure> {
    if set.signers.contains(&signer) {
        return Ok(());
    }
    let known: Vec<String> = set.signers.iter().map(ToString::to_string).collect();
    Err(Failure::configuration(format!(
        "{field}: {signer} is no payout signer of the vault, which knows {}; use the key of one of \
         them, or have the vault's admin set the signers",
        known.join(", ")
    )))
}
