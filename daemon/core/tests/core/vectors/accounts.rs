//! Sections 1 to 3: the instance, the chart, persons, registries.

use super::{instance, vectors};
use bridge_core::{
    account::{
        CLEARING_CHART, ChartEntry, FEES, FUNDING, GATE_OPERATOR, LIMIT_OPERATOR, LOSS, NewAccount,
        SUSPENSE,
    },
    amount::ScaleDivisor,
    asset::Listing,
    id::{Identity, InstanceKey, Limit},
};

#[test]
fn instance_keys_and_numbers() {
    for v in vectors("instance") {
        let key = Identity {
            chain_id: v.number("chain_id"),
            genesis: v.hash("genesis_hash"),
            vault: v.address("vault"),
            code_hash: v.hash("code_hash"),
            deploy_block_hash: v.hash("deploy_block_hash"),
        }
        .key();
        v.expect("key", key.0);
        v.expect("number", key.instance().unwrap());
    }
}

#[test]
fn chart_accounts() {
    let others = [SUSPENSE, FEES, LOSS, LIMIT_OPERATOR, FUNDING, GATE_OPERATOR];
    let ours: Vec<ChartEntry> = CLEARING_CHART.into_iter().chain(others).collect();
    let mut checked = Vec::new();
    for v in vectors("chart_account") {
        let entry = ours.iter().find(|e| e.name == v.text("name"));
        let entry = entry.unwrap_or_else(|| panic!("no chart account {}", v.text("name")));
        assert_eq!(entry.number, v.number::<u32>("number"));
        v.expect_account(&NewAccount::chart(v.ledger(), *entry));
        checked.push(entry.name);
    }
    assert!(ours.iter().all(|e| checked.contains(&e.name)), "a chart account has no vector");
}

#[test]
fn vault_accounts() {
    for v in vectors("vault_account") {
        let instance = instance(v.number("instance"));
        let (chain_id, vault) = (v.number("chain_id"), v.address("vault"));
        v.expect_account(&NewAccount::vault(v.ledger(), instance, chain_id, vault));
    }
}

#[test]
fn person_accounts() {
    let mut checked = [0; 5];
    for v in vectors("person_account") {
        let owner = v.address("address");
        let account = match v.number::<u8>("class") {
            1 => NewAccount::funds(v.ledger(), owner),
            2 => NewAccount::gate(owner),
            3 => NewAccount::limit(Limit::Daily, owner),
            4 => NewAccount::limit(Limit::Monthly, owner),
            5 => NewAccount::limit(Limit::Sku(v.number("extra")), owner),
            other => panic!("class {other}"),
        };
        v.expect_account(&account);
        checked[usize::from(v.number::<u8>("class")) - 1] += 1;
    }
    assert!(checked.iter().all(|n| *n > 0));
}

#[test]
fn registries() {
    for v in vectors("registry_instance") {
        let key = InstanceKey(v.hash("key"));
        v.expect_account(&NewAccount::instance_registry(key, key.instance().unwrap()));
    }
    for v in vectors("registry_ledger") {
        let divisor = ScaleDivisor::new(v.number("scale_divisor")).unwrap();
        let listing = Listing { token: v.address("token"), ledger: v.ledger(), divisor };
        v.expect_account(&NewAccount::ledger_registry(v.number("chain_id"), &listing));
    }
    for v in vectors("registry_passkey") {
        v.expect_account(&NewAccount::passkey(v.address("owner"), v.hash("x"), v.hash("y")));
    }
}
