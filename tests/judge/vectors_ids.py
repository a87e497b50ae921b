"""Golden vectors of sections 1 to 5: instance, accounts, transfers."""

from __future__ import annotations

import eip712 as e7
import encoding as enc
from vector_format import (
    ALICE,
    BOB,
    DIGESTS,
    ONES,
    TOKEN,
    U32,
    U40,
    U48,
    U64,
    U128,
    VAULT,
    account,
    hash_of,
    user_data,
    vector,
    x,
    x64,
    x128,
    x256,
)

# --- sections 1 to 3 -------------------------------------------------------------------------

INSTANCES = [
    (31337, "genesis of a development chain", VAULT, "code one", "block 3"),
    (1, "genesis of mainnet", VAULT, "code one", "block 21000000"),
    (U64, "genesis of a chain with the largest id", ONES, "code two", "block 1"),
]


def instance() -> list[dict]:
    """Section 1."""
    vectors = []
    for chain_id, genesis, vault, code, block in INSTANCES:
        parts = (hash_of(genesis), vault, hash_of(code), hash_of(block))
        key = enc.instance_key(chain_id, *parts)
        names = ("genesis_hash", "vault", "code_hash", "deploy_block_hash")
        given = {"chain_id": x256(chain_id)} | dict(zip(names, map(x, parts)))
        vectors.append(vector(given, {"key": x(key), "number": enc.instance_number(key)}))
    return vectors


SCOPES = {"LIMIT_OPERATOR": enc.LIMIT_BASE + 1, "FUNDING": enc.LIMIT_BASE + 1}
SCOPES["GATE_OPERATOR"] = enc.CONTROL


def chart_account() -> list[dict]:
    """Every line of the chart but VAULT; SUSPENSE also on the largest token ledger."""
    vectors = []
    names = [name for name in enc.CHART if name != "VAULT"]
    places = [(name, SCOPES.get(name, 1002)) for name in names]
    for name, ledger in [*places, ("SUSPENSE", 2**31 - 1)]:
        line = enc.CHART[name]
        given = {"name": name, "number": line.number, "ledger": ledger}
        account_id = enc.chart_id(ledger, line.number)
        out = account(account_id, ledger, line.code, line.flags, enc.UserData())
        vectors.append(vector(given, out))
    return vectors


def vault_account() -> list[dict]:
    """VAULT: one per vault and ledger."""
    vectors = []
    cases = [
        (1001, 0x12345678, VAULT, 31337),
        (1002, 1, VAULT, 1),
        (2**31 - 1, U32, ONES, U64),
    ]
    for ledger, number, vault, chain_id in cases:
        given = {"ledger": ledger, "instance": number, "vault": x(vault)}
        given["chain_id"] = x256(chain_id)
        line = enc.CHART["VAULT"]
        data = enc.vault_user_data(vault, chain_id)
        out = account(enc.vault_id(ledger, number), ledger, line.code, line.flags, data)
        vectors.append(vector(given, out))
    return vectors


def person_account() -> list[dict]:
    """Every class of person, for three addresses."""
    limits = enc.LIMIT_BASE + 1
    places = [
        ("funds", 1001, None),
        ("funds", 1002, None),
        ("gate", enc.CONTROL, None),
        ("daily limit", limits, None),
        ("monthly limit", limits, None),
        ("SKU daily limit", limits, 4000001),
        ("SKU daily limit", limits, 4000003),
    ]
    vectors = []
    for address in (ALICE, BOB, ONES):
        for name, ledger, extra in places:
            klass = enc.PERSONS[name]
            given = {"class": klass.number, "name": name, "ledger": ledger}
            given |= {"address": x(address), "extra": extra}
            account_id = enc.person_id(name, ledger, address, extra)
            data = enc.person_user_data(address, extra)
            out = account(account_id, ledger, klass.code, klass.flags, data)
            vectors.append(vector(given, out))
    return vectors


