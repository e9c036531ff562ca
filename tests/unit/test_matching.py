from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.rules.matching import pieces
from tests.unit.drawings import between, minutes, slot


@pytest.mark.parametrize(
    ("span", "slots", "expected"),
    [
        ((10, 20), [], [(10, 20, None)]),  # walk-up use
        ((10, 20), [(20, 30), (0, 10)], [(10, 20, None)]),  # slots that only meet it do not touch it
        ((10, 20), [(12, 18)], [(10, 20, 1)]),  # an early start and an overrun stay with the slot
        ((10, 40), [(10, 20), (30, 40)], [(10, 30, 1), (30, 40, 2)]),  # the time between belongs to the first
        ((10, 40), [(30, 50), (5, 15)], [(10, 30, 2), (30, 40, 1)]),  # in whatever order they are given
        ((10, 40), [(0, 50), (20, 30)], [(10, 20, 1), (20, 40, 2)]),  # units side by side: the later takes over
        ((10, 40), [(20, 30), (20, 35)], [(10, 40, 1)]),  # starting together: the one reserved first
        ((10, 40), [(5, 30), (0, 35)], [(10, 40, 1)]),  # both running when it starts: the last to start
        ((10, 40), [(0, 35), (5, 30)], [(10, 40, 2)]),
        ((10, 40), [(5, 30), (5, 35)], [(10, 40, 1)]),
        ((12, 40), [(0, 20), (10, 30)], [(12, 40, 2)]),  # the next one came early and is the one who uses it
    ],
)
def test_use_belongs_to_the_slots_it_touches(span, slots, expected):
    booked = [slot(number, *when) for number, when in enumerate(slots, 1)]
    found = pieces(between(*span), booked)
    assert [(*minutes(one.when), one.slot and one.slot.reservation_id) for one in found] == expected


@given(
    st.lists(st.tuples(st.integers(0, 200), st.integers(1, 60)), max_size=6),
    st.integers(0, 200),
    st.integers(1, 100),
    st.randoms(use_true_random=False),
)
def test_pieces_meet_and_cover_the_span_in_any_order_of_slots(slots, start, length, random):
    booked = [slot(number, first, first + long) for number, (first, long) in enumerate(slots, 1)]
    span = between(start, start + length)
    found = pieces(span, booked)
    assert (found[0].when.start, found[-1].when.end) == (span.start, span.end)
    assert all(one.when.end == other.when.start for one, other in pairwise(found))
    assert all(one.slot is None or one.slot.during.overlaps(span) for one in found)
    assert (found[0].slot is None) == (not any(one.during.overlaps(span) for one in booked))
    random.shuffle(booked)
    assert pieces(span, booked) == found
