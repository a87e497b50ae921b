"""Golden vectors of sections 5, 8 and 9: whole transfers, purposes, passkeys."""

from __future__ import annotations

import eip712 as e7
import encoding as enc
import flows
import webauthn as wa
from payee import payee
from vector_format import (
    ALICE,
    BOB,
    DIGESTS,
    ONES,
    U32,
    U128,
    hash_of,
    user_data,
    vector,
    x,
    x64,
    x128,
)

CLEARING = 1002
INSTANCE = 0x12345678
AGENT = "agent:0x" + BOB.hex()


def transfer(t: flows.Transfer) -> dict:
    """A transfer as it is sent."""
    head = {"id": x128(t.id), "debit": x128(t.debit), "credit": x128(t.credit)}
    head |= {"amount": x128(t.amount), "ledger": t.ledger, "code": t.code, "flags": t.flags}
    return head | {"timeout": t.timeout, "pending_id": x128(t.pending_id)} | user_data(t.data)


def transfers(sent: list[flows.Transfer] | None) -> dict:
    """A batch; null where nothing may be sent."""
    return {"transfers": None if sent is None else list(map(transfer, sent))}


def purpose() -> list[dict]:
    """Every purpose there is, and some that look like one."""
    known = [*flows_purposes(), AGENT]
    refused = ["", "MILK", "sku:Milk", "sku:milk ", "sku:cheese", "agent:", "agent:Stripe"]
    refused += ["utility:power", "agent:0x" + "00" * 20, AGENT[:-1], AGENT + "0"]
    refused += ["agent:0x" + BOB.hex().upper(), "agent:0X" + BOB.hex(), "sku:milk\n"]
    places = [(p, CLEARING) for p in known + refused] + [(p, 1001) for p in known]
    vectors = []
    for text, ledger in places:
        who = payee(text, ledger, CLEARING)
        out = {"account": who and x128(who.account), "sku": who and who.sku}
        given = {"purpose": text, "ledger": ledger, "clearing": CLEARING}
        vectors.append(vector(given, out))
    return vectors


def flows_purposes() -> list[str]:
    """The purposes with a name."""
    return ["agent:stripe", "agent:instacart", "utility", "sku:milk", "sku:eggs", "sku:bread"]


def webauthn() -> list[dict]:
    """What a passkey signs for a digest."""
    vectors = []
    verified = wa.USER_PRESENT | wa.USER_VERIFIED
    for digest, counter in zip(DIGESTS, (0, 1, U32)):
        given = {"digest": x(digest), "origin": "https://bridge.example"}
        given |= {"rp_id": "bridge.example", "flags": verified, "counter": counter}
        authenticator = wa.authenticator_data("bridge.example", verified, counter)
        client = wa.client_data(digest, "https://bridge.example")
        out = {"challenge": wa.challenge(digest), "client_data": x(client)}
        out |= {"authenticator_data": x(authenticator)}
        out |= {"signed_hash": x(wa.signed_hash(authenticator, client))}
        vectors.append(vector(given, out))
    return vectors


DEPOSITS = [
    flows.Deposit(INSTANCE, 7, 0, ALICE, 1001, 250, DIGESTS[0], DIGESTS[1], 3),
    flows.Deposit(INSTANCE, 8, 2, BOB, CLEARING, U128, DIGESTS[1], DIGESTS[2], U32),
]


def chain_place(d: flows.Deposit) -> dict:
    """A deposit's fields."""
    given = {"instance": d.instance, "seq": x64(d.seq), "attempt": d.attempt}
    given |= {"owner": x(d.owner), "ledger": d.ledger, "amount": x128(d.amount)}
    given |= {"tx_hash": x(d.tx_hash), "block_hash": x(d.block_hash)}
    return given | {"log_index": d.log_index}


def flow_deposit() -> list[dict]:
    """Final deposits, to their owner and to SUSPENSE."""
    return [
        vector(
            chain_place(d) | {"suspense": suspense}, transfers([flows.deposit(d, suspense)])
        )
        for d in DEPOSITS
        for suspense in (False, True)
    ]


def flow_provisional() -> list[dict]:
    """Deposits shown before they are final, and their voids."""
    return [vector(chain_place(d), transfers(flows.provisional(d))) for d in DEPOSITS]


