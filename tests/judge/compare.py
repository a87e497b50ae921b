"""Compares what must be with what is; every check is a pure function that returns differences."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace

import encoding as enc
from abi import Event
from books import Books
from chain import TokenBooks
from ledger import LINKED, POST, VOID, Account, Balance, LedgerView, Transfer
from story import Story

CHART_NAMES = {line.number: name for name, line in enc.CHART.items()}


@dataclass(frozen=True)
class Difference:
    """Something that is not as it must be."""

    check: str
    text: str

    def __str__(self) -> str:
        return f"{self.check}: {self.text}"


def check_sequence(events: Iterable[Event], last_seq: int) -> list[Difference]:
    """The events' numbers are 1, 2, 3, … up to the vault's own counter."""
    found = sorted(event.seq for event in events)
    missing = sorted(set(range(1, last_seq + 1)) - set(found))
    twice = sorted({n for n, following in zip(found, found[1:]) if n == following})
    beyond = [n for n in found if not 1 <= n <= last_seq]
    problems = (
        (missing, "no event with number"),
        (twice, "more than one event with number"),
        (beyond, f"the vault's counter is {last_seq}, yet there is an event with number"),
    )
    return [Difference("sequence", f"{what} {n}") for numbers, what in problems for n in numbers]


def check_story(story: Story) -> list[Difference]:
    """The chain's own story makes sense."""
    return [Difference("story", fault) for fault in story.faults]


def check_registries(story: Story, key: bytes, chain_id: int, view: LedgerView) -> list[Difference]:
    """The ledger knows this vault, and what each of its ledgers stands for."""
    wanted = [
        (
            "instance",
            enc.registry_id("instance", story.instance),
            enc.instance_registry_user_data(key),
        )
    ]
    for listing in story.listings.values():
        value = enc.ledger_hash(chain_id, listing.token, listing.divisor)
        data = enc.ledger_registry_user_data(value)
        wanted.append((f"ledger {listing.ledger}", enc.registry_id("ledger", listing.ledger), data))
    differences = []
    for name, account_id, data in wanted:
        account = view.accounts.get(account_id)
        if account is None:
            differences.append(Difference("registry", f"no entry for {name}"))
        elif account.user_data != (data.data_128, data.data_64, data.data_32):
            differences.append(Difference("registry", f"the entry for {name} is another's"))
    return differences


def check_accounts(story: Story, view: LedgerView) -> list[Difference]:
    """Accounts that exist have the code and flags of the document."""
    differences = []
    ledgers = {*story.listings, enc.CONTROL}
    for account in view.accounts.values():
        wanted = shape(account) if account.ledger in ledgers else None
        # Closing an account sets a flag of its own.
        found = (account.code, account.flags & 0b1111)
        if wanted is not None and found != wanted:
            text = f"{account.id:#034x} has code and flags {found}, must have {wanted}"
            differences.append(Difference("account", text))
    return differences


def shape(account: Account) -> tuple[int, int] | None:
    """Code and flags that an account must have; None for codes that others define."""
    if account.id >> 126 == 0:
        name = CHART_NAMES.get(account.id & 0xFFFFFFFF)
        line = enc.CHART.get(name) if name else None
        return (line.code, line.flags) if line else (-1, -1)
    if account.id >> 127:
        lines = [p for p in enc.PERSONS.values() if p.code == account.code]
        return (lines[0].code, lines[0].flags) if lines else (-1, -1)
    return None


def check_superseded(story: Story) -> list[Difference]:
    """What records superseded is out of the ledger again."""
    return [Difference("superseded", fault) for fault in story.closed.faults]


def check_deposits(story: Story, books: Books, view: LedgerView) -> list[Difference]:
    """Every final deposit has its one transfer, and every deposit transfer its deposit."""
    differences = expect("deposit", books.deposits, books.labels, view)
    for t in view.transfers.values():
        known = books.deposits.keys() | story.closed.transfers.keys()
        if t.code in (enc.CODE_DEPOSIT, enc.CODE_SUSPENSE) and t.id not in known:
            text = f"transfer {t.id:#034x} credits {t.amount}, yet no final deposit says so"
            differences.append(Difference("deposit", text))
    return differences


def check_withdrawals(story: Story, books: Books, view: LedgerView) -> list[Difference]:
    """What could be covered is reserved and ended as on chain; what could not never was."""
    differences = expect("withdrawal", books.reservations, books.labels, view)
    differences += expect("withdrawal", books.resolutions, books.labels, view)
    for w in story.withdrawals.values():
        main = view.transfers.get(story.id_of(w, "main"))
        if not w.reserved and main is not None and main.id not in story.closed.transfers:
            text = f"{w.label} is reserved with {main.amount}, more than its owner had"
            differences.append(Difference("withdrawal", text))
        resolve = view.transfers.get(story.id_of(w, "resolve"))
        if w.reserved and w.state == "open" and resolve is not None:
            text = f"{w.label} was ended in the ledger, yet on chain it can still be paid"
            differences.append(Difference("withdrawal", text))
    return differences


