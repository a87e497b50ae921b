"""Sections 6 and 7 of docs/encoding.md: typed data, withdrawal ids, Merkle roots."""

from __future__ import annotations

from dataclasses import dataclass

from encoding import keccak, u

DOMAIN_TYPE = (
    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
)
REQUEST_TYPE = (
    "WithdrawalRequest(address owner,address to,address token,"
    "uint128 amount,uint128 fee,uint256 nonce,uint64 deadline)"
)
INTENT_TYPE = (
    "WithdrawalIntent(address owner,address to,address token,"
    "uint128 amount,uint128 fee,uint256 nonce,uint64 deadline)"
)
PAYOUT_ROOT_TYPE = "PayoutRoot(bytes32 root)"
PAYOUT_LEAF_TYPE = "PayoutLeaf(uint8 kind,bytes32 id)"
REFUSAL_ROOT_TYPE = "RefusalRoot(bytes32 root)"
REFUSAL_LEAF_TYPE = "RefusalLeaf(bytes32 id,uint8 reason)"
LINE_TYPE = "ObligationLine(string purpose,uint128 amount)"
OBLIGATION_TYPE = (
    "ObligationIntent(address user,uint32 ledger,ObligationLine[] lines,"
    "string reference,bytes32 nonce,uint64 issuedAtMs,uint64 expiresAtMs)"
) + LINE_TYPE
ATTESTATION_TYPE = "IntentAttestation(bytes32 intent,uint64 attestedAtMs)"
PASSKEY_REGISTRATION_TYPE = "PasskeyRegistration(address owner,bytes32 x,bytes32 y)"
PASSKEY_REVOCATION_TYPE = "PasskeyRevocation(address owner,bytes32 x,bytes32 y)"
FORWARD_TYPE = (
    "ForwardTransfer(uint16 code,uint32 ledger,uint128 debit,uint128 credit,uint128 amount,"
    "bool balancing,string reason,bytes32 nonce)"
)
CLOSURE_TYPE = "AccountClosure(uint128 account,uint32 round,bool closed,string reason)"

TYPES = (
    DOMAIN_TYPE,
    REQUEST_TYPE,
    INTENT_TYPE,
    PAYOUT_ROOT_TYPE,
    PAYOUT_LEAF_TYPE,
    REFUSAL_ROOT_TYPE,
    REFUSAL_LEAF_TYPE,
    LINE_TYPE,
    OBLIGATION_TYPE,
    ATTESTATION_TYPE,
    PASSKEY_REGISTRATION_TYPE,
    PASSKEY_REVOCATION_TYPE,
    FORWARD_TYPE,
    CLOSURE_TYPE,
)

VAULT_NAME = "SOVR Vault"
OBLIGATIONS_NAME = "SOVR Obligations"
OPERATORS_NAME = "SOVR Operators"
VERSION = "1"

KIND_REQUEST = 0
KIND_INTENT = 1
ETHER = bytes.fromhex("ee" * 20)


def type_hash(type_string: str) -> bytes:
    """keccak of the type's string."""
    return keccak(type_string.encode("ascii"))


def _address(address: bytes) -> bytes:
    return bytes(12) + address


def _text(text: str) -> bytes:
    return keccak(text.encode("utf-8"))


def domain_separator(name: str, chain_id: int, contract: bytes) -> bytes:
    """The domain of one application on one chain and contract."""
    parts = (_text(name), _text(VERSION), u(256, chain_id), _address(contract))
    return keccak(type_hash(DOMAIN_TYPE) + b"".join(parts))


def digest(domain: bytes, struct_hash: bytes) -> bytes:
    """The full EIP-712 digest: what gets signed."""
    return keccak(b"\x19\x01" + domain + struct_hash)


@dataclass(frozen=True)
class Withdrawal:
    """The fields both kinds of withdrawal have; amounts are token units."""

    owner: bytes
    to: bytes
    token: bytes
    amount: int
    fee: int
    nonce: int
    deadline: int


def withdrawal_struct_hash(type_string: str, w: Withdrawal) -> bytes:
    """hashStruct of a request or an intent."""
    u(128, w.amount), u(128, w.fee), u(64, w.deadline)
    addresses = _address(w.owner) + _address(w.to) + _address(w.token)
    numbers = u(256, w.amount) + u(256, w.fee) + u(256, w.nonce) + u(256, w.deadline)
    return keccak(type_hash(type_string) + addresses + numbers)


def withdrawal_id(domain: bytes, kind: int, w: Withdrawal) -> bytes:
    """The id of a withdrawal; `domain` is the vault's."""
    type_string = {KIND_REQUEST: REQUEST_TYPE, KIND_INTENT: INTENT_TYPE}[kind]
    return digest(domain, withdrawal_struct_hash(type_string, w))


