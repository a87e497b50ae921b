#!/usr/bin/env python3
"""Opens more sessions than a ledger bears, so that it evicts others. CLUSTER_ID ADDRESSES COUNT"""

from __future__ import annotations

import os
import sys

import ledger


def main() -> None:
    """Each client asks once: that is when its session begins. It ends when others take its place, not with the
    connection; connections are few too, so each is closed before the next."""
    cluster_id, addresses, count = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    for _ in range(count):
        client = ledger.Ledger(cluster_id, addresses)
        client.within(lambda client=client: client.client.lookup_accounts([1]))
        client.client.close()


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    # Not sys.exit: a client that waits for a ledger that is away would hold up the end for ever.
    os._exit(0)
