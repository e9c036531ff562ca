"""How many of something are in use at once: the peak counts, not the sum."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import pairwise

from app.booking.rules.opening import joined
from app.kernel.interval import Interval


def peak(held: Iterable[tuple[Interval, int]], within: Interval) -> int:
    """The most that is in use at any one moment of ``within``. O(n log n)."""
    return max((used for _, used in _levels(held, within)), default=0)


def lacking(held: Iterable[tuple[Interval, int]], within: Interval, *, left: int) -> list[Interval]:
    """The stretches of ``within`` throughout which more than ``left`` is in use, ascending and disjoint."""
    if left < 0:
        return [within]
    return joined(when for when, used in _levels(held, within) if used > left)


def _levels(held: Iterable[tuple[Interval, int]], within: Interval) -> Iterator[tuple[Interval, int]]:
    """How much is in use from one change to the next, in order, beginning with the first."""
    changes: dict[datetime, int] = defaultdict(int)
    for when, quantity in held:
        common = when.intersection(within)
        if common is not None:
            changes[common.start] += quantity
            changes[common.end] -= quantity
    used = 0
    for start, end in pairwise(sorted(changes)):
        used += changes[start]
        yield Interval(start, end), used
