"""Raw logs become events, and the events are the contract's."""

from __future__ import annotations

import json
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import abi
import encoding as enc
from world import ALICE, BLOCK, BOB, TOKEN


class Decoding(unittest.TestCase):
    """Raw logs."""

    def test_a_deposit(self) -> None:
        topics = [abi.topic("Deposited"), enc.u(256, 7), bytes(12) + TOKEN, bytes(12) + ALICE]
        data = bytes(12) + BOB + enc.u(256, 10**18) + enc.u(256, 1002)
        name, fields = abi.decode(topics, data)
        self.assertEqual((name, fields["seq"], fields["owner"]), ("Deposited", 7, ALICE))
        self.assertEqual((fields["amount"], fields["ledger"]), (10**18, 1002))

    def test_a_listing_and_a_refusal(self) -> None:
        topics = [abi.topic("TokenListed"), bytes(12) + TOKEN, enc.u(256, 1002)]
        words = (enc.u(256, n) for n in (3, 10_000, 6, 1))
        _, fields = abi.decode(topics, b"".join(words))
        self.assertEqual((fields["decimals"], fields["creditsMeasuredDelta"]), (6, True))
        topics = [abi.topic("Refused"), BLOCK, bytes(12) + TOKEN, bytes(12) + ALICE]
        words = (enc.u(256, n) for n in (9, 0, 7, 1))
        _, fields = abi.decode(topics, b"".join(words))
        self.assertEqual((fields["id"], fields["nonce"], fields["reason"]), (BLOCK, 7, 1))

    def test_other_events_have_no_place(self) -> None:
        self.assertIsNone(abi.decode([bytes(32)], b""))

    def test_another_shape_is_an_error(self) -> None:
        topics = [abi.topic("Deposited"), enc.u(256, 7), bytes(12) + TOKEN, bytes(12) + ALICE]
        for data in (bytes(64), bytes(128)):
            with self.assertRaises(ValueError):
                abi.decode(topics, data)

    def test_signatures_are_those_of_the_contract(self) -> None:
        path = Path(__file__).resolve().parents[2] / "contracts" / "abi" / "IVault.json"
        entries = json.loads(path.read_text())
        entries = entries["abi"] if isinstance(entries, dict) else entries
        declared = {signature(entry) for entry in entries if is_numbered(entry)}
        ours = set()
        for name, text in abi.EVENTS.items():
            types = ",".join(("*" if p.indexed else "") + p.type for p in abi.parameters(text))
            ours.add(f"{name}({types})")
        self.assertEqual(declared, ours)


def is_numbered(entry: dict) -> bool:
    """Whether an entry of the ABI is an event with a place in the sequence."""
    return entry["type"] == "event" and any(i["name"] == "seq" for i in entry["inputs"])


def signature(entry: dict) -> str:
    """An event's name and types, indexed ones marked."""
    types = ",".join(("*" if i["indexed"] else "") + i["type"] for i in entry["inputs"])
    return f"{entry['name']}({types})"
