//! `docs/encoding.vectors.json`, made by an independent implementation in Python.

use alloy_primitives::{Address, B256, U256};
use bridge_core::{
    account::{CLEARING_CHART, ChartEntry, FEES, GATE_OPERATOR, LOSS, NewAccount, SUSPENSE, Side},
    amount::{LedgerAmount, ScaleDivisor, TokenAmount},
    asset::{LedgerId, Listing},
    block::{BlockNumber, BlockRef, Seq, UnixSeconds},
    eip712::{Domain, WithdrawalIntent, merkle_parent, payout_leaf, refusal_leaf},
    id::{Identity, Instance, InstanceKey, Kind, TransferId},
    posting::{self, Credit},
    vault_event::{Deposit, Origin, Request, VaultEvent, VaultLog},
    withdrawal::{RefusalReason, Withdrawal},
};
use serde_json::Value;

/// Sections that the tests below check.
const CHECKED: [&str; 16] = [
    "instance",
    "chart_account",
    "vault_account",
    "person_account",
    "registry_instance",
    "registry_ledger",
    "transfer_chain_event",
    "user_data_deposit",
    "user_data_withdrawal",
    "type_hash",
    "domain",
    "withdrawal_id",
    "payout_leaf",
    "refusal_leaf",
    "merkle",
    "root_digest",
];

/// Frozen already, but the core has nothing of the kind before a later wave.
const LATER: [&str; 10] = [
    "registry_passkey",
    "transfer_gasless",
    "transfer_intent",
    "transfer_provisional",
    "transfer_supersede",
    "transfer_forward",
    "transfer_cannot_exist",
    "user_data_intent",
    "obligation",
    "attestation",
];

/// One vector: what goes in and what must come out.
struct Vector {
    section: String,
    input: Value,
    output: Value,
}

