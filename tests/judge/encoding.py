"""The bytes of docs/encoding.md, written a second time.

Nothing here is translated from the Rust core: both read the document, and the golden vectors
compare them. Ids are ints of 128 bits; hashes and addresses are bytes. Section numbers in the
comments are those of the document.
"""

from __future__ import annotations

from dataclasses import dataclass

import pinned  # noqa: F401  (makes Crypto importable)
from Crypto.Hash import keccak as _keccak


def keccak(data: bytes) -> bytes:
    """Keccak-256 (the pre-standard padding that Ethereum uses, not SHA3-256)."""
    return _keccak.new(digest_bits=256, data=data).digest()


def u(bits: int, value: int) -> bytes:
    """`value` as an unsigned big-endian number of `bits` bits; too large a value is an error."""
    return value.to_bytes(bits // 8, "big")


def number(data: bytes) -> int:
    """The unsigned big-endian number in `data`."""
    return int.from_bytes(data, "big")


def _sized(data: bytes, size: int, what: str) -> bytes:
    if len(data) != size:
        raise ValueError(f"{what} must have {size} bytes, not {len(data)}")
    return data


# --- 1. Instance -----------------------------------------------------------------------------


def instance_key(chain_id: int, genesis: bytes, vault: bytes, code: bytes, block: bytes) -> bytes:
    """K: which chain and which deployment of which code this is."""
    parts = (
        b"sovr.instance.v1",
        u(256, chain_id),
        _sized(genesis, 32, "genesis hash"),
        _sized(vault, 20, "vault"),
        _sized(code, 32, "code hash"),
        _sized(block, 32, "deploy block hash"),
    )
    return keccak(b"".join(parts))


def instance_number(key: bytes) -> int:
    """The first 32 bits of K; 0 is refused."""
    value = number(key[0:4])
    if value == 0:
        raise ValueError("the instance number is 0: this deployment cannot be used")
    return value


# --- 2. Ledgers ------------------------------------------------------------------------------

CONTROL = 900
LIMIT_BASE = 2**31
USD_CENTS = LIMIT_BASE + 1

# --- 3. Accounts -----------------------------------------------------------------------------

# TigerBeetle's account flags.
DEBITS_MUST_NOT_EXCEED_CREDITS = 1 << 1
CREDITS_MUST_NOT_EXCEED_DEBITS = 1 << 2
HISTORY = 1 << 3

SIDE_FLAGS = {
    "asset": CREDITS_MUST_NOT_EXCEED_DEBITS,
    "liability": DEBITS_MUST_NOT_EXCEED_CREDITS,
    "free": 0,
}


@dataclass(frozen=True)
class Chart:
    """A line of the chart of accounts."""

    number: int
    code: int
    side: str
    history: bool = False

    @property
    def flags(self) -> int:
        """TigerBeetle's flags for the account."""
        return SIDE_FLAGS[self.side] | (HISTORY if self.history else 0)


CHART = {
    "SYSTEM_RESERVE": Chart(1000001, 5, "liability"),
    "CASH_ODFI": Chart(1000002, 6, "asset"),
    "ACH_CLEARING_LLC": Chart(1000003, 7, "free"),
    "STRIPE_SETTLEMENT": Chart(3000001, 8, "liability"),
    "INSTACART_CLEARING": Chart(3000002, 8, "liability"),
    "UTILITY_PROVIDERS": Chart(3000003, 8, "liability"),
    "MILK_OBLIGATION": Chart(4000001, 9, "liability"),
    "EGGS_OBLIGATION": Chart(4000002, 9, "liability"),
    "BREAD_OBLIGATION": Chart(4000003, 9, "liability"),
    "NARRATIVE_MIRROR": Chart(5000001, 10, "free"),
    "AUDIT_TRAIL": Chart(5000002, 10, "free"),
    "VAULT": Chart(6000001, 1, "asset", history=True),
    "SUSPENSE": Chart(6000002, 2, "liability"),
    "FEES": Chart(6000003, 3, "liability"),
    "LOSS": Chart(6000004, 4, "asset"),
    "LIMIT_OPERATOR": Chart(6000005, 11, "free"),
    "FUNDING": Chart(6000006, 12, "free"),
    "GATE_OPERATOR": Chart(6000007, 13, "free"),
}


@dataclass(frozen=True)
class Person:
    """A class of accounts that belong to an address."""

    number: int
    code: int
    side: str
    history: bool = False

    @property
    def flags(self) -> int:
        """TigerBeetle's flags for the account."""
        return SIDE_FLAGS[self.side] | (HISTORY if self.history else 0)


PERSONS = {
    "funds": Person(1, 100, "liability", history=True),
    "gate": Person(2, 101, "free"),
    "daily limit": Person(3, 102, "liability"),
    "monthly limit": Person(4, 103, "liability"),
    "SKU daily limit": Person(5, 104, "liability"),
}

REGISTRIES = {"instance": 1, "ledger": 2, "passkey": 3}


@dataclass(frozen=True)
class UserData:
    """What an account or a transfer carries besides its amounts."""

    data_128: int = 0
    data_64: int = 0
    data_32: int = 0


def chart_id(ledger: int, chart_number: int, instance: int = 0) -> int:
    """A chart account; `instance` only for those that exist once per vault."""
    return number(u(32, 0) + u(32, ledger) + u(32, instance) + u(32, chart_number))


def vault_id(ledger: int, instance: int) -> int:
    """The VAULT account of one vault on one ledger."""
    return chart_id(ledger, CHART["VAULT"].number, instance)


def vault_user_data(vault: bytes, chain_id: int) -> UserData:
    """Which contract a VAULT account stands for."""
    return UserData(number(vault[0:16]), chain_id % 2**64, number(vault[16:20]))


def person_id(klass: str, ledger: int, address: bytes, extra: int | None = None) -> int:
    """An account of a person; `extra` is the SKU's chart number, for SKU limits alone."""
    if (klass == "SKU daily limit") != (extra is not None):
        raise ValueError("an extra number goes with SKU limits, and only with them")
    tail = b"" if extra is None else u(32, extra)
    head = b"sovr.account.v1" + u(8, PERSONS[klass].number) + u(32, ledger)
    digest = keccak(head + _sized(address, 20, "address") + tail)
    return number(digest[0:16]) | 1 << 127


def person_user_data(address: bytes, extra: int | None = None) -> UserData:
    """The address, so that the directory can be rebuilt from the ledger and collisions show."""
    return UserData(number(address[0:16]), extra or 0, number(address[16:20]))


def registry_code(name: str) -> int:
    """The account code of a registry."""
    return 200 + REGISTRIES[name] - 1


def registry_id(name: str, value: int) -> int:
    """A registry entry found by number."""
    return number(u(8, 0x40) + u(8, REGISTRIES[name]) + bytes(10) + u(32, value))


def registry_hash_id(name: str, digest: bytes) -> int:
    """A registry entry found by hash."""
    return number(u(8, 0x41) + u(8, REGISTRIES[name]) + digest[0:14])


def instance_registry_user_data(key: bytes) -> UserData:
    """The rest of K, whose first four bytes are the entry's number."""
    return UserData(number(key[4:20]), number(key[20:28]), number(key[28:32]))


def ledger_hash(chain_id: int, token: bytes, scale_divisor: int) -> bytes:
    """L: what a ledger number means, for ever."""
    head = b"sovr.ledger.v1" + u(256, chain_id)
    return keccak(head + _sized(token, 20, "token") + u(128, scale_divisor))


def ledger_registry_user_data(value: bytes) -> UserData:
    """The first 28 bytes of L."""
    return UserData(number(value[0:16]), number(value[16:24]), number(value[24:28]))


def passkey_id(owner: bytes, x: bytes, y: bytes) -> int:
    """The registry entry of a passkey."""
    key = _sized(x, 32, "x") + _sized(y, 32, "y")
    digest = keccak(b"sovr.passkey.v1" + _sized(owner, 20, "owner") + key)
    return registry_hash_id("passkey", digest)


# --- 4. Transfer ids -------------------------------------------------------------------------

KINDS = {
    "deposit": 0x10,
    "main": 0x21,
    "gate": 0x22,
    "fee": 0x23,
    "resolve": 0x24,
    "resolve-fee": 0x25,
    "debited back": 0x31,
    "shortfall": 0x32,
}
ROLES = {"main": 1, "gate": 2, "fee": 3, "resolve": 4, "resolve-fee": 5}
SUPERSEDE_ROLES = {"record": 1}
PARTS = {
    "payment": 0,
    "gate": 1,
    "daily limit": 2,
    "monthly limit": 3,
    "SKU limit": 4,
    "void of daily limit": 5,
    "void of monthly limit": 6,
    "void of SKU limit": 7,
}
CLOSURE_ROLES = {"close": 1, "reopen": 2}
LINES_MAX = 32
CANNOT_EXIST = number(u(8, 0x7F) + bytes(14) + u(8, 1))


def chain_event_id(instance: int, kind: str, seq: int, attempt: int = 0) -> int:
    """What a chain event with a sequence number does to the ledger."""
    head = u(8, 0x01) + u(32, instance) + u(8, KINDS[kind])
    return number(head + u(64, seq) + u(8, attempt) + u(8, 0))


def gasless_id(role: str, digest: bytes) -> int:
    """A leg of a gasless withdrawal."""
    return number(u(8, 0x02) + u(8, ROLES[role]) + digest[0:14])


def intent_leg_id(issued_at_ms: int, digest: bytes, line: int, part: str) -> int:
    """A leg of an obligation intent."""
    if not 0 <= line < LINES_MAX:
        raise ValueError(f"line {line} is not within 0 and {LINES_MAX - 1}")
    leg = line << 3 | PARTS[part]
    return number(u(8, 0x03) + u(48, issued_at_ms) + digest[0:8] + u(8, leg))


def provisional_id(instance: int, seq: int, block_hash: bytes) -> int:
    """A deposit shown before it is final."""
    return number(u(8, 0x04) + u(32, instance) + u(40, seq) + block_hash[0:6])


def supersede_id(instance: int, role: str, first_seq: int) -> int:
    """The record that a range of credits is replaced."""
    head = u(8, 0x05) + u(32, instance) + u(8, SUPERSEDE_ROLES[role])
    return number(head + u(64, first_seq) + u(16, 0))


def forward_id(approval_digest: bytes) -> int:
    """An operator's forward transfer."""
    digest = keccak(b"sovr.forward.v1" + _sized(approval_digest, 32, "approval digest"))
    return number(u(8, 0x06) + digest[0:15])


def limit_funding_id(account: int, revision: int) -> int:
    """The `revision`-th change (from 0) of what a limit account may hold at most."""
    digest = keccak(b"sovr.funding.v1" + u(128, account) + u(32, revision))
    return number(u(8, 0x07) + digest[0:15])


def provisional_void_id(instance: int, seq: int, block_hash: bytes) -> int:
    """The end of a provisional deposit: its id under another namespace."""
    return number(u(8, 0x08) + u(128, provisional_id(instance, seq, block_hash))[1:16])


def honored_id(payment: int, attempt: int) -> int:
    """That the payment with this id was honored outside."""
    digest = keccak(b"sovr.honored.v1" + u(128, payment) + u(8, attempt))
    return number(u(8, 0x09) + digest[0:15])


def closure_id(role: str, account: int, round_number: int) -> int:
    """The `round_number`-th time (from 0) that an account is closed, or opened again."""
    digest = keccak(b"sovr.closure.v1" + u(128, account) + u(32, round_number))
    return number(u(8, 0x0A) + u(8, CLOSURE_ROLES[role]) + digest[0:14])


# --- 5. What a transfer carries --------------------------------------------------------------

CODE_OBLIGATION = 1
CODE_DEPOSIT = 10
CODE_SUSPENSE = 11
CODE_PROVISIONAL = 12
CODE_REQUESTED = 20
CODE_GASLESS = 21
CODE_GATE = 22
CODE_FEE = 23
CODE_DAILY_LIMIT = 30
CODE_MONTHLY_LIMIT = 31
CODE_SKU_LIMIT = 32
CODE_LIMIT_FUNDING = 33
CODE_HONORED = 40
CODE_CASH_FUNDING = 41
CODE_CORRECTION = 50
CODE_DEBITED_BACK = 51
CODE_LOSS = 52
CODE_CLOSURE = 60


def deposit_user_data(tx_hash: bytes, block_hash: bytes, log_index: int) -> UserData:
    """Where on the chain a deposit stands."""
    u(32, log_index)
    return UserData(number(tx_hash[0:16]), number(block_hash[0:8]), log_index)


def withdrawal_user_data(withdrawal_id: bytes, deadline: int) -> UserData:
    """The half of the id that the transfer id does not hold, and the deadline."""
    u(64, deadline)
    return UserData(number(withdrawal_id[16:32]), deadline, number(withdrawal_id[14:16]))


def gasless_withdrawal_id(transfer_id: int, data: UserData) -> bytes:
    """The whole id of a gasless withdrawal, read back from the ledger alone."""
    return u(128, transfer_id)[2:16] + u(32, data.data_32)[2:4] + u(128, data.data_128)


def intent_user_data(digest: bytes, expires_at_ms: int, line: int) -> UserData:
    """What every leg of an obligation intent carries."""
    u(64, expires_at_ms)
    return UserData(number(digest[16:32]), expires_at_ms, line)


def approved_user_data(approval_digest: bytes) -> UserData:
    """What a transfer carries that operators or an owner approved: 28 bytes of what they signed."""
    digest = _sized(approval_digest, 32, "approval digest")
    return UserData(number(digest[0:16]), number(digest[16:24]), number(digest[24:28]))


def honored_user_data(digest: bytes, line: int, agent: int) -> UserData:
    """Which line of which intent; `agent` is a chart number, 0 for an agent with an address."""
    u(32, agent)
    return UserData(number(digest[16:32]), agent, line)
