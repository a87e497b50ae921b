//! What the contracts hold of a token at one block, named by its hash.

use super::{bindings::abi::IVault, error::ReadError, node::Node};
use alloy::{
    primitives::{Address, B256, U256},
    sol,
    sol_types::SolCall,
};
use bridge_core::{
    amount::TokenAmount,
    asset::{ETHER, LedgerId},
    endpoint::ReadFault,
    invariant::Holdings,
    reserves::TokenReading,
};
use tracing::warn;

sol! {
    function balanceOf(address account) external view returns (uint256);
}

/// The holdings of several tokens, without those that cannot be read; and why, where that is the node's
/// own fault: a token that reverts does so everywhere.
pub(super) async fn all(
    node: &Node,
    vault: Address,
    block: B256,
    tokens: &[(LedgerId, Address)],
) -> (Vec<TokenReading>, Option<ReadFault>) {
    let (mut readings, mut fault) = (Vec::new(), None);
    for (ledger, token) in tokens {
        match of(node, vault, block, *token).await {
            Ok(holdings) => readings.push(TokenReading { ledger: *ledger, holdings }),
            Err(error) => {
                warn!(%error, %ledger, "holdings of a token not read");
                fault = fault.or_else(|| (!error.is_the_contracts()).then(|| error.fault()));
            }
        }
    }
    (readings, fault)
}

/// The holdings of one token.
///
/// # Errors
/// If the node or the token does not answer.
pub async fn of(
    node: &Node,
    vault: Address,
    block: B256,
    token: Address,
) -> Result<Holdings, ReadError> {
    let accounted = IVault::accountedCall { token }.abi_encode();
    let claimable = IVault::claimableTotalCall { token }.abi_encode();
    let (accounted, claimable, balance) = tokio::try_join!(
        node.view(vault, accounted, block),
        node.view(vault, claimable, block),
        balance(node, vault, block, token),
    )?;
    Ok(Holdings {
        accounted: word(&accounted, "accounted")?,
        claimable: word(&claimable, "claimableTotal")?,
        balance,
    })
}

async fn balance(
    node: &Node,
    vault: Address,
    block: B256,
    token: Address,
) -> Result<TokenAmount, ReadError> {
    if token == ETHER {
        return node.ether_of(vault, block).await.map(saturated);
    }
    let answer = node.view(token, balanceOfCall { account: vault }.abi_encode(), block).await?;
    word(&answer, "balanceOf")
}

fn word(answer: &[u8], what: &str) -> Result<TokenAmount, ReadError> {
    let word = answer.get(..32).and_then(U256::try_from_be_slice);
    word.map(saturated).ok_or_else(|| ReadError::Contract(format!("{what} returned nothing")))
}

/// More than 128 bits cannot be accounted for, only given.
fn saturated(amount: U256) -> TokenAmount {
    TokenAmount(u128::try_from(amount).unwrap_or(u128::MAX))
}
