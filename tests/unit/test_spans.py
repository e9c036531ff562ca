from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.rules.span import usage_spans
from tests.unit.drawings import LATER, MINUTE, PROFILE, minutes, samples

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
