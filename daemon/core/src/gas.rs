//! How much gas a transaction may use: what the vault's own checks ask for, whatever a recipient does.

use crate::{
    command::{Call, Carried},
    withdrawal::Verdict,
};

/// A plain transfer, for a transaction that only uses up a nonce.
const PLAIN_TRANSFER: u64 = 21_000;
/// Each payout after the first: what the contract keeps for a push and what follows it (283,175), and
/// all else that one of them can take.
const ONE_MORE_PAYOUT: u64 = 330_000;
/// Each refusal after the first; nothing is pushed.
const ONE_MORE_REFUSAL: u64 = 60_000;

/// What a gasless payout takes besides: its owner's signature, checked by the owner's contract with the
/// allowance that the vault gives it (100,000), and in the calldata at its longest.
const ONE_SIGNATURE: u64 = 140_000;

/// The gas limit of a withdrawal alone, where `one` is that of a request.
#[must_use]
pub fn one(item: &Carried, one: u64) -> u64 {
    one.saturating_add(if item.intent.is_some() { ONE_SIGNATURE } else { 0 })
}

/// The gas limit of a call, where `one` is that of a single payout or refusal.
#[must_use]
pub(crate) fn limit_of(call: &Call, one: u64) -> u64 {
    let items = match call {
        Call::Withdrawals(items) => items,
        Call::Finish(_) => return one,
        Call::Nothing => return PLAIN_TRANSFER,
    };
    let pays = items.first().is_none_or(|item| item.authorization.verdict == Verdict::Pay);
    let signed = items.iter().filter(|item| item.intent.is_some()).count();
    let signed = u64::try_from(signed).unwrap_or(u64::MAX);
    limit(items.len(), pays, one).saturating_add(signed.saturating_mul(ONE_SIGNATURE))
}

/// The gas limit of so many payouts or refusals in one transaction.
#[must_use]
pub(crate) fn limit(items: usize, pays: bool, one: u64) -> u64 {
    let more = u64::try_from(items).unwrap_or(u64::MAX).saturating_sub(1);
    one.saturating_add(more.saturating_mul(one_more(pays)))
}

/// How many payouts or refusals fit so much gas.
#[must_use]
pub(crate) fn items_within(gas: u128, pays: bool, one: u64) -> usize {
    gas.checked_sub(one.into()).map_or(0, |rest| {
        let more = rest.checked_div(one_more(pays).into()).unwrap_or_default();
        usize::try_from(more).unwrap_or(usize::MAX).saturating_add(1)
    })
}

const fn one_more(pays: bool) -> u64 {
    if pays { ONE_MORE_PAYOUT } else { ONE_MORE_REFUSAL }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_fit_as_the_limit_of_so_many_says() {
        for pays in [true, false] {
            for items in 1..=17 {
                let gas = limit(items, pays, 500_000).into();
                assert_eq!(items_within(gas, pays, 500_000), items);
                assert_eq!(items_within(gas - 1, pays, 500_000), items - 1);
            }
        }
        assert_eq!(limit(16, true, 500_000), 5_450_000);
        assert_eq!(limit_of(&Call::Nothing, 500_000), PLAIN_TRANSFER);
    }
}
