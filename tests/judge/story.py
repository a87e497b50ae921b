"""What the chain's final story means: listings, deposits, withdrawals and how each must end.

Pure: it takes events and a view of the ledger, and opens nothing. The ledger is looked at in two
places only: where the rules leave two outcomes open (then the one it took holds), and for gasless
withdrawals, whose reservation the chain does not show.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import eip712
import encoding as enc
import superseded
from abi import Event
from ledger import CLOSED, PENDING, VOID, LedgerView, Transfer

PAID = ("Paid", "PayoutDeferred")
CLOSED_UNPAID = ("Refused", "Cancelled", "PayoutVetoed")


@dataclass(frozen=True)
class Listing:
    """A token and its ledger."""

    token: bytes
    ledger: int
    divisor: int


@dataclass(frozen=True)
class Deposit:
    """A deposit; the amount is in ledger units."""

    seq: int
    owner: bytes
    ledger: int
    amount: int
    user_data: enc.UserData
    to_suspense: bool
    attempt: int = 0


@dataclass
class Withdrawal:
    """A withdrawal of either kind; amounts are in ledger units."""

    id: bytes
    kind: int
    seq: int | None  # of the request; gasless ones have none
    owner: bytes
    ledger: int
    amount: int
    fee: int
    deadline: int
    reserved: bool = True
    outcome: str | None = None
    state: str = "open"  # open, posted, voided: how it must stand in the ledger

    @property
    def label(self) -> str:
        """How people ask for it."""
        return f"withdrawal:0x{self.id.hex()}"

    @property
    def paid(self) -> bool:
        """Whether the money left, for the ledger's purposes."""
        return self.outcome in PAID


@dataclass
class Story:
    """The whole story."""

    instance: int
    final_timestamp: int
    listings: dict[int, Listing] = field(default_factory=dict)
    deposits: list[Deposit] = field(default_factory=list)
    withdrawals: dict[bytes, Withdrawal] = field(default_factory=dict)
    records: list[superseded.Record] = field(default_factory=list)
    closed: superseded.Closed = field(default_factory=superseded.Closed)
    faults: list[str] = field(default_factory=list)

    def id_of(self, w: Withdrawal, role: str) -> int:
        """The transfer that plays a role in a withdrawal."""
        if w.seq is None:
            return enc.gasless_id(role, w.id)
        return enc.chain_event_id(self.instance, role, w.seq)


