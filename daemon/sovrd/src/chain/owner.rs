//! Whether an owner signed a digest, as the vault itself judges it: the key of the account first, then
//! the account's contract.

use super::{
    bindings::abi::{IERC1271, IVault},
    error::ReadError,
    node::Node,
};
use alloy::{
    eips::BlockId,
    network::TransactionBuilder,
    primitives::{Address, B256, Bytes, Signature, U256},
    providers::Provider,
    rpc::types::TransactionRequest,
    sol_types::SolCall,
};
use bridge_core::{amount::TokenAmount, gasless::Terms, signing::OwnerSide};

/// Gas that the vault gives a contract to check its signature.
const SIGNATURE_GAS: u64 = 100_000;
/// What any transaction costs, and each byte of its input (EIP-2028): a node takes it off the limit.
const BASE_GAS: u64 = 21_000;
const ZERO_BYTE_GAS: u64 = 4;
const BYTE_GAS: u64 = 16;
/// `isValidSignature(bytes32,bytes)`: what a contract answers that accepts a signature.
const ACCEPTED: [u8; 4] = IERC1271::isValidSignatureCall::SELECTOR;

/// A limit that leaves the contract as much as the vault would.
fn gas_for(input: &[u8]) -> u64 {
    let bytes = input.iter().map(|byte| if *byte == 0 { ZERO_BYTE_GAS } else { BYTE_GAS });
    BASE_GAS + bytes.sum::<u64>() + SIGNATURE_GAS
}

impl Node {
    /// What an owner says of an intent, at one block.
    ///
    /// # Errors
    /// If the node does not answer for that block.
    pub async fn owner_side(
        &self,
        (owner, nonce): (Address, U256),
        (digest, signature): (B256, &Bytes),
        block: B256,
    ) -> Result<OwnerSide, ReadError> {
        let input = IVault::nonceInvalidatedCall { owner, nonce }.abi_encode();
        let (answer, has_signed) = tokio::try_join!(
            self.view(self.vault(), input, block),
            self.has_signed(owner, digest, signature, block)
        )?;
        let nonce_invalidated = IVault::nonceInvalidatedCall::abi_decode_returns(&answer)
            .map_err(|e| ReadError::Unusable(format!("nonceInvalidated: {e}")))?;
        Ok(OwnerSide { has_signed, nonce_invalidated })
    }

    async fn has_signed(
        &self,
        owner: Address,
        digest: B256,
        signature: &Bytes,
        block: B256,
    ) -> Result<bool, ReadError> {
        if is_keys(owner, digest, signature) {
            return Ok(true);
        }
        let at = BlockId::hash_canonical(block);
        let code = self.ask(|p| async move { p.get_code_at(owner).block_id(at).await }).await?;
        if code.is_empty() {
            return Ok(false);
        }
        let call = IERC1271::isValidSignatureCall { hash: digest, signature: signature.clone() };
        let input = call.abi_encode();
        let request = TransactionRequest::default()
            .with_to(owner)
            .with_from(self.vault())
            .with_gas_limit(gas_for(&input))
            .with_input(input);
        let request = &request;
        match self.ask(|p| async move { p.call(request.clone()).block(at).await }).await {
            Ok(answer) => Ok(answer.len() >= 32 && answer.starts_with(&ACCEPTED)),
            // A contract that reverts does not accept it.
            Err(error) if error.is_the_contracts() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// What the vault says of a token at one block; `None` if it never listed it.
    ///
    /// # Errors
    /// If the node does not answer for that block.
    pub async fn terms(&self, token: Address, block: B256) -> Result<Option<Terms>, ReadError> {
        let Some(listing) = self.listing(token, block).await? else { return Ok(None) };
        let answer =
            self.view(self.vault(), IVault::listingOfCall { token }.abi_encode(), block).await?;
        let view = IVault::listingOfCall::abi_decode_returns(&answer)
            .map_err(|e| ReadError::Unusable(format!("listingOf: {e}")))?;
        let minimum = TokenAmount(view.minWithdrawal);
        Ok(Some(Terms { listing, minimum, maximum: TokenAmount(view.payouts.maxPayout) }))
    }

    /// Deadlines that the vault takes, seconds from now: the nearest and the farthest.
    ///
    /// # Errors
    /// If the node does not answer for that block.
    pub async fn deadline_window(&self, block: B256) -> Result<(u64, u64), ReadError> {
        let answer = self.view(self.vault(), IVault::settingsCall {}.abi_encode(), block).await?;
        let settings = IVault::settingsCall::abi_decode_returns(&answer)
            .map_err(|e| ReadError::Unusable(format!("settings: {e}")))?;
        Ok((settings.minDeadline, settings.maxDeadline))
    }
}

/// As the vault takes it: 65 bytes, `v` 27 or 28, low `s`.
fn is_keys(owner: Address, digest: B256, signature: &Bytes) -> bool {
    let plain = signature.len() == 65 && matches!(signature.last(), Some(27 | 28));
    let read = plain.then(|| Signature::from_raw(signature).ok()).flatten();
    let low = read.filter(|s| s.normalize_s().is_none());
    low.and_then(|s| s.recover_address_from_prehash(&digest).ok()) == Some(owner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy::signers::{SignerSync, local::PrivateKeySigner};

    #[test]
    fn only_the_form_that_the_vault_takes_counts() {
        let key = PrivateKeySigner::random();
        let digest = B256::repeat_byte(3);
        let good = key.sign_hash_sync(&digest).unwrap();
        let plain = Bytes::from(good.as_bytes().to_vec());
        assert!(is_keys(key.address(), digest, &plain));
        assert!(!is_keys(key.address(), B256::ZERO, &plain));
        assert!(!is_keys(Address::ZERO, digest, &plain));
        let mut raw_parity = plain.to_vec();
        raw_parity[64] -= 27;
        assert!(!is_keys(key.address(), digest, &raw_parity.into()));
        let order = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";
        let order = U256::from_str_radix(order, 16).unwrap();
        let high = Signature::new(good.r(), order - good.s(), !good.v());
        assert!(!is_keys(key.address(), digest, &high.as_bytes().to_vec().into()));
        assert!(!is_keys(key.address(), digest, &Bytes::from_static(b"short")));
    }
}
