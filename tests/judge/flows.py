"""Sections 4, 5 and 8 of docs/encoding.md: whole transfers, as each flow sends them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import eip712 as e7
import encoding as enc
from encoding import UserData
from payee import payee

# TigerBeetle's transfer flags.
LINKED = 1 << 0
PENDING = 1 << 1
POST = 1 << 2
VOID = 1 << 3
BALANCING_DEBIT = 1 << 4
CLOSING_DEBIT = 1 << 6

DAY_S = 86_400
MONTH_S = 2_592_000
PROVISIONAL_S = 3_600


@dataclass(frozen=True)
class Transfer:
    """A transfer as it is sent."""

    id: int
    debit: int
    credit: int
    amount: int
    ledger: int
    code: int
    flags: int = 0
    timeout: int = 0
    pending_id: int = 0
    data: UserData = field(default_factory=UserData)


def void(transfer_id: int, pending: Transfer) -> Transfer:
    """The void of a pending; the server copies what is 0."""
    return Transfer(
        transfer_id, 0, 0, 0, pending.ledger, pending.code, VOID, pending_id=pending.id
    )


def post(transfer_id: int, pending: Transfer) -> Transfer:
    """The post of a pending, with its exact amount."""
    return replace(void(transfer_id, pending), amount=pending.amount, flags=POST)


def burn(transfer_id: int) -> Transfer:
    """The void of a pending that cannot exist: the id is used up, or proves to be in use."""
    return Transfer(transfer_id, 0, 0, 0, 0, 0, VOID, pending_id=enc.CANNOT_EXIST)


def gate_operator() -> int:
    """The other side of gate legs, closures and supersede records."""
    return enc.chart_id(enc.CONTROL, enc.CHART["GATE_OPERATOR"].number)


@dataclass(frozen=True)
class Deposit:
    """A final deposit, or one shown before."""

    instance: int
    seq: int
    attempt: int
    owner: bytes
    ledger: int
    amount: int
    tx_hash: bytes
    block_hash: bytes
    log_index: int

    @property
    def vault(self) -> int:
        """The account of what the vault holds."""
        return enc.vault_id(self.ledger, self.instance)

    @property
    def data(self) -> UserData:
        """Where on the chain it stands."""
        return enc.deposit_user_data(self.tx_hash, self.block_hash, self.log_index)


def deposit(d: Deposit, suspense: bool) -> Transfer:
    """The credit of a final deposit."""
    owner = enc.person_id("funds", d.ledger, d.owner)
    taken = enc.chart_id(d.ledger, enc.CHART["SUSPENSE"].number)
    credit, code = (taken, enc.CODE_SUSPENSE) if suspense else (owner, enc.CODE_DEPOSIT)
    transfer_id = enc.chain_event_id(d.instance, "deposit", d.seq, d.attempt)
    return Transfer(transfer_id, d.vault, credit, d.amount, d.ledger, code, data=d.data)


def provisional(d: Deposit) -> list[Transfer]:
    """The pending of a deposit that is not final yet, and its void."""
    shown = replace(
        deposit(d, suspense=False),
        id=enc.provisional_id(d.instance, d.seq, d.block_hash),
        code=enc.CODE_PROVISIONAL,
        flags=PENDING,
        timeout=PROVISIONAL_S,
    )
    return [shown, void(enc.provisional_void_id(d.instance, d.seq, d.block_hash), shown)]


def superseded(d: Deposit, first: int, paid_out: int, debited: int) -> list[Transfer]:
    """A credit debited back under the record that begins with `first`.

    `paid_out` is what the vanished history paid its owner; `debited` what the ledger found.
    """
    take = d.amount - paid_out
    back = replace(
        deposit(d, suspense=False),
        id=enc.chain_event_id(d.instance, "debited back", d.seq, d.attempt),
        debit=enc.person_id("funds", d.ledger, d.owner),
        credit=d.vault,
        amount=take,
        code=enc.CODE_DEBITED_BACK,
        flags=BALANCING_DEBIT,
        data=UserData(data_64=first),
    )
    loss = replace(
        back,
        id=enc.chain_event_id(d.instance, "shortfall", d.seq, d.attempt),
        debit=enc.chart_id(d.ledger, enc.CHART["LOSS"].number),
        amount=take - debited,
        code=enc.CODE_LOSS,
        flags=0,
    )
    return [t for t in (back, loss) if t.amount > 0]


def supersede_record(instance: int, first: int, last: int, evidence: bytes) -> Transfer:
    """The operators' record that a range of numbers has another history."""
    data = UserData(enc.number(evidence[0:16]), last, 0)
    debit = enc.registry_id("instance", instance)
    record = enc.supersede_id(instance, "record", first)
    code = enc.CODE_DEBITED_BACK
    return Transfer(record, debit, gate_operator(), 0, enc.CONTROL, code, data=data)


