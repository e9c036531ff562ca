"""When equipment is open: weekly hours at the facility, as stretches of time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from app.kernel.clock import local_date, local_midnight
from app.kernel.interval import Interval


@dataclass(frozen=True, slots=True)
class OpenStretch:
    """One stretch of a weekday (Monday = 0), in minutes after local midnight; ``closes`` may be 1440."""

    weekday: int
    opens: int
    closes: int


def opening_intervals(hours: Iterable[OpenStretch], within: Interval) -> list[Interval]:
    """The open time that touches ``within``, in order; stretches that meet (over midnight too) are one.

    O(days × hours).
    """
    by_weekday: dict[int, list[OpenStretch]] = {}
    for stretch in hours:
        by_weekday.setdefault(stretch.weekday, []).append(stretch)
    found: list[Interval] = []
    day = local_date(within.start) - timedelta(days=1)
    while local_midnight(day) < within.end + timedelta(days=1):
        for stretch in sorted(by_weekday.get(day.weekday(), ()), key=lambda one: one.opens):
            midnight = local_midnight(day)
            opened = Interval(midnight + timedelta(minutes=stretch.opens), midnight + timedelta(minutes=stretch.closes))
            if found and found[-1].end == opened.start:
                found[-1] = Interval(found[-1].start, opened.end)
            else:
                found.append(opened)
        day += timedelta(days=1)
    return [stretch for stretch in found if stretch.overlaps(within)]


def joined(stretches: Iterable[Interval]) -> list[Interval]:
    """The same time as ascending, disjoint stretches. O(n log n)."""
    found: list[Interval] = []
    for stretch in sorted(stretches):
        if found and stretch.start <= found[-1].end:
            found[-1] = Interval(found[-1].start, max(found[-1].end, stretch.end))
        else:
            found.append(stretch)
    return found
