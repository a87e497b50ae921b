//! Gathers signatures of payout signers: one in this process, and those that answer over HTTP, each
//! of which checks for itself. As many as the vault asks for are enough, whichever come first.

use crate::{
    api::problem::Refused,
    body,
    chain::{error::ReadError, nodes::Nodes},
    config::Endpoint,
    signer::Signed,
};
use alloy::{
    primitives::{Address, B256, Bytes, Signature},
    signers::{SignerSync, local::PrivateKeySigner},
    transports::http::reqwest::Client,
};
use bridge_core::{
    eip712::Domain,
    obstacle::Obstacle,
    signing::{Ask, Tree},
};
use futures_util::{StreamExt, stream::FuturesUnordered};
use std::{collections::BTreeMap, time::Duration};
use tracing::warn;

/// Longest wait for one signer: it may ask a second endpoint after one that hangs, and looks again at
/// what may pass.
const ANSWER_MAX: Duration = Duration::from_secs(25);
/// Longest answer of a signer that is read, bytes.
const ANSWER_BYTES_MAX: usize = 4 << 10;

/// Whoever can be asked for a signature.
#[derive(Debug)]
pub struct Signers {
    /// In this process.
    pub local: Option<PrivateKeySigner>,
    /// Over HTTP.
    pub remote: Vec<Remote>,
}

/// A signer in another process.
pub struct Remote {
    endpoint: Endpoint,
    client: Client,
    token: String,
}

impl std::fmt::Debug for Remote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Remote").field(&self.endpoint).finish_non_exhaustive()
    }
}

/// Why there are too few signatures.
#[derive(Debug, thiserror::Error)]
pub(super) enum TooFew {
    #[error(
        "what is asked for cannot be signed: ids that do not fit, payouts among refusals, or a vault \
         that asks for no signature"
    )]
    Nonsense,
    #[error("the vault's signers cannot be read: {0}")]
    Node(#[from] ReadError),
    #[error("{got} of {needed} signatures: {}", reasons.join("; "))]
    Signatures { got: usize, needed: usize, strangers: usize, reasons: Vec<String> },
}

impl TooFew {
    /// What the withdrawals wait for.
    pub(super) const fn obstacle(&self) -> Obstacle {
        match self {
            // Enough would sign, but the vault knows others.
            Self::Signatures { got, needed, strangers, .. } if *got + *strangers >= *needed => {
                Obstacle::SignersChanged
            }
            Self::Signatures { .. } | Self::Nonsense => Obstacle::SignersAway,
            Self::Node(_) => Obstacle::NodeAway,
        }
    }
}

impl Remote {
    /// A signer at an address, for which this token is good.
    #[must_use]
    pub fn new(endpoint: Endpoint, token: String) -> Self {
        Self { endpoint, client: Client::new(), token }
    }

    async fn sign(&self, asks: &[Ask]) -> Result<(Address, Bytes), String> {
        let url = format!("{}/v1/sign", self.endpoint.secret().trim_end_matches('/'));
        let exchange = async {
            let request = self.client.post(url).bearer_auth(&self.token).json(asks);
            let response = request.send().await.map_err(|e| e.to_string())?;
            let is_success = response.status().is_success();
            let body = body::read(response, ANSWER_BYTES_MAX).await.map_err(|e| e.to_string())?;
            if is_success {
                let Signed { signer, signature } =
                    serde_json::from_slice(&body).map_err(|e| e.to_string())?;
                return Ok((signer, signature));
            }
            let problem: Refused = serde_json::from_slice(&body).map_err(|e| e.to_string())?;
            Err(problem.detail)
        };
        let answer = tokio::time::timeout(ANSWER_MAX, exchange).await;
        let answer = answer.unwrap_or_else(|_| Err("no answer in time".to_owned()));
        answer.map_err(|e| format!("{}: {}", self.endpoint, self.endpoint.redact(&e)))
    }
}