class Teller:
    """Goes through the events in order and keeps what each person can still spend."""

    def __init__(self, story: Story, domain: bytes, view: LedgerView) -> None:
        self.story, self.domain, self.view = story, domain, view
        self.credited: dict[tuple[int, bytes], int] = {}
        self.outlives_deadline: set[bytes] = set()
        self.revoking: set[bytes] = set()
        for w in gasless(view, story):
            story.withdrawals[w.id] = w

    def tell(self, events: Iterable[Event]) -> None:
        """All events, in the order of their numbers."""
        events = sorted(events, key=lambda e: e.seq)
        lasting = ("PayoutQueued", *PAID)
        self.outlives_deadline = {e["id"] for e in events if e.name in lasting}
        self.revoking = {e["owner"] for e in events if e.name == "NonceInvalidated"}
        for event in events:
            if event.name == "TokenListed":
                self.listed(event)
            elif event.name == "Deposited":
                self.deposited(event)
            elif event.name == "WithdrawalRequested":
                self.requested(event)
            elif "kind" in event.fields:
                self.moved(event)

    def listed(self, event: Event) -> None:
        """A token got its ledger, or is listed again: then with the same ledger and divisor."""
        listing = Listing(event["token"], event["ledger"], event["scaleDivisor"])
        known = self.story.listings.setdefault(listing.ledger, listing)
        if known != listing:
            self.fault(event, f"ledger {listing.ledger} was listed otherwise before")

    def deposited(self, event: Event) -> None:
        """Somebody owns more."""
        amount = self.ledger_amount(event)
        if amount is None:
            return
        owner, ledger = event["owner"], event["ledger"]
        suspense = taken_by_another(self.view, ledger, owner)
        data = enc.deposit_user_data(event.tx_hash, event.block_hash, event.log_index)
        attempt = superseded.attempt(self.story.records, event.seq)
        deposit = Deposit(event.seq, owner, ledger, amount, data, suspense, attempt)
        self.story.deposits.append(deposit)
        if not suspense:
            self.credited[ledger, owner] = self.credited.get((ledger, owner), 0) + amount

    def requested(self, event: Event) -> None:
        """Somebody asks for money: it must be reserved if, and only if, they can spend it now."""
        amount = self.ledger_amount(event)
        if amount is None:
            return
        owner, ledger = event["owner"], event["ledger"]
        w = Withdrawal(
            event["id"], eip712.KIND_REQUEST, event.seq, owner, ledger, amount, 0, event["deadline"]
        )
        self.check_id(event)
        least, most = self.spendable(ledger, owner)
        main = self.view.transfers.get(self.story.id_of(w, "main"))
        used = main is not None and not superseded.stands_for(main, w.id)
        if used and superseded.attempt(self.story.records, event.seq):
            w.reserved = False  # its number was used by the history that was superseded
        elif amount > most:
            w.reserved = False
        elif amount > least or self.frozen(owner):
            w.reserved = self.story.id_of(w, "main") in self.view.transfers
        self.story.withdrawals[w.id] = w

    def moved(self, event: Event) -> None:
        """A withdrawal of either kind went on, or ended."""
        w = self.story.withdrawals.get(event["id"])
        if w is None:
            if event.name in PAID:
                self.fault(event, f"0x{event['id'].hex()} was paid but never reserved")
            return
        if event.name == "PayoutQueued":
            return
        if w.outcome is not None:
            self.fault(event, f"{w.label} had ended already ({w.outcome})")
            return
        w.outcome = event.name
        if w.paid and not w.reserved:
            self.fault(event, f"{w.label} was paid though its owner could not cover it")
        if w.paid and not self.pays_what_was_asked(w, event):
            self.fault(event, f"{w.label} was paid with other amounts than reserved")

    def finish(self) -> None:
        """How each reservation must stand now that the story has been told."""
        for w in self.story.withdrawals.values():
            if w.paid:
                w.state = "posted"
            elif w.outcome is not None:
                w.state = "voided"
            elif self.may_be_dead(w) and self.was_voided(w):
                # Past its deadline nobody can pay it: whether the void has come yet is open.
                w.state = "voided"

    def spendable(self, ledger: int, owner: bytes) -> tuple[int, int]:
        """The least and the most that the ledger can have let the owner spend at this point."""
        least = most = self.credited.get((ledger, owner), 0)
        for w in self.story.withdrawals.values():
            if (w.ledger, w.owner) != (ledger, owner) or not w.reserved:
                continue
            owed = w.amount + w.fee
            if w.seq is None:
                # The chain does not say when a gasless one was reserved, or released.
                least -= owed
            elif w.paid or (w.outcome is None and not self.may_be_dead(w)):
                least, most = least - owed, most - owed
            elif w.outcome is None:
                least -= owed
        return least, most

    def may_be_dead(self, w: Withdrawal) -> bool:
        """Whether its deadline or its owner has ended it; what was queued or paid in time goes on.

        Neither chain nor ledger tells the nonce of a gasless one that was not paid: whoever made any
        nonce of theirs unusable may have meant it.
        """
        revoked = w.seq is None and w.owner in self.revoking
        late = self.story.final_timestamp > w.deadline
        return (late or revoked) and w.id not in self.outlives_deadline

    def was_voided(self, w: Withdrawal) -> bool:
        """Whether the ledger has released it."""
        resolve = self.view.transfers.get(self.story.id_of(w, "resolve"))
        return resolve is not None and bool(resolve.flags & VOID)

    def frozen(self, owner: bytes) -> bool:
        """Whether the owner's gate is closed."""
        gate = self.view.accounts.get(enc.person_id("gate", enc.CONTROL, owner))
        return gate is not None and bool(gate.flags & CLOSED)

    def ledger_amount(self, event: Event) -> int | None:
        """The amount in ledger units; a fault if the vault broke its own rules."""
        listing = self.story.listings.get(event["ledger"])
        if listing is None or listing.token != event["token"]:
            self.fault(event, f"its token is not the one of ledger {event['ledger']}")
            return None
        amount, rest = divmod(event["amount"], listing.divisor)
        if rest:
            self.fault(event, f"{event['amount']} does not divide by {listing.divisor}")
            return None
        return amount

    def pays_what_was_asked(self, w: Withdrawal, event: Event) -> bool:
        """Whether the payout's amounts are those in the ledger."""
        divisor = self.story.listings[w.ledger].divisor
        return (event["amount"], event["fee"]) == (w.amount * divisor, w.fee * divisor)

    def check_id(self, event: Event) -> None:
        """The id must commit to all fields."""
        names = ("owner", "to", "token", "amount")
        parts = {name: event[name] for name in names}
        asked = eip712.Withdrawal(**parts, fee=0, nonce=event.seq, deadline=event["deadline"])
        if eip712.withdrawal_id(self.domain, eip712.KIND_REQUEST, asked) != event["id"]:
            self.fault(event, f"the id 0x{event['id'].hex()} does not commit to its fields")

    def fault(self, event: Event, problem: str) -> None:
        """Something in the chain's own story is wrong."""
        self.story.faults.append(f"{event.name} {event.seq}: {problem}")