def registry_instance() -> list[dict]:
    """The registry of instances, keyed by K."""
    vectors = []
    for entry in instance():
        key = bytes.fromhex(entry["out"]["key"][2:])
        account_id = enc.registry_id("instance", enc.instance_number(key))
        data = enc.instance_registry_user_data(key)
        out = account(account_id, enc.CONTROL, enc.registry_code("instance"), 0, data)
        vectors.append(vector({"key": x(key)}, out))
    return vectors


def registry_ledger() -> list[dict]:
    """The registry of ledgers."""
    vectors = []
    cases = [
        (31337, 1001, e7.ETHER, 10**10),
        (31337, 1002, TOKEN, 10**4),
        (U64, 2**31 - 1, ONES, U128),
    ]
    for chain_id, ledger, token, divisor in cases:
        value = enc.ledger_hash(chain_id, token, divisor)
        given = {"chain_id": x256(chain_id), "ledger": ledger, "token": x(token)}
        given["scale_divisor"] = x128(divisor)
        data = enc.ledger_registry_user_data(value)
        account_id = enc.registry_id("ledger", ledger)
        out = account(account_id, enc.CONTROL, enc.registry_code("ledger"), 0, data)
        vectors.append(vector(given, {"value": x(value)} | out))
    return vectors


def registry_passkey() -> list[dict]:
    """The registry of passkeys."""
    vectors = []
    for owner, name in ((ALICE, "first"), (BOB, "second")):
        key_x, key_y = hash_of(f"{name} x"), hash_of(f"{name} y")
        account_id = enc.passkey_id(owner, key_x, key_y)
        data = enc.person_user_data(owner)
        out = account(account_id, enc.CONTROL, enc.registry_code("passkey"), 0, data)
        vectors.append(vector({"owner": x(owner), "x": x(key_x), "y": x(key_y)}, out))
    return vectors


# --- section 4 -------------------------------------------------------------------------------

def transfer_chain_event() -> list[dict]:
    """Namespace 0x01, every kind."""
    vectors = []
    cases = [(0x12345678, 1, 0), (1, 1_000_000, 0), (U32, U64, 255)]
    for number, seq, attempt in cases:
        for name, kind in enc.KINDS.items():
            given = {"instance": number, "kind": kind, "name": name}
            given |= {"seq": x64(seq), "attempt": attempt}
            out = {"id": x128(enc.chain_event_id(number, name, seq, attempt))}
            vectors.append(vector(given, out))
    return vectors


def transfer_gasless() -> list[dict]:
    """Namespace 0x02, every role."""
    return [
        vector(
            {"role": role, "name": name, "digest": x(digest)},
            {"id": x128(enc.gasless_id(name, digest))},
        )
        for digest in DIGESTS
        for name, role in enc.ROLES.items()
    ]


def transfer_intent() -> list[dict]:
    """Namespace 0x03, every part, first and last line."""
    vectors = []
    cases = [(1_700_000_000_000, 0), (1_700_000_000_001, 7), (U48, 31)]
    for (issued, line), digest in zip(cases, DIGESTS):
        for name, part in enc.PARTS.items():
            given = {"issued_at_ms": x64(issued), "digest": x(digest)}
            given |= {"line": line, "part": part, "name": name}
            out = {"id": x128(enc.intent_leg_id(issued, digest, line, name))}
            vectors.append(vector(given, out))
    return vectors


def transfer_provisional() -> list[dict]:
    """Namespace 0x04."""
    return [
        vector(
            {"instance": number, "seq": x64(seq), "block_hash": x(block)},
            {"id": x128(enc.provisional_id(number, seq, block))},
        )
        for (number, seq), block in zip([(0x12345678, 1), (1, 70_000), (U32, U40)], DIGESTS)
    ]


def transfer_supersede() -> list[dict]:
    """Namespace 0x05."""
    return [
        vector(
            {"instance": number, "role": 1, "first_seq": x64(seq)},
            {"id": x128(enc.supersede_id(number, "record", seq))},
        )
        for number, seq in [(0x12345678, 1), (1, 70_000), (U32, U64)]
    ]


def transfer_forward() -> list[dict]:
    """Namespace 0x06."""
    return [
        vector({"approval_digest": x(digest)}, {"id": x128(enc.forward_id(digest))})
        for digest in DIGESTS
    ]


