"""Golden vectors of sections 6 and 7: typed data, withdrawal ids, Merkle trees."""

from __future__ import annotations

import eip712 as e7
from vector_format import (
    ALICE,
    BOB,
    DIGESTS,
    ONES,
    TOKEN,
    U32,
    U64,
    U128,
    VAULT,
    hash_of,
    vector,
    x,
    x64,
    x128,
    x256,
)

DOMAINS = [(31337, VAULT), (1, VAULT), (U64, ONES)]
WITHDRAWALS = [
    e7.Withdrawal(ALICE, ALICE, e7.ETHER, 10**18, 0, 7, 1_700_000_000),
    e7.Withdrawal(ALICE, BOB, TOKEN, 1_230_000, 0, 8, 1_700_086_400),
    e7.Withdrawal(BOB, ALICE, TOKEN, 5_000_000, 20_000, 2**255 + 3, 1_800_000_000),
    e7.Withdrawal(ONES, ONES, ONES, U128, U128, 2**256 - 1, U64),
]
OBLIGATIONS = [
    e7.Obligation(
        ALICE,
        1002,
        (("MILK", 499),),
        "order 1",
        DIGESTS[0],
        1_700_000_000_000,
        1_700_000_300_000,
    ),
    e7.Obligation(
        BOB,
        1002,
        (("MILK", 499), ("EGGS", 350), ("BREAD", 425)),
        "a bundle: milk, eggs, bread",
        DIGESTS[1],
        1_700_000_000_001,
        1_700_003_600_001,
    ),
    e7.Obligation(ONES, U32, (("", U128), ("Brötchen €", 0)), "", DIGESTS[2], U64, U64),
    e7.Obligation(ALICE, 1001, (), "no lines", DIGESTS[0], 0, 0),
]


def type_hash() -> list[dict]:
    """Every type's string."""
    return [vector({"type": t}, {"hash": x(e7.type_hash(t))}) for t in e7.TYPES]


def domain() -> list[dict]:
    """The separators of all applications."""
    vectors = []
    for name in (e7.VAULT_NAME, e7.OBLIGATIONS_NAME, e7.OPERATORS_NAME):
        for chain_id, contract in DOMAINS:
            given = {"name": name, "version": e7.VERSION, "chain_id": x256(chain_id)}
            given["verifying_contract"] = x(contract)
            separator = e7.domain_separator(name, chain_id, contract)
            vectors.append(vector(given, {"separator": x(separator)}))
    return vectors


def fields(w: e7.Withdrawal) -> dict:
    """A withdrawal's fields."""
    head = {"owner": x(w.owner), "to": x(w.to), "token": x(w.token)}
    amounts = {"amount": x128(w.amount), "fee": x128(w.fee)}
    return head | amounts | {"nonce": x256(w.nonce), "deadline": x64(w.deadline)}


def withdrawal_id() -> list[dict]:
    """Requests (kind 0) and intents (kind 1) over the same fields."""
    vectors = []
    types = {e7.KIND_REQUEST: e7.REQUEST_TYPE, e7.KIND_INTENT: e7.INTENT_TYPE}
    for chain_id, contract in DOMAINS[:2]:
        separator = e7.domain_separator(e7.VAULT_NAME, chain_id, contract)
        for kind, type_string in types.items():
            for w in WITHDRAWALS:
                given = {"kind": kind, "chain_id": x256(chain_id), "vault": x(contract)}
                struct_hash = e7.withdrawal_struct_hash(type_string, w)
                out = {"struct_hash": x(struct_hash), "id": x(e7.withdrawal_id(separator, kind, w))}
                vectors.append(vector(given | fields(w), out))
    return vectors


def payout_leaf() -> list[dict]:
    """Leaves that permit payouts."""
    return [
        vector({"kind": kind, "id": x(wid)}, {"leaf": x(e7.payout_leaf(kind, wid))})
        for wid in DIGESTS
        for kind in (e7.KIND_REQUEST, e7.KIND_INTENT)
    ]


def refusal_leaf() -> list[dict]:
    """Leaves that refuse, every reason."""
    return [
        vector({"id": x(wid), "reason": reason}, {"leaf": x(e7.refusal_leaf(wid, reason))})
        for wid in DIGESTS
        for reason in range(1, 7)
    ]


def merkle() -> list[dict]:
    """Roots of 1, 2, 3 and 5 leaves, and the proof of every leaf."""
    leaves = [e7.payout_leaf(i % 2, hash_of(f"withdrawal {i}")) for i in range(5)]
    vectors = []
    for count in (1, 2, 3, 5):
        some = leaves[:count]
        root = e7.merkle_root(some)
        proofs = [e7.merkle_proof(some, i) for i in range(count)]
        assert all(e7.merkle_verify(leaf, p, root) for leaf, p in zip(some, proofs))
        out = {"root": x(root), "proofs": [list(map(x, proof)) for proof in proofs]}
        vectors.append(vector({"leaves": list(map(x, some))}, out))
    return vectors


