from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.booking.rules.stock import lacking, peak
from app.kernel.interval import Interval

MIDNIGHT = datetime(2026, 3, 2, tzinfo=UTC)


def hours(first: float, last: float) -> Interval:
    return Interval(MIDNIGHT + timedelta(hours=first), MIDNIGHT + timedelta(hours=last))


def one_each(*spans: tuple[float, float]) -> list[tuple[Interval, int]]:
    return [(hours(*span), 1) for span in spans]


SIX_DAYS = hours(0, 144)


@pytest.mark.parametrize(
    ("held", "within", "wanted", "stock", "fits"),
    [
        pytest.param(one_each((10, 11), (11, 12), (9.5, 11)), hours(9, 12), 1, 3, True, id="L03"),
        pytest.param(one_each((9, 10.5), (9, 9.5), (9, 9.5)), hours(9, 9.5), 1, 3, False, id="L04"),
        pytest.param(one_each((10, 12), (10, 11), (11, 12)), hours(9, 12), 1, 2, False, id="L05"),
        pytest.param(one_each((2, 9), (6, 7), (7, 11), (6, 10)), hours(1, 12), 1, 4, True, id="L11"),
        pytest.param([(hours(9, 10), 3)], hours(9, 10), 5, 8, True, id="L48 three held"),
        pytest.param([(hours(9, 10), 2), (hours(9, 10), 2)], hours(9, 10), 5, 8, False, id="L48 four held"),
        pytest.param([], hours(9, 10), 5, 4, False, id="L49"),
        pytest.param(one_each((0, 36), (36, 72), (72, 108), (108, 144)), SIX_DAYS, 4, 5, True, id="L50"),
    ],
)
def test_what_is_wanted_fits_when_the_peak_leaves_room(held, within, wanted, stock, fits):
    assert (peak(held, within) + wanted <= stock) is fits


minute = st.integers(0, 59)
spans = (
    st.tuples(minute, minute).filter(lambda pair: pair[0] < pair[1]).map(lambda pair: hours(pair[0] / 60, pair[1] / 60))
)


@given(st.lists(st.tuples(spans, st.integers(1, 5)), max_size=10), spans)
def test_the_peak_is_the_busiest_minute(held, within):
    moments = [MIDNIGHT + timedelta(minutes=number) for number in range(60)]
    busiest = max(
        sum(quantity for when, quantity in held if when.contains(moment))
        for moment in moments
        if within.contains(moment)
    )
    assert peak(held, within) == busiest


@given(st.lists(st.tuples(spans, st.integers(1, 5)), max_size=10), spans, st.integers(-1, 12))
def test_a_slot_of_its_own_lacks_nothing_exactly_where_the_peak_leaves_enough(held, within, left):
    missing = lacking(held, within, left=left)
    assert any(gone.overlaps(within) for gone in missing) is (peak(held, within) > left)
    for moment in (MIDNIGHT + timedelta(minutes=number) for number in range(60)):
        if within.contains(moment):
            one = Interval(moment, moment + timedelta(minutes=1))
            assert any(gone.encloses(one) for gone in missing) is (peak(held, one) > left)