@dataclass(frozen=True)
class Withdrawal:
    """A withdrawal in ledger units; `seq` is None for a gasless one."""

    instance: int
    seq: int | None
    id: bytes
    owner: bytes
    ledger: int
    amount: int
    fee: int
    deadline: int

    def leg(self, role: str) -> int:
        """The id of one of its legs."""
        if self.seq is None:
            return enc.gasless_id(role, self.id)
        return enc.chain_event_id(self.instance, role, self.seq)


def reservation(w: Withdrawal) -> list[Transfer]:
    """Gate leg, fee leg if there is a fee, main leg."""
    main = Transfer(
        w.leg("main"),
        enc.person_id("funds", w.ledger, w.owner),
        enc.vault_id(w.ledger, w.instance),
        w.amount,
        w.ledger,
        enc.CODE_GASLESS if w.seq is None else enc.CODE_REQUESTED,
        PENDING,
        data=enc.withdrawal_user_data(w.id, w.deadline),
    )
    fee = replace(
        main,
        id=w.leg("fee"),
        credit=enc.chart_id(w.ledger, enc.CHART["FEES"].number),
        amount=w.fee,
        code=enc.CODE_FEE,
        flags=PENDING | LINKED,
    )
    gate = gate_leg(w.leg("gate"), w.owner, main.data)
    return [gate, fee, main] if w.fee else [gate, main]


def gate_leg(transfer_id: int, owner: bytes, data: UserData) -> Transfer:
    """Fails if the owner is frozen, and the chain with it."""
    gate = enc.person_id("gate", enc.CONTROL, owner)
    code = enc.CODE_GATE
    return Transfer(transfer_id, gate, gate_operator(), 0, enc.CONTROL, code, LINKED, data=data)


def resolution(w: Withdrawal, paid: bool) -> list[Transfer]:
    """The end of the pendings: the fee's first, linked."""
    end = post if paid else void
    *first, main = reservation(w)
    ends = [end(w.leg("resolve"), main)]
    if w.fee:
        fee = end(w.leg("resolve-fee"), first[1])
        ends.insert(0, replace(fee, flags=fee.flags | LINKED))
    return ends