def payout_leaf(kind: int, wid: bytes) -> bytes:
    """The Merkle leaf that permits a payout."""
    u(8, kind)
    return keccak(type_hash(PAYOUT_LEAF_TYPE) + u(256, kind) + wid)


def refusal_leaf(wid: bytes, reason: int) -> bytes:
    """The Merkle leaf that refuses a withdrawal."""
    u(8, reason)
    return keccak(type_hash(REFUSAL_LEAF_TYPE) + wid + u(256, reason))


def root_digest(domain: bytes, type_string: str, root: bytes) -> bytes:
    """What payout signers sign: a PayoutRoot or a RefusalRoot."""
    return digest(domain, keccak(type_hash(type_string) + root))


def merkle_parent(a: bytes, b: bytes) -> bytes:
    """A node over two children, smaller first."""
    return keccak(min(a, b) + max(a, b))


def merkle_levels(leaves: list[bytes]) -> list[list[bytes]]:
    """All levels, leaves first: neighbours are paired, an odd last one moves up unchanged."""
    levels = [list(leaves)]
    while len(levels[-1]) > 1:
        below = levels[-1]
        pairs = [below[i : i + 2] for i in range(0, len(below), 2)]
        levels.append([merkle_parent(*p) if len(p) == 2 else p[0] for p in pairs])
    return levels


def merkle_root(leaves: list[bytes]) -> bytes:
    """The root over at least one leaf."""
    return merkle_levels(leaves)[-1][0]


def merkle_proof(leaves: list[bytes], index: int) -> list[bytes]:
    """The siblings on the way from a leaf to the root."""
    proof = []
    for level in merkle_levels(leaves)[:-1]:
        sibling = index ^ 1
        if sibling < len(level):
            proof.append(level[sibling])
        index //= 2
    return proof


def merkle_verify(leaf: bytes, proof: list[bytes], root: bytes) -> bool:
    """Whether the proof leads from the leaf to the root, as the contract computes it."""
    for sibling in proof:
        leaf = merkle_parent(leaf, sibling)
    return leaf == root


@dataclass(frozen=True)
class Obligation:
    """A signed obligation intent; `lines` are (purpose, amount)."""

    user: bytes
    ledger: int
    lines: tuple[tuple[str, int], ...]
    reference: str
    nonce: bytes
    issued_at_ms: int
    expires_at_ms: int


def obligation_line_hash(purpose: str, amount: int) -> bytes:
    """hashStruct of one line."""
    u(128, amount)
    return keccak(type_hash(LINE_TYPE) + _text(purpose) + u(256, amount))


def obligation_lines_hash(lines: tuple[tuple[str, int], ...]) -> bytes:
    """An array of structs is the keccak of its members' hashStructs, one after the other."""
    return keccak(b"".join(obligation_line_hash(p, a) for p, a in lines))


def obligation_struct_hash(o: Obligation) -> bytes:
    """hashStruct of an obligation intent."""
    head = _address(o.user) + u(256, o.ledger) + obligation_lines_hash(o.lines)
    tail = _text(o.reference) + o.nonce + u(256, o.issued_at_ms) + u(256, o.expires_at_ms)
    return keccak(type_hash(OBLIGATION_TYPE) + head + tail)


def attestation_struct_hash(intent: bytes, attested_at_ms: int) -> bytes:
    """hashStruct of an attestation; `intent` is the obligation's full digest."""
    return keccak(type_hash(ATTESTATION_TYPE) + intent + u(256, attested_at_ms))


def passkey_struct_hash(type_string: str, owner: bytes, x: bytes, y: bytes) -> bytes:
    """hashStruct of a passkey's registration or revocation."""
    return keccak(type_hash(type_string) + _address(owner) + x + y)


@dataclass(frozen=True)
class Forward:
    """An operators' approval of one transfer; account ids are the ledger's."""

    code: int
    ledger: int
    debit: int
    credit: int
    amount: int
    balancing: bool
    reason: str
    nonce: bytes


def forward_struct_hash(f: Forward) -> bytes:
    """hashStruct of an approval."""
    u(16, f.code), u(32, f.ledger)
    head = u(256, f.code) + u(256, f.ledger)
    wide = b"".join(u(128, 0) + u(128, n) for n in (f.debit, f.credit, f.amount))
    tail = u(256, int(f.balancing)) + _text(f.reason) + f.nonce
    return keccak(type_hash(FORWARD_TYPE) + head + wide + tail)


def closure_struct_hash(account: int, round_number: int, closed: bool, reason: str) -> bytes:
    """hashStruct of an approval to close an account or open it again."""
    u(128, account), u(32, round_number)
    words = u(256, account) + u(256, round_number) + u(256, int(closed))
    return keccak(type_hash(CLOSURE_TYPE) + words + _text(reason))
