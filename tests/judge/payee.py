"""Section 8 of docs/encoding.md: what a line of an obligation intent credits."""

from __future__ import annotations

import re
from dataclasses import dataclass

import encoding as enc

AGENTS = {
    "agent:stripe": "STRIPE_SETTLEMENT",
    "agent:instacart": "INSTACART_CLEARING",
    "utility": "UTILITY_PROVIDERS",
}
SKUS = {
    "sku:milk": "MILK_OBLIGATION",
    "sku:eggs": "EGGS_OBLIGATION",
    "sku:bread": "BREAD_OBLIGATION",
}
TOKEN_AGENT = re.compile("agent:0x([0-9a-f]{40})")


@dataclass(frozen=True)
class Payee:
    """The credited account, and the chart number of the SKU whose limit applies."""

    account: int
    sku: int | None


def payee(purpose: str, ledger: int, clearing: int) -> Payee | None:
    """Who is paid; None is a refusal. The chart exists on the clearing ledger alone."""
    if match := TOKEN_AGENT.fullmatch(purpose):
        address = bytes.fromhex(match[1])
        return Payee(enc.person_id("funds", ledger, address), None) if any(address) else None
    name = AGENTS.get(purpose) or SKUS.get(purpose)
    if name is None or ledger != clearing:
        return None
    chart_number = enc.CHART[name].number
    sku = chart_number if purpose in SKUS else None
    return Payee(enc.chart_id(ledger, chart_number), sku)
