"""What TigerBeetle says: accounts and transfers of whole ledgers, read with its makers' client."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import pinned  # noqa: F401  (makes tigerbeetle importable)
import tigerbeetle as tb

# TigerBeetle's transfer flags.
LINKED, PENDING, POST, VOID = 1 << 0, 1 << 1, 1 << 2, 1 << 3
# TigerBeetle's account flag.
CLOSED = 1 << 5

PAGE = 8_189  # the server gives fewer where its messages are smaller
START_LIMIT_S = 30


class LedgerError(Exception):
    """The ledger did not answer in time."""


@dataclass(frozen=True)
class Balance:
    """The four sums of an account."""

    debits_pending: int = 0
    debits_posted: int = 0
    credits_pending: int = 0
    credits_posted: int = 0


@dataclass(frozen=True)
class Account:
    """An account as the ledger holds it."""

    id: int
    ledger: int
    code: int = 0
    flags: int = 0
    balance: Balance = Balance()
    user_data: tuple[int, int, int] = (0, 0, 0)


@dataclass(frozen=True)
class Transfer:
    """A transfer as the ledger holds it."""

    id: int
    ledger: int
    debit: int = 0
    credit: int = 0
    amount: int = 0
    code: int = 0
    flags: int = 0
    pending_id: int = 0
    timeout: int = 0
    user_data: tuple[int, int, int] = (0, 0, 0)


@dataclass(frozen=True)
class LedgerView:
    """Everything the judge takes from the ledger, by id."""

    accounts: dict[int, Account] = field(default_factory=dict)
    transfers: dict[int, Transfer] = field(default_factory=dict)


def account_of(raw: Any) -> Account:
    """From the client's type."""
    sums = (raw.debits_pending, raw.debits_posted, raw.credits_pending, raw.credits_posted)
    data = (raw.user_data_128, raw.user_data_64, raw.user_data_32)
    return Account(raw.id, raw.ledger, raw.code, int(raw.flags), Balance(*sums), data)


def transfer_of(raw: Any) -> Transfer:
    """From the client's type."""
    return Transfer(
        id=raw.id,
        ledger=raw.ledger,
        debit=raw.debit_account_id,
        credit=raw.credit_account_id,
        amount=raw.amount,
        code=raw.code,
        flags=int(raw.flags),
        pending_id=raw.pending_id,
        timeout=raw.timeout,
        user_data=(raw.user_data_128, raw.user_data_64, raw.user_data_32),
    )


def pages(query: Callable[[Any], list[Any]], ledger: int) -> Iterable[Any]:
    """Everything of one ledger in the order of its timestamps."""
    after = 0
    while True:
        # timestamp_min is inclusive.
        rows = query(tb.QueryFilter(ledger=ledger, timestamp_min=after + 1, limit=PAGE))
        if not rows:
            return
        yield from rows
        after = rows[-1].timestamp


class Ledger:
    """A client that lives as long as the judge: each one takes up a session of the server."""

    def __init__(self, cluster_id: int, addresses: str, limit_s: float = START_LIMIT_S) -> None:
        self.where = f"the ledger at {addresses} (cluster {cluster_id})"
        self.limit_s = limit_s
        self.client = self.within(lambda: tb.ClientSync(cluster_id, addresses))

    def read(self, ledgers: Iterable[int]) -> LedgerView:
        """All accounts and transfers of these ledgers."""
        return self.within(lambda: self._read(sorted(ledgers)))

    def _read(self, ledgers: list[int]) -> LedgerView:
        # Transfers first: what is there then is in the balances too, or the next look finds it.
        transfers = [transfer_of(t) for n in ledgers for t in pages(self.client.query_transfers, n)]
        accounts = [account_of(a) for n in ledgers for a in pages(self.client.query_accounts, n)]
        return LedgerView({a.id: a for a in accounts}, {t.id: t for t in transfers})

    def within(self, work: Callable[[], Any]) -> Any:
        """The client waits for ever; we don't. The thread that waits is left behind."""
        answers: queue.Queue[tuple[bool, Any]] = queue.Queue()

        def run() -> None:
            try:
                answers.put((True, work()))
            except Exception as error:  # whatever it is, it is told by the asking thread
                answers.put((False, error))

        threading.Thread(target=run, daemon=True).start()
        try:
            fine, answer = answers.get(timeout=self.limit_s)
        except queue.Empty:
            problem = f"{self.where} did not answer within {self.limit_s:g} s"
            raise LedgerError(f"{problem}: is it running, is the cluster id right?") from None
        if not fine:
            raise LedgerError(f"{self.where}: {answer}") from answer
        return answer
