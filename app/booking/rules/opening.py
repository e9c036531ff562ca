"""When equipment is open: weekly hours at the facility, as stretches of time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from app.booking.rules.calendar import SpecialDay
from app.kernel.clock import local_date, local_midnight
from app.kernel.interval import Interval


@dataclass(frozen=True, slots=True)
class OpenStretch:
    """One stretch of a weekday (Monday = 0), in minutes after local midnight; ``closes`` may be 1440."""

    weekday: int
    opens: int
    closes: int


def opening_intervals(
    hours: Iterable[OpenStretch], within: Interval, *, special: Mapping[date, SpecialDay] | None = None
) -> list[Interval]:
    """The open time that touches ``within``, in order; stretches that meet (over midnight too) are one.

    On a ``special`` day the hours of another weekday hold, or none.
    O(days × hours).
    """
    by_weekday: dict[int, list[OpenStretch]] = {}
    for stretch in hours:
        by_weekday.setdefault(stretch.weekday, []).append(stretch)
    found: list[Interval] = []
    day = local_date(within.start) - timedelta(days=1)
    while local_midnight(day) < within.end + timedelta(days=1):
        special_day = (special or {}).get(day)
        weekday = day.weekday() if special_day is None else special_day.weekday
        for stretch in sorted(by_weekday.get(weekday, ()) if weekday is not None else (), key=lambda one: one.opens):
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
