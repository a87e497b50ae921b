#!/usr/bin/env python3
"""Opens more sessions than a ledger bears, so that it evicts others. CLUSTER_ID ADDRESSES COUNT"""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor

import ledger


# Connections are few too: with the daemon's and the signers' these are as many as a small server takes.
AT_ONCE = 3


def come_and_go(cluster_id: int, addresses: str) -> None:
    """A session begins with the first question and ends when others take its place, not with the connection."""
    client = ledger.Ledger(cluster_id, addresses)
    client.within(lambda: client.client.lookup_accounts([1]))
    client.client.close()


def main() -> None:
    """All of them, some at a time."""
    cluster_id, addresses, count = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for done in [pool.submit(come_and_go, cluster_id, addresses) for _ in range(count)]:
            done.result()


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    # Not sys.exit: a client that waits for a ledger that is away would hold up the end for ever.
    os._exit(0)
