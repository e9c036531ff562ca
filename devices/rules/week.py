"""Running time laid over the hours of a week."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

HOURS = 24
WEEK = 7 * HOURS
Week = Sequence[int]
"""Microseconds by hour, from Monday midnight."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Sessions that begin in the same hour of the week and touch equally many hours, added up.

    Units: microseconds of running time, in the first hour, in each hour between, and in the last one.
    """

    first_hour: int
    hours: int
    opening: int
    middle: int
    closing: int


def spread(stretches: Iterable[Stretch]) -> Week:
    """Running time by hour of the week. O(stretches times their hours)."""
    week = [0] * WEEK
    for one in stretches:
        week[one.first_hour] += one.opening
        for hour in range(one.first_hour + 1, one.first_hour + one.hours - 1):
            week[hour % WEEK] += one.middle
        week[(one.first_hour + one.hours - 1) % WEEK] += one.closing
    return week
