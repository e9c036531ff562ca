"""The policy documents that the software knows, one file each."""

from __future__ import annotations

from datetime import date
from importlib import import_module
from pkgutil import iter_modules

from billing.rules.policy import Policy


def _documents() -> tuple[Policy, ...]:
    """Every module here that states a POLICY, by its first day: a further document is a further file."""
    modules = [import_module(f"{__name__}.{found.name}") for found in iter_modules(__path__)]
    return tuple(sorted((m.POLICY for m in modules if hasattr(m, "POLICY")), key=lambda policy: policy.in_force_from))


POLICIES: tuple[Policy, ...] = _documents()


def policy_by_number(number: str) -> Policy:
    """The document with this number. Errors: ``KeyError`` if there is none."""
    return {policy.number: policy for policy in POLICIES}[number]


def policies_in_force(on: date) -> tuple[Policy, ...]:
    """Every document in force on a day; two may be open at once."""
    return tuple(p for p in POLICIES if p.in_force_from <= on and (p.in_force_to is None or on <= p.in_force_to))