impl Signers {
    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.remote.len().saturating_add(usize::from(self.local.is_some()))
    }

    /// Asks all of them to sign a root, until there are as many signatures as the vault asks for now.
    pub(super) async fn gather(
        &self,
        nodes: &Nodes,
        domain: &Domain,
        asks: &[Ask],
        tree: &Tree,
    ) -> Result<Vec<Bytes>, TooFew> {
        let Some(first) = asks.first() else { return Err(TooFew::Nonsense) };
        let set = nodes.signer_set().await?;
        if set.threshold == 0 {
            return Err(TooFew::Nonsense);
        }
        let digest = tree.digest(domain, first.verdict);
        let mut tally = Tally { digest, signers: &set.signers, ..Tally::default() };
        if let Some(key) = &self.local {
            tally.take(sign_here(key, digest));
        }
        let mut answers: FuturesUnordered<_> = self.remote.iter().map(|r| r.sign(asks)).collect();
        while tally.signatures.len() < set.threshold {
            let Some(answer) = answers.next().await else { break };
            tally.take(answer);
        }
        let Tally { signatures, strangers, reasons, .. } = tally;
        let (got, needed) = (signatures.len(), set.threshold);
        if got < needed {
            return Err(TooFew::Signatures { got, needed, strangers, reasons });
        }
        if !reasons.is_empty() {
            warn!(id = %first.id, items = asks.len(), reasons = %reasons.join("; "), "some signers did not sign");
        }
        // The vault wants them ascending, and no more than it asks for.
        Ok(signatures.into_values().take(set.threshold).collect())
    }
}

/// What was gathered so far.
#[derive(Debug, Default)]
struct Tally<'a> {
    digest: B256,
    /// Those that the vault knows.
    signers: &'a [Address],
    signatures: BTreeMap<Address, Bytes>,
    /// Who signed and is none of them.
    strangers: usize,
    reasons: Vec<String>,
}

impl Tally<'_> {
    fn take(&mut self, answer: Result<(Address, Bytes), String>) {
        let (claimed, signature) = match answer {
            Ok(signed) => signed,
            Err(reason) => return self.reasons.push(reason),
        };
        let signed = signed_by(&signature, self.digest).filter(|(signer, _)| *signer == claimed);
        match signed {
            None => self.reasons.push(format!("{claimed}: not its signature of what was asked")),
            Some((signer, signature)) if self.signers.contains(&signer) => {
                self.signatures.insert(signer, signature);
            }
            Some((stranger, _)) => {
                self.strangers = self.strangers.saturating_add(1);
                self.reasons.push(format!("{stranger} is none of the vault's signers now"));
            }
        }
    }
}

fn sign_here(key: &PrivateKeySigner, digest: B256) -> Result<(Address, Bytes), String> {
    let signature = key.sign_hash_sync(&digest).map_err(|e| e.to_string())?;
    Ok((key.address(), Bytes::from(signature.as_bytes().to_vec())))
}

/// Who signed, and the signature in the only form that the vault takes: low `s`, `v` 27 or 28. Another
/// form of a good signature must not spoil those of the others.
fn signed_by(signature: &Bytes, digest: B256) -> Option<(Address, Bytes)> {
    let signature = Signature::try_from(signature.as_ref()).ok()?.normalized_s();
    let signer = signature.recover_address_from_prehash(&digest).ok()?;
    Some((signer, signature.as_bytes().to_vec().into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy::primitives::U256;

    #[test]
    fn any_form_of_a_good_signature_becomes_the_one_that_the_vault_takes() {
        let key = PrivateKeySigner::random();
        let digest = B256::repeat_byte(3);
        let good = key.sign_hash_sync(&digest).unwrap();
        let plain = Bytes::from(good.as_bytes().to_vec());
        let order = U256::from_str_radix(
            "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141",
            16,
        );
        let high = Signature::new(good.r(), order.unwrap() - good.s(), !good.v());
        let mut raw_parity = plain.to_vec();
        raw_parity[64] -= 27;
        for form in [plain.to_vec(), high.as_bytes().to_vec(), raw_parity] {
            assert_eq!(signed_by(&form.into(), digest), Some((key.address(), plain.clone())));
        }
        assert_ne!(signed_by(&plain, B256::ZERO).map(|(signer, _)| signer), Some(key.address()));
        assert_eq!(signed_by(&Bytes::from_static(b"short"), digest), None);
    }
}
