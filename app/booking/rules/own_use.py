"""Time that an owner keeps for itself (企业自建适度开放) and gives to all when it was not taken early enough."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from app.booking.rules.opening import joined
from app.kernel.clock import local_date, local_midnight
from app.kernel.interval import Interval

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class OwnUse:
    """A weekly window, in minutes after local midnight, from ``first_day`` to ``last_day`` or for good."""

    weekday: int
    opens: int
    closes: int
    first_day: date
    last_day: date | None
    release: timedelta


def kept_for_owner(windows: Iterable[OwnUse], within: Interval, *, at: datetime) -> list[Interval]:
    """What others may not book at the moment ``at``: each window that begins more than its ``release`` later.

    Shape: ascending, disjoint. O(windows × days).
    """
    kept: list[Interval] = []
    for window in windows:
        day = local_date(within.start)
        while local_midnight(day) < within.end:
            if day.weekday() == window.weekday and _holds_on(window, day):
                midnight = local_midnight(day)
                stretch = Interval(
                    midnight + timedelta(minutes=window.opens), midnight + timedelta(minutes=window.closes)
                )
                if stretch.overlaps(within) and stretch.start - window.release > at:
                    kept.append(stretch)
            day += DAY
    return joined(kept)


def _holds_on(window: OwnUse, day: date) -> bool:
    return window.first_day <= day and (window.last_day is None or day <= window.last_day)