def root_digest() -> list[dict]:
    """What payout signers sign."""
    vectors = []
    types = {"PayoutRoot": e7.PAYOUT_ROOT_TYPE, "RefusalRoot": e7.REFUSAL_ROOT_TYPE}
    for name, type_string in types.items():
        for (chain_id, contract), root in zip(DOMAINS, DIGESTS):
            separator = e7.domain_separator(e7.VAULT_NAME, chain_id, contract)
            given = {"type": name, "chain_id": x256(chain_id), "vault": x(contract)}
            out = {"digest": x(e7.root_digest(separator, type_string, root))}
            vectors.append(vector(given | {"root": x(root)}, out))
    return vectors


def obligation() -> list[dict]:
    """Obligation intents: one line, three, odd texts, none."""
    chain_id, contract = DOMAINS[0]
    separator = e7.domain_separator(e7.OBLIGATIONS_NAME, chain_id, contract)
    vectors = []
    for o in OBLIGATIONS:
        lines = [{"purpose": p, "amount": x128(a)} for p, a in o.lines]
        given = {"chain_id": x256(chain_id), "vault": x(contract)}
        given |= {"user": x(o.user), "ledger": o.ledger, "lines": lines}
        given |= {"reference": o.reference, "nonce": x(o.nonce)}
        given |= {"issued_at_ms": x64(o.issued_at_ms), "expires_at_ms": x64(o.expires_at_ms)}
        struct_hash = e7.obligation_struct_hash(o)
        out = {"line_hashes": [x(e7.obligation_line_hash(*line)) for line in o.lines]}
        out |= {"lines_hash": x(e7.obligation_lines_hash(o.lines))}
        out |= {"struct_hash": x(struct_hash), "digest": x(e7.digest(separator, struct_hash))}
        vectors.append(vector(given, out))
    return vectors


def attestation() -> list[dict]:
    """Attestations of obligation intents."""
    vectors = []
    for (chain_id, contract), intent, at in zip(DOMAINS, DIGESTS, (1_700_000_000_500, 1, U64)):
        separator = e7.domain_separator(e7.OBLIGATIONS_NAME, chain_id, contract)
        given = {"chain_id": x256(chain_id), "vault": x(contract)}
        given |= {"intent": x(intent), "attested_at_ms": x64(at)}
        struct_hash = e7.attestation_struct_hash(intent, at)
        out = {"struct_hash": x(struct_hash), "digest": x(e7.digest(separator, struct_hash))}
        vectors.append(vector(given, out))
    return vectors


def struct_and_digest(separator: bytes, struct_hash: bytes) -> dict:
    """What typed data comes to."""
    return {"struct_hash": x(struct_hash), "digest": x(e7.digest(separator, struct_hash))}


def passkey_approval() -> list[dict]:
    """What an owner signs to register a passkey, and to revoke it."""
    vectors = []
    types = {
        "PasskeyRegistration": e7.PASSKEY_REGISTRATION_TYPE,
        "PasskeyRevocation": e7.PASSKEY_REVOCATION_TYPE,
    }
    for (chain_id, contract), owner in zip(DOMAINS, (ALICE, BOB, ONES)):
        separator = e7.domain_separator(e7.OBLIGATIONS_NAME, chain_id, contract)
        for name, type_string in types.items():
            key_x, key_y = hash_of(f"{name} x"), hash_of(f"{name} y")
            given = {"type": name, "chain_id": x256(chain_id), "vault": x(contract)}
            given |= {"owner": x(owner), "x": x(key_x), "y": x(key_y)}
            struct_hash = e7.passkey_struct_hash(type_string, owner, key_x, key_y)
            vectors.append(vector(given, struct_and_digest(separator, struct_hash)))
    return vectors


FORWARDS = [
    e7.Forward(41, 1002, 1, 2, 10_000_000, False, "cash of March", DIGESTS[0]),
    e7.Forward(50, 2**31 - 1, 2**127, U128 - 1, U128, True, "Zurück an den Eigentümer", DIGESTS[1]),
    e7.Forward(52, U32, 0, U128, 0, False, "", DIGESTS[2]),
]


def forward_approval() -> list[dict]:
    """What operators sign for a forward transfer."""
    vectors = []
    for (chain_id, contract), f in zip(DOMAINS, FORWARDS):
        separator = e7.domain_separator(e7.OPERATORS_NAME, chain_id, contract)
        given = {"chain_id": x256(chain_id), "vault": x(contract), "code": f.code}
        given |= {"ledger": f.ledger, "debit": x128(f.debit), "credit": x128(f.credit)}
        given |= {"amount": x128(f.amount), "balancing": f.balancing}
        given |= {"reason": f.reason, "nonce": x(f.nonce)}
        struct_hash = e7.forward_struct_hash(f)
        vectors.append(vector(given, struct_and_digest(separator, struct_hash)))
    return vectors


def closure_approval() -> list[dict]:
    """What operators sign to close an account or to open it again."""
    vectors = []
    cases = [
        (2**127, 0, True, "stolen key"),
        (1, 1, False, "Schlüssel ersetzt"),
        (U128, U32, True, ""),
    ]
    for (chain_id, contract), (account, number, closed, reason) in zip(DOMAINS, cases):
        separator = e7.domain_separator(e7.OPERATORS_NAME, chain_id, contract)
        given = {"chain_id": x256(chain_id), "vault": x(contract), "account": x128(account)}
        given |= {"round": number, "closed": closed, "reason": reason}
        struct_hash = e7.closure_struct_hash(account, number, closed, reason)
        vectors.append(vector(given, struct_and_digest(separator, struct_hash)))
    return vectors
