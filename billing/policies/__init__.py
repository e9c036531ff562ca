"""The policy documents that the software knows, one file each."""

from __future__ import annotations

from datetime import date

from billing.policies import jinzhengban_2025_13
from billing.rules.policy import Policy

POLICIES: tuple[Policy, ...] = (jinzhengban_2025_13.POLICY,)


def policy_by_number(number: str) -> Policy:
    """The document with this number. Errors: ``KeyError`` if there is none."""
    return {policy.number: policy for policy in POLICIES}[number]


def policies_in_force(on: date) -> tuple[Policy, ...]:
    """Every document in force on a day; two may be open at once."""
    return tuple(p for p in POLICIES if p.in_force_from <= on and (p.in_force_to is None or on <= p.in_force_to))
