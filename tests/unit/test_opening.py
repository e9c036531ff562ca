from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.booking.rules.opening import OpenStretch, joined, opening_intervals
from app.booking.rules.request import Terms, next_on_grid, violations
from app.kernel.clock import FACILITY_ZONE
from app.kernel.interval import Interval

MONDAY = datetime(2026, 3, 2, tzinfo=FACILITY_ZONE)
ALWAYS = tuple(OpenStretch(day, 0, 1440) for day in range(7))
OFFICE = tuple(OpenStretch(day, 8 * 60, 18 * 60) for day in range(5))


def local(first_hour: float, last_hour: float) -> Interval:
    """Hours after the midnight with which Monday begins at the facility."""
    return Interval(MONDAY + timedelta(hours=first_hour), MONDAY + timedelta(hours=last_hour))


def terms(hours: tuple[OpenStretch, ...] = ALWAYS) -> Terms:
    return Terms(
        step=timedelta(minutes=5),
        least=timedelta(minutes=30),
        most=timedelta(hours=48),
        advance=timedelta(days=30),
        setup=timedelta(),
        cleanup=timedelta(),
        hours=hours,
    )


def fields(when: Interval, *, at: datetime = MONDAY, hours: tuple[OpenStretch, ...] = ALWAYS) -> list[str | None]:
    return [one.field for one in violations(when, terms=terms(hours), at=at)]


@pytest.mark.parametrize(
    ("hours", "when", "expected"),
    [
        (OFFICE, local(8, 18), []),  # the whole day, both edges included
        (OFFICE, local(7, 9), ["starts_at"]),
        (OFFICE, local(17, 19), ["starts_at"]),
        (OFFICE, local(17, 33), ["starts_at"]),  # closed in between
        (OFFICE, local(5 * 24 + 9, 5 * 24 + 10), ["starts_at"]),  # Saturday
        (ALWAYS, local(22, 30), []),  # across midnight
        ((OpenStretch(0, 1320, 1440), OpenStretch(1, 0, 120)), local(23, 25), []),
        ((OpenStretch(0, 480, 720), OpenStretch(0, 720, 1080)), local(11, 13), []),  # stretches that touch
        ((OpenStretch(0, 480, 720), OpenStretch(0, 780, 1080)), local(11, 14), ["starts_at"]),  # lunch
        ((), local(9, 10), ["starts_at"]),
    ],
)
def test_a_reservation_lies_inside_opening_hours(hours, when, expected):
    assert fields(when, hours=hours) == expected


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        (local(1, 1.25), ["ends_at"]),  # shorter than the least
        (local(1, 50), ["ends_at"]),  # longer than the most
        (local(1 + 1 / 60, 2 + 1 / 60), ["starts_at"]),  # off the grid
        (local(1, 2 + 1 / 60), ["starts_at"]),
        (local(1 + 1 / 60, 1.25), ["starts_at", "ends_at"]),  # two things wrong, both said
        (local(-1, 2), ["starts_at"]),  # past
        (local(-1 / 60 * 4, 1), ["starts_at"]),  # within the grace, but off the grid
        (local(24 * 31, 24 * 31 + 1), ["starts_at"]),  # too far ahead
    ],
)
def test_each_broken_term_names_its_field(when, expected):
    assert fields(when) == expected


def test_the_start_may_lie_less_than_a_step_back():
    assert fields(local(1, 2), at=MONDAY + timedelta(hours=1, minutes=4)) == []
    assert fields(local(1, 2), at=MONDAY + timedelta(hours=1, minutes=5)) == ["starts_at"]


@pytest.mark.parametrize("year", [1, 9999])
def test_the_ends_of_the_calendar_are_refused_like_any_other_date(year):
    assert fields(Interval(datetime(year, 1, 2, tzinfo=UTC), datetime(year, 12, 30, tzinfo=UTC))) == ["starts_at"]


def test_every_refusal_is_a_finished_sentence():
    for when in (local(1 + 1 / 60, 1.25), local(1, 50), local(-9, 2), local(24 * 31, 24 * 31 + 1)):
        for one in violations(when, terms=terms(OFFICE), at=MONDAY):
            assert "%" not in str(one)
            assert str(one).endswith("。")


minutes = st.integers(0, 14 * 1440)
pairs = st.tuples(minutes, minutes).filter(lambda pair: pair[0] < pair[1])
spans = pairs.map(lambda pair: local(pair[0] / 60, pair[1] / 60))


@given(st.lists(spans, max_size=8))
def test_joining_keeps_the_moments_and_leaves_no_two_that_touch(stretches):
    whole = joined(stretches)
    assert all(before.end < after.start for before, after in pairwise(whole))
    assert joined(whole) == whole
    for minute in range(0, 14 * 1440, 97):
        moment = MONDAY + timedelta(minutes=minute)
        assert any(one.contains(moment) for one in whole) == any(one.contains(moment) for one in stretches)


@given(spans)
def test_open_always_is_one_stretch_around_any_time(when):
    (whole,) = opening_intervals(ALWAYS, when)
    assert whole.encloses(when)


@given(minutes, st.sampled_from([1, 5, 10, 15, 30, 60]))
def test_the_next_grid_time_is_less_than_a_step_away_and_on_the_grid(minute, step_minutes):
    moment, step = MONDAY + timedelta(minutes=minute, seconds=13), timedelta(minutes=step_minutes)
    found = next_on_grid(moment, step)
    assert timedelta() <= found - moment < step
    assert (found - MONDAY) % step == timedelta()
