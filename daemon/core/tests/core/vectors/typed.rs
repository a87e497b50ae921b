//! Sections 6, 7 and 9: typed data, withdrawal ids, Merkle trees, passkeys.

use super::{Vector, vectors};
use alloy_primitives::{B256, U256, keccak256};
use alloy_sol_types::SolStruct;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bridge_core::{
    amount::TokenAmount,
    asset::LedgerId,
    block::UnixSeconds,
    eip712::{
        Domain, PayoutLeaf, PayoutRoot, RefusalLeaf, RefusalRoot, WithdrawalIntent,
        WithdrawalRequest, merkle_parent, payout_leaf, refusal_leaf,
    },
    intent::{
        IntentAttestation, ObligationIntent, ObligationLine, PasskeyRegistration, PasskeyRevocation,
    },
    operators::{AccountClosure, ForwardTransfer},
    vault_event::{Origin, Request},
    withdrawal::RefusalReason,
};
use serde_json::Value;
use sha2::{Digest, Sha256};

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

/// The types that the core has, as strings; the domain's own is the library's.
fn types() -> [String; 14] {
    [
        "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)".into(),
        WithdrawalRequest::eip712_encode_type().into(),
        WithdrawalIntent::eip712_encode_type().into(),
        PayoutRoot::eip712_encode_type().into(),
        PayoutLeaf::eip712_encode_type().into(),
        RefusalRoot::eip712_encode_type().into(),
        RefusalLeaf::eip712_encode_type().into(),
        ObligationLine::eip712_encode_type().into(),
        ObligationIntent::eip712_encode_type().into(),
        IntentAttestation::eip712_encode_type().into(),
        PasskeyRegistration::eip712_encode_type().into(),
        PasskeyRevocation::eip712_encode_type().into(),
        ForwardTransfer::eip712_encode_type().into(),
        AccountClosure::eip712_encode_type().into(),
    ]
}

#[test]
fn type_hashes() {
    let vectors = vectors("type_hash");
    let found: Vec<&str> = vectors.iter().map(|v| v.text("type")).collect();
    assert_eq!(found, types());
    for (v, ours) in vectors.iter().zip(types()) {
        v.expect("hash", keccak256(ours));
    }
}

#[test]
fn domain_separators() {
    let mut checked = [0; 3];
    for v in vectors("domain") {
        let (chain_id, vault) = (v.number("chain_id"), v.address("verifying_contract"));
        assert_eq!(v.text("version"), "1");
        let (at, domain) = match v.text("name") {
            "SOVR Vault" => (0, Domain::new(chain_id, vault)),
            "SOVR Obligations" => (1, Domain::obligations(chain_id, vault)),
            "SOVR Operators" => (2, Domain::operators(chain_id, vault)),
            other => panic!("domain {other}"),
        };
        v.expect("separator", domain.separator());
        checked[at] += 1;
    }
    assert!(checked.iter().all(|n| *n > 0), "{checked:?}");
}

#[test]
fn withdrawal_ids() {
    let mut checked = [0, 0];
    for v in vectors("withdrawal_id") {
        let (domain, kind) = (domain(&v), v.number::<u8>("kind"));
        let (fee, nonce): (u128, U256) = (v.number("fee"), v.number("nonce"));
        let intent = WithdrawalIntent {
            owner: v.address("owner"),
            to: v.address("to"),
            token: v.address("token"),
            amount: v.number("amount"),
            fee,
            nonce,
            deadline: v.number("deadline"),
        };
        if kind == 1 {
            expect_id(&v, &domain, &intent);
            v.expect("id", domain.intent_id(&intent));
        } else {
            expect_id(&v, &domain, &as_request(intent));
            // The vault gives every request the fee 0 and a seq for its nonce.
            if let (0, Ok(seq)) = (fee, u64::try_from(nonce)) {
                v.expect("id", domain.request_id(&request(&v, B256::ZERO), seq));
                checked[0] += 1;
            }
        }
        checked[1] += usize::from(kind);
    }
    assert!(checked.iter().all(|n| *n > 0), "{checked:?}");
}

fn expect_id(v: &Vector, domain: &Domain, message: &impl SolStruct) {
    v.expect("struct_hash", message.eip712_hash_struct());
    v.expect("id", domain.digest(message));
}

