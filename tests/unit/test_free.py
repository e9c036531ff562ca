from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.booking.rules.free import free_stretches, nearest_free
from app.kernel.interval import Interval

NOON = datetime(2026, 3, 2, 4, tzinfo=UTC)  # at the facility
STEP = timedelta(minutes=15)


def quarters(first: int, last: int) -> Interval:
    return Interval(NOON + first * STEP, NOON + last * STEP)


def told(slots) -> list[tuple[int, int]]:
    return [((one.start - NOON) // STEP, (one.end - NOON) // STEP) for one in slots]


@pytest.mark.parametrize(
    ("taken", "expected"),
    [
        ([], [(0, 10), (20, 30)]),
        ([(2, 4)], [(0, 2), (4, 10), (20, 30)]),
        ([(8, 22)], [(0, 8), (22, 30)]),  # one block over both stretches
        ([(0, 25), (2, 3), (12, 13)], [(25, 30)]),  # a long block that began first still counts later
        ([(0, 10), (20, 30)], []),
    ],
)
def test_free_is_open_without_what_is_taken(taken, expected):
    opening = [quarters(0, 10), quarters(20, 30)]
    assert told(free_stretches(opening, [quarters(*one) for one in taken])) == expected


@pytest.mark.parametrize(
    ("free", "expected"),
    [
        ([(-40, 0), (4, 40)], [(-4, 0), (4, 8), (-8, -4), (8, 12)]),  # both directions, earlier first
        ([(4, 40)], [(4, 8), (8, 12), (12, 16), (16, 20)]),
        ([(-9, -6), (5, 9), (30, 33)], [(5, 9)]),  # what is too short is not offered
        ([(1, 7)], [(1, 5)]),
        ([], []),
    ],
)
def test_the_nearest_slots_of_the_same_length_are_offered(free, expected):
    offers = nearest_free(
        quarters(0, 4),
        free=[quarters(*one) for one in free],
        step=STEP,
        not_before=NOON - timedelta(days=1),
        count=4,
    )
    assert told(offers) == expected


def test_nothing_is_offered_in_the_past():
    offers = nearest_free(
        quarters(0, 4), free=[quarters(-40, 40)], step=STEP, not_before=NOON - timedelta(minutes=20), count=3
    )
    assert told(offers) == [(0, 4), (4, 8), (8, 12)]


ends = st.lists(st.integers(-60, 60), min_size=2, max_size=12, unique=True).map(sorted)
disjoint = ends.map(lambda marks: [quarters(a, b) for a, b in zip(marks[::2], marks[1::2], strict=False)])


@given(free=disjoint, begins=st.integers(-50, 50), length=st.integers(1, 9), now=st.integers(-80, 20))
def test_offers_are_what_trying_every_start_would_find(free, begins, length, now):
    wanted, not_before = quarters(begins, begins + length), NOON + now * STEP
    offers = nearest_free(wanted, free=free, step=STEP, not_before=not_before, count=5)
    by_nearness = sorted(range(-200, 200), key=lambda start: (abs(start - begins), start))
    expected: list[Interval] = []
    for start in by_nearness:
        slot = quarters(start, start + length)
        fits = slot.start >= not_before and any(one.encloses(slot) for one in free)
        if fits and not any(slot.overlaps(other) for other in expected):
            expected.append(slot)
    assert list(offers) == expected[:5]


@given(opening=disjoint, taken=st.lists(st.tuples(st.integers(-70, 60), st.integers(1, 40)), max_size=8))
def test_every_open_moment_is_either_free_or_taken(opening, taken):
    blocks = [quarters(start, start + length) for start, length in taken]
    free = free_stretches(opening, blocks)
    assert free == sorted(free)
    for number in range(-70, 70):
        moment = NOON + number * STEP
        is_open = any(one.contains(moment) for one in opening)
        is_taken = any(one.contains(moment) for one in blocks)
        assert any(one.contains(moment) for one in free) == (is_open and not is_taken)
