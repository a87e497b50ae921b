"""The vault's events, decoded from raw logs (contracts/src/interfaces/IVaultEvents.sol)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from encoding import keccak

KIND_NAMES = ("request", "intent")

# name: its parameters in order; `*` marks the indexed ones. Enums are uint8.
EVENTS = {
    "Deposited": "uint64 seq*,address token*,address owner*,address from,uint128 amount,"
    "uint32 ledger",
    "WithdrawalRequested": "bytes32 id*,address token*,address owner*,uint64 seq,address to,"
    "uint128 amount,uint64 deadline,uint32 ledger",
    "PayoutQueued": "bytes32 id*,address token*,address owner*,uint64 seq,uint8 kind,"
    "uint256 nonce,address to,uint128 amount,uint128 fee,uint64 finalizeAfter,uint64 expiresAt",
    "PayoutVetoed": "bytes32 id*,address token*,address owner*,uint64 seq,uint8 kind,"
    "uint256 nonce",
    "Paid": "bytes32 id*,address token*,address owner*,uint64 seq,uint8 kind,uint256 nonce,"
    "address to,uint128 amount,uint128 fee",
    "PayoutDeferred": "bytes32 id*,address token*,address owner*,uint64 seq,uint8 kind,"
    "uint256 nonce,address to,uint128 amount,uint128 fee",
    "Claimed": "address token*,address owner*,address to*,uint64 seq,uint128 amount",
    "Refused": "bytes32 id*,address token*,address owner*,uint64 seq,uint8 kind,uint256 nonce,"
    "uint8 reason",
    "Cancelled": "bytes32 id*,address token*,address owner*,uint64 seq,uint8 kind,uint256 nonce",
    "NonceInvalidated": "address owner*,uint256 nonce*,uint64 seq",
    "TokenListed": "address token*,uint32 ledger*,uint64 seq,uint128 scaleDivisor,uint8 decimals,"
    "bool creditsMeasuredDelta",
    "TokenDelisted": "address token*,uint32 ledger*,uint64 seq",
}


@dataclass(frozen=True)
class Parameter:
    """A parameter of an event."""

    type: str
    name: str
    indexed: bool


def parameters(text: str) -> list[Parameter]:
    """Reads a line of EVENTS."""
    pairs = (part.split() for part in text.split(","))
    return [Parameter(t, name.rstrip("*"), name.endswith("*")) for t, name in pairs]


def topic(name: str) -> bytes:
    """The first topic of an event's logs."""
    types = ",".join(p.type for p in parameters(EVENTS[name]))
    return keccak(f"{name}({types})".encode("ascii"))


TOPICS = {topic(name): name for name in EVENTS}


@dataclass(frozen=True)
class Event:
    """A decoded event and where it stands."""

    name: str
    fields: dict[str, Any]
    block_hash: bytes = bytes(32)
    tx_hash: bytes = bytes(32)
    log_index: int = 0

    @property
    def seq(self) -> int:
        """Its number in the vault's sequence."""
        return self.fields["seq"]

    def __getitem__(self, field: str) -> Any:
        return self.fields[field]


def decode_word(kind: str, word: bytes) -> Any:
    """A value of a static type from its 32 bytes."""
    if kind == "bytes32":
        return word
    if kind == "address":
        return word[12:32]
    if kind == "bool":
        return word[31] == 1
    return int.from_bytes(word, "big")


def decode(topics: list[bytes], data: bytes) -> tuple[str, dict[str, Any]] | None:
    """Name and fields of a log; None for events that carry no sequence number."""
    name = TOPICS.get(topics[0]) if topics else None
    if name is None:
        return None
    words = [data[i : i + 32] for i in range(0, len(data), 32)]
    indexed = topics[1:]
    fields = {}
    for p in parameters(EVENTS[name]):
        source = indexed if p.indexed else words
        if not source:
            raise ValueError(f"a log of {name} is too short for {p.name}")
        fields[p.name] = decode_word(p.type, source.pop(0))
    if indexed or words:
        raise ValueError(f"a log of {name} is longer than the event: another version of the vault?")
    return name, fields
