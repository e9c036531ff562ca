from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.kernel.interval import Interval, local_days, local_month

NINE = datetime(2026, 3, 2, 9, tzinfo=UTC)
minutes = st.integers(0, 5000)


def interval(start: int, length: int) -> Interval:
    return Interval(NINE + timedelta(minutes=start), NINE + timedelta(minutes=start + length))


intervals = st.builds(interval, minutes, st.integers(1, 600))


def test_nine_to_ten_and_ten_to_eleven_do_not_meet():
    assert not interval(0, 60).overlaps(interval(60, 60))
    assert interval(0, 61).overlaps(interval(60, 60))


@given(intervals, st.lists(intervals, max_size=10))
def test_what_is_left_meets_nothing_that_was_taken_out(whole, taken):
    left = whole.minus(taken)
    assert all(not piece.overlaps(other) for piece in left for other in taken)
    assert all(whole.encloses(piece) for piece in left)
    taken_inside = [part for other in taken if (part := whole.intersection(other))]
    covered = sum((piece.duration for piece in left), timedelta())
    minutes_taken = {
        minute
        for part in taken_inside
        for minute in range(
            int((part.start - NINE) / timedelta(minutes=1)), int((part.end - NINE) / timedelta(minutes=1))
        )
    }
    assert covered + timedelta(minutes=len(minutes_taken)) == whole.duration


@pytest.mark.parametrize("length", [0, -5])
def test_an_interval_has_a_length(length):
    with pytest.raises(ValueError, match="end after"):
        interval(0, length)


def test_an_interval_has_a_zone():
    with pytest.raises(ValueError, match="time zone"):
        Interval(datetime(2026, 1, 1), datetime(2026, 1, 2))  # noqa: DTZ001 - what is being refused


def test_days_and_months_begin_at_local_midnight():
    assert local_days(date(2026, 3, 1), 1).start == datetime(2026, 2, 28, 16, tzinfo=UTC)
    assert local_month(2026, 12).end == datetime(2026, 12, 31, 16, tzinfo=UTC)