def flow_superseded() -> list[dict]:
    """Credits debited back: all, some, none of it there; part or all of it paid out and gone."""
    vectors = []
    for d in DEPOSITS:
        cases = [(0, d.amount), (0, d.amount // 3), (0, 0), (100, 50), (d.amount, 0)]
        for paid_out, debited in cases:
            given = chain_place(d) | {"first_seq": x64(5)}
            given |= {"paid_out": x128(paid_out), "debited": x128(debited)}
            vectors.append(vector(given, transfers(flows.superseded(d, 5, paid_out, debited))))
    return vectors


def flow_supersede_record() -> list[dict]:
    """Records of superseded ranges."""
    vectors = []
    for first, last, evidence in zip((1, 7, 2**40), (1, 9, 2**64 - 1), DIGESTS):
        given = {"instance": INSTANCE, "first_seq": x64(first), "last_seq": x64(last)}
        record = flows.supersede_record(INSTANCE, first, last, evidence)
        vectors.append(vector(given | {"evidence": x(evidence)}, transfers([record])))
    return vectors


def flow_withdrawal() -> list[dict]:
    """Requests and gasless ones: reserved, posted, voided."""
    cases = [
        flows.Withdrawal(INSTANCE, 9, DIGESTS[0], ALICE, 1001, 250, 0, 1_700_000_000),
        flows.Withdrawal(INSTANCE, None, DIGESTS[1], BOB, CLEARING, 500, 0, 1_800_000_000),
        flows.Withdrawal(INSTANCE, None, DIGESTS[2], BOB, CLEARING, 500, 20, 1_800_000_000),
    ]
    steps = {
        "reserve": flows.reservation,
        "post": lambda w: flows.resolution(w, paid=True),
        "void": lambda w: flows.resolution(w, paid=False),
    }
    vectors = []
    for w in cases:
        for step, sent in steps.items():
            given = {"step": step, "instance": w.instance}
            given |= {"seq": None if w.seq is None else x64(w.seq), "id": x(w.id)}
            given |= {"owner": x(w.owner), "ledger": w.ledger, "amount": x128(w.amount)}
            given |= {"fee": x128(w.fee), "deadline": x64(w.deadline)}
            vectors.append(vector(given, transfers(sent(w))))
    return vectors


def obligation(
    *lines: tuple[str, int], user: bytes = ALICE, ledger: int = CLEARING, issued: int = 2**40
) -> e7.Obligation:
    """An intent to clear."""
    reference = "order 7"
    return e7.Obligation(user, ledger, lines, reference, DIGESTS[0], issued, issued + 300_000)


ONE_TO_ONE = (1, 1)
INTENTS = [
    (obligation(("agent:stripe", 1999)), ONE_TO_ONE),
    (obligation(("sku:milk", 499), ("sku:eggs", 350), ("sku:bread", 299)), ONE_TO_ONE),
    (obligation((AGENT, 10**9 + 1), ledger=1001), (3_017, 10**6)),
    (obligation(*[("utility", 1 + n) for n in range(32)]), ONE_TO_ONE),
    (obligation(("utility", 5), issued=2**48 - 1), ONE_TO_ONE),
    # Refused.
    (obligation(), ONE_TO_ONE),
    (obligation(*[("utility", 1)] * 33), ONE_TO_ONE),
    (obligation(("utility", 5), issued=2**48), ONE_TO_ONE),
    (obligation(("utility", 0)), ONE_TO_ONE),
    (obligation(("utility", U128), ("utility", 1)), ONE_TO_ONE),
    (obligation(("utility", U128)), (2, 1)),
    (obligation(("sku:cheese", 5)), ONE_TO_ONE),
    (obligation(("utility", 5), ledger=1001), ONE_TO_ONE),
    (obligation((AGENT, 5), user=BOB), ONE_TO_ONE),
]


def flow_intent() -> list[dict]:
    """Obligation intents; the digest is given, so that each section stands alone."""
    vectors = []
    for n, (o, (numerator, denominator)) in enumerate(INTENTS):
        digest = hash_of(f"intent {n}")
        lines = [{"purpose": p, "amount": x128(a)} for p, a in o.lines]
        given = {"digest": x(digest), "user": x(o.user), "ledger": o.ledger, "lines": lines}
        given |= {"issued_at_ms": x64(o.issued_at_ms), "expires_at_ms": x64(o.expires_at_ms)}
        given |= {"clearing": CLEARING}
        given |= {"cents_numerator": x64(numerator), "cents_denominator": x64(denominator)}
        sent = flows.intent(o, digest, CLEARING, (numerator, denominator))
        vectors.append(vector(given, transfers(sent)))
    return vectors


def flow_limit_funding() -> list[dict]:
    """A limit is funded, raised, lowered."""
    cases = [
        ("daily limit", ALICE, None, 0, 1_000_000_000),
        ("monthly limit", BOB, None, 1, 1),
        ("SKU daily limit", ONES, 4000003, U32, -200),
    ]
    vectors = []
    for klass, address, sku, revision, change in cases:
        given = {"class": enc.PERSONS[klass].number, "address": x(address), "extra": sku}
        given |= {"revision": revision, "lower": change < 0, "amount": x128(abs(change))}
        sent = flows.limit_funding(klass, address, sku, revision, change)
        vectors.append(vector(given, transfers([sent])))
    return vectors


def flow_forward() -> list[dict]:
    """Cash funding, a correction that takes what is there, a loss made good."""
    def chart(name: str) -> int:
        return enc.chart_id(CLEARING, enc.CHART[name].number)

    alice = enc.person_id("funds", CLEARING, ALICE)
    cases = [
        (enc.CODE_CASH_FUNDING, chart("CASH_ODFI"), chart("SYSTEM_RESERVE"), False),
        (enc.CODE_CORRECTION, chart("SUSPENSE"), alice, True),
        (enc.CODE_LOSS, chart("LOSS"), alice, False),
    ]
    vectors = []
    for (code, debit, credit, balancing), approval in zip(cases, DIGESTS):
        f = e7.Forward(code, CLEARING, debit, credit, 4_200, balancing, "", bytes(32))
        given = {"approval_digest": x(approval), "code": code, "ledger": CLEARING}
        given |= {"debit": x128(debit), "credit": x128(credit), "amount": x128(f.amount)}
        sent = flows.forward(f, approval)
        vectors.append(vector(given | {"balancing": balancing}, transfers([sent])))
    return vectors


def flow_honored() -> list[dict]:
    """The lines of a bundle, fulfilled by an agent with a chart number and one with an address."""
    o, rate = INTENTS[1]
    digest = DIGESTS[0]
    sent = flows.intent(o, digest, CLEARING, rate)
    assert sent is not None
    payments = [t for t in sent if t.code == enc.CODE_OBLIGATION]
    vectors = []
    for line, (paid, agent) in enumerate(zip(payments, (3000002, BOB, 3000001))):
        given = {"payment": x128(paid.id), "payee": x128(paid.credit), "ledger": paid.ledger}
        given |= {"amount": x128(paid.amount), "digest": x(digest), "line": line}
        given |= {"agent": x(agent) if isinstance(agent, bytes) else agent, "attempt": line}
        out = flows.honored(paid, digest, line, agent, attempt=line)
        vectors.append(vector(given, transfers([out])))
    return vectors


def flow_closure() -> list[dict]:
    """A gate closed and opened again, a passkey revoked."""
    gate = enc.person_id("gate", enc.CONTROL, ALICE)
    passkey = enc.passkey_id(BOB, hash_of("first x"), hash_of("first y"))
    vectors = []
    cases = [(gate, 0, True), (gate, 0, False), (gate, 1, True), (passkey, 0, True)]
    for n, (account, number, closed) in enumerate(cases):
        approval = hash_of(f"approval {n}")
        given = {"account": x128(account), "round": number, "closed": closed}
        sent = flows.closure(account, number, closed, approval)
        vectors.append(vector(given | {"approval_digest": x(approval)}, transfers([sent])))
    return vectors


def flow_burn() -> list[dict]:
    """An id that shall never be used any more."""
    burnt = enc.intent_leg_id(2**40, DIGESTS[0], 0, "payment")
    return [vector({"id": x128(burnt)}, transfers([flows.burn(burnt)]))]
