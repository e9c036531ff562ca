from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.rules.span import Profile, spans_by_version, usage_spans
from tests.unit.drawings import LATER, MINUTE, PROFILE, START, minutes, samples

SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("drawing", "expected"),
    [
        ("..##...##...........", [(2, 9)]),  # a short pause is still one session
        ("##..........##...........", [(0, 2), (12, 14)]),  # ten quiet minutes end it
        ("##.........##...........", [(0, 13)]),  # nine do not
        ("..#....#...............", []),  # a single busy sample is no use
        ("..##--##............", [(2, 8)]),  # between the thresholds a run goes on
        ("..--.............", []),  # and does not begin
        ("##......-......##...........", [(0, 17)]),  # but it breaks the quiet
        ("#-#-#-..............", []),  # busy has to last to begin
        ("..####      ............", [(2, 5)]),  # silence ends a run at the last reading
        ("..####      ####........", [(2, 5), (12, 16)]),  # and what comes after is another one
        ("..####    ####............", [(2, 14)]),  # less than the longest silence is none
        ("..##..      ##............", [(2, 4), (12, 14)]),  # in a pause it ends where the pause began
    ],
)
def test_use_is_read_from_the_samples(drawing, expected):
    found = usage_spans(samples(drawing), PROFILE, until=LATER)
    assert [minutes(span.when) for span in found] == expected


@pytest.mark.parametrize(
    ("drawing", "minutes_later", "goes_on", "cut_by_silence"),
    [
        ("..######", 1, True, False),
        ("..######", 5, True, False),
        ("..######", 6, False, True),
        ("..######....", 1, True, False),  # it may still be a pause
        ("..######.........", 2, False, False),  # that was the end
        ("..######..", 6, False, False),  # silent, but seen to end
        ("..#", 1, None, None),  # nothing has begun
    ],
)
def test_a_run_is_open_until_quiet_or_silence_ends_it(drawing, minutes_later, goes_on, cut_by_silence):
    told = samples(drawing)
    found = usage_spans(told, PROFILE, until=told[-1].taken_at + minutes_later * MINUTE)
    assert [(span.open, span.cut_by_silence) for span in found] == (
        [] if goes_on is None else [(goes_on, cut_by_silence)]
    )


def test_pauses_do_not_count_as_running():
    (span,) = usage_spans(samples("..##...##.##..........."), PROFILE, until=LATER)
    assert [minutes(run) for run in span.runs] == [(2, 4), (7, 9), (10, 12)]
    assert span.running_within(span.when) == 6 * MINUTE


def test_the_instruments_own_state_wins_over_power():
    told = [one._replace(running=3 <= number <= 6) for number, one in enumerate(samples("##########"))]
    assert [minutes(span.when) for span in usage_spans(told, PROFILE, until=LATER)] == [(3, 7)]


def test_samples_that_say_nothing_of_the_state_change_nothing():
    told = samples("..##..####..........")
    mute = [one._replace(power_mw=None, taken_at=one.taken_at + SECOND) for one in told]
    mixed = sorted(told + mute)
    assert usage_spans(mixed, PROFILE, until=LATER) == usage_spans(told, PROFILE, until=LATER)


def test_busy_samples_of_one_moment_are_no_use():
    one, other = samples("##")
    hasty = replace(PROFILE, min_on=timedelta())
    assert usage_spans([one, other._replace(taken_at=one.taken_at)], hasty, until=LATER) == []


def test_hundreds_of_crossings_are_three_washes():
    """The shape of a washing machine: the drum turns for seconds, stops for seconds, for an hour and a half."""
    profile = replace(PROFILE, min_on=10 * SECOND, min_off=480 * SECOND)
    drum = "###.....####...."
    wash = "#" * 300 + drum * 60 + "." * 60 + drum * 40 + "#" * 120
    found = usage_spans(samples((wash + "." * 600) * 3, step=5 * SECOND), profile, until=LATER)
    assert len(found) == 3
    assert all(len(span.runs) > 150 for span in found)


def test_each_cycle_of_a_fridge_is_one_span():
    profile = replace(PROFILE, min_on=10 * SECOND, min_off=60 * SECOND)
    found = usage_spans(samples(("." * 45 + "#" * 15) * 21 + "."), profile, until=LATER)
    assert [span.when.duration for span in found] == [15 * MINUTE] * 21


