"""A chain and a ledger for the judge's tests, written by hand with literal amounts.

The judge's own books are not used to make them.
"""

from __future__ import annotations

from dataclasses import replace

import abi
import chain
import eip712
import encoding as enc
from ledger import LINKED, PENDING, POST, Account, Balance, LedgerView, Transfer

CHAIN_ID = 31337
VAULT = bytes.fromhex("aa" * 20)
TOKEN = bytes.fromhex("bb" * 20)
ALICE = bytes.fromhex("a1" * 20)
BOB = bytes.fromhex("b0" * 20)
HASHES = tuple(bytes([n]) * 32 for n in (1, 2, 3))
KEY = enc.instance_key(CHAIN_ID, HASHES[0], VAULT, HASHES[1], HASHES[2])
INSTANCE = enc.instance_number(KEY)
LEDGER, DIVISOR = 1002, 10_000
DEADLINE, NOW = 5_000, 1_000
DOMAIN = eip712.domain_separator(eip712.VAULT_NAME, CHAIN_ID, VAULT)
TX, BLOCK = bytes.fromhex("cc" * 32), bytes.fromhex("dd" * 32)


class Chain:
    """Events as a vault would emit them; amounts in ledger units."""

    def __init__(self) -> None:
        self.events: list[abi.Event] = []
        self.now = NOW
        self.accounted = self.claimable = 0
        fields = {"token": TOKEN, "ledger": LEDGER, "scaleDivisor": DIVISOR}
        self.emit("TokenListed", **fields)

    def emit(self, name: str, **fields) -> abi.Event:
        seq = len(self.events) + 1
        event = abi.Event(name, fields | {"seq": seq}, BLOCK, TX, seq)
        self.events.append(event)
        return event

    def deposit(self, owner: bytes, amount: int) -> int:
        units = amount * DIVISOR
        self.accounted += units
        place = {"token": TOKEN, "ledger": LEDGER}
        return self.emit("Deposited", owner=owner, amount=units, **place).seq

    def request(self, owner: bytes, amount: int) -> abi.Event:
        seq, units = len(self.events) + 1, amount * DIVISOR
        w = eip712.Withdrawal(owner, owner, TOKEN, units, 0, seq, DEADLINE)
        fields = {"id": eip712.withdrawal_id(DOMAIN, 0, w), "token": TOKEN, "owner": owner}
        fields |= {"to": owner, "amount": units, "deadline": DEADLINE, "ledger": LEDGER}
        return self.emit("WithdrawalRequested", **fields)

    def end(self, name: str, wid: bytes, amount: int = 0, fee: int = 0, kind: int = 0) -> None:
        fields = {"id": wid, "token": TOKEN, "kind": kind}
        if name in ("Paid", "PayoutDeferred"):
            fields |= {"amount": amount * DIVISOR, "fee": fee * DIVISOR}
            self.accounted -= amount * DIVISOR
        self.emit(name, **fields)

    def view(self) -> chain.ChainView:
        books = chain.TokenBooks(self.accounted, self.claimable, self.accounted + self.claimable)
        hashes = {"genesis_hash": HASHES[0], "code_hash": HASHES[1], "deploy_block_hash": HASHES[2]}
        return chain.ChainView(
            chain_id=CHAIN_ID,
            vault=VAULT,
            final_block=9,
            final_timestamp=self.now,
            last_seq=len(self.events),
            events=self.events,
            books={TOKEN: books},
            **hashes,
        )


