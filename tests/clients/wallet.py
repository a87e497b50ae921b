#!/usr/bin/env python3
"""A wallet user's program with web3.py: deposits, withdrawals and their answers. Everything it needs to know comes from
the environment; it ends with 0 only if all went as users are promised."""

import json
import os
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from eth_account import Account
from web3 import Web3
from web3.exceptions import ContractCustomError

ABI = Path(__file__).resolve().parents[2] / "contracts/abi"
PATIENCE_S = 60
PAUSE_S = 0.1
VALID_S = 3_600
ETHER = 10**18

WEB3 = Web3(Web3.HTTPProvider(os.environ["RPC_URL"]))
API = os.environ["API_URL"]
USER = Account.from_key(os.environ["PRIVATE_KEY"])
RECIPIENT = os.environ["RECIPIENT"]


def contract(address: str, name: str):
    """A contract whose ABI is committed."""
    return WEB3.eth.contract(address=address, abi=json.loads((ABI / f"{name}.json").read_text()))


VAULT = contract(os.environ["VAULT"], "IVault")
TOKEN = contract(os.environ["TOKEN"], "TestToken")
ETHER_TOKEN = os.environ["ETHER"]


def must(what: str, holds: bool) -> None:
    """Says what holds, or ends."""
    if not holds:
        sys.exit(f"not so: {what}")
    print(f"ok  {what}", flush=True)


def send(call, value: int = 0):
    """Signs here, sends raw, waits for the block."""
    nonce = WEB3.eth.get_transaction_count(USER.address)
    draft = call.build_transaction({"from": USER.address, "nonce": nonce, "value": value})
    raw = USER.sign_transaction(draft).raw_transaction
    receipt = WEB3.eth.wait_for_transaction_receipt(WEB3.eth.send_raw_transaction(raw), PATIENCE_S, PAUSE_S)
    must(f"transaction {receipt.transactionHash.to_0x_hex()[:10]}… is in block {receipt.blockNumber}", receipt.status == 1)
    return receipt


def get(path: str):
    """Status, content type and document of an answer."""
    try:
        with urllib.request.urlopen(f"{API}{path}", timeout=PATIENCE_S) as answer:
            return answer.status, answer.headers["content-type"], json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, error.headers["content-type"], json.load(error)


def wait_for(reference: str, state: str) -> dict:
    """Asks until a transfer has this state."""
    end = time.monotonic() + PATIENCE_S
    item = None
    while time.monotonic() < end:
        _, _, page = get(f"/v1/transfers/{reference}")
        item = next(iter(page.get("items", [])), None)
        if item and item["state"] == state:
            print(f"ok  {item['ref']} is {state}: {item['sentence']}", flush=True)
            return item
        time.sleep(PAUSE_S)
    sys.exit(f"{reference} never was {state}: {item}")


def a_deposit_that_is_too_small() -> None:
    """What a program finds out before it sends anything: the contract's own error."""
    names = {e["name"]: Web3.keccak(text=signature(e)).to_0x_hex()[:10] for e in VAULT.abi if e["type"] == "error"}
    try:
        VAULT.functions.depositEther(USER.address).call({"from": USER.address, "value": 1})
        must("one wei is refused", False)
    except ContractCustomError as error:
        found = [name for name, selector in names.items() if error.data.startswith(selector)]
        must(f"one wei is refused by name: {found}", found in (["DepositBelowMinimum"], ["AmountNotDivisible"]))


def signature(error: dict) -> str:
    """The text whose hash selects an error."""
    return f"{error['name']}({','.join(field['type'] for field in error['inputs'])})"


def deposits() -> None:
    """Ether, then a token."""
    receipt = send(VAULT.functions.depositEther(USER.address), 2 * ETHER)
    (event,) = VAULT.events.Deposited().process_receipt(receipt)
    must("the event names the owner", event.args.owner == USER.address)
    item = wait_for(f"tx:{receipt.transactionHash.to_0x_hex()}", "cleared")
    must("it is the event's number", item["ref"] == f"deposit:{event.args.seq}")
    send(TOKEN.functions.approve(VAULT.address, 250_000_000))
    receipt = send(VAULT.functions.deposit(TOKEN.address, 250_000_000, USER.address))
    wait_for(f"tx:{receipt.transactionHash.to_0x_hex()}", "cleared")


def request(amount: int) -> str:
    """Asks for a withdrawal and tells its id."""
    deadline = WEB3.eth.get_block("latest").timestamp + VALID_S
    receipt = send(VAULT.functions.requestWithdrawal(ETHER_TOKEN, RECIPIENT, amount, deadline))
    (event,) = VAULT.events.WithdrawalRequested().process_receipt(receipt)
    return Web3.to_hex(event.args.id)


def withdrawals() -> None:
    """One that is paid, one that the balance does not cover."""
    before = WEB3.eth.get_balance(RECIPIENT)
    wait_for(f"withdrawal:{request(ETHER // 2)}", "paid")
    must("the recipient has half an ether more", WEB3.eth.get_balance(RECIPIENT) - before == ETHER // 2)
    item = wait_for(f"withdrawal:{request(50 * ETHER)}", "refused")
    must("the user is told why", "balance" in item["sentence"])


def a_question_nobody_understands() -> None:
    """Answered by a problem document (RFC 9457)."""
    status, kind, problem = get("/v1/transfers/deposit:many")
    must("a problem document answers", kind == "application/problem+json" and status == 400)
    must(f"it says what is wrong: {problem['detail']}", problem["type"].startswith("urn:sovr:problem:"))


a_deposit_that_is_too_small()
deposits()
withdrawals()
a_question_nobody_understands()
