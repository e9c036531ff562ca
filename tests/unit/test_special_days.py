from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.booking.rules.calendar import SpecialDay
from app.booking.rules.opening import OpenStretch, opening_intervals
from app.catalogue.rules.words import DayKind
from app.kernel.clock import FACILITY_ZONE
from app.kernel.interval import Interval

MONDAY = datetime(2026, 3, 2, tzinfo=FACILITY_ZONE)
OFFICE = (*(OpenStretch(day, 8 * 60, 18 * 60) for day in range(4)), OpenStretch(4, 9 * 60, 12 * 60))
NIGHTS = tuple(OpenStretch(day, *stretch) for day in range(7) for stretch in ((0, 360), (1320, 1440)))


def hours(day: int, first: float, last: float) -> Interval:
    """Hours of the ``day``-th day from Monday on."""
    midnight = MONDAY + timedelta(days=day)
    return Interval(midnight + timedelta(hours=first), midnight + timedelta(hours=last))


def special(day: int, kind: DayKind, follows: int | None = None) -> dict[date, SpecialDay]:
    the_day = MONDAY.date() + timedelta(days=day)
    return {the_day: SpecialDay(the_day, kind, follows)}


@pytest.mark.parametrize(
    ("weekly", "days", "within", "expected"),
    [
        (OFFICE, {}, hours(0, 0, 24), [hours(0, 8, 18)]),
        (OFFICE, special(0, DayKind.HOLIDAY), hours(0, 0, 24), []),
        (OFFICE, {}, hours(5, 0, 24), []),  # Saturday
        (OFFICE, special(5, DayKind.WORKDAY), hours(5, 0, 24), [hours(5, 8, 18)]),
        (OFFICE, special(5, DayKind.WORKDAY, follows=4), hours(5, 0, 24), [hours(5, 9, 12)]),
        (OFFICE, special(0, DayKind.HOLIDAY), hours(1, 0, 24), [hours(1, 8, 18)]),  # the next day is its own again
        (NIGHTS, {}, hours(0, 23, 25), [hours(0, 22, 30)]),
        (NIGHTS, special(1, DayKind.HOLIDAY), hours(0, 23, 25), [hours(0, 22, 24)]),
        (NIGHTS, special(1, DayKind.WORKDAY, follows=6), hours(0, 23, 25), [hours(0, 22, 30)]),  # one over midnight
    ],
)
def test_a_special_day_has_the_hours_of_another_weekday_or_none(weekly, days, within, expected):
    assert opening_intervals(weekly, within, special=days) == expected


@given(st.integers(0, 20), st.integers(0, 6), st.integers(0, 20))
def test_a_special_day_changes_its_own_day_alone(changed, follows, looked_at):
    days = special(changed, DayKind.WORKDAY, follows)
    whole = hours(looked_at, 0, 24)
    pattern = opening_intervals(OFFICE, hours(follows, 0, 24) if looked_at == changed else whole)
    moved = timedelta(days=looked_at - follows) if looked_at == changed else timedelta()
    assert opening_intervals(OFFICE, whole, special=days) == [one.shifted(moved) for one in pattern]
