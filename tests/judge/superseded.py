"""Supersede records: what an operator approved after a reorg past finality, read from the ledger.

A record covers a range of event numbers. Each deposit in it that was credited under an earlier
attempt must have been debited back, by its owner or by LOSS, but for what the same old history paid
out again; reservations in it that no request stands for any more must have ended.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

import encoding as enc
from ledger import LINKED, PENDING, POST, VOID, LedgerView, Transfer

ATTEMPTS_MAX = 255


@dataclass(frozen=True)
class Record:
    """Event numbers from `first` to `last` are superseded."""

    first: int
    last: int

    def covers(self, seq: int) -> bool:
        """Whether an event is in the range."""
        return self.first <= seq <= self.last


@dataclass
class Closed:
    """Transfers of old histories, with what is wrong about them."""

    transfers: dict[int, Transfer] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)


def records(instance: int, view: LedgerView) -> list[Record]:
    """All records of an instance."""
    found = []
    for t in view.transfers.values():
        if t.ledger != enc.CONTROL or t.code != enc.CODE_DEBITED_BACK:
            continue
        first = enc.number(enc.u(128, t.id)[6:14])
        if t.id == enc.supersede_id(instance, "record", first):
            found.append(Record(first, t.user_data[1]))
    return found


def attempt(found: Iterable[Record], seq: int) -> int:
    """Under which attempt a deposit of this number is credited."""
    return sum(record.covers(seq) for record in found)


def closed(
    instance: int, found: list[Record], standing: dict[int, bytes], view: LedgerView
) -> Closed:
    """Everything of old histories; `standing` says which withdrawals the chain still has, by number."""
    result = Closed()
    for record in found:
        result.transfers |= {t.id: t for t in [view.transfers[record_id(instance, record)]]}
    owed: dict[tuple[int, int], int] = defaultdict(int)
    back: dict[tuple[int, int], int] = defaultdict(int)
    for seq in sorted({n for record in found for n in range(record.first, record.last + 1)}):
        for n in range(min(attempt(found, seq), ATTEMPTS_MAX)):
            add_credit(instance, seq, n, view, result, owed, back)
        add_withdrawal(instance, seq, standing, view, result, owed)
    for key in owed.keys() | back.keys():
        if owed[key] != back[key]:
            text = f"account {key[1]:#034x} on ledger {key[0]}: the old history left it {owed[key]}"
            result.faults.append(f"{text}, debited back are {back[key]}")
    return result


def record_id(instance: int, record: Record) -> int:
    """The id of a record."""
    return enc.supersede_id(instance, "record", record.first)


def add_credit(
    instance: int,
    seq: int,
    number: int,
    view: LedgerView,
    result: Closed,
    owed: dict[tuple[int, int], int],
    back: dict[tuple[int, int], int],
) -> None:
    """An old credit, what was debited back of it, and the loss."""
    credit = view.transfers.get(enc.chain_event_id(instance, "deposit", seq, number))
    if credit is None:
        return
    key = (credit.ledger, credit.credit)
    result.transfers[credit.id] = credit
    owed[key] += credit.amount
    loss = enc.chart_id(credit.ledger, enc.CHART["LOSS"].number)
    sides = {"debited back": credit.credit, "shortfall": loss}
    codes = {"debited back": enc.CODE_DEBITED_BACK, "shortfall": enc.CODE_LOSS}
    for kind, debit in sides.items():
        t = view.transfers.get(enc.chain_event_id(instance, kind, seq, number))
        if t is None:
            continue
        result.transfers[t.id] = t
        back[key] += t.amount
        if (t.debit, t.credit, t.code) != (debit, credit.debit, codes[kind]):
            result.faults.append(f"deposit {seq}, {kind}: other accounts or code than must be: {t}")


def add_withdrawal(
    instance: int,
    seq: int,
    standing: dict[int, bytes],
    view: LedgerView,
    result: Closed,
    owed: dict[tuple[int, int], int],
) -> None:
    """An old reservation that no request stands for any more."""
    legs = {role: enc.chain_event_id(instance, role, seq) for role in ("gate", "main", "resolve")}
    main = view.transfers.get(legs["main"])
    if main is None or stands_for(main, standing.get(seq)):
        return
    end = view.transfers.get(legs["resolve"])
    for t in (view.transfers.get(legs["gate"]), main, end):
        if t is not None:
            result.transfers[t.id] = t
    if end is None:
        result.faults.append(f"withdrawal {seq} of the old history still holds {main.amount}")
    elif end.flags & POST:
        owed[main.ledger, main.debit] -= main.amount


def stands_for(main: Transfer, withdrawal_id: bytes | None) -> bool:
    """Whether a reservation is the one of this withdrawal."""
    return withdrawal_id is not None and main.user_data[0] == enc.number(withdrawal_id[16:32])


def post_all(books, transfers: Iterable[Transfer]) -> None:
    """Adds what old histories moved to the books: accounts come into being as they are met."""
    for t in transfers:
        if t.flags & (PENDING | VOID) or t.ledger == enc.CONTROL or t.flags & LINKED:
            continue
        for account_id in (t.debit, t.credit):
            books.account(account_id, f"account {account_id:#034x} {t.ledger}")
        books.post(t)