@pytest.mark.parametrize(("spike_w", "watts", "expected"), [
    (None, 6001, []), (None, 6000, [(2, 5)]), (9000, 9001, []), (9000, 8999, [(2, 5)]), (300, 500, []),
])  # fmt: skip
def test_more_than_the_machine_can_draw_is_no_power(spike_w, watts, expected):
    """Three times the rated power, unless the profile says how much."""
    told = [one._replace(power_mw=watts * 1000) if one.power_mw == 500_000 else one for one in samples("..###....")]
    found = usage_spans(told, replace(PROFILE, spike_w=spike_w), until=LATER)
    assert [minutes(span.when) for span in found] == expected


def test_a_spike_in_a_run_breaks_nothing():
    told = samples("..####....")
    told[4] = told[4]._replace(power_mw=10**9)
    assert usage_spans(told, PROFILE, until=LATER) == usage_spans(samples("..####...."), PROFILE, until=LATER)


LOW = replace(PROFILE, run_on_w=50, run_off_w=50, version=2)


def versions(changed: int) -> list[Profile]:
    """From minute ``changed`` on 60 W is use as well."""
    return [PROFILE, replace(LOW, valid_from=START + changed * MINUTE)]


@pytest.mark.parametrize(
    ("drawing", "changed", "expected"),
    [
        ("..####............", 99, [(2, 6, 1)]),  # before the change
        ("..----.....----............", 9, [(11, 15, 2)]),  # what was no use before is from now on
        ("..----------............", 6, [(6, 12, 2)]),  # from the change on, not from before
        ("..######----............", 5, [(2, 12, 1)]),  # a run that reaches over the change keeps its version
        ("..####..........................####............", 20, [(2, 6, 1), (32, 36, 2)]),
        ("####      ----............", 5, [(0, 3, 1), (10, 14, 2)]),  # silence between them
        ("######", 3, [(0, 5, 1)]),
        ("..####.........----.............", 3, [(2, 19, 1)]),  # what breaks its pause belongs to it
        ("..####..........----............", 3, [(2, 6, 1), (16, 20, 2)]),  # what comes after it does not
    ],
)
def test_a_run_keeps_the_profile_that_was_valid_when_it_began(drawing, changed, expected):
    found = spans_by_version(samples(drawing), versions(changed), until=LATER)
    assert [(*minutes(span.when), profile.version) for profile, span in found] == expected


def test_a_version_whose_time_another_one_took_finds_nothing():
    same = [PROFILE, replace(LOW, valid_from=START), replace(LOW, valid_from=START, version=3)]
    found = spans_by_version(samples("..----............"), same, until=LATER)
    assert [profile.version for profile, _ in found] == [3]


@given(st.text("#-. ", max_size=150), st.lists(st.integers(0, 150), max_size=3).map(sorted))
def test_versions_never_overlap_and_alike_ones_change_nothing(drawing, changes):
    told = samples(drawing)
    mixed = [
        PROFILE,
        *(
            replace((LOW, PROFILE)[n % 2], valid_from=START + at * MINUTE, version=n + 2)
            for n, at in enumerate(changes)
        ),
    ]
    found = spans_by_version(told, mixed, until=LATER)
    assert all(one.when.end <= other.when.start for (_, one), (_, other) in pairwise(found))
    for profile, span in found:
        valid = [one for one in mixed if one.valid_from <= span.when.start]
        assert profile is valid[-1]
    alike = [
        PROFILE,
        *(replace(PROFILE, valid_from=START + at * MINUTE, version=n + 2) for n, at in enumerate(changes)),
    ]
    # The same rules under another number: only a run whose beginning straddles the change may begin there.
    assert {span.when.end for _, span in spans_by_version(told, alike, until=LATER)} <= {
        span.when.end for span in usage_spans(told, PROFILE, until=LATER)
    }


@given(st.text("#-. ", max_size=150), st.integers(0, 150))
def test_what_is_closed_stays_as_it_is_when_more_comes(drawing, known):
    """Only the last span can change by later samples; so deriving again may begin at its start."""
    told = samples(drawing)
    so_far = told[:known]
    if so_far:
        before = usage_spans(so_far, PROFILE, until=so_far[-1].taken_at)
        after = usage_spans(told, PROFILE, until=LATER)
        assert after[: len(before) - 1] == before[:-1]


@given(st.text("#-. ", max_size=150))
def test_spans_are_apart_and_hold_their_runs(drawing):
    found = usage_spans(samples(drawing), PROFILE, until=LATER)
    assert all(one.when.end < other.when.start for one, other in pairwise(found))
    for span in found:
        assert span.runs
        assert all(span.when.encloses(run) for run in span.runs)
        assert timedelta() < span.running_within(span.when) <= span.when.duration
