#!/usr/bin/env python3
"""Writes docs/encoding.vectors.json, or with --check fails if it differs from what is computed.

Layout: {section: [{"in": {...}, "out": {...}}]}; how values are written stands in vector_format.py.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import vectors_flows as flows
import vectors_ids as ids
import vectors_typed as typed

PATH = Path(__file__).resolve().parents[2] / "docs" / "encoding.vectors.json"

SECTIONS = (
    ids.instance,
    ids.chart_account,
    ids.vault_account,
    ids.person_account,
    ids.registry_instance,
    ids.registry_ledger,
    ids.registry_passkey,
    ids.transfer_chain_event,
    ids.transfer_gasless,
    ids.transfer_intent,
    ids.transfer_provisional,
    ids.transfer_supersede,
    ids.transfer_forward,
    ids.transfer_cannot_exist,
    ids.user_data_deposit,
    ids.user_data_withdrawal,
    ids.user_data_intent,
    typed.type_hash,
    typed.domain,
    typed.withdrawal_id,
    typed.payout_leaf,
    typed.refusal_leaf,
    typed.merkle,
    typed.root_digest,
    typed.obligation,
    typed.attestation,
    ids.transfer_limit_funding,
    ids.transfer_provisional_void,
    ids.transfer_honored,
    ids.transfer_closure,
    ids.user_data_approved,
    ids.user_data_honored,
    typed.passkey_approval,
    typed.forward_approval,
    typed.closure_approval,
    flows.purpose,
    flows.webauthn,
    flows.flow_deposit,
    flows.flow_provisional,
    flows.flow_superseded,
    flows.flow_supersede_record,
    flows.flow_withdrawal,
    flows.flow_intent,
    flows.flow_limit_funding,
    flows.flow_forward,
    flows.flow_honored,
    flows.flow_closure,
    flows.flow_burn,
)


def render() -> str:
    """The file's text: one vector a line."""
    blocks = []
    for section in SECTIONS:
        lines = [json.dumps(entry, ensure_ascii=True) for entry in section()]
        body = ",\n".join(f"    {line}" for line in lines)
        blocks.append(f'  "{section.__name__}": [\n{body}\n  ]')
    return "{\n" + ",\n".join(blocks) + "\n}\n"


def main() -> int:
    """Writes the file or checks it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, fail on drift")
    text = render()
    if not parser.parse_args().check:
        PATH.write_text(text, encoding="utf-8")
        print(f"wrote {PATH.name}: {len(SECTIONS)} sections")
        return 0
    if PATH.is_file() and PATH.read_text(encoding="utf-8") == text:
        print(f"{PATH.name} is as computed")
        return 0
    print(
        f"{PATH.name} differs from what tests/judge computes. The encoding is frozen: find out"
        " which side changed. For new vectors only, run tests/judge/vectors.py and commit what it"
        " writes.",
        file=sys.stderr,
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
