from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from app.booking.rules.pool import full, seats
from app.booking.rules.stock import peak
from app.kernel.interval import Interval
from tests.makers import BEGINNING

slots = st.builds(
    lambda start, length: Interval(BEGINNING + timedelta(minutes=start), BEGINNING + timedelta(minutes=start + length)),
    st.integers(0, 60),
    st.integers(1, 20),
)
everything = Interval(BEGINNING, BEGINNING + timedelta(minutes=100))


@given(held=st.lists(slots, max_size=12), units=st.integers(1, 4))
def test_full_is_where_as_many_are_held_as_there_are(held, units):
    found = full(held, units)
    for minute in range(100):
        moment = BEGINNING + timedelta(minutes=minute)
        expected = sum(when.contains(moment) for when in held) >= units
        assert any(stretch.contains(moment) for stretch in found) == expected
    assert all(before.end < after.start for before, after in pairwise(found))


@given(coming=st.lists(slots, max_size=12), units=st.integers(1, 4), own=st.lists(st.integers(1, 4), min_size=12))
def test_everybody_is_seated_exactly_while_there_are_enough(coming, units, own):
    wishes = [(key, when, own[key] if own[key] <= units else None) for key, when in enumerate(coming)]
    found = seats([], wishes, units=units)
    assert (found is None) == (peak([(when, 1) for when in coming], everything) > units)
    if found is not None:
        for key, when in enumerate(coming):
            assert not any(
                other != key and found[other] == found[key] and coming[other].overlaps(when) for other in found
            )


@given(first=slots, units=st.integers(2, 3), unit=st.integers(1, 3))
def test_what_has_begun_keeps_its_unit(first, units, unit):
    unit = min(unit, units)
    later = Interval(first.start, first.end + timedelta(minutes=5))
    found = seats([(first, unit)], [("new", later, unit)], units=units)
    assert found["new"] != unit
