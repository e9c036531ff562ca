"""Running time laid over the hours of a week."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

HOURS = 24
WEEK = 7 * HOURS
Cell = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Stretch:
    """Sessions that begin in the same hour of the week and touch equally many hours, added up.

    ``density`` is running time per second; ``opening`` and ``closing`` are the running seconds in the first and the
    last hour, which for a session within one hour are the same.
    """

    first_hour: int
    hours: int
    density: float
    opening: float
    closing: float


def spread(stretches: Iterable[Stretch]) -> dict[Cell, timedelta]:
    """Running time by (weekday, hour), Monday = 0. O(stretches times their hours)."""
    seconds = [0.0] * WEEK
    for one in stretches:
        seconds[one.first_hour] += one.opening
        for hour in range(one.first_hour + 1, one.first_hour + one.hours - 1):
            seconds[hour % WEEK] += one.density * 3600
        if one.hours > 1:
            seconds[(one.first_hour + one.hours - 1) % WEEK] += one.closing
    return {(hour // HOURS, hour % HOURS): timedelta(seconds=all_of_it) for hour, all_of_it in enumerate(seconds)}
