"""What the judge's tests start from."""

from __future__ import annotations

import unittest
from dataclasses import replace

import judge
from ledger import POST
from world import ALICE, Bank, Chain


class Case(unittest.TestCase):
    """A chain and a ledger that agree: a deposit of 100, a paid 30, a refused 500, an open 20."""

    def setUp(self) -> None:
        self.chain, self.bank = Chain(), Bank()
        self.seq = self.chain.deposit(ALICE, 100)
        self.deposit_id = self.bank.deposit(self.seq, ALICE, 100)
        self.paid = self.chain.request(ALICE, 30)
        self.paid_gate, self.paid_main = self.bank.reserve(self.paid, 30)
        self.chain.end("Paid", self.paid["id"], 30)
        self.post = self.bank.end(self.paid, POST)
        self.broke = self.chain.request(ALICE, 500)
        self.chain.end("Refused", self.broke["id"])
        self.open = self.chain.request(ALICE, 20)
        self.open_gate, self.open_main = self.bank.reserve(self.open, 20)

    def checks(self) -> set[str]:
        return {d.check for d in self.differences()}

    def differences(self):
        return judge.judge(self.chain.view(), self.bank.view()).differences

    def assert_fine(self) -> None:
        self.assertEqual([str(d) for d in self.differences()], [])

    def assert_found(self, check: str, words: str) -> None:
        told = [str(d) for d in self.differences()]
        hits = [text for text in told if text.startswith(f"{check}: ") and words in text]
        self.assertTrue(hits, f"nothing about {words!r} from {check} in {told}")

    def change(self, transfer_id: int, **fields) -> None:
        self.bank.transfers[transfer_id] = replace(self.bank.transfers[transfer_id], **fields)
