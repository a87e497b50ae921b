//! Conservation laws between vault and ledger, as pure functions of what was read on both sides.
//! The core, the tests and the simulator share them.

use crate::amount::{LedgerAmount, ScaleDivisor, TokenAmount};
use serde::{Deserialize, Serialize};

/// What the ledger side knows of one token, all taken at the same `seq`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Token units for one ledger unit.
    pub divisor: ScaleDivisor,
    /// Posted debits of the VAULT account.
    pub vault_debits: LedgerAmount,
    /// Posted credits of the VAULT account.
    pub vault_credits: LedgerAmount,
    /// Final deposits that the ledger does not have yet.
    pub unposted_deposits: LedgerAmount,
    /// Final payouts and deferrals that the ledger has not posted yet.
    pub unposted_payouts: LedgerAmount,
    /// Deposits that the ledger has and this `seq` does not reach yet.
    pub early_deposits: LedgerAmount,
    /// Payouts that the ledger has posted and this `seq` does not reach yet.
    pub early_payouts: LedgerAmount,
}

/// What the contracts say of one token at one final block, token units.
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holdings {
    /// What the vault accounts for: deposits less payouts.
    pub accounted: TokenAmount,
    /// What deferred payouts left for their owners.
    pub claimable: TokenAmount,
    /// What the token says that the vault has.
    pub balance: TokenAmount,
}

/// Sums over all accounts of one ledger, taken while nothing moved.
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Books {
    /// Posted debits.
    pub debits: LedgerAmount,
    /// Posted credits.
    pub credits: LedgerAmount,
    /// Debits less credits of the VAULT accounts.
    pub held: LedgerAmount,
    /// Credits less debits of all others: users, agents, SKUs, SUSPENSE and fees, less losses.
    pub owed: LedgerAmount,
}

impl Position {
    /// A position without anything early.
    #[must_use]
    pub const fn new(divisor: ScaleDivisor, debits: LedgerAmount, credits: LedgerAmount) -> Self {
        let none = LedgerAmount(0);
        Self {
            divisor,
            vault_debits: debits,
            vault_credits: credits,
            unposted_deposits: none,
            unposted_payouts: none,
            early_deposits: none,
            early_payouts: none,
        }
    }

    /// What the vault must account for: `f · (debits − credits) + f · unposted deposits − f ·
    /// unposted payouts`, with what is early taken out again. `None` where it is negative or does
    /// not fit 128 bits.
    #[must_use]
    pub fn explained(&self) -> Option<TokenAmount> {
        let sum = |parts: [LedgerAmount; 3]| {
            parts.iter().try_fold(0_u128, |all, part| all.checked_add(part.0))
        };
        let have = sum([self.vault_debits, self.unposted_deposits, self.early_payouts])?;
        let less = sum([self.vault_credits, self.unposted_payouts, self.early_deposits])?;
        have.checked_sub(less)?.checked_mul(self.divisor.get()).map(TokenAmount)
    }

    /// Solvency: the vault accounts for exactly what the ledger explains.
    #[must_use]
    pub fn is_solvent(&self, accounted: TokenAmount) -> bool {
        self.explained() == Some(accounted)
    }

    /// True if the ledger is ahead of this `seq`: somebody else has taken in more.
    #[must_use]
    pub const fn is_early(&self) -> bool {
        self.early_deposits.0 > 0 || self.early_payouts.0 > 0
    }
}

impl Holdings {
    /// Backing: the vault has what it counts on and what was left to be claimed; donations only add.
    #[must_use]
    pub const fn is_backed(&self) -> bool {
        match self.accounted.0.checked_add(self.claimable.0) {
            Some(owed) => self.balance.0 >= owed,
            None => false,
        }
    }
}

impl Books {
    /// Double entry: debits equal credits, and what VAULT holds is what everybody else is owed.
    #[must_use]
    pub const fn are_balanced(&self) -> bool {
        self.debits.0 == self.credits.0 && self.held.0 == self.owed.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POSITION: Position = Position {
        divisor: ScaleDivisor::new(10).unwrap(),
        vault_debits: LedgerAmount(100),
        vault_credits: LedgerAmount(30),
        unposted_deposits: LedgerAmount(5),
        unposted_payouts: LedgerAmount(5),
        early_deposits: LedgerAmount(0),
        early_payouts: LedgerAmount(0),
    };
    const ACCOUNTED: TokenAmount = TokenAmount(700);

    #[test]
    fn what_is_on_its_way_counts() {
        assert!(POSITION.is_solvent(ACCOUNTED));
        assert!(!POSITION.is_solvent(TokenAmount(701)));
        let more = Position { unposted_deposits: LedgerAmount(6), ..POSITION };
        assert!(!more.is_solvent(ACCOUNTED));
        let negative = Position { vault_credits: LedgerAmount(111), ..POSITION };
        assert_eq!(negative.explained(), None);
    }

    #[test]
    fn what_is_early_is_taken_out() {
        let ahead = Position {
            vault_debits: LedgerAmount(107),
            vault_credits: LedgerAmount(34),
            early_deposits: LedgerAmount(7),
            early_payouts: LedgerAmount(4),
            ..POSITION
        };
        assert!(ahead.is_solvent(ACCOUNTED) && ahead.is_early() && !POSITION.is_early());
    }

    #[test]
    fn claims_must_be_backed_too() {
        let amount = TokenAmount;
        let holdings =
            Holdings { accounted: amount(70), claimable: amount(30), balance: amount(100) };
        assert!(holdings.is_backed());
        assert!(!Holdings { balance: amount(99), ..holdings }.is_backed());
        assert!(Holdings { balance: amount(1_000), ..holdings }.is_backed(), "donations only add");
        assert!(!Holdings { accounted: amount(u128::MAX), ..holdings }.is_backed());
    }
}
