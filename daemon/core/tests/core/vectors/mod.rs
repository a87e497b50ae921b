//! `docs/encoding.vectors.json`, made by an independent implementation in Python.

mod accounts;
mod flows;
mod intents;
mod transfers;
mod typed;

use alloy_primitives::{Address, B256, U256};
use bridge_core::{
    account::{NewAccount, Side},
    asset::LedgerId,
    block::Seq,
    id::{Instance, InstanceKey},
    user_data::UserData,
};
use serde_json::Value;

/// One vector: what goes in and what must come out.
struct Vector {
    section: String,
    input: Value,
    output: Value,
}

impl Vector {
    /// A hex string of the input as a number.
    fn word(&self, key: &str) -> U256 {
        assert!(self.input[key].is_string(), "{}.{key}", self.section);
        hex_number(&self.input[key])
    }

    fn hash(&self, key: &str) -> B256 {
        B256::from(self.word(key))
    }

    fn address(&self, key: &str) -> Address {
        Address::from_word(self.hash(key))
    }

    fn number<T: TryFrom<U256>>(&self, key: &str) -> T {
        let number = self.input[key].as_u64().map(U256::from);
        let number = number.unwrap_or_else(|| self.word(key));
        T::try_from(number).unwrap_or_else(|_| panic!("{}.{key} is too large", self.section))
    }

    fn seq(&self, key: &str) -> Seq {
        Seq(self.number(key))
    }

    fn flag(&self, key: &str) -> bool {
        self.input[key].as_bool().unwrap_or_else(|| panic!("{}.{key}", self.section))
    }

    fn text(&self, key: &str) -> &str {
        self.input[key].as_str().unwrap()
    }

    fn ledger(&self) -> LedgerId {
        LedgerId(self.number("ledger"))
    }

    /// Compares with the field `key` of the output, written as the file writes it.
    fn expect(&self, key: &str, computed: impl ToString) {
        let expected = &self.output[key];
        let expected = expected.as_str().map_or_else(|| expected.to_string(), str::to_owned);
        assert_eq!(computed.to_string(), expected, "{}.{key} of {}", self.section, self.input);
    }

    fn expect_account(&self, account: &NewAccount) {
        let side = match account.side {
            Side::Liability => 2,
            Side::Asset => 4,
            Side::Free => 0,
        };
        self.expect("id", account.id);
        self.expect("ledger", account.ledger);
        self.expect("code", account.code);
        self.expect("flags", side + if account.history { 8 } else { 0 });
        self.expect_user_data(account.user_data_128, account.user_data_64, account.user_data_32);
    }

    fn expect_data(&self, data: UserData) {
        self.expect_user_data(data.of_128, data.of_64, data.of_32);
    }

    fn expect_user_data(&self, of_128: u128, of_64: u64, of_32: u32) {
        self.expect("user_data_128", format!("{of_128:#034x}"));
        self.expect("user_data_64", format!("{of_64:#018x}"));
        self.expect("user_data_32", of_32);
    }
}

/// The number in a hex string.
fn hex_number<T: TryFrom<U256>>(text: &Value) -> T {
    let digits = text.as_str().unwrap().strip_prefix("0x").unwrap();
    let number = U256::from_str_radix(digits, 16).unwrap();
    T::try_from(number).unwrap_or_else(|_| panic!("{text} is too large"))
}

/// All vectors of a section; a missing or empty section is a failure, never a pass.
fn vectors(section: &str) -> Vec<Vector> {
    let file: Value = serde_json::from_str(FILE).unwrap();
    let rows = file[section].as_array().unwrap_or_else(|| panic!("no section {section}"));
    assert!(!rows.is_empty(), "section {section} is empty");
    let vector = |row: &Value| Vector {
        section: section.to_owned(),
        input: row["in"].clone(),
        output: row["out"].clone(),
    };
    rows.iter().map(vector).collect()
}

const FILE: &str = include_str!("../../../../../docs/encoding.vectors.json");

/// An instance with a given number, by way of a key that starts with it.
fn instance(number: u32) -> Instance {
    let mut key = B256::ZERO;
    key[..4].copy_from_slice(&number.to_be_bytes());
    InstanceKey(key).instance().unwrap()
}

#[test]
fn every_section_of_the_file_is_computed_by_a_test() {
    let file: Value = serde_json::from_str(FILE).unwrap();
    let tests = [
        include_str!("accounts.rs"),
        include_str!("transfers.rs"),
        include_str!("typed.rs"),
        include_str!("flows.rs"),
        include_str!("intents.rs"),
    ]
    .concat();
    for section in file.as_object().unwrap().keys() {
        let reads_it = format!("vectors(\"{section}\")");
        assert!(tests.contains(&reads_it), "{section} is in the file, but no test reads it");
    }
}