fn as_request(intent: WithdrawalIntent) -> WithdrawalRequest {
    let WithdrawalIntent { owner, to, token, amount, fee, nonce, deadline } = intent;
    WithdrawalRequest { owner, to, token, amount, fee, nonce, deadline }
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
fn merkle_roots_and_proofs() {
    let parse = |value: &Value| value.as_str().unwrap().parse::<B256>().unwrap();
    for v in vectors("merkle") {
        let leaves: Vec<B256> = v.input["leaves"].as_array().unwrap().iter().map(parse).collect();
        let levels = merkle_levels(leaves.clone());
        v.expect("root", levels.last().unwrap()[0]);
        let proofs = v.output["proofs"].as_array().unwrap();
        assert_eq!(leaves.len(), proofs.len());
        for (at, (leaf, proof)) in leaves.iter().zip(proofs).enumerate() {
            let proof: Vec<B256> = proof.as_array().unwrap().iter().map(parse).collect();
            assert_eq!(proof, merkle_proof(&levels, at));
            v.expect("root", proof.into_iter().fold(*leaf, merkle_parent));
        }
    }
}

/// All levels of the tree, leaves first.
fn merkle_levels(leaves: Vec<B256>) -> Vec<Vec<B256>> {
    let mut levels = vec![leaves];
    while let Some(below) = levels.last().filter(|level| level.len() > 1) {
        let parent = |pair: &[B256]| match *pair {
            [a, b] => merkle_parent(a, b),
            _ => pair[0],
        };
        levels.push(below.chunks(2).map(parent).collect());
    }
    levels
}

/// The siblings on the way up from a leaf; a node without one moves up unchanged.
fn merkle_proof(levels: &[Vec<B256>], leaf: usize) -> Vec<B256> {
    let sibling = |(height, level): (usize, &Vec<B256>)| level.get((leaf >> height) ^ 1).copied();
    levels.iter().enumerate().filter_map(sibling).collect()
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

fn obligations(v: &Vector) -> Domain {
    Domain::obligations(v.number("chain_id"), v.address("vault"))
}

fn expect_signed(v: &Vector, domain: &Domain, message: &impl SolStruct) {
    v.expect("struct_hash", message.eip712_hash_struct());
    v.expect("digest", domain.digest(message));
}

#[test]
fn obligation_intents() {
    for v in vectors("obligation") {
        let intent = obligation_intent(&v);
        let hashes: Vec<B256> = intent.lines.iter().map(SolStruct::eip712_hash_struct).collect();
        let texts: Vec<Value> = hashes.iter().map(|h| h.to_string().into()).collect();
        assert_eq!(v.output["line_hashes"], Value::Array(texts));
        let joined: Vec<u8> = hashes.iter().flat_map(|h| h.0).collect();
        v.expect("lines_hash", keccak256(joined));
        expect_signed(&v, &obligations(&v), &intent);
    }
}

/// The intent in a vector; a nonce it does not name is 0.
pub(super) fn obligation_intent(v: &Vector) -> ObligationIntent {
    let line = |row: &Value| ObligationLine {
        purpose: row["purpose"].as_str().unwrap().to_owned(),
        amount: super::hex_number(&row["amount"]),
    };
    let given = |key: &str| v.input.get(key).is_some();
    ObligationIntent {
        user: v.address("user"),
        ledger: v.number("ledger"),
        lines: v.input["lines"].as_array().unwrap().iter().map(line).collect(),
        reference: if given("reference") { v.text("reference").to_owned() } else { String::new() },
        nonce: if given("nonce") { v.hash("nonce") } else { B256::ZERO },
        issuedAtMs: v.number("issued_at_ms"),
        expiresAtMs: v.number("expires_at_ms"),
    }
}

#[test]
fn attestations() {
    for v in vectors("attestation") {
        let attestation = IntentAttestation {
            intent: v.hash("intent"),
            attestedAtMs: v.number("attested_at_ms"),
        };
        expect_signed(&v, &obligations(&v), &attestation);
    }
}

#[test]
fn passkey_approvals() {
    let mut checked = [0, 0];
    for v in vectors("passkey_approval") {
        let (owner, x, y) = (v.address("owner"), v.hash("x"), v.hash("y"));
        match v.text("type") {
            "PasskeyRegistration" => {
                expect_signed(&v, &obligations(&v), &PasskeyRegistration { owner, x, y });
                checked[0] += 1;
            }
            "PasskeyRevocation" => {
                expect_signed(&v, &obligations(&v), &PasskeyRevocation { owner, x, y });
                checked[1] += 1;
            }
            other => panic!("type {other}"),
        }
    }
    assert!(checked.iter().all(|n| *n > 0), "{checked:?}");
}

#[test]
fn operators_approvals() {
    let operators = |v: &Vector| Domain::operators(v.number("chain_id"), v.address("vault"));
    for v in vectors("forward_approval") {
        let forward = ForwardTransfer {
            code: v.number("code"),
            ledger: v.number("ledger"),
            debit: v.number("debit"),
            credit: v.number("credit"),
            amount: v.number("amount"),
            balancing: v.flag("balancing"),
            reason: v.text("reason").to_owned(),
            nonce: v.hash("nonce"),
        };
        expect_signed(&v, &operators(&v), &forward);
    }
    for v in vectors("closure_approval") {
        let closure = AccountClosure {
            account: v.number("account"),
            round: v.number("round"),
            closed: v.flag("closed"),
            reason: v.text("reason").to_owned(),
        };
        expect_signed(&v, &operators(&v), &closure);
    }
}

#[test]
fn what_a_passkey_signs() {
    for v in vectors("webauthn") {
        let challenge = URL_SAFE_NO_PAD.encode(v.hash("digest"));
        v.expect("challenge", &challenge);
        let origin = v.text("origin");
        let client = format!(
            r#"{{"type":"webauthn.get","challenge":"{challenge}","origin":"{origin}","crossOrigin":false}}"#
        );
        v.expect("client_data", prefixed(client.as_bytes()));
        let mut authenticator = Sha256::digest(v.text("rp_id")).to_vec();
        authenticator.push(v.number("flags"));
        authenticator.extend(v.number::<u32>("counter").to_be_bytes());
        v.expect("authenticator_data", prefixed(&authenticator));
        authenticator.extend(Sha256::digest(client));
        v.expect("signed_hash", prefixed(&Sha256::digest(authenticator)));
    }
}

fn prefixed(bytes: &[u8]) -> String {
    format!("0x{}", hex::encode(bytes))
}