def expect(
    check: str, wanted: dict[int, Transfer], labels: dict[int, str], view: LedgerView
) -> list[Difference]:
    """Transfers that must be there, field by field."""
    differences = []
    for transfer_id, must in wanted.items():
        found = view.transfers.get(transfer_id)
        if found is None:
            text = f"{labels[transfer_id]}: no transfer {transfer_id:#034x}"
            differences.append(Difference(check, text))
            continue
        if must.flags & (POST | VOID):
            # Whether the ends of an amount and its fee are sent as a chain is open.
            found = replace(found, flags=found.flags & ~LINKED)
        for name, is_so, must_be in unequal(found, must):
            text = f"{labels[transfer_id]}: {name} is {is_so}, must be {must_be}"
            differences.append(Difference(check, text))
    return differences


def unequal(found: object, must: object) -> list[tuple[str, object, object]]:
    """The fields in which two values of one type differ."""
    names = [field.name for field in fields(must)]
    pairs = [(name, getattr(found, name), getattr(must, name)) for name in names]
    return [pair for pair in pairs if pair[1] != pair[2]]


def check_unexplained(story: Story, books: Books, view: LedgerView) -> list[Difference]:
    """Nothing moved in these ledgers that the story does not explain."""
    known = books.deposits.keys() | books.reservations.keys() | books.resolutions.keys()
    known = known | story.closed.transfers.keys()
    # These have been told of already.
    for w in story.withdrawals.values():
        known = known | {story.id_of(w, role) for role in enc.ROLES}
    deposits = (enc.CODE_DEPOSIT, enc.CODE_SUSPENSE)
    differences = []
    for t in view.transfers.values():
        ours = t.ledger in story.listings or belongs_to(story.instance, t.id)
        if ours and t.id not in known and t.code not in deposits:
            text = f"transfer {t.id:#034x} with code {t.code} moves {t.amount} on ledger {t.ledger}"
            differences.append(Difference("unexplained", text))
    return differences


def belongs_to(instance: int, transfer_id: int) -> bool:
    """Whether a transfer stands for an event of this vault."""
    data = enc.u(128, transfer_id)
    return data[0] == 0x01 and enc.number(data[1:5]) == instance


def check_balances(story: Story, books: Books, view: LedgerView) -> list[Difference]:
    """Every account's four sums."""
    differences = []
    for account_id, sums in books.accounts.items():
        account = view.accounts.get(account_id)
        if account is None and sums.balance == Balance():
            continue  # it comes into being with its first use
        if account is None:
            differences.append(Difference("balance", f"{sums.name}: there is no such account"))
            continue
        differences += compare_balance(sums.name, sums.balance, account.balance)
    for account in view.accounts.values():
        foreign = account.ledger in story.listings and account.id not in books.accounts
        if foreign and account.balance != Balance():
            text = f"account {account.id:#034x} on ledger {account.ledger} should be empty, has"
            differences.append(Difference("balance", f"{text} {account.balance}"))
    return differences


def compare_balance(name: str, must: Balance, found: Balance) -> list[Difference]:
    """The four sums of one account."""
    return [
        Difference("balance", f"{name}: {field} is {is_so}, must be {must_be}")
        for field, is_so, must_be in unequal(found, must)
    ]


def check_settled(story: Story) -> list[Difference]:
    """Every withdrawal has ended on chain."""
    still_open = [w for w in story.withdrawals.values() if w.outcome is None]
    return [Difference("settled", f"{w.label} has not ended on chain") for w in still_open]


def check_solvency(
    story: Story, contracts: dict[bytes, TokenBooks], view: LedgerView
) -> list[Difference]:
    """The vault holds what it counts on, counts on what the ledger holds, and the ledger owes
    exactly that."""
    differences = []
    for listing in story.listings.values():
        token = contracts[listing.token]
        name = f"token 0x{listing.token.hex()}"
        owed = token.accounted + token.claimable
        if token.balance < owed:
            text = f"{name}: the vault has {token.balance}, less than the {owed} it counts on"
            differences.append(Difference("solvency", text))
        vault = view.accounts.get(enc.vault_id(listing.ledger, story.instance))
        held = net(vault.balance) if vault else 0
        explained = listing.divisor * (held + on_the_way(story, listing.ledger, view))
        if token.accounted != explained:
            text = f"{name}: the vault counts on {token.accounted}, the ledger explains {explained}"
            differences.append(Difference("solvency", text))
        owing = sum(-net(a.balance) for a in view.accounts.values() if owes(a, listing.ledger))
        if vault and held != owing:
            text = f"{name}: VAULT holds {held}, yet all others together are owed {owing}"
            differences.append(Difference("solvency", text))
    return differences


def net(balance: Balance) -> int:
    """Posted debits less posted credits."""
    return balance.debits_posted - balance.credits_posted


def owes(account: Account, ledger: int) -> bool:
    """Whether an account of this ledger is not a vault's."""
    return account.ledger == ledger and account.code != enc.CHART["VAULT"].code


def on_the_way(story: Story, ledger: int, view: LedgerView) -> int:
    """Final deposits less final payouts that the ledger has not posted yet, in ledger units."""
    coming = sum(
        d.amount
        for d in story.deposits
        if d.ledger == ledger
        and enc.chain_event_id(story.instance, "deposit", d.seq, d.attempt) not in view.transfers
    )
    going = sum(
        w.amount
        for w in story.withdrawals.values()
        if w.ledger == ledger and w.paid and story.id_of(w, "resolve") not in view.transfers
    )
    return coming - going