class Bank:
    """A ledger that does what it is told, right or wrong."""

    def __init__(self) -> None:
        self.accounts: dict[int, Account] = {}
        self.transfers: dict[int, Transfer] = {}
        self.vault = self.open_chart("VAULT", enc.vault_id(LEDGER, INSTANCE))
        self.suspense = self.open_chart("SUSPENSE", enc.chart_id(LEDGER, 6000002))
        self.fees = self.open_chart("FEES", enc.chart_id(LEDGER, 6000003))
        self.operator = enc.chart_id(enc.CONTROL, 6000007)
        self.open(self.operator, enc.CONTROL, 13, 0)
        self.registry("instance", INSTANCE, enc.instance_registry_user_data(KEY))
        value = enc.ledger_hash(CHAIN_ID, TOKEN, DIVISOR)
        self.registry("ledger", LEDGER, enc.ledger_registry_user_data(value))

    def open(self, account_id, ledger, code, flags, data=(0, 0, 0)) -> int:
        account = Account(account_id, ledger, code, flags, Balance(), data)
        self.accounts.setdefault(account_id, account)
        return account_id

    def open_chart(self, name: str, account_id: int) -> int:
        return self.open(account_id, LEDGER, enc.CHART[name].code, enc.CHART[name].flags)

    def registry(self, name: str, number: int, data: enc.UserData) -> None:
        parts = (data.data_128, data.data_64, data.data_32)
        code = enc.registry_code(name)
        self.open(enc.registry_id(name, number), enc.CONTROL, code, 0, parts)

    def person(self, name: str, ledger: int, owner: bytes) -> int:
        data, klass = enc.person_user_data(owner), enc.PERSONS[name]
        parts = (data.data_128, data.data_64, data.data_32)
        account_id = enc.person_id(name, ledger, owner)
        return self.open(account_id, ledger, klass.code, klass.flags, parts)

    def funds(self, owner: bytes) -> int:
        return self.person("funds", LEDGER, owner)

    def add(self, account_id: int, **sums: int) -> None:
        account = self.accounts[account_id]
        changed = {name: getattr(account.balance, name) + by for name, by in sums.items()}
        balance = replace(account.balance, **changed)
        self.accounts[account_id] = replace(account, balance=balance)

    def deposit(self, seq: int, owner: bytes, amount: int, transfer_id: int | None = None) -> int:
        transfer_id = transfer_id or enc.chain_event_id(INSTANCE, "deposit", seq)
        data = (enc.number(TX[:16]), enc.number(BLOCK[:8]), seq)
        parts = (LEDGER, self.vault, self.funds(owner), amount, 10)
        self.transfers[transfer_id] = Transfer(transfer_id, *parts, user_data=data)
        self.add(self.vault, debits_posted=amount)
        self.add(self.funds(owner), credits_posted=amount)
        return transfer_id

    def reserve(self, request: abi.Event, amount: int) -> tuple[int, int]:
        """A request's gate leg and pending; their ids."""
        gate = enc.chain_event_id(INSTANCE, "gate", request.seq)
        main = enc.chain_event_id(INSTANCE, "main", request.seq)
        return self.chain(request["owner"], request["id"], amount, gate, main, 20)

    def chain(self, owner, wid, amount, gate, main, code) -> tuple[int, int]:
        data = (enc.number(wid[16:]), DEADLINE, enc.number(wid[14:16]))
        gate_account = self.person("gate", enc.CONTROL, owner)
        parts = (enc.CONTROL, gate_account, self.operator, 0, 22, LINKED)
        self.transfers[gate] = Transfer(gate, *parts, user_data=data)
        parts = (LEDGER, self.funds(owner), self.vault, amount, code, PENDING)
        self.transfers[main] = Transfer(main, *parts, user_data=data)
        self.add(self.funds(owner), debits_pending=amount)
        self.add(self.vault, credits_pending=amount)
        return gate, main

    def fee(self, owner: bytes, wid: bytes, amount: int) -> int:
        """A gasless withdrawal's fee leg; its id."""
        data = (enc.number(wid[16:]), DEADLINE, enc.number(wid[14:16]))
        fee = enc.gasless_id("fee", wid)
        parts = (LEDGER, self.funds(owner), self.fees, amount, 23, LINKED | PENDING)
        self.transfers[fee] = Transfer(fee, *parts, user_data=data)
        self.add(self.funds(owner), debits_pending=amount)
        self.add(self.fees, credits_pending=amount)
        return fee

    def resolve(self, main: int, transfer_id: int, flag: int) -> int:
        pending = self.transfers[main]
        end = replace(pending, id=transfer_id, flags=flag, pending_id=main)
        self.transfers[transfer_id] = end
        amount, posted = pending.amount, pending.amount if flag & POST else 0
        self.add(pending.debit, debits_pending=-amount, debits_posted=posted)
        self.add(pending.credit, credits_pending=-amount, credits_posted=posted)
        return transfer_id

    def end(self, request: abi.Event, flag: int) -> int:
        main = enc.chain_event_id(INSTANCE, "main", request.seq)
        return self.resolve(main, enc.chain_event_id(INSTANCE, "resolve", request.seq), flag)

    def view(self) -> LedgerView:
        return LedgerView(dict(self.accounts), dict(self.transfers))
