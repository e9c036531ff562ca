"""How many different people must agree before a request stands."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from app.kernel.interval import Interval

STEPS = {"none": 0, "operator": 1, "two_steps": 2}
"""By the word of the equipment's approval."""


@dataclass(frozen=True, slots=True)
class Step:
    """One decision: by whom, about which slot."""

    person_id: int
    during: Interval
    approved: bool


def agreed_by(steps: Iterable[Step], during: Interval) -> frozenset[int]:
    """The different people who agreed to this very slot; what was said about another does not count."""
    return frozenset(step.person_id for step in steps if step.approved and step.during == during)


def stands(steps: Iterable[Step], during: Interval, *, needed: int) -> bool:
    """Whether enough people agreed to this slot. A request needs one at least, whatever the rule is by now."""
    return len(agreed_by(steps, during)) >= max(1, needed)
