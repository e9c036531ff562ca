from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.rules.counter import CountedEnergy, counted_energy
from devices.rules.sample import Sample
from tests.unit.drawings import MINUTE, START


def energy_of(counts: list[int | None], *, boots: list[int] | None = None, rated_w: int = 100_000) -> CountedEnergy:
    """The counter shows ``counts``, one a minute."""
    boots = boots or [1] * len(counts)
    told = [
        Sample(START + number * MINUTE, boot, number, None, count, None, b"")
        for number, (count, boot) in enumerate(zip(counts, boots, strict=True))
    ]
    return counted_energy(told, rated_w=rated_w)


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
