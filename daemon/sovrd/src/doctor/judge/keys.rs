//! Keys, payout signers and gas money.

use super::{ether, on_development_chain, vault};
use crate::{
    config::{Config, Payouts},
    doctor::{
        Check,
        facts::{Facts, KeyFacts, KeyRole, SignerFacts, VaultFacts},
    },
};
use alloy::primitives::Address;
use std::collections::BTreeSet;

/// The pauser needs ether for a few transactions, wei.
const PAUSER_LEAST: u128 = 10_000_000_000_000_000;

pub(super) fn judge(config: &Config, facts: &Facts) -> Vec<Check> {
    let mut checks: Vec<Check> = facts.keys.iter().map(|key| one(config, facts, key)).collect();
    match &facts.signers {
        Ok(list) => checks.extend(list.iter().map(|signer| remote(facts, signer))),
        Err(reason) => checks.push(Check::wrong(
            "signer.token_file",
            reason.clone(),
            "give every signer and the daemon the same file with a token of 32 or more characters",
        )),
    }
    let Some(vault) = vault(facts) else { return checks };
    if let Some(payouts) = &config.payouts {
        checks.push(threshold(facts, vault));
        checks.extend(vault.submitter_balance.map(|balance| gas(payouts, vault, balance)));
        checks.extend(pauser(vault));
    } else if config.signer.is_none() {
        checks.push(Check::fine("keys.none", "without [payouts] this daemon pays nobody"));
    }
    checks
}

fn one(config: &Config, facts: &Facts, key: &KeyFacts) -> Check {
    let KeyFacts { field, path, .. } = key;
    let address = match &key.address {
        Ok(address) => *address,
        Err(reason) => {
            return Check::wrong(
                "key.unreadable",
                format!("{field} {}: {reason}", path.display()),
                "give a V3 keystore and its password file, both readable for the user of sovrd",
            );
        }
    };
    if !on_development_chain(config) {
        if let Some((file, mode)) = key.open_to_all.first() {
            return Check::wrong(
                "key.open_to_all",
                format!("{field}: every user may read {} (mode {mode:o})", file.display()),
                format!("chmod 600 {}", file.display()),
            );
        }
        if key.is_well_known {
            return Check::wrong(
                "key.well_known",
                format!("{field}: {address} is a development key that everybody knows"),
                "make a key of your own (cast wallet new); on this chain anybody can use this one",
            );
        }
    }
    let stranger = |v: &&VaultFacts| !v.signers.signers.contains(&address);
    if key.role == KeyRole::Signer && vault(facts).filter(stranger).is_some() {
        return Check::wrong(
            "key.stranger",
            format!("{field}: {address} is no payout signer of the vault"),
            "use the key of one of them, or have the vault's admin set the signers",
        );
    }
    let signs = |v: &VaultFacts| v.signers.signers.contains(&address);
    if key.role == KeyRole::Submitter && vault(facts).is_some_and(signs) {
        return Check::wrong(
            "key.submitter_signs",
            format!("{field}: {address} is a payout signer too"),
            "use a key of its own, so that whoever pays for gas cannot sign payouts",
        );
    }
    Check::fine("key.fine", format!("{field}: {address}"))
}

fn remote(facts: &Facts, signer: &SignerFacts) -> Check {
    let url = &signer.url;
    let says = match &signer.answer {
        Ok(says) => says,
        Err(reason) => {
            return Check::away(
                "signer.away",
                format!("{url} does not answer: {reason}"),
                "start it (sovrd sign), or correct payouts.signer_urls",
            );
        }
    };
    let address = says.address;
    if !says.takes_token {
        return Check::wrong(
            "signer.token_refused",
            format!("{url} ({address}) does not take our token"),
            "give the signer's signer.token_file and payouts.signer_token_file the same first line",
        );
    }
    if vault(facts).is_some_and(|v| !v.signers.signers.contains(&address)) {
        return Check::wrong(
            "signer.stranger",
            format!("{url} signs as {address}, which is no payout signer of the vault"),
            "replace it by one that the vault knows, or have the vault's admin set the signers",
        );
    }
    if let Some(reason) = &says.not_ready {
        return Check::away(
            "signer.not_ready",
            format!("{url} ({address}) is not ready: {reason}"),
            "look at its node, its ledger and its log",
        );
    }
    Check::fine("signer.fine", format!("{url} signs as {address}"))
}

