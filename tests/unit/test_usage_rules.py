from __future__ import annotations

from dataclasses import replace
from datetime import timedelta, timezone
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.rules.evidence import Evidence, Flag, needs_review
from devices.rules.usage import (
    effective,
    missing_numbers,
    readings_digest,
    sessions_by_version,
    usage_sessions,
)
from tests.unit.drawings import LATER, MINUTE, PROFILE, START, between, minutes, samples, slot

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


@pytest.mark.parametrize(
    ("drawing", "booked", "flags"),
    [
        ("..######....", [], [()]),
        ("..######....", [slot(1, 0, 20)], [()]),
        ("..######", [], [(Flag.GAP,)]),
        ("..###  ###....", [], [(Flag.UNPAIRED_NUMBERS,)]),
        ("..  ######....", [], [()]),  # missing before it is nothing to it
        ("..######....", [slot(1, 0, 6), slot(2, 6, 12)], [(Flag.CUT, Flag.NEXT_WAS_THERE), (Flag.CUT,)]),
        (
            "..#### ###....",  # over the boundary: nobody knows whose they were
            [slot(1, 0, 6), slot(2, 6, 12)],
            [(Flag.CUT, Flag.NEXT_WAS_THERE, Flag.UNPAIRED_NUMBERS), (Flag.CUT, Flag.UNPAIRED_NUMBERS)],
        ),
        ("..######......######....", [slot(1, 0, 60)], [()]),  # several runs with short pauses in one reservation
        ("..####............####....", [slot(1, 0, 60)], [(), ()]),  # and with long ones
    ],
)
def test_a_session_says_what_may_be_doubted(drawing, booked, flags):
    told = samples(drawing + "." * 12) if not drawing.endswith("#") else samples(drawing)
    found = usage_sessions(told, PROFILE, booked, until=LATER)
    assert [one.flags for one in found] == flags


def test_missing_numbers_are_seen_within_one_boot_only_and_where_the_meter_counts():
    told = samples("..########....")
    rebooted = [one._replace(boot=2, seq=one.seq - 5) if one.seq > 5 else one for one in told]
    numbered = [rebooted[:7] + rebooted[8:], rebooted[:5] + rebooted[6:], [one._replace(boot=0, seq=0) for one in told]]
    flags = [usage_sessions(one, PROFILE, [], until=LATER)[0].flags for one in numbered]
    assert flags == [(Flag.UNPAIRED_NUMBERS,), (), ()]  # in the second the first number of the new boot is missing


def test_numbers_out_of_step_with_time_are_not_missing():
    told = samples("..####....")
    told[3], told[4] = told[3]._replace(seq=told[4].seq), told[4]._replace(seq=told[3].seq)
    assert missing_numbers(told) == []


def test_a_counter_that_was_reset_makes_the_energy_an_estimate():
    told = [one._replace(energy_mwh=(one.energy_mwh if one.seq < 6 else one.seq)) for one in samples("..########....")]
    (found,) = usage_sessions(told, PROFILE, [], until=LATER)
    assert found.flags == (Flag.ENERGY_ESTIMATED,)
    assert needs_review(Evidence.METERED, found.flags)
    assert not needs_review(Evidence.METERED, (Flag.CUT, Flag.NEXT_WAS_THERE))
    assert needs_review(Evidence.ENTERED, ())


def test_what_the_instrument_counted_is_shared_out_at_the_boundary():
    told = [one._replace(count=one.seq // 2) for one in samples("..######....")]
    one, other = usage_sessions(told, PROFILE, [slot(1, 0, 6), slot(2, 6, 12)], until=LATER)
    assert (one.counted, other.counted) == (2, 1)
    assert usage_sessions(samples("..####...."), PROFILE, [], until=LATER)[0].counted is None


@pytest.mark.parametrize(
    ("used", "reserved", "expected"),
    [
        ([], [], (90, 130)),  # ten minutes before, twenty after
        ([(100, 110), (0, 95)], [], (100, 130)),  # the twenty minutes after another session reach to its start
        ([(0, 75)], [], (95, 130)),
        ([(120, 140)], [], (90, 120)),
        ([], [(60, 95), (115, 200)], (95, 115)),  # others' reservations
        ([], [(60, 105), (108, 200)], (100, 110)),  # whose time it already was
        ([], [(0, 80), (140, 200)], (90, 130)),
    ],
)
def test_effective_time_takes_no_time_of_others(used, reserved, expected):
    when = effective(
        between(100, 110), lead=10 * MINUTE, post=20 * MINUTE,
        used=[between(*one) for one in used], reserved=[between(*one) for one in reserved],
    )  # fmt: skip
    assert minutes(when) == expected


@given(drawings, slots, st.integers(0, 120))
def test_with_versions_too_deriving_may_begin_at_the_session_before(drawing, booked, changed):
    """As :mod:`devices.metering` does: from the end of the session before, or from as far as a run reaches back."""
    told = samples(drawing)
    profiles = [
        PROFILE,
        replace(PROFILE, run_on_w=50, run_off_w=50, version=2, valid_from=START + changed * MINUTE),
    ]
    whole = sessions_by_version(told, profiles, booked, until=LATER)
    assert all(one.when.end <= other.when.start for one, other in pairwise(whole))
    assert sum(one.energy_mwh for one in whole) <= (told[-1].energy_mwh - told[0].energy_mwh if told else 0)
    for before, one in pairwise(whole):
        if before.when.end < one.when.start:
            since = max(before.when.end, one.when.start - 16 * MINUTE)
            later = [sample for sample in told if sample.taken_at >= since]
            again = sessions_by_version(later, profiles, booked, until=LATER)
            assert [same.fingerprint for same in again] == [
                same.fingerprint for same in whole if same.when.start >= one.when.start
            ]


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
