"""Examples that the vectors share, and how values are written in JSON.

Numbers of up to 32 bits are JSON numbers; wider ones are 0x-hex padded to their width (u64: 16
digits, u128: 32, u256: 64), because many readers of JSON lose digits beyond 2^53. Addresses,
hashes and other bytes are 0x-hex.
"""

from __future__ import annotations

import encoding as enc

VAULT = bytes.fromhex("5fbdb2315678afecb367f032d93f642f64180aa3")
ALICE = bytes.fromhex("70997970c51812dc3a010c7d01b50e0d17dc79c8")
BOB = bytes.fromhex("3c44cdddb6a900fa2b585dd299e03d12fa4293bc")
ONES = bytes.fromhex("ff" * 20)
TOKEN = bytes.fromhex("e7f1725e7734ce288f8367e1bb143e90bb3f0512")
U32, U40, U48, U64, U128 = (2**bits - 1 for bits in (32, 40, 48, 64, 128))


def hash_of(text: str) -> bytes:
    """A hash to use as an example; the text says what for."""
    return enc.keccak(text.encode("ascii"))


def x(data: bytes) -> str:
    """Bytes as hex."""
    return "0x" + data.hex()


def x64(value: int) -> str:
    """A number of 64 bits as hex."""
    return x(enc.u(64, value))


def x128(value: int) -> str:
    """A number of 128 bits as hex."""
    return x(enc.u(128, value))


def x256(value: int) -> str:
    """A number of 256 bits as hex."""
    return x(enc.u(256, value))


def vector(given: dict, out: dict) -> dict:
    """One entry of a section."""
    return {"in": given, "out": out}


def user_data(data: enc.UserData) -> dict:
    """The three fields of user data."""
    return {
        "user_data_128": x128(data.data_128),
        "user_data_64": x64(data.data_64),
        "user_data_32": data.data_32,
    }


def account(account_id: int, ledger: int, code: int, flags: int, data: enc.UserData) -> dict:
    """An account as it is created."""
    head = {"id": x128(account_id), "ledger": ledger, "code": code, "flags": flags}
    return head | user_data(data)


DIGESTS = [hash_of("a digest"), bytes(range(32)), bytes.fromhex("ff" * 32)]
