"""What the ledger must hold if it agrees with the story: accounts' balances and transfers."""

from __future__ import annotations

from dataclasses import dataclass, field

import encoding as enc
import superseded
from ledger import LINKED, PENDING, POST, VOID, Balance, Transfer
from story import Deposit, Story, Withdrawal


@dataclass
class Sums:
    """A balance that is being added up."""

    name: str
    debits_pending: int = 0
    debits_posted: int = 0
    credits_pending: int = 0
    credits_posted: int = 0

    @property
    def balance(self) -> Balance:
        """What has been added up."""
        debits = (self.debits_pending, self.debits_posted)
        return Balance(*debits, self.credits_pending, self.credits_posted)


@dataclass
class Books:
    """What the ledger must hold."""

    accounts: dict[int, Sums] = field(default_factory=dict)
    deposits: dict[int, Transfer] = field(default_factory=dict)
    reservations: dict[int, Transfer] = field(default_factory=dict)
    resolutions: dict[int, Transfer] = field(default_factory=dict)
    labels: dict[int, str] = field(default_factory=dict)

    def account(self, account_id: int, name: str) -> Sums:
        """An account; it starts empty."""
        return self.accounts.setdefault(account_id, Sums(name))

    def post(self, t: Transfer) -> None:
        """Moves an amount for good."""
        self.accounts[t.debit].debits_posted += t.amount
        self.accounts[t.credit].credits_posted += t.amount

    def reserve(self, t: Transfer) -> None:
        """Moves an amount for the time being."""
        self.accounts[t.debit].debits_pending += t.amount
        self.accounts[t.credit].credits_pending += t.amount


def keep(story: Story) -> Books:
    """The books of a story."""
    books = Books()
    for ledger in story.listings:
        books.account(enc.vault_id(ledger, story.instance), f"VAULT {ledger}")
        for name in ("SUSPENSE", "FEES", "LOSS"):
            books.account(enc.chart_id(ledger, enc.CHART[name].number), f"{name} {ledger}")
    for deposit in story.deposits:
        add_deposit(books, story, deposit)
    for withdrawal in story.withdrawals.values():
        if withdrawal.reserved:
            add_withdrawal(books, story, withdrawal)
    superseded.post_all(books, story.closed.transfers.values())
    return books


def funds(books: Books, ledger: int, owner: bytes) -> int:
    """The id of somebody's funds, known to the books from now on."""
    account_id = enc.person_id("funds", ledger, owner)
    books.account(account_id, f"funds 0x{owner.hex()} {ledger}")
    return account_id


def add_deposit(books: Books, story: Story, d: Deposit) -> None:
    """A deposit: VAULT owes its owner."""
    if d.to_suspense:
        credit, code = enc.chart_id(d.ledger, enc.CHART["SUSPENSE"].number), enc.CODE_SUSPENSE
    else:
        credit, code = funds(books, d.ledger, d.owner), enc.CODE_DEPOSIT
    transfer = Transfer(
        id=enc.chain_event_id(story.instance, "deposit", d.seq, d.attempt),
        ledger=d.ledger,
        debit=enc.vault_id(d.ledger, story.instance),
        credit=credit,
        amount=d.amount,
        code=code,
        user_data=(d.user_data.data_128, d.user_data.data_64, d.user_data.data_32),
    )
    books.deposits[transfer.id] = transfer
    books.labels[transfer.id] = f"deposit:{d.seq}"
    books.post(transfer)


def add_withdrawal(books: Books, story: Story, w: Withdrawal) -> None:
    """A reserved withdrawal and, where it has ended, its end."""
    gate = gate_leg(story, w)
    books.account(gate.debit, f"gate 0x{w.owner.hex()}")
    books.account(gate.credit, "GATE_OPERATOR")
    add(books.reservations, books, gate, w, "gate")
    legs = [("main", "resolve", main_leg(books, story, w))]
    if w.fee:
        legs.append(("fee", "resolve-fee", fee_leg(books, story, w)))
    for role, resolve_role, leg in legs:
        add(books.reservations, books, leg, w, role)
        if w.state == "open":
            books.reserve(leg)
            continue
        if w.state == "posted":
            books.post(leg)
        resolution = resolve(leg, story.id_of(w, resolve_role), w.state)
        add(books.resolutions, books, resolution, w, resolve_role)


def add(place: dict[int, Transfer], books: Books, t: Transfer, w: Withdrawal, role: str) -> None:
    """Notes that a transfer must be there."""
    place[t.id] = t
    books.labels[t.id] = f"{w.label} {role}"


def carried(w: Withdrawal) -> tuple[int, int, int]:
    """What every leg carries."""
    data = enc.withdrawal_user_data(w.id, w.deadline)
    return (data.data_128, data.data_64, data.data_32)


def gate_leg(story: Story, w: Withdrawal) -> Transfer:
    """Amount 0 on the owner's gate: it fails where the gate is closed."""
    return Transfer(
        id=story.id_of(w, "gate"),
        ledger=enc.CONTROL,
        debit=enc.person_id("gate", enc.CONTROL, w.owner),
        credit=enc.chart_id(enc.CONTROL, enc.CHART["GATE_OPERATOR"].number),
        code=enc.CODE_GATE,
        flags=LINKED,
        user_data=carried(w),
    )


def fee_leg(books: Books, story: Story, w: Withdrawal) -> Transfer:
    """What the owner owes besides."""
    return Transfer(
        id=story.id_of(w, "fee"),
        ledger=w.ledger,
        debit=funds(books, w.ledger, w.owner),
        credit=enc.chart_id(w.ledger, enc.CHART["FEES"].number),
        amount=w.fee,
        code=enc.CODE_FEE,
        flags=LINKED | PENDING,
        user_data=carried(w),
    )


def main_leg(books: Books, story: Story, w: Withdrawal) -> Transfer:
    """What leaves the vault."""
    return Transfer(
        id=story.id_of(w, "main"),
        ledger=w.ledger,
        debit=funds(books, w.ledger, w.owner),
        credit=enc.vault_id(w.ledger, story.instance),
        amount=w.amount,
        code=enc.CODE_REQUESTED if w.seq is not None else enc.CODE_GASLESS,
        flags=PENDING,
        user_data=carried(w),
    )


def resolve(leg: Transfer, transfer_id: int, state: str) -> Transfer:
    """The post or void of a leg. The ledger fills in what is left out: accounts and user data of
    the pending, and for a void its amount."""
    return Transfer(
        id=transfer_id,
        ledger=leg.ledger,
        debit=leg.debit,
        credit=leg.credit,
        amount=leg.amount,
        code=leg.code,
        flags=POST if state == "posted" else VOID,
        pending_id=leg.id,
        user_data=leg.user_data,
    )
