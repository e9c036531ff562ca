"""How many of something are in use at once: the peak counts, not the sum."""

from __future__ import annotations

from collections.abc import Iterable

from app.kernel.interval import Interval


def peak(held: Iterable[tuple[Interval, int]], within: Interval) -> int:
    """The most that is in use at any one moment of ``within``. O(n log n)."""
    changes = []
    for when, quantity in held:
        common = when.intersection(within)
        if common is not None:
            changes += [(common.start, quantity), (common.end, -quantity)]
    most = now = 0
    for _, change in sorted(changes):  # at the same moment what ends comes first: half-open stretches do not meet
        now += change
        most = max(most, now)
    return most
