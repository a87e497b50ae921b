//! What the vault says to a transaction before it is sent.

use crate::chain::bindings::abi::IVault::IVaultErrors;
use alloy::sol_types::SolInterface;
use bridge_core::obstacle::Obstacle;

/// The obstacle that a revert stands for.
#[must_use]
pub fn obstacle(revert: &[u8]) -> Obstacle {
    let Ok(error) = IVaultErrors::abi_decode(revert) else { return Obstacle::Reverted };
    #[expect(clippy::wildcard_enum_match_arm, reason = "whatever else: people must look")]
    match error {
        IVaultErrors::SignerUnknown(_)
        | IVaultErrors::SignaturesMissing(_)
        | IVaultErrors::SignatureInvalid(_)
        | IVaultErrors::SignersNotAscending(_) => Obstacle::SignersChanged,
        IVaultErrors::PayoutsArePaused(_) => Obstacle::PayoutsPaused,
        IVaultErrors::WithdrawalNotPayable(_)
        | IVaultErrors::WithdrawalNotRefusable(_)
        | IVaultErrors::PayoutNotQueued(_)
        | IVaultErrors::WithdrawalNotCancellable(_) => Obstacle::AlreadyEnded,
        IVaultErrors::PayoutWindowOpen(_) => Obstacle::WindowOpen,
        IVaultErrors::PayoutQueueExpired(_) => Obstacle::QueueExpired,
        IVaultErrors::DeadlinePassed(_) => Obstacle::DeadlinePassed,
        IVaultErrors::AccountedTooLow(_) => Obstacle::VaultShort,
        IVaultErrors::PayoutBudgetExhausted(_) => Obstacle::BudgetExhausted,
        IVaultErrors::RaiseGasLimit(_) => Obstacle::GasLimitTooLow,
        _ => Obstacle::Reverted,
    }
}

/// A revert in words, for the log.
#[must_use]
pub fn words(revert: &[u8]) -> String {
    match IVaultErrors::abi_decode(revert) {
        Ok(error) => format!("{error:?}"),
        Err(_) => format!("0x{}", hex::encode(revert)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::bindings::abi::IVault;
    use alloy::{
        primitives::{Address, B256, U256},
        sol_types::SolError,
    };

    #[test]
    fn reverts_are_told_apart() {
        let unknown = IVault::SignerUnknown { index: U256::ZERO, signer: Address::ZERO };
        assert_eq!(obstacle(&unknown.abi_encode()), Obstacle::SignersChanged);
        let missing = IVault::SignaturesMissing { given: U256::ONE, needed: U256::from(2) };
        assert_eq!(obstacle(&missing.abi_encode()), Obstacle::SignersChanged);
        let ended = IVault::WithdrawalNotPayable { id: B256::ZERO, kind: 0, state: 3 };
        assert_eq!(obstacle(&ended.abi_encode()), Obstacle::AlreadyEnded);
        let paused = IVault::PayoutsArePaused { until: 7 };
        assert_eq!(obstacle(&paused.abi_encode()), Obstacle::PayoutsPaused);
        let late = IVault::DeadlinePassed { id: B256::ZERO, deadline: 7 };
        assert_eq!(obstacle(&late.abi_encode()), Obstacle::DeadlinePassed);
        assert_eq!(obstacle(&[]), Obstacle::Reverted);
        assert_eq!(words(&[1, 2]), "0x0102");
        assert!(words(&paused.abi_encode()).contains("PayoutsArePaused"));
    }
}
