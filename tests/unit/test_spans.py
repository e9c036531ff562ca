from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.booking.rules.slot import BookedSlot
from app.kernel.interval import Interval
from devices.rules.counter import counted_energy
from devices.rules.matching import pieces
from devices.rules.sample import Sample
from devices.rules.span import Profile, usage_spans
from devices.rules.usage import usage_sessions

START = datetime(2026, 3, 2, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
PROFILE = Profile(
    run_on_w=100, run_off_w=40, min_on=timedelta(seconds=60), min_off=10 * MINUTE, max_gap=5 * MINUTE, rated_w=2000
)


def samples(drawing: str, *, step: timedelta = MINUTE) -> list[Sample]:
    """``#`` busy, ``-`` between the thresholds, ``.`` quiet, a blank is silence."""
    watts = {"#": 500, "-": 60, ".": 5}
    found, energy = [], 0
    for number, mark in enumerate(drawing):
        if mark != " ":
            energy += watts[mark] * 1000 // 60
            found.append(
                Sample(START + number * step, 1, number + 1, watts[mark] * 1000, energy, None, bytes([number % 251]))
            )
    return found


def minutes(spans) -> list[tuple[int, int]]:
    return [((span.when.start - START) // MINUTE, (span.when.end - START) // MINUTE) for span in spans]


@pytest.mark.parametrize(
    ("drawing", "expected"),
    [
        ("..##...##...........", [(2, 9)]),  # a short pause is still one session
        ("##..........##...........", [(0, 2), (12, 14)]),  # ten quiet minutes end it
        ("..#...................", []),  # a single busy sample is no use
        ("..##--##............", [(2, 8)]),  # between the thresholds a run goes on
        ("..--.............", []),  # and does not begin
        ("..####      ............", [(2, 5)]),  # silence ends a run at the last reading
    ],
)
def test_use_is_read_from_the_samples(drawing, expected):
    found = usage_spans(samples(drawing), PROFILE, until=START + timedelta(hours=5))
    assert minutes(found) == expected


def test_a_run_that_goes_on_is_open_and_silence_closes_it():
    running = samples("..######")
    assert usage_spans(running, PROFILE, until=running[-1].taken_at + MINUTE)[0].open
    closed = usage_spans(running, PROFILE, until=running[-1].taken_at + 6 * MINUTE)[0]
    assert not closed.open
    assert closed.silent_until_end


def test_the_instruments_own_state_wins_over_power():
    told = [
        Sample(one.taken_at, 1, one.seq, one.power_mw, one.energy_mwh, 3 <= number <= 6, b"")
        for number, one in enumerate(samples("##########"))
    ]
    assert minutes(usage_spans(told, PROFILE, until=START + timedelta(hours=5))) == [(3, 7)]


def test_hundreds_of_crossings_are_three_washes():
    wash = ("#.#..#-." * 12 + "." * 30) * 3
    assert len(usage_spans(samples(wash), PROFILE, until=START + timedelta(days=1))) == 3


def energy_of(counts, *, boots=None, rated_w=100_000):
    boots = boots or [1] * len(counts)
    given_samples = [
        Sample(START + number * MINUTE, boot, number, None, count, None, b"")
        for number, (count, boot) in enumerate(zip(counts, boots, strict=True))
    ]
    return counted_energy(given_samples, rated_w=rated_w)


@pytest.mark.parametrize(
    ("counts", "boots", "total", "estimates"),
    [
        ([10, 15, 20, 19, 30, 40, 39, 60, 70], None, 60, 0),  # small dips hold the height
        ([100, 200, 5, 10], None, 110, 1),  # a reset without a boot is an estimate
        ([100, 200, 5, 10], [1, 1, 2, 2], 110, 0),  # a boot explains it
        ([100, 200, 200, 260], [1, 1, 2, 2], 160, 0),  # a boot that kept its count goes on
    ],
)
def test_a_counter_is_followed_through_its_epochs(counts, boots, total, estimates):
    energy = energy_of(counts, boots=boots)
    assert energy.total_mwh[-1] == total
    assert len(energy.estimated_at) == estimates


def test_a_jump_that_no_machine_can_make_is_not_counted():
    energy = energy_of([0, 100, 10**9, 10**9 + 50], rated_w=2000)
    assert energy.total_mwh[-1] == 150
    assert len(energy.quarantined_at) == 1


slot_cuts = st.lists(st.integers(0, 240), min_size=2, max_size=8, unique=True).map(sorted)


@given(slot_cuts, st.integers(0, 200), st.integers(1, 100))
def test_pieces_meet_and_cover_the_span(cuts, start, length):
    slots = [
        BookedSlot(number, 1, 7, Interval(START + low * MINUTE, START + high * MINUTE))
        for number, (low, high) in enumerate(zip(cuts[::2], cuts[1::2], strict=False), 1)
    ]
    span = Interval(START + start * MINUTE, START + (start + length) * MINUTE)
    found = pieces(span, slots)
    assert found[0].when.start == span.start
    assert found[-1].when.end == span.end
    assert all(one.when.end == other.when.start for one, other in pairwise(found))
    assert {piece.slot.reservation_id for piece in found if piece.slot} == {
        slot.reservation_id for slot in slots if slot.during.overlaps(span)
    }


drawings = st.text("#-. ", min_size=1, max_size=120)


@given(drawings, st.randoms(use_true_random=False))
def test_shuffled_and_doubled_samples_give_the_same_sessions(drawing, random):
    once = samples(drawing)
    until = START + timedelta(days=1)
    slots = [BookedSlot(1, 1, 7, Interval(START + 5 * MINUTE, START + 30 * MINUTE))]
    mixed = once + random.sample(once, k=len(once) // 2)
    random.shuffle(mixed)
    assert usage_sessions(mixed, PROFILE, slots, until=until) == usage_sessions(once, PROFILE, slots, until=until)


@given(drawings, slot_cuts)
def test_sessions_never_overlap_and_never_use_more_than_the_counter(drawing, cuts):
    once = samples(drawing)
    slots = [
        BookedSlot(number, 1, 7, Interval(START + low * MINUTE, START + high * MINUTE))
        for number, (low, high) in enumerate(zip(cuts[::2], cuts[1::2], strict=False), 1)
    ]
    found = usage_sessions(once, PROFILE, slots, until=START + timedelta(days=1))
    assert all(not one.when.overlaps(other.when) for one, other in pairwise(found))
    assert sum(one.energy_mwh for one in found) <= (once[-1].energy_mwh - once[0].energy_mwh if once else 0)
    assert all(one.running <= one.when.duration for one in found)