ACCOUNTS = [
    enc.person_id("daily limit", enc.USD_CENTS, ALICE),
    enc.person_id("gate", enc.CONTROL, BOB),
    U128 - 1,
]


def transfer_limit_funding() -> list[dict]:
    """Namespace 0x07."""
    return [
        vector(
            {"account": x128(account_id), "revision": revision},
            {"id": x128(enc.limit_funding_id(account_id, revision))},
        )
        for account_id, revision in zip(ACCOUNTS, (0, 1, U32))
    ]


def transfer_provisional_void() -> list[dict]:
    """Namespace 0x08."""
    return [
        vector(
            {"instance": number, "seq": x64(seq), "block_hash": x(block)},
            {"id": x128(enc.provisional_void_id(number, seq, block))},
        )
        for (number, seq), block in zip([(0x12345678, 1), (1, 70_000), (U32, U40)], DIGESTS)
    ]


def transfer_honored() -> list[dict]:
    """Namespace 0x09."""
    payments = [enc.intent_leg_id(U48, digest, 31, "payment") for digest in DIGESTS]
    return [
        vector(
            {"payment": x128(payment), "attempt": attempt},
            {"id": x128(enc.honored_id(payment, attempt))},
        )
        for payment, attempt in zip(payments, (0, 1, 255))
    ]


def transfer_closure() -> list[dict]:
    """Namespace 0x0a, both roles."""
    return [
        vector(
            {"role": role, "name": name, "account": x128(account_id), "round": number},
            {"id": x128(enc.closure_id(name, account_id, number))},
        )
        for account_id, number in zip(ACCOUNTS, (0, 1, U32))
        for name, role in enc.CLOSURE_ROLES.items()
    ]


def transfer_cannot_exist() -> list[dict]:
    """Namespace 0x7f."""
    return [vector({}, {"id": x128(enc.CANNOT_EXIST)})]


# --- section 5 -------------------------------------------------------------------------------


def user_data_deposit() -> list[dict]:
    """Deposits and provisional deposits."""
    vectors = []
    for tx, block, log in [(0, 1, 0), (1, 2, 17), (2, 0, U32)]:
        given = {"tx_hash": x(DIGESTS[tx]), "block_hash": x(DIGESTS[block]), "log_index": log}
        data = enc.deposit_user_data(DIGESTS[tx], DIGESTS[block], log)
        vectors.append(vector(given, user_data(data)))
    return vectors


def user_data_withdrawal() -> list[dict]:
    """Main, gate and fee leg; `gasless_main_id` leads back to the whole id."""
    vectors = []
    for wid, deadline in zip(DIGESTS, (1_700_000_000, 1, U64)):
        data = enc.withdrawal_user_data(wid, deadline)
        main = enc.gasless_id("main", wid)
        assert enc.gasless_withdrawal_id(main, data) == wid
        out = user_data(data) | {"gasless_main_id": x128(main)}
        vectors.append(vector({"id": x(wid), "deadline": x64(deadline)}, out))
    return vectors


def user_data_intent() -> list[dict]:
    """Every leg of an obligation intent."""
    vectors = []
    for digest, expires, line in zip(DIGESTS, (1_700_000_300_000, 1, U64), (0, 7, 31)):
        given = {"digest": x(digest), "expires_at_ms": x64(expires), "line": line}
        vectors.append(vector(given, user_data(enc.intent_user_data(digest, expires, line))))
    return vectors


def user_data_approved() -> list[dict]:
    """Forward transfers and closures."""
    return [
        vector({"approval_digest": x(digest)}, user_data(enc.approved_user_data(digest)))
        for digest in DIGESTS
    ]


def user_data_honored() -> list[dict]:
    """Honoring by an agent with a chart number, and by one with an address (0)."""
    vectors = []
    for digest, line, agent in zip(DIGESTS, (0, 7, 31), (3000001, 0, U32)):
        given = {"digest": x(digest), "line": line, "agent": agent}
        vectors.append(vector(given, user_data(enc.honored_user_data(digest, line, agent))))
    return vectors
