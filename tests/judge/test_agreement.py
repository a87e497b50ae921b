"""What the judge must not call a fault, and gasless withdrawals."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import encoding as enc
from case import Case
from ledger import CLOSED, LINKED, POST, VOID, Transfer
from world import ALICE, BOB, DEADLINE, DIVISOR, INSTANCE, LEDGER, TOKEN


class Agreement(Case):
    """What must not be called a fault."""

    def test_equal_stories(self) -> None:
        self.assert_fine()

    def test_voids_follow_refusal_cancellation_and_veto(self) -> None:
        for name in ("Refused", "Cancelled", "PayoutVetoed"):
            with self.subTest(name):
                self.setUp()
                self.chain.end(name, self.open["id"])
                self.bank.end(self.open, VOID)
                self.assert_fine()

    def test_a_deferred_payout_is_a_payout(self) -> None:
        self.chain.end("PayoutDeferred", self.open["id"], 20)
        self.chain.claimable = 20 * DIVISOR
        self.bank.end(self.open, POST)
        self.assert_fine()

    def test_past_the_deadline_a_void_may_come_or_not(self) -> None:
        self.chain.now = DEADLINE + 1
        self.assert_fine()
        self.bank.end(self.open, VOID)
        self.assert_fine()

    def test_what_a_dead_request_held_may_be_spendable_or_not(self) -> None:
        later = self.chain.request(ALICE, 60)
        self.chain.now = DEADLINE + 1
        self.assert_fine()
        self.bank.end(self.open, VOID)
        self.bank.reserve(later, 60)
        self.assert_fine()

    def test_a_released_reservation_can_be_spent_again(self) -> None:
        self.chain.end("Cancelled", self.open["id"])
        self.bank.end(self.open, VOID)
        again = self.chain.request(ALICE, 70)
        self.bank.reserve(again, 70)
        self.assert_fine()

    def test_a_frozen_owner_is_refused(self) -> None:
        self.chain.deposit(BOB, 50)
        self.bank.deposit(len(self.chain.events), BOB, 50)
        self.chain.request(BOB, 10)
        gate = self.bank.person("gate", enc.CONTROL, BOB)
        self.bank.accounts[gate] = replace(self.bank.accounts[gate], flags=CLOSED)
        self.assert_fine()

    def test_a_collision_goes_to_suspense(self) -> None:
        seq = self.chain.deposit(BOB, 5)
        self.bank.funds(BOB)
        stranger = enc.person_user_data(ALICE)
        parts = (stranger.data_128, 0, stranger.data_32)
        funds = enc.person_id("funds", LEDGER, BOB)
        self.bank.accounts[funds] = replace(self.bank.accounts[funds], user_data=parts)
        transfer = self.bank.deposit(seq, BOB, 5)
        self.change(transfer, credit=self.bank.suspense, code=11)
        self.bank.add(funds, credits_posted=-5)
        self.bank.add(self.bank.suspense, credits_posted=5)
        self.assert_fine()

    def test_what_went_to_suspense_cannot_be_spent(self) -> None:
        self.test_a_collision_goes_to_suspense()
        self.chain.request(BOB, 5)
        self.assert_fine()

    def test_people_do_not_spend_each_others_money(self) -> None:
        self.bank.deposit(self.chain.deposit(BOB, 60), BOB, 60)
        self.bank.reserve(self.chain.request(BOB, 60), 60)
        self.chain.request(ALICE, 500)  # too much, and not refused yet
        self.bank.reserve(self.chain.request(ALICE, 50), 50)
        self.assert_fine()

    def test_other_vaults_keep_their_gate_legs(self) -> None:
        gate = enc.chain_event_id(INSTANCE ^ 1, "gate", 4)
        self.bank.transfers[gate] = Transfer(gate, enc.CONTROL, code=22)
        self.assert_fine()

    def test_a_token_may_be_listed_again(self) -> None:
        self.chain.emit("TokenDelisted", token=TOKEN, ledger=LEDGER)
        fields = {"token": TOKEN, "ledger": LEDGER, "scaleDivisor": DIVISOR}
        self.chain.emit("TokenListed", **fields)
        self.assert_fine()


class Gasless(Case):
    """Withdrawals that the owner signed and nobody requested on chain."""

    WID = bytes(range(100, 132))

    def setUp(self) -> None:
        super().setUp()
        self.gate, self.main = (enc.gasless_id(role, self.WID) for role in ("gate", "main"))
        self.bank.chain(ALICE, self.WID, 10, self.gate, self.main, 21)
        self.fee_id = self.bank.fee(ALICE, self.WID, 2)

    def settle(self, flag: int) -> None:
        self.bank.resolve(self.main, enc.gasless_id("resolve", self.WID), flag)
        self.bank.resolve(self.fee_id, enc.gasless_id("resolve-fee", self.WID), flag)

    def test_open_paid_and_refused(self) -> None:
        self.assert_fine()
        for name, flag in (("Paid", POST), ("Refused", VOID)):
            with self.subTest(name):
                self.setUp()
                self.chain.end(name, self.WID, 10, 2, kind=1)
                self.settle(flag)
                self.assert_fine()

    def test_both_ends_may_be_a_chain(self) -> None:
        self.chain.end("Paid", self.WID, 10, 2, kind=1)
        self.settle(POST | LINKED)
        self.assert_fine()

    def test_refused_before_anything_was_reserved(self) -> None:
        self.chain.end("Refused", bytes(32), kind=1)
        self.assert_fine()

    def test_revoked_by_its_owner_and_by_nobody_else(self) -> None:
        self.settle(VOID)
        self.assert_found("withdrawal", "can still be paid")
        self.chain.emit("NonceInvalidated", owner=BOB, nonce=1)
        self.assert_found("withdrawal", "can still be paid")
        self.chain.emit("NonceInvalidated", owner=ALICE, nonce=1)
        self.assert_fine()

    def test_a_request_may_come_before_or_after_it(self) -> None:
        request = self.chain.request(ALICE, 45)
        self.assert_fine()
        self.bank.reserve(request, 45)
        self.assert_fine()

    def test_reserved_on_an_account_that_is_not_there(self) -> None:
        self.change(self.main, debit=1)
        self.assert_found("story", "debit account is not there")

    def test_paid_but_still_pending(self) -> None:
        self.chain.end("Paid", self.WID, 10, 2, kind=1)
        self.assert_found("withdrawal", "resolve-fee: no transfer")

    def test_paid_with_another_fee(self) -> None:
        self.chain.end("Paid", self.WID, 10, 3, kind=1)
        self.settle(POST)
        self.assert_found("story", "other amounts")

    def test_paid_without_a_reservation(self) -> None:
        self.chain.end("Paid", bytes(32), 10, kind=1)
        self.assert_found("story", "never reserved")

    def test_posted_without_a_payout(self) -> None:
        self.settle(POST)
        self.assert_found("withdrawal", "can still be paid")
