from __future__ import annotations

from datetime import timedelta, timezone
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from devices.rules.evidence import Flag
from devices.rules.usage import readings_digest, usage_sessions
from tests.unit.drawings import LATER, MINUTE, PROFILE, minutes, samples, slot

drawings = st.text("#-. ", max_size=120)
slots = (
    st.lists(st.integers(0, 120), max_size=8, unique=True)
    .map(sorted)
    .map(lambda cuts: [slot(n, *ends) for n, ends in enumerate(zip(cuts[::2], cuts[1::2], strict=False), 1)])
)


def test_a_session_tells_whose_it_was_and_how_it_is_known():
    told = samples("..######.####....")
    one, other = usage_sessions(told, PROFILE, [slot(1, 0, 6), slot(2, 8, 12)], until=LATER)
    assert (minutes(one.when), one.reservation_id, one.organization_id) == ((2, 8), 1, 71)
    assert (minutes(other.when), other.reservation_id, other.organization_id) == ((8, 13), 2, 72)
    assert (one.running, other.running) == (6 * MINUTE, 4 * MINUTE)
    assert (one.readings_count, other.readings_count) == (7, 6)  # the one at the cut is in both
    assert one.energy_mwh + other.energy_mwh == told[13].energy_mwh - told[2].energy_mwh
    assert (one.gap, one.open, one.flags) == (timedelta(), False, (Flag.CUT, Flag.NEXT_WAS_THERE))
    assert other.flags == (Flag.CUT,)


def test_a_run_cut_by_silence_says_so():
    (cut,) = usage_sessions(samples("..######"), PROFILE, [], until=LATER)
    assert cut.gap == PROFILE.max_gap
    assert not cut.open


@given(drawings, slots, st.randoms(use_true_random=False))
def test_shuffled_and_doubled_samples_give_the_same_sessions(drawing, booked, random):
    once = samples(drawing)
    mixed = once + random.sample(once, k=len(once) // 2)
    random.shuffle(mixed)
    expected = usage_sessions(once, PROFILE, booked, until=LATER)
    found = usage_sessions(mixed, PROFILE, booked, until=LATER)
    assert found == expected
    assert [one.fingerprint for one in found] == [one.fingerprint for one in expected]


@given(drawings, slots)
def test_sessions_never_overlap_and_never_use_more_than_the_counter(drawing, booked):
    told = samples(drawing)
    found = usage_sessions(told, PROFILE, booked, until=LATER)
    assert all(one.when.end <= other.when.start for one, other in pairwise(found))
    assert sum(one.energy_mwh for one in found) <= (told[-1].energy_mwh - told[0].energy_mwh if told else 0)
    assert all(one.running <= one.when.duration for one in found)


@given(drawings, slots)
def test_slots_share_the_use_out_and_change_nothing_of_it(drawing, booked):
    told = samples(drawing)
    walk_up = usage_sessions(told, PROFILE, [], until=LATER)
    shared = usage_sessions(told, PROFILE, booked, until=LATER)
    assert sum(one.energy_mwh for one in shared) == sum(one.energy_mwh for one in walk_up)
    assert sum((one.running for one in shared), timedelta()) == sum((one.running for one in walk_up), timedelta())


@given(drawings, slots)
def test_a_session_follows_from_the_samples_of_its_span_alone(drawing, booked):
    """So deriving may begin anywhere in the quiet before it."""
    told = samples(drawing)
    for whole in usage_sessions(told, PROFILE, [], until=LATER):
        later = [sample for sample in told if sample.taken_at >= whole.when.start]
        assert usage_sessions(later, PROFILE, [], until=LATER)[0].fingerprint == whole.fingerprint


def test_the_digest_names_the_readings_and_not_the_zone_they_are_told_in():
    told = samples("..##..")
    elsewhere = [one._replace(taken_at=one.taken_at.astimezone(timezone(timedelta(hours=8)))) for one in told]
    assert readings_digest(elsewhere) == readings_digest(told)
    assert readings_digest(told[1:]) != readings_digest(told)
    assert readings_digest([*told[:-1], told[-1]._replace(content_hash=b"other")]) != readings_digest(told)