impl Vector {
    /// A hex string of the input as a number.
    fn word(&self, key: &str) -> U256 {
        let text = self.input[key].as_str().unwrap_or_else(|| panic!("{}.{key}", self.section));
        U256::from_str_radix(text.strip_prefix("0x").unwrap(), 16).unwrap()
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

    fn expect_user_data(&self, of_128: u128, of_64: u64, of_32: u32) {
        self.expect("user_data_128", format!("{of_128:#034x}"));
        self.expect("user_data_64", format!("{of_64:#018x}"));
        self.expect("user_data_32", of_32);
    }
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

const FILE: &str = include_str!("../../../../docs/encoding.vectors.json");

/// An instance with a given number, by way of a key that starts with it.
fn instance(number: u32) -> Instance {
    let mut key = B256::ZERO;
    key[..4].copy_from_slice(&number.to_be_bytes());
    InstanceKey(key).instance().unwrap()
}

fn domain(v: &Vector) -> Domain {
    Domain::new(v.number("chain_id"), v.address("vault"))
}

fn request(v: &Vector, id: B256) -> Request {
    Request {
        id,
        owner: v.address("owner"),
        to: v.address("to"),
        token: v.address("token"),
        amount: TokenAmount(v.number("amount")),
        deadline: UnixSeconds(v.number("deadline")),
        ledger: LedgerId(1001),
    }
}

#[test]
fn the_file_has_the_sections_this_test_knows_of() {
    let file: Value = serde_json::from_str(FILE).unwrap();
    let mut known: Vec<&str> = CHECKED.into_iter().chain(LATER).collect();
    let mut found: Vec<&str> = file.as_object().unwrap().keys().map(String::as_str).collect();
    known.sort();
    found.sort();
    assert_eq!(found, known, "a new section must be checked here or named as not in the core yet");
    for section in known {
        assert!(!vectors(section).is_empty());
    }
}

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
    let ours: Vec<ChartEntry> =
        CLEARING_CHART.into_iter().chain([SUSPENSE, FEES, LOSS, GATE_OPERATOR]).collect();
    let mut checked = Vec::new();
    for v in vectors("chart_account") {
        let Some(entry) = ours.iter().find(|e| e.name == v.text("name")) else {
            // Limits come with a later wave.
            assert!(["LIMIT_OPERATOR", "FUNDING"].contains(&v.text("name")), "{}", v.text("name"));
            continue;
        };
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
    let mut checked = [0, 0];
    for v in vectors("person_account") {
        let owner = v.address("address");
        match v.number::<u8>("class") {
            1 => v.expect_account(&NewAccount::funds(v.ledger(), owner)),
            2 => v.expect_account(&NewAccount::gate(owner)),
            // Limits come with a later wave.
            3..=5 => continue,
            other => panic!("class {other}"),
        }
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
}

#[test]
fn transfer_ids_of_chain_events() {
    let kinds = [Kind::Deposit, Kind::Main, Kind::Gate, Kind::Fee, Kind::Resolve, Kind::ResolveFee];
    let mut checked = Vec::new();
    for v in vectors("transfer_chain_event") {
        let number = v.number::<u8>("kind");
        let Some(kind) = kinds.into_iter().find(|k| k.byte() == number) else {
            // Supersede records come with a later wave.
            assert!([0x31, 0x32].contains(&number), "{number:#x}");
            continue;
        };
        assert_eq!(kind as u8, number, "the two numberings of Kind differ");
        let id = TransferId::chain_event(
            instance(v.number("instance")),
            kind,
            Seq(v.number::<u64>("seq")),
        );
        // The core knows attempt 0 only; the attempt is the last byte but one.
        let attempt = u128::from(v.number::<u8>("attempt")) << 8;
        v.expect("id", TransferId(id.0 | attempt));
        checked.push(number);
    }
    assert!(kinds.iter().all(|k| checked.contains(&k.byte())));
}

#[test]
fn user_data_of_deposits() {
    let divisor = ScaleDivisor::new(1).unwrap();
    let listing = Listing { token: Address::repeat_byte(7), ledger: LedgerId(1001), divisor };
    for v in vectors("user_data_deposit") {
        let deposit = Deposit {
            token: listing.token,
            owner: Address::repeat_byte(9),
            amount: TokenAmount(5),
            ledger: listing.ledger,
        };
        let log = VaultLog {
            emitter: Address::ZERO,
            block: BlockRef { number: BlockNumber(1), hash: v.hash("block_hash") },
            tx_hash: v.hash("tx_hash"),
            log_index: v.number("log_index"),
            seq: Seq(1),
            event: VaultEvent::Deposited(deposit),
        };
        let credit = Credit::of(&listing, &log, &deposit).unwrap();
        let t = posting::deposit(instance(1), &credit, false);
        v.expect_user_data(t.user_data_128, t.user_data_64, t.user_data_32);
    }
}

#[test]
fn user_data_of_withdrawals() {
    for v in vectors("user_data_withdrawal") {
        let request = Request {
            id: v.hash("id"),
            owner: Address::repeat_byte(1),
            to: Address::repeat_byte(2),
            token: Address::repeat_byte(3),
            amount: TokenAmount(5),
            deadline: UnixSeconds(v.number("deadline")),
            ledger: LedgerId(1001),
        };
        let withdrawal = Withdrawal::requested(Seq(4), request, LedgerAmount(5));
        for t in posting::reservation(instance(1), &withdrawal) {
            v.expect_user_data(t.user_data_128, t.user_data_64, t.user_data_32);
        }
    }
}

#[test]
fn type_hashes() {
    use alloy_primitives::keccak256;
    use alloy_sol_types::SolStruct;
    use bridge_core::eip712::{
        PayoutLeaf, PayoutRoot, RefusalLeaf, RefusalRoot, WithdrawalRequest,
    };
    let ours = [
        WithdrawalRequest::eip712_encode_type(),
        WithdrawalIntent::eip712_encode_type(),
        PayoutRoot::eip712_encode_type(),
        PayoutLeaf::eip712_encode_type(),
        RefusalRoot::eip712_encode_type(),
        RefusalLeaf::eip712_encode_type(),
    ];
    let vectors = vectors("type_hash");
    for ours in ours {
        let v = vectors.iter().find(|v| v.text("type") == ours);
        v.unwrap_or_else(|| panic!("no vector for {ours}")).expect("hash", keccak256(&*ours));
    }
}

#[test]
fn domain_separators() {
    let mut checked = 0;
    for v in vectors("domain") {
        if v.text("name") == "SOVR Vault" {
            let domain = Domain::new(v.number("chain_id"), v.address("verifying_contract"));
            v.expect("separator", domain.separator());
            checked += 1;
        }
    }
    assert!(checked > 0);
}

#[test]
fn withdrawal_ids() {
    let mut checked = [0, 0, 0];
    for v in vectors("withdrawal_id") {
        let domain = domain(&v);
        let (fee, nonce): (u128, U256) = (v.number("fee"), v.number("nonce"));
        match (v.number::<u8>("kind"), u64::try_from(nonce)) {
            (0, Ok(seq)) if fee == 0 => {
                v.expect("id", domain.request_id(&request(&v, B256::ZERO), seq));
                checked[0] += 1;
            }
            // A request's fee is 0 and its nonce a seq: the core cannot even say these.
            (0, _) => checked[1] += 1,
            (1, _) => {
                let intent = WithdrawalIntent {
                    owner: v.address("owner"),
                    to: v.address("to"),
                    token: v.address("token"),
                    amount: v.number("amount"),
                    fee,
                    nonce,
                    deadline: v.number("deadline"),
                };
                v.expect("id", domain.intent_id(&intent));
                checked[2] += 1;
            }
            (other, _) => panic!("kind {other}"),
        }
    }
    assert!(checked[0] > 0 && checked[2] > 0, "{checked:?}");
}

#[test]
fn leaves() {
    for v in vectors("payout_leaf") {
        let origin = if v.number::<u8>("kind") == 0 { Origin::Request } else { Origin::Intent };
        v.expect("leaf", payout_leaf(origin, v.hash("id")));
    }
    let mut reasons = Vec::new();
    for v in vectors("refusal_leaf") {
        v.expect("leaf", refusal_leaf(v.hash("id"), v.number("reason")));
        reasons.push(v.number::<u8>("reason"));
    }
    for reason in [
        RefusalReason::InsufficientFunds,
        RefusalReason::AccountFrozen,
        RefusalReason::AddressMismatch,
        RefusalReason::VaultShort,
    ] {
        assert!(reasons.contains(&reason.number()));
    }
}

#[test]
fn merkle_roots_by_their_proofs() {
    let parse = |value: &Value| value.as_str().unwrap().parse::<B256>().unwrap();
    for v in vectors("merkle") {
        let leaves = v.input["leaves"].as_array().unwrap();
        let proofs = v.output["proofs"].as_array().unwrap();
        assert_eq!(leaves.len(), proofs.len());
        for (leaf, proof) in leaves.iter().zip(proofs) {
            let path = proof.as_array().unwrap().iter().map(parse);
            v.expect("root", path.fold(parse(leaf), merkle_parent));
        }
    }
}

#[test]
fn root_digests() {
    let mut checked = [0, 0];
    for v in vectors("root_digest") {
        let (domain, root) = (domain(&v), v.hash("root"));
        match v.text("type") {
            "PayoutRoot" => {
                v.expect("digest", domain.payout_digest(root));
                checked[0] += 1;
            }
            "RefusalRoot" => {
                v.expect("digest", domain.refusal_digest(root));
                checked[1] += 1;
            }
            other => panic!("type {other}"),
        }
    }
    assert!(checked.iter().all(|n| *n > 0));
}
