"""What the node says: the vault's events up to the final block, and its own books there."""

from __future__ import annotations

import json
import urllib.request
from dataclasses import dataclass, field
from typing import Any

import abi
from eip712 import ETHER
from encoding import keccak

LOG_RANGE = 5_000  # blocks in one request
REPLY_LIMIT_S = 30


class ChainError(Exception):
    """The node did not answer, or answered with an error."""


@dataclass(frozen=True)
class TokenBooks:
    """What the contracts say about one token at the final block, in token units."""

    accounted: int
    claimable: int
    balance: int


@dataclass(frozen=True)
class ChainView:
    """Everything the judge takes from the chain."""

    chain_id: int
    genesis_hash: bytes
    vault: bytes
    code_hash: bytes
    deploy_block_hash: bytes
    final_block: int
    final_timestamp: int
    last_seq: int
    events: list[abi.Event]
    books: dict[bytes, TokenBooks] = field(default_factory=dict)


class Node:
    """JSON-RPC over HTTP."""

    def __init__(self, url: str) -> None:
        self.url = url

    def call(self, method: str, *params: Any) -> Any:
        """The result of one method."""
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
        request = urllib.request.Request(
            self.url, json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=REPLY_LIMIT_S) as reply:
                answer = json.load(reply)
        except OSError as error:
            raise ChainError(f"the node at {self.url} does not answer: {error}") from error
        if "error" in answer:
            raise ChainError(f"{method}: {answer['error']}")
        return answer["result"]

    def block(self, which: int | str) -> dict[str, Any]:
        """A block by number or tag."""
        name = hex(which) if isinstance(which, int) else which
        block = self.call("eth_getBlockByNumber", name, False)
        if block is None:
            raise ChainError(f"the node has no block {name}")
        return block

    def view(self, contract: bytes, signature: str, block: int, *words: bytes) -> int:
        """The first word that a view function returns."""
        data = keccak(signature.encode())[0:4] + b"".join(bytes(32 - len(w)) + w for w in words)
        call = {"to": hexed(contract), "data": hexed(data)}
        result = unhexed(self.call("eth_call", call, hex(block)))
        if len(result) < 32:
            raise ChainError(f"{signature} of {hexed(contract)} returns nothing: wrong address?")
        return int.from_bytes(result[0:32], "big")

    def logs(self, address: bytes, first: int, last: int) -> list[dict[str, Any]]:
        """All logs of a contract, oldest first."""
        found = []
        for start in range(first, last + 1, LOG_RANGE):
            end = min(start + LOG_RANGE - 1, last)
            place = {"address": hexed(address), "fromBlock": hex(start), "toBlock": hex(end)}
            found += self.call("eth_getLogs", place)
        return found


def hexed(data: bytes) -> str:
    """Bytes as JSON-RPC writes them."""
    return "0x" + data.hex()


def unhexed(text: str) -> bytes:
    """Bytes as JSON-RPC writes them."""
    return bytes.fromhex(text.removeprefix("0x"))


def final_block(node: Node, finality: str, confirmations: int) -> int:
    """The newest final block: head − confirmations + 1, or the node's own tag."""
    if finality in ("safe", "finalized"):
        return int(node.block(finality)["number"], 16)
    return max(int(node.call("eth_blockNumber"), 16) - confirmations + 1, 0)


def decode_log(log: dict[str, Any]) -> abi.Event | None:
    """A log as an event, or None if it has no place in the sequence."""
    decoded = abi.decode([unhexed(t) for t in log["topics"]], unhexed(log["data"]))
    if decoded is None:
        return None
    block, tx = unhexed(log["blockHash"]), unhexed(log["transactionHash"])
    return abi.Event(*decoded, block_hash=block, tx_hash=tx, log_index=int(log["logIndex"], 16))


def token_books(node: Node, vault: bytes, token: bytes, block: int) -> TokenBooks:
    """What vault and token say about the vault's holdings."""
    if token == ETHER:
        balance = int(node.call("eth_getBalance", hexed(vault), hex(block)), 16)
    else:
        balance = node.view(token, "balanceOf(address)", block, vault)
    return TokenBooks(
        accounted=node.view(vault, "accounted(address)", block, token),
        claimable=node.view(vault, "claimableTotal(address)", block, token),
        balance=balance,
    )


def read(node: Node, vault: bytes, deploy_block: int, finality: str, confirms: int) -> ChainView:
    """The whole story up to the final block."""
    final = final_block(node, finality, confirms)
    if final < deploy_block:
        raise ChainError(f"block {deploy_block} that created the vault is not final yet ({final})")
    logs = node.logs(vault, deploy_block, final)
    events = [event for log in logs if (event := decode_log(log)) is not None]
    tokens = {event["token"] for event in events if event.name == "TokenListed"}
    code = unhexed(node.call("eth_getCode", hexed(vault), "latest"))
    if not code:
        raise ChainError(f"there is no contract at {hexed(vault)}")
    return ChainView(
        chain_id=int(node.call("eth_chainId"), 16),
        genesis_hash=unhexed(node.block(0)["hash"]),
        vault=vault,
        code_hash=keccak(code),
        deploy_block_hash=unhexed(node.block(deploy_block)["hash"]),
        final_block=final,
        final_timestamp=int(node.block(final)["timestamp"], 16),
        last_seq=node.view(vault, "lastSeq()", final),
        events=events,
        books={token: token_books(node, vault, token, final) for token in tokens},
    )
