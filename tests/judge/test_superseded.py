"""The judge understands supersede records, and finds fault with what they leave behind."""

from __future__ import annotations

import sys
import unittest
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import encoding as enc
import judge
from ledger import POST, VOID, Transfer
from world import ALICE, BOB, INSTANCE, KEY, LEDGER, Bank, Chain


class Superseded(unittest.TestCase):
    """Alice's deposit of 50 was credited as event 2; now that is Bob's deposit of 30."""

    def setUp(self) -> None:
        self.chain, self.bank = Chain(), Bank()
        self.loss = self.bank.open_chart("LOSS", enc.chart_id(LEDGER, 6000004))
        self.bank.deposit(2, ALICE, 50)
        self.chain.deposit(BOB, 30)
        self.record(2, 2)
        self.bank.deposit(2, BOB, 30, enc.chain_event_id(INSTANCE, "deposit", 2, 1))

    def record(self, first: int, last: int) -> None:
        registry = enc.registry_id("instance", INSTANCE)
        record = enc.supersede_id(INSTANCE, "record", first)
        parts = (enc.CONTROL, registry, self.bank.operator, 0, 51)
        self.bank.transfers[record] = Transfer(record, *parts, user_data=(7, last, 0))

    def back(self, kind: str, account: int, amount: int, code: int, seq: int = 2) -> None:
        back = enc.chain_event_id(INSTANCE, kind, seq)
        parts = (LEDGER, account, self.bank.vault, amount, code)
        self.bank.transfers[back] = Transfer(back, *parts, user_data=(0, 2, 0))
        self.bank.add(account, debits_posted=amount)
        self.bank.add(self.bank.vault, credits_posted=amount)

    def told(self) -> list[str]:
        return [str(d) for d in judge.judge(self.chain.view(), self.bank.view()).differences]

    def test_debited_back_and_credited_anew(self) -> None:
        self.back("debited back", self.bank.funds(ALICE), 50, 51)
        self.assertEqual(self.told(), [])

    def test_a_shortfall_is_borne_by_loss(self) -> None:
        self.back("debited back", self.bank.funds(ALICE), 20, 51)
        self.back("shortfall", self.loss, 30, 52)
        self.assertEqual(self.told(), [])

    def test_a_credit_that_nobody_debited_back(self) -> None:
        self.assertTrue(any("left it 50, debited back are 0" in t for t in self.told()))

    def test_debited_back_in_part(self) -> None:
        self.back("debited back", self.bank.funds(ALICE), 49, 51)
        self.assertTrue(any("left it 50, debited back are 49" in t for t in self.told()))

    def test_debited_from_somebody_else(self) -> None:
        self.back("debited back", self.bank.funds(BOB), 50, 51)
        self.assertTrue(any("other accounts or code" in t for t in self.told()))

    def test_without_a_record_the_new_credit_is_unexplained(self) -> None:
        self.back("debited back", self.bank.funds(ALICE), 50, 51)
        del self.bank.transfers[enc.supersede_id(INSTANCE, "record", 2)]
        self.assertTrue(any("no final deposit says so" in t for t in self.told()))

    def withdraw(self, flag: int | None) -> None:
        """An old withdrawal of 20 under number 3, of which the chain knows nothing."""
        old = Chain()
        old.deposit(ALICE, 50)
        request = old.request(ALICE, 20)
        self.bank.reserve(request, 20)
        if flag is not None:
            self.bank.end(request, flag)
        self.record(2, 3)

    def test_what_the_old_history_paid_out_is_not_debited_back(self) -> None:
        self.withdraw(POST)
        self.back("debited back", self.bank.funds(ALICE), 30, 51)
        self.assertEqual(self.told(), [])

    def test_an_old_reservation_is_voided(self) -> None:
        self.withdraw(VOID)
        self.back("debited back", self.bank.funds(ALICE), 50, 51)
        self.assertEqual(self.told(), [])

    def test_an_old_reservation_that_still_holds_money(self) -> None:
        self.withdraw(None)
        self.back("debited back", self.bank.funds(ALICE), 30, 51)
        self.assertTrue(any("still holds 20" in t for t in self.told()))

    def test_another_instances_record_says_nothing(self) -> None:
        self.back("debited back", self.bank.funds(ALICE), 50, 51)
        record = enc.supersede_id(INSTANCE, "record", 2)
        other = enc.supersede_id(INSTANCE + 1, "record", 2)
        self.bank.transfers[other] = replace(self.bank.transfers.pop(record), id=other)
        self.assertTrue(self.told())
        self.assertNotEqual(KEY, bytes(32))


if __name__ == "__main__":
    unittest.main()