def cents(amount: int, numerator: int, denominator: int) -> int:
    """Ledger units in USD cents, rounded up."""
    return -(-amount * numerator // denominator)


def intent(
    o: e7.Obligation, digest: bytes, clearing: int, rate: tuple[int, int]
) -> list[Transfer] | None:
    """The whole chain of an obligation intent; None is a refusal."""
    payees = [payee(purpose, o.ledger, clearing) for purpose, _ in o.lines]
    total = sum(amount for _, amount in o.lines)
    user = enc.person_id("funds", o.ledger, o.user)
    refused = (
        not 1 <= len(o.lines) <= enc.LINES_MAX
        or o.issued_at_ms >= 2**48
        or o.expires_at_ms <= o.issued_at_ms
        or any(p is None or p.account == user for p in payees)
        or any(amount == 0 for _, amount in o.lines)
        or total >= 2**128
        or cents(total, *rate) >= 2**128
    )
    if refused:
        return None

    def leg(line: int, part: str) -> tuple[int, UserData]:
        transfer_id = enc.intent_leg_id(o.issued_at_ms, digest, line, part)
        return transfer_id, enc.intent_user_data(digest, o.expires_at_ms, line)

    def limit(line: int, part: str, klass: str, sku: int | None, amount: int) -> Transfer:
        code, timeout = {
            "daily limit": (enc.CODE_DAILY_LIMIT, DAY_S),
            "monthly limit": (enc.CODE_MONTHLY_LIMIT, MONTH_S),
            "SKU limit": (enc.CODE_SKU_LIMIT, DAY_S),
        }[part]
        transfer_id, data = leg(line, part)
        debit = enc.person_id(klass, enc.USD_CENTS, o.user, sku)
        credit = enc.chart_id(enc.USD_CENTS, enc.CHART["LIMIT_OPERATOR"].number)
        worth = cents(amount, *rate)
        flags = PENDING | LINKED
        return Transfer(
            transfer_id, debit, credit, worth, enc.USD_CENTS, code, flags, timeout, data=data
        )

    gate_id, gate_data = leg(0, "gate")
    chain = [gate_leg(gate_id, o.user, gate_data)]
    chain.append(limit(0, "daily limit", "daily limit", None, total))
    chain.append(limit(0, "monthly limit", "monthly limit", None, total))
    for line, ((_, amount), paid) in enumerate(zip(o.lines, payees)):
        if paid.sku is not None:
            chain.append(limit(line, "SKU limit", "SKU daily limit", paid.sku, amount))
        transfer_id, data = leg(line, "payment")
        code = enc.CODE_OBLIGATION
        flags = 0 if line == len(o.lines) - 1 else LINKED
        chain.append(
            Transfer(transfer_id, user, paid.account, amount, o.ledger, code, flags, data=data)
        )
    return chain


def limit_funding(
    klass: str, address: bytes, sku: int | None, revision: int, change: int
) -> Transfer:
    """Raises (or, if `change` is negative, lowers) what a limit account may hold at most."""
    limit = enc.person_id(klass, enc.USD_CENTS, address, sku)
    funding = enc.chart_id(enc.USD_CENTS, enc.CHART["FUNDING"].number)
    debit, credit = (funding, limit) if change > 0 else (limit, funding)
    transfer_id = enc.limit_funding_id(limit, revision)
    flags = 0 if change > 0 else BALANCING_DEBIT
    code = enc.CODE_LIMIT_FUNDING
    data = replace(enc.person_user_data(address), data_64=revision)
    return Transfer(
        transfer_id, debit, credit, abs(change), enc.USD_CENTS, code, flags, data=data
    )


def forward(f: e7.Forward, approval: bytes) -> Transfer:
    """An approved transfer."""
    flags = BALANCING_DEBIT if f.balancing else 0
    data = enc.approved_user_data(approval)
    return Transfer(
        enc.forward_id(approval), f.debit, f.credit, f.amount, f.ledger, f.code, flags, data=data
    )


def honored(
    paid: Transfer, digest: bytes, line: int, agent: int | bytes, attempt: int
) -> Transfer:
    """What an agent fulfilled is owed no more; `agent` is a chart number or an address."""
    if isinstance(agent, bytes):
        credit, number = enc.person_id("funds", paid.ledger, agent), 0
    else:
        credit, number = enc.chart_id(paid.ledger, enc.CHART["CASH_ODFI"].number), agent
    data = enc.honored_user_data(digest, line, number)
    transfer_id = enc.honored_id(paid.id, attempt)
    code = enc.CODE_HONORED
    return Transfer(
        transfer_id, paid.credit, credit, paid.amount, paid.ledger, code, data=data
    )


def closure(account: int, round_number: int, closed: bool, approval: bytes) -> Transfer:
    """Closes a gate or a passkey, or opens a gate again."""
    close = Transfer(
        enc.closure_id("close", account, round_number),
        account,
        gate_operator(),
        0,
        enc.CONTROL,
        enc.CODE_CLOSURE,
        PENDING | CLOSING_DEBIT,
        data=enc.approved_user_data(approval),
    )
    if closed:
        return close
    reopen = void(enc.closure_id("reopen", account, round_number), close)
    return replace(reopen, data=enc.approved_user_data(approval))
