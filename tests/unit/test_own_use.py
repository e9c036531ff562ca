from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.booking.rules.own_use import OwnUse, kept_for_owner
from app.kernel.clock import FACILITY_ZONE
from app.kernel.interval import Interval

MONDAY = datetime(2026, 3, 2, tzinfo=FACILITY_ZONE)
DAY = timedelta(days=1)
MORNINGS = OwnUse(
    weekday=0, opens=8 * 60, closes=12 * 60, first_day=date(2026, 3, 2), last_day=date(2026, 3, 16), release=2 * DAY
)
LONG_BEFORE = MONDAY - 30 * DAY


def local(first_hour: float, last_hour: float) -> Interval:
    """Hours after the midnight with which Monday begins at the facility."""
    return Interval(MONDAY + timedelta(hours=first_hour), MONDAY + timedelta(hours=last_hour))


def week(number: int) -> Interval:
    return local(8, 12).shifted(7 * number * DAY)


@pytest.mark.parametrize(
    ("windows", "within", "expected"),
    [
        ([MORNINGS], local(9, 10), [week(0)]),
        ([MORNINGS], local(12, 13), []),  # the window ends as the wish begins
        ([MORNINGS], local(7, 8), []),
        ([MORNINGS], local(24 + 8, 24 + 12), []),  # Tuesday
        ([MORNINGS], local(-12, 36 * 24), [week(0), week(1), week(2)]),  # the last day included
        ([replace(MORNINGS, last_day=None)], week(100), [week(100)]),  # for good
        ([replace(MORNINGS, first_day=date(2026, 3, 3))], local(0, 24), []),
        ([MORNINGS, replace(MORNINGS, opens=11 * 60, closes=14 * 60)], local(8, 14), [local(8, 14)]),
        ([replace(MORNINGS, opens=1320, closes=1440), replace(MORNINGS, weekday=1, opens=0, closes=120)],
         local(23, 25), [local(22, 26)]),  # two windows that meet at midnight
        ([], local(0, 24), []),
    ],
)  # fmt: skip
def test_the_owners_windows_are_kept_from_others(windows, within, expected):
    assert kept_for_owner(windows, within, at=LONG_BEFORE) == expected


@pytest.mark.parametrize(
    ("before_start", "kept"),
    [(3 * DAY, True), (2 * DAY + timedelta(seconds=1), True), (2 * DAY, False), (timedelta(hours=1), False)],
)
def test_what_the_owner_did_not_take_in_time_opens_to_all(before_start, kept):
    assert (kept_for_owner([MORNINGS], week(1), at=week(1).start - before_start) == [week(1)]) is kept


def test_each_week_is_released_by_itself():
    assert kept_for_owner([MORNINGS], local(0, 21 * 24), at=week(1).start - DAY) == [week(2)]


windows = st.builds(
    lambda weekday, opens, length, release: OwnUse(
        weekday, opens, min(opens + length, 1440), date(2026, 3, 1), date(2026, 3, 20), release * DAY
    ),
    st.integers(0, 6),
    st.integers(0, 1439),
    st.integers(1, 1440),
    st.integers(0, 5),
)
wishes = st.builds(lambda first, length: local(first, first + length), st.integers(-48, 500), st.integers(1, 100))


@given(st.lists(windows, max_size=5), wishes, st.integers(-200, 500), st.integers(0, 200))
def test_later_never_keeps_more(own, within, hour, further):
    now, later = (kept_for_owner(own, within, at=MONDAY + timedelta(hours=one)) for one in (hour, hour + further))
    assert all(any(before.encloses(after) for before in now) for after in later)
    assert all(one.end < other.start for one, other in pairwise(now))
