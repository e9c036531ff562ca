from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.booking.rules.conduct import Entry, Ladder, Rung, blocked_until, is_no_show, rung, score
from app.booking.rules.words import MisstepKind

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
LADDER = Ladder(
    grace=30 * MINUTE,
    warnings=1,
    fee_from=2,
    block_from=3,
    block=7 * DAY,
    counted_over=365 * DAY,
    points={MisstepKind.NO_SHOW: -20, MisstepKind.LATE: -5, MisstepKind.GOOD_USE: 2},
)


def entry(day: float, kind: MisstepKind = MisstepKind.NO_SHOW, *, excused: bool = False) -> Entry:
    """Something that happened ``day`` days after noon and counts a day later."""
    return Entry(kind, NOON + day * DAY, NOON + (day + 1) * DAY, excused)


def at(day: float) -> datetime:
    return NOON + day * DAY


@pytest.mark.parametrize(
    ("minutes", "used", "expected"),
    [
        (29, False, False),
        (30, False, True),
        (31, False, True),
        (3 * 1440, False, True),  # W03: a late job still finds it
        (31, True, False),  # W03: somebody used the equipment
    ],
)
def test_a_no_show_is_found_from_the_end_of_the_grace_on(minutes, used, expected):
    assert is_no_show(LADDER, starts_at=NOON, used=used, at=NOON + minutes * MINUTE) is expected


@pytest.mark.parametrize(
    ("entries", "ladder", "expected"),
    [
        ([], LADDER, Rung.NONE),
        ([entry(0)], LADDER, Rung.WARNING),
        ([entry(0), entry(1)], LADDER, Rung.FEE),
        ([entry(0), entry(1), entry(2)], LADDER, Rung.BLOCK),
        ([entry(0), entry(1), entry(2), entry(3)], LADDER, Rung.BLOCK),
        ([entry(0), entry(1), entry(2, excused=True)], LADDER, Rung.FEE),
        ([entry(0), entry(9.5)], LADDER, Rung.WARNING),  # the second counts half a day later
        ([entry(-356), entry(1)], LADDER, Rung.WARNING),  # more than a year ago
        ([entry(-355), entry(1)], LADDER, Rung.WARNING),  # exactly a year ago
        ([entry(-354), entry(1)], LADDER, Rung.FEE),
        ([entry(0), entry(1, MisstepKind.LATE), entry(2, MisstepKind.OVERRUN)], LADDER, Rung.WARNING),
        ([entry(0)], replace(LADDER, warnings=0), Rung.NONE),
        ([entry(0)], replace(LADDER, warnings=0, fee_from=1), Rung.FEE),
        ([entry(0), entry(1), entry(2)], replace(LADDER, warnings=3), Rung.WARNING),
        ([entry(0), entry(1)], replace(LADDER, fee_from=3), Rung.WARNING),
        ([entry(0), entry(1)], replace(LADDER, block_from=2), Rung.BLOCK),
    ],
)
def test_no_shows_climb_the_ladder(entries, ladder, expected):
    assert rung(ladder, entries, at=at(10)) is expected


THREE = [entry(0), entry(10), entry(20)]


@pytest.mark.parametrize(
    ("entries", "day", "until"),
    [
        (THREE, 20.9, None),  # not yet effective
        (THREE, 21, 28),
        (THREE, 27.9, 28),
        (THREE, 28, None),
        ([*THREE, entry(23)], 24, 31),  # one more begins the block anew
        ([*THREE, entry(23, excused=True)], 24, 28),
        ([*THREE, entry(40)], 30, None),
        ([*THREE, entry(40)], 42, 48),
        ([entry(0), entry(10), entry(20, excused=True)], 22, None),
        ([entry(-350), entry(-340), entry(20)], 22, None),  # the old ones count no more
    ],
)
def test_the_third_no_show_blocks_for_a_week(entries, day, until):
    assert blocked_until(LADDER, entries, at=at(day)) == (None if until is None else at(until))


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([], 100),
        ([entry(0)], 80),
        ([entry(0), entry(1, MisstepKind.LATE)], 75),
        ([entry(0), entry(1, MisstepKind.GOOD_USE)], 82),
        ([entry(0, MisstepKind.GOOD_USE), entry(1)], 80),  # nothing to mend yet
        ([entry(0, excused=True)], 100),
        ([entry(9.5)], 100),
        ([entry(0, MisstepKind.OVERRUN)], 100),  # this platform gives no points for it
    ],
)
def test_the_score_falls_with_missteps_and_mends_with_good_use(entries, expected):
    assert score(LADDER, entries, at=at(10)) == expected


@pytest.mark.parametrize(("grace", "tolerance"), [(30, 15), (5, 2.5), (1, 1), (0, 1)])
def test_half_the_grace_is_let_pass_and_a_minute_always(grace, tolerance):
    assert replace(LADDER, grace=timedelta(minutes=grace)).tolerance == timedelta(minutes=tolerance)


records = st.lists(
    st.builds(entry, st.integers(0, 60), st.sampled_from(MisstepKind), excused=st.booleans()), max_size=12
)
moments = st.integers(0, 80).map(at)


@given(records, moments, st.randoms())
def test_the_order_of_the_record_does_not_matter(entries, moment, random):
    shuffled = random.sample(entries, len(entries))
    assert score(LADDER, shuffled, at=moment) == score(LADDER, entries, at=moment) <= LADDER.base_score
    assert rung(LADDER, shuffled, at=moment) is rung(LADDER, entries, at=moment)
    assert blocked_until(LADDER, shuffled, at=moment) == blocked_until(LADDER, entries, at=moment)


@given(records, moments)
def test_an_excuse_never_harms(entries, moment):
    steps = list(Rung)
    for number, one in enumerate(entries):
        if one.kind is MisstepKind.NO_SHOW:
            milder = [*entries[:number], replace(one, excused=True), *entries[number + 1 :]]
            assert steps.index(rung(LADDER, milder, at=moment)) <= steps.index(rung(LADDER, entries, at=moment))
            assert score(LADDER, milder, at=moment) >= score(LADDER, entries, at=moment)
            before, after = (blocked_until(LADDER, each, at=moment) for each in (entries, milder))
            assert after is None or (before is not None and after <= before)
            assert before is None or before > moment