def address_of(data: tuple[int, int, int]) -> bytes:
    """The address that an account carries."""
    return enc.u(128, data[0]) + enc.u(32, data[2])


def taken_by_another(view: LedgerView, ledger: int, owner: bytes) -> bool:
    """Whether the owner's account id is somebody else's: the credit goes to SUSPENSE."""
    account = view.accounts.get(enc.person_id("funds", ledger, owner))
    return account is not None and address_of(account.user_data) != owner


def gasless(view: LedgerView, story: Story) -> list[Withdrawal]:
    """Gasless withdrawals that the ledger holds reservations of."""
    found = []
    for t in view.transfers.values():
        if t.code != enc.CODE_GASLESS or not t.flags & PENDING:
            continue
        account = view.accounts.get(t.debit)
        if account is None:
            story.faults.append(f"transfer {t.id:#x}: its debit account is not there")
            continue
        found.append(_gasless(view, t, address_of(account.user_data)))
    return found


def _gasless(view: LedgerView, main: Transfer, owner: bytes) -> Withdrawal:
    wid = enc.gasless_withdrawal_id(main.id, enc.UserData(*main.user_data))
    fee = view.transfers.get(enc.gasless_id("fee", wid))
    fee_amount = 0 if fee is None else fee.amount
    parts = (owner, main.ledger, main.amount, fee_amount, main.user_data[1])
    return Withdrawal(wid, eip712.KIND_INTENT, None, *parts)


def tell(
    events: Iterable[Event], instance: int, chain_id: int, vault: bytes, now: int, view: LedgerView
) -> Story:
    """The story up to the final block, whose timestamp is `now`."""
    events = list(events)
    story = Story(instance, now, records=superseded.records(instance, view))
    requests = {e.seq: e["id"] for e in events if e.name == "WithdrawalRequested"}
    story.closed = superseded.closed(instance, story.records, requests, view)
    domain = eip712.domain_separator(eip712.VAULT_NAME, chain_id, vault)
    teller = Teller(story, domain, view)
    teller.tell(events)
    teller.finish()
    return story
