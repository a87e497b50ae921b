"""The judge must be able to find fault: each comparison is given a wrong story."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import encoding as enc
import judge
from case import Case
from ledger import POST, VOID, Transfer
from world import ALICE, BOB, DEADLINE, DIVISOR, INSTANCE, LEDGER, TOKEN, VAULT


class Faults(Case):
    """Every comparison finds its fault."""

    def test_sequence(self) -> None:
        del self.chain.events[3]
        self.chain.emit("NonceInvalidated", owner=ALICE, nonce=1)
        self.assert_found("sequence", "no event with number 4")
        self.assert_found("sequence", "more than one event with number 7")

    def test_a_counter_behind_its_events(self) -> None:
        view = replace(self.chain.view(), last_seq=3)
        told = [str(d) for d in judge.judge(view, self.bank.view()).differences]
        fault = "sequence: the vault's counter is 3, yet there is an event with number 4"
        self.assertIn(fault, told)

    def test_amount_that_does_not_divide(self) -> None:
        event = self.chain.events[self.seq - 1]
        event.fields["amount"] += 1
        self.assert_found("story", "does not divide")

    def test_request_that_does_not_divide(self) -> None:
        self.open.fields["amount"] += 1
        self.assert_found("story", "does not divide")

    def test_token_of_another_ledger(self) -> None:
        self.chain.events[self.seq - 1].fields["token"] = VAULT
        self.assert_found("story", "not the one of ledger 1002")

    def test_listed_otherwise(self) -> None:
        fields = {"token": TOKEN, "ledger": LEDGER, "scaleDivisor": DIVISOR + 1}
        self.chain.emit("TokenListed", **fields)
        self.assert_found("story", "listed otherwise before")

    def test_id_that_does_not_commit(self) -> None:
        self.open.fields["to"] = BOB
        self.assert_found("story", "does not commit")

    def test_two_ends(self) -> None:
        self.chain.end("Paid", self.broke["id"], 500)
        self.assert_found("story", "had ended already")

    def test_paid_though_not_covered(self) -> None:
        more = self.chain.request(ALICE, 900)
        self.chain.end("Paid", more["id"], 900)
        self.assert_found("story", "could not cover")

    def test_registry_missing_or_of_another(self) -> None:
        entry = enc.registry_id("ledger", LEDGER)
        self.bank.accounts[entry] = replace(self.bank.accounts[entry], user_data=(1, 2, 3))
        self.assert_found("registry", "ledger 1002 is another's")
        del self.bank.accounts[enc.registry_id("instance", INSTANCE)]
        self.assert_found("registry", "no entry for instance")

    def test_account_with_other_flags(self) -> None:
        funds = self.bank.funds(ALICE)
        self.bank.accounts[funds] = replace(self.bank.accounts[funds], flags=0)
        self.assert_found("account", "code and flags (100, 0)")
        vault = self.bank.vault
        self.bank.accounts[vault] = replace(self.bank.accounts[vault], code=2)
        self.assert_found("account", "code and flags (2, 12)")

    def test_deposit_not_credited(self) -> None:
        self.chain.deposit(BOB, 7)
        self.assert_found("deposit", "deposit:8: no transfer")
        self.assertNotIn("solvency", self.checks())  # it is on its way

    def test_deposit_credited_twice(self) -> None:
        self.bank.deposit(99, ALICE, 100)
        self.assert_found("deposit", "no final deposit says so")
        self.assert_found("balance", "credits_posted is 200, must be 100")
        self.assert_found("solvency", "the ledger explains 1700000")

    def test_deposit_credited_under_a_random_id(self) -> None:
        del self.bank.transfers[self.deposit_id]
        self.bank.transfers[77] = Transfer(77, LEDGER, self.bank.vault, 1, 100, 10)
        self.assert_found("deposit", "deposit:2: no transfer")
        self.assert_found("deposit", "yet no final deposit says so")

    def test_deposit_with_another_amount_owner_or_place(self) -> None:
        for field, value in (
            ("amount", 99),
            ("credit", self.bank.funds(BOB)),
            ("user_data", (1, 2, 3)),
            ("code", 11),
            ("timeout", 1),
        ):
            with self.subTest(field):
                self.setUp()
                self.change(self.deposit_id, **{field: value})
                self.assert_found("deposit", f"deposit:2: {field} is")

    def test_withdrawal_not_reserved(self) -> None:
        for transfer in (self.open_main, self.open_gate):
            with self.subTest(transfer):
                self.setUp()
                del self.bank.transfers[transfer]
                self.assert_found("withdrawal", "no transfer")

    def test_the_last_cent_is_covered(self) -> None:
        self.chain.request(ALICE, 50)
        self.assert_found("withdrawal", "main: no transfer")

    def test_what_was_released_is_covered(self) -> None:
        self.chain.end("Cancelled", self.open["id"])
        self.bank.end(self.open, VOID)
        self.chain.request(ALICE, 70)
        self.assert_found("withdrawal", "main: no transfer")

    def test_voided_in_the_last_second(self) -> None:
        self.chain.now = DEADLINE
        self.bank.end(self.open, VOID)
        self.assert_found("withdrawal", "can still be paid")

    def test_reserved_though_not_covered(self) -> None:
        self.bank.reserve(self.broke, 500)
        self.assert_found("withdrawal", "more than its owner had")

    def test_paid_but_not_posted(self) -> None:
        del self.bank.transfers[self.post]
        self.assert_found("withdrawal", "resolve: no transfer")

    def test_paid_but_voided(self) -> None:
        self.change(self.post, flags=VOID)
        self.assert_found("withdrawal", f"resolve: flags is {VOID}, must be {POST}")

    def test_posted_with_less(self) -> None:
        self.change(self.post, amount=29)
        self.assert_found("withdrawal", "resolve: amount is 29, must be 30")

    def test_refused_but_still_reserved(self) -> None:
        self.chain.end("Refused", self.open["id"])
        self.assert_found("withdrawal", "resolve: no transfer")
        self.assert_found("balance", "debits_pending is 20, must be 0")

    def test_voided_while_it_can_be_paid(self) -> None:
        self.bank.end(self.open, VOID)
        self.assert_found("withdrawal", "can still be paid")

    def test_queued_outlives_its_deadline(self) -> None:
        self.chain.emit("PayoutQueued", id=self.open["id"], kind=0)
        self.chain.now = DEADLINE + 1
        self.bank.end(self.open, VOID)
        self.assert_found("withdrawal", "can still be paid")

    def test_what_was_paid_in_time_never_became_free(self) -> None:
        more = self.chain.request(ALICE, 60)
        self.chain.end("Paid", self.open["id"], 20)
        self.bank.end(self.open, POST)
        self.chain.now = DEADLINE + 1
        self.bank.reserve(more, 60)
        self.assert_found("withdrawal", "more than its owner had")

    def test_unexplained_transfer(self) -> None:
        self.bank.transfers[5] = Transfer(5, LEDGER, self.bank.funds(ALICE), 1, 3, 50)
        self.assert_found("unexplained", "with code 50 moves 3")

    def test_leg_of_ours_without_its_event(self) -> None:
        gate = enc.chain_event_id(INSTANCE, "gate", 99)
        self.bank.transfers[gate] = Transfer(gate, enc.CONTROL, code=22)
        self.assert_found("unexplained", "with code 22")

    def test_each_sum_of_each_account(self) -> None:
        people = {"VAULT": self.bank.vault, "FEES": self.bank.fees, "funds": self.bank.funds(ALICE)}
        sums = ("debits_pending", "debits_posted", "credits_pending", "credits_posted")
        for name, account in people.items():
            for field in sums:
                with self.subTest(f"{name} {field}"):
                    self.setUp()
                    self.bank.add(account, **{field: 1})
                    self.assert_found("balance", f"{field} is")

    def test_account_missing(self) -> None:
        del self.bank.accounts[self.bank.funds(ALICE)]
        self.assert_found("balance", "there is no such account")

    def test_stranger_with_money(self) -> None:
        self.bank.add(self.bank.funds(BOB), credits_posted=1)
        self.assert_found("balance", "should be empty")
        self.assert_found("solvency", "all others together are owed 71")

    def test_vault_with_less_than_it_counts_on(self) -> None:
        view = self.chain.view()
        poor = replace(view.books[TOKEN], balance=view.books[TOKEN].accounted - 1)
        told = judge.judge(replace(view, books={TOKEN: poor}), self.bank.view()).differences
        self.assertEqual([d.check for d in told], ["solvency"])

    def test_claims_are_counted(self) -> None:
        view = self.chain.view()
        owing = replace(view.books[TOKEN], claimable=1)
        told = judge.judge(replace(view, books={TOKEN: owing}), self.bank.view()).differences
        self.assertEqual([d.check for d in told], ["solvency"])

    def test_an_open_withdrawal_where_all_shall_have_ended(self) -> None:
        told = judge.judge(self.chain.view(), self.bank.view(), settled=True).differences
        self.assertEqual([d.check for d in told], ["settled"])
        self.chain.end("Paid", self.open["id"], 20)
        self.bank.end(self.open, POST)
        self.assertTrue(judge.judge(self.chain.view(), self.bank.view(), settled=True).fine)

    def test_vault_that_counts_on_more(self) -> None:
        self.chain.accounted += DIVISOR
        self.assert_found("solvency", "the ledger explains 700000")
