//! Conservation laws between vault and ledger, as pure functions of what was read on both sides.
//! Tests, the simulator and monitors share them.

use crate::amount::{LedgerAmount, ScaleDivisor, TokenAmount};

/// What is known of one token at one final block, all taken at the same `seq`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// What the contract accounts for, in token units.
    pub accounted: TokenAmount,
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
}

impl Position {
    /// Solvency: `accounted = f · (debits − credits) + f · unposted deposits − f · unposted payouts`.
    /// False also where a side of it does not fit 128 bits.
    #[must_use]
    pub fn is_solvent(&self) -> bool {
        let sum = |a: LedgerAmount, b: LedgerAmount| a.0.checked_add(b.0);
        let have = sum(self.vault_debits, self.unposted_deposits);
        let less = sum(self.vault_credits, self.unposted_payouts);
        let units = have.zip(less).and_then(|(have, less)| have.checked_sub(less));
        units.and_then(|u| u.checked_mul(self.divisor.get())) == Some(self.accounted.0)
    }
}

/// Double entry: the sums of all debits and of all credits of one ledger are equal, and what the
/// VAULT account holds is what everybody else is owed.
#[must_use]
pub const fn is_balanced(debits: LedgerAmount, credits: LedgerAmount) -> bool {
    debits.0 == credits.0
}

#[cfg(test)]
mod tests {
    use super::*;

    const POSITION: Position = Position {
        accounted: TokenAmount(700),
        divisor: ScaleDivisor::new(10).unwrap(),
        vault_debits: LedgerAmount(100),
        vault_credits: LedgerAmount(30),
        unposted_deposits: LedgerAmount(5),
        unposted_payouts: LedgerAmount(5),
    };

    #[test]
    fn what_is_on_its_way_counts() {
        assert!(POSITION.is_solvent());
        assert!(!Position { unposted_deposits: LedgerAmount(6), ..POSITION }.is_solvent());
        assert!(!Position { accounted: TokenAmount(701), ..POSITION }.is_solvent());
        assert!(!Position { vault_credits: LedgerAmount(101), ..POSITION }.is_solvent());
    }
}
