#!/usr/bin/env python3
"""Compares a vault's final story on chain with the ledger, and says what is not as it must be.

It reads both by itself, with code of its own, and never asks the daemon. Exit code 0: all is as it
must be; 1: differences, each spelled out; 64: wrong usage; 75: the node or the ledger is away.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from dataclasses import asdict, dataclass

import books
import chain
import compare
import encoding as enc
import ledger
import story

POLL_S = 0.2
USAGE, AWAY = 64, 75


@dataclass(frozen=True)
class Verdict:
    """What a look at both sides showed."""

    view: chain.ChainView
    story: story.Story
    books: books.Books
    ledger: ledger.LedgerView
    differences: list[compare.Difference]

    @property
    def fine(self) -> bool:
        """Whether all is as it must be."""
        return not self.differences


def judge(
    view: chain.ChainView, entries: ledger.LedgerView, settled: bool = False
) -> Verdict:
    """Every comparison; pure. `settled`: an open withdrawal is a difference too."""
    parts = (view.chain_id, view.genesis_hash, view.vault, view.code_hash, view.deploy_block_hash)
    key = enc.instance_key(*parts)
    instance = enc.instance_number(key)
    now = view.final_timestamp
    told = story.tell(view.events, instance, view.chain_id, view.vault, now, entries)
    kept = books.keep(told)
    differences = [
        *compare.check_sequence(view.events, view.last_seq),
        *compare.check_story(told),
        *compare.check_registries(told, key, view.chain_id, entries),
        *compare.check_accounts(told, entries),
        *compare.check_superseded(told),
        *compare.check_deposits(told, kept, entries),
        *compare.check_withdrawals(told, kept, entries),
        *compare.check_unexplained(told, kept, entries),
        *compare.check_balances(told, kept, entries),
        *compare.check_solvency(told, view.books, entries),
        *(compare.check_settled(told) if settled else ()),
    ]
    return Verdict(view, told, kept, entries, differences)


def look(args: argparse.Namespace, node: chain.Node, client: ledger.Ledger) -> Verdict:
    """Reads both sides and compares. The ledger first: it follows the chain, so that what it held
    then must be explained by what is final now."""
    listed = {event["ledger"] for event in read_chain(args, node).events if is_listing(event)}
    entries = client.read({enc.CONTROL, *listed})
    return judge(read_chain(args, node), entries, args.settled)


def is_listing(event: chain.abi.Event) -> bool:
    """Whether the event brings a ledger."""
    return event.name == "TokenListed"


def read_chain(args: argparse.Namespace, node: chain.Node) -> chain.ChainView:
    """The chain's side."""
    place = (args.vault, args.deploy_block)
    return chain.read(node, *place, args.finality, args.confirmations)


def wait(args: argparse.Namespace) -> Verdict:
    """Looks until all is as it must be, or the time is up."""
    deadline = time.monotonic() + args.wait
    node, client = chain.Node(args.rpc_url), ledger.Ledger(args.cluster_id, args.addresses)
    while True:
        late = time.monotonic() >= deadline
        try:
            verdict = look(args, node, client)
            if verdict.fine or late:
                return verdict
        except (chain.ChainError, ledger.LedgerError):
            # It may be on its way back; only the last look's failure counts.
            if late:
                raise
        time.sleep(POLL_S)


def rows(verdict: Verdict) -> list[dict]:
    """Every account with what it must hold and what it holds."""
    found = []
    for account_id, sums in sorted(verdict.books.accounts.items(), key=lambda item: item[1].name):
        account = verdict.ledger.accounts.get(account_id)
        found.append(
            {
                "account": sums.name,
                "id": f"{account_id:#034x}",
                "must": {k: str(v) for k, v in asdict(sums.balance).items()},
                "is": account and {k: str(v) for k, v in asdict(account.balance).items()},
            }
        )
    return found


def report(verdict: Verdict) -> dict:
    """For programs; amounts are decimal strings of ledger units."""
    withdrawals = [
        {
            "id": f"0x{w.id.hex()}",
            "seq": w.seq,
            "ledger": w.ledger,
            "amount": str(w.amount),
            "reserved": w.reserved,
            "chain": w.outcome or "open",
            "state": w.state if w.reserved else "refused",
        }
        for w in verdict.story.withdrawals.values()
    ]
    return {
        "ok": verdict.fine,
        "instance": verdict.story.instance,
        "final_block": verdict.view.final_block,
        "events": len(verdict.view.events),
        "deposits": len(verdict.story.deposits),
        "withdrawals": withdrawals,
        "accounts": rows(verdict),
        "differences": [asdict(d) for d in verdict.differences],
    }


def table(verdict: Verdict) -> str:
    """For people."""
    head = f"{'account':58} {'':4} {'debits':>15} {'pending':>15} {'credits':>15} {'pending':>15}"
    lines = [head]
    for row in rows(verdict):
        lines.append(f"{row['account']:58} must {sums_line(row['must'])}")
        lines.append(f"{'':58}   is {sums_line(row['is']) if row['is'] else 'no such account'}")
    lines.append("")
    seen = f"{len(verdict.view.events)} events up to block {verdict.view.final_block}"
    lines += [f"DIFFERENT  {d}" for d in verdict.differences]
    count = len(verdict.differences)
    lines.append(f"{seen}: {'all is as it must be' if verdict.fine else f'{count} differences'}")
    return "\n".join(lines)


def sums_line(sums: dict[str, str]) -> str:
    """The four sums of a row."""
    order = ("debits_posted", "debits_pending", "credits_posted", "credits_pending")
    return " ".join(f"{sums[name]:>15}" for name in order)


def address(text: str) -> bytes:
    """An address from the command line."""
    data = chain.unhexed(text)
    if len(data) != 20:
        raise ValueError(text)
    return data


class Parser(argparse.ArgumentParser):
    """Ends with the project's code for wrong usage."""

    def error(self, message: str) -> None:
        self.print_usage(sys.stderr)
        self.exit(USAGE, f"judge: {message}\n")


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rpc-url", required=True, help="the node: http://…")
    parser.add_argument("--vault", required=True, type=address, help="the vault's address")
    parser.add_argument("--deploy-block", required=True, type=int, help="that created the vault")
    parser.add_argument("--cluster-id", required=True, type=int, help="of the ledger, decimal")
    parser.add_argument("--addresses", required=True, help="all replicas: IP:PORT,…")
    finality = ("confirmations", "safe", "finalized")
    parser.add_argument("--finality", choices=finality, default="confirmations")
    parser.add_argument("--confirmations", type=int, default=1, help="final = head − this + 1")
    parser.add_argument("--wait", type=float, default=0, help="seconds to look again and again")
    parser.add_argument("--settled", action="store_true", help="no withdrawal may be open")
    parser.add_argument("--json", action="store_true", help="a report for programs")
    return parser.parse_args()


def main() -> int:
    """Looks and tells."""
    args = arguments()
    try:
        verdict = wait(args)
    except (chain.ChainError, ledger.LedgerError) as error:
        print(f"judge: {error}", file=sys.stderr)
        return AWAY
    print(json.dumps(report(verdict), indent=2) if args.json else table(verdict))
    return 0 if verdict.fine else 1


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # Not sys.exit: a client that waits for a ledger that is away would hold up the end for ever.
    os._exit(code)
