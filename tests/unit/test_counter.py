from __future__ import annotations

from datetime import timedelta
from itertools import accumulate, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.rules.counter import CountedEnergy, counted_energy, counted_rises
from devices.rules.sample import Sample, in_order
from tests.unit.drawings import MINUTE, START


def energy_of(
    counts: list[int | None], *, boots: list[int] | None = None, rated_w: int = 100_000, modulus: int | None = None
) -> CountedEnergy:
    """The counter shows ``counts``, one a minute."""
    boots = boots or [1] * len(counts)
    told = [
        Sample(START + number * MINUTE, boot, number, None, count, None, b"")
        for number, (count, boot) in enumerate(zip(counts, boots, strict=True))
    ]
    return counted_energy(told, rated_w=rated_w, modulus_mwh=modulus)


@pytest.mark.parametrize(
    ("counts", "boots", "total", "estimates"),
    [
        ([10, 15, 20, 19, 30, 40, 39, 60, 70], None, 60, 0),  # small dips hold the height
        ([100, 200, 5, 10], None, 110, 1),  # a reset without a boot is an estimate
        ([100, 200, 5, 10], [1, 1, 2, 2], 110, 0),  # a boot explains it
        ([100, 200, 200, 260], [1, 1, 2, 2], 160, 0),  # a boot that kept its count goes on
        ([100, None, 150], None, 50, 0),  # what is not said is not counted
        ([500], None, 0, 0),  # a first value was not used here
    ],
)
def test_a_counter_is_followed_through_its_epochs(counts, boots, total, estimates):
    energy = energy_of(counts, boots=boots)
    assert energy.total[-1] == total
    assert len(energy.estimated_at) == estimates


@pytest.mark.parametrize(
    ("counts", "total", "put_aside"),
    [
        ([0, 100, 10**9, 150, 200], 200, 1),  # a spike is left out
        ([0, 100, 10**9, 10**9 + 50], 150, 1),  # a counter that was set goes on from there
        ([9 * 10**8, 5 * 10**8, 5 * 10**8 + 70], 70, 1),  # down as well as up
        ([0, 100, 10**9, 10**8, 130], 130, 2),  # two spikes
        ([0, 0, 10_000, 10_000, 20_000], 20_000, 0),  # a coarse counter moves in steps
    ],
)
def test_a_jump_that_no_machine_can_make_is_not_counted(counts, total, put_aside):
    energy = energy_of(counts, rated_w=20)
    assert energy.total[-1] == total
    assert len(energy.quarantined_at) == put_aside
    assert energy.doubtful(START, START + 10 * MINUTE) is bool(put_aside)


@pytest.mark.parametrize(
    ("counts", "boots", "modulus", "total", "estimates"),
    [
        ([990, 999, 5, 10], None, 1000, 20, 0),  # over the top: 9, then 6, then 5
        ([990, 999, 5, 10], None, None, 19, 1),  # the same without a declared modulus is a reset
        ([990, 999, 5, 10], [1, 1, 2, 2], 1000, 20, 0),  # a counter may roll over while it is switched off
        ([990, 999, 985, 1000], None, 1000, 10, 0),  # a dip is no roll-over
        ([100_000, 5], None, 10**9, 5, 1),  # too far from the top to have got there: a reset
        ([1200, 5], None, 1000, 5, 1),  # above its modulus it never was
    ],
)
def test_a_counter_with_a_declared_modulus_rolls_over(counts, boots, modulus, total, estimates):
    energy = energy_of(counts, boots=boots, rated_w=100, modulus=modulus)
    assert (energy.total[-1], len(energy.estimated_at), len(energy.quarantined_at)) == (total, estimates, 0)


@given(st.lists(st.integers(0, 900), max_size=60), st.integers(0, 999))
def test_what_a_counter_that_rolls_over_shows_is_what_was_used(rises, first):
    true = list(accumulate(rises, initial=first))
    energy = energy_of([count % 1000 for count in true], rated_w=1, modulus=1000)
    # A fall by less than a tenth could be noise, so such a lap is seen a little later, at worst not at all.
    if all(rise <= 100 for rise in rises):
        assert energy.total[-1] == true[-1] - first
    assert energy.total[-1] <= true[-1] - first


@pytest.mark.parametrize(
    ("counts", "total"),
    [([3, 3, 5, 9], 6), ([3, 5, 1, 2], 4), ([None, 3, None, 4], 1), ([7, 0, 0], 0)],
)
def test_what_the_instrument_counts_begins_anew_when_it_falls(counts, total):
    told = [
        Sample(START + number * MINUTE, 1, number, None, None, None, b"", count) for number, count in enumerate(counts)
    ]
    assert counted_rises(told).total[-1] == total


counters = st.lists(st.one_of(st.none(), st.integers(0, 5000), st.integers(0, 10**12)), max_size=40)


@given(counters, st.data())
def test_never_more_is_used_than_the_counter_rose(counts, data):
    boots = sorted(data.draw(st.lists(st.integers(1, 3), min_size=len(counts), max_size=len(counts))))
    energy = energy_of(counts, boots=boots, rated_w=2000)
    said = [count for count in counts if count is not None]
    rises = sum(later - earlier if later >= earlier else later for earlier, later in pairwise(said))
    assert all(earlier <= later for earlier, later in pairwise(energy.total))
    assert (energy.total[-1] if energy.total else 0) <= rises


@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=40).map(sorted), st.integers(0, 40), st.integers(0, 40))
def test_stretches_that_meet_share_nothing_and_lose_nothing(counts, cut, other):
    energy = energy_of(counts)
    first, second = sorted((cut, other))
    at = [START + minute * MINUTE for minute in (0, first, second, 60)]
    assert sum(energy.between(start, end) for start, end in pairwise(at)) == counts[-1] - counts[0]


def test_a_clock_that_is_set_back_does_not_turn_a_numbered_counter_around():
    """A minute and a half ahead, then right again: by time alone the counter would jump up and down."""
    ahead = [90 if 10 <= number < 20 else 0 for number in range(40)]
    told = [
        Sample(START + timedelta(seconds=10 * number + ahead[number]), 1, number + 1, None, 1000 * number, None, b"")
        for number in range(40)
    ]
    energy = counted_energy(in_order(told), rated_w=360)
    assert energy.until(START + timedelta(hours=1)) == 39_000
    assert not energy.estimated_at
    assert not energy.quarantined_at
    assert list(energy.taken_at) == sorted(energy.taken_at)