/// Whether as many signers as the vault asks for can be had.
fn threshold(facts: &Facts, vault: &VaultFacts) -> Check {
    let local = facts.keys.iter().filter(|k| k.role == KeyRole::Signer);
    let local = local.filter_map(|k| k.address.as_ref().ok().copied());
    let remote = facts.signers.as_deref().unwrap_or_default();
    let answers = remote.iter().filter_map(|s| s.answer.as_ref().ok());
    let ready = answers.filter(|s| s.takes_token && s.not_ready.is_none()).map(|s| s.address);
    let known = |address: &Address| vault.signers.signers.contains(address);
    let at_hand: BTreeSet<Address> = local.chain(ready).filter(known).collect();
    let (have, need) = (at_hand.len(), vault.signers.threshold);
    if have >= need {
        let text = format!("{have} payout signers are at hand, {need} must sign");
        return Check::fine("signer.threshold", text);
    }
    let text = format!("{have} payout signers are at hand, {need} must sign: nothing can be paid");
    let silent = remote.iter().filter(|s| match &s.answer {
        Ok(says) => says.not_ready.is_some(),
        Err(_) => true,
    });
    if have + silent.count() >= need {
        return Check::away("signer.too_few_now", text, "bring back those that are away");
    }
    Check::wrong(
        "signer.too_few",
        text,
        "name more of the vault's signers in payouts.signer_urls; two with one key count once",
    )
}

fn gas(payouts: &Payouts, vault: &VaultFacts, balance: u128) -> Check {
    let have = ether(balance);
    let price = vault.base_fee.saturating_add(payouts.priority_fee);
    if price > payouts.fee_cap {
        let (price, cap) = (price / 1_000_000_000, payouts.fee_cap / 1_000_000_000);
        return Check::away(
            "gas.above_cap",
            format!("gas costs {price} gwei now, payouts.fee_cap_gwei is {cap}: payouts wait"),
            "wait until it is cheaper, or raise payouts.fee_cap_gwei",
        );
    }
    let one = u128::from(payouts.gas_limit).saturating_mul(price);
    if balance < one {
        return Check::away(
            "gas.empty",
            format!("the submitter has {have}, one payout may cost {} now", ether(one)),
            "send the submitter ether: payouts wait for it, deposits do not",
        );
    }
    if balance < payouts.low_balance {
        let line = ether(payouts.low_balance);
        return Check::warning(
            "gas.low",
            format!("the submitter has {have}, less than payouts.low_balance_gwei ({line})"),
            "send the submitter ether",
        );
    }
    Check::fine("gas.fine", format!("the submitter has {have}"))
}

fn pauser(vault: &VaultFacts) -> Option<Check> {
    let has_role = vault.pauser_has_role?;
    if !has_role {
        return Some(Check::wrong(
            "pauser.no_role",
            "the key of payouts.pauser_keystore may not pause: a halt would not stop payouts on chain",
            "have the vault's admin grant it PAUSER_ROLE, or leave the key out",
        ));
    }
    let balance = vault.pauser_balance.unwrap_or_default();
    if balance < PAUSER_LEAST {
        return Some(Check::warning(
            "pauser.poor",
            format!("the pauser has {}: too little to be sure of a transaction", ether(balance)),
            format!("send it ether, {} or more", ether(PAUSER_LEAST)),
        ));
    }
    Some(Check::fine("pauser.fine", "may pause, and can pay for it"))
}
