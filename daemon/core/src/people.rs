//! People's funds accounts that were derived before: deriving one hashes, and most depositors come
//! again.

use crate::{
    asset::LedgerId,
    id::{AccountId, PersonClass},
};
use alloy_primitives::Address;
use std::collections::HashMap;

/// People remembered; past this the memory starts anew (deriving again is harmless).
const PEOPLE_MAX: usize = 1 << 18;

/// Funds accounts by ledger and owner.
#[derive(Debug, Default)]
pub(crate) struct People(HashMap<(LedgerId, Address), AccountId>);

impl People {
    /// The owner's funds account.
    pub(crate) fn funds(&mut self, ledger: LedgerId, owner: Address) -> AccountId {
        if self.0.len() >= PEOPLE_MAX {
            self.0.clear();
        }
        let derive = || AccountId::person(PersonClass::Funds, ledger, owner);
        *self.0.entry((ledger, owner)).or_insert_with(derive)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_is_what_is_derived_for_each_owner_and_ledger() {
        let mut people = People::default();
        for _again in 0..2 {
            for (ledger, byte) in [(1001, 1), (1001, 2), (1002, 1)] {
                let (ledger, owner) = (LedgerId(ledger), Address::repeat_byte(byte));
                let derived = AccountId::person(PersonClass::Funds, ledger, owner);
                assert_eq!(people.funds(ledger, owner), derived);
            }
        }
        assert_eq!(people.0.len(), 3);
    }
}
