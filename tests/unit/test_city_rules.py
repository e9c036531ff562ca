"""What the city's pages count, and how."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.catalogue.annex import Likeness, annex_platforms, annex_rows, distinct_if
from app.catalogue.industries import industries, industries_of, readings
from app.catalogue.rules.stage import STAGES, is_built, is_provincial, stage_of
from app.catalogue.rules.words import RecognitionLevel
from app.identity.rules.town import towns_on
from app.kernel.money import Money, total
from billing.policies.jinzhengban_2025_13_targets import TARGETS
from billing.rules.national import (
    INSTRUMENT,
    SERVICE,
    Fault,
    InstrumentHours,
    field_faults,
    hour_faults,
    in_hours,
    in_ten_thousands,
)
from billing.rules.place import ServedFirms, Unplaced, by_park, by_town, place_of, together
from devices.rules.week import WEEK, Stretch, spread

HOUR = timedelta(hours=1)
MINUTE = 60_000_000
TOWNS = towns_on(date(2026, 1, 1)).names
levels = st.lists(
    st.tuples(st.sampled_from(RecognitionLevel), st.dates(date(2025, 1, 1), date(2031, 1, 1))), max_size=6
)
places = st.sampled_from([*TOWNS, "旧镇", *Unplaced])
firms = st.lists(
    st.builds(
        ServedFirms,
        town=places,
        park=st.sampled_from(["甲园", "乙园", *Unplaced]),
        firms=st.integers(0, 99),
        without_code=st.integers(0, 99),
        orders=st.integers(0, 99),
        served=st.timedeltas(timedelta(), timedelta(days=9)),
        revenue=st.integers(-(10**9), 10**9).map(Money),
    ),
    max_size=30,
)


def test_the_nineteen_rows_are_twelve_platforms_and_eleven_or_thirteen_by_other_readings():
    assert len(annex_rows()) == 19
    assert [sum(row.annex == annex for row in annex_rows()) for annex in "12"] == [8, 11]
    assert len(annex_platforms()) == distinct_if([one for one in Likeness if one is not Likeness.UNCONFIRMED]) == 12
    assert distinct_if(list(Likeness)) == 11
    assert distinct_if([Likeness.IDENTICAL, Likeness.SIMILAR_NAME]) == 13


def test_pairs_of_the_annexes_name_each_other_and_only_unconfirmed_ones_are_two_platforms():
    rows = {row.id: row for row in annex_rows()}
    for row in rows.values():
        for pair in row.pairs:
            other = rows[pair.other]
            assert (row.id, pair.how) in [(back.other, back.how) for back in other.pairs]
            assert (row.platform == other.platform) is (pair.how is not Likeness.UNCONFIRMED)


def test_every_platform_of_the_annexes_serves_an_industry_and_every_reading_gives_a_reason():
    keys = {one.key for one in industries()}
    for code, rows in annex_platforms().items():
        assert industries_of(code, rows[0].field) <= keys
        assert industries_of(code, rows[0].field)
    assert all(one.zh and one.en and set(one.industries) <= keys for one in readings().values())
    assert industries_of("new", "纺织鞋服") == {"textile", "footwear"}
    assert industries_of("new", "别的") == frozenset()


@given(levels, st.dates(date(2025, 1, 1), date(2031, 1, 1)))
def test_a_stage_is_the_highest_documented_one_and_only_recognitions_count_as_built(recognitions, on):
    stage = stage_of(recognitions, on=on)
    reached = {level for level, since in recognitions if since <= on}
    assert stage in reached or (stage is None and not reached)
    assert all(STAGES.index(level) <= STAGES.index(stage) for level in reached)
    assert is_built(stage) == bool(reached - {RecognitionLevel.CULTIVATED})
    assert is_provincial(stage) == bool(reached - {RecognitionLevel.CULTIVATED, RecognitionLevel.QUANZHOU})


def test_the_targets_are_those_of_the_text():
    assert [(one.year, one.built, one.provincial) for one in TARGETS] == [(2027, 3, 1), (2030, 8, 2)]
    assert all(
        str(one.built) in words and str(one.provincial) in words
        for one in TARGETS
        for words in (one.words_zh, one.words_en)
    )


def test_jinjiang_has_six_streets_and_thirteen_towns():
    assert [sum(name.endswith(kind) for name in TOWNS) for kind in ("街道", "镇")] == [6, 13]
    assert len(set(TOWNS)) == 19


@given(firms)
def test_towns_and_parks_each_add_up_to_all_firms(served):
    whole = together("all", served)
    for rows in (by_town(served, TOWNS), by_park(served)):
        assert sum(row.firms for row in rows) == whole.firms == sum(one.firms for one in served)
        assert sum(row.without_code for row in rows) == sum(one.without_code for one in served)
        assert sum(row.orders for row in rows) == sum(one.orders for one in served)
        assert sum((row.served for row in rows), timedelta()) == sum((one.served for one in served), timedelta())
        assert total([row.revenue for row in rows]) == total([one.revenue for one in served])
        assert len({row.place for row in rows}) == len(rows)


def test_a_firm_without_a_town_is_outside_or_waits_for_being_asked():
    assert place_of("安海镇", at_home=False) == "安海镇"
    assert place_of(None, at_home=True) is Unplaced.UNTOLD
    assert place_of("", at_home=False) is Unplaced.OUTSIDE


runs = st.lists(
    st.tuples(st.integers(0, WEEK * 60 - 1), st.integers(1, 5 * 24 * 60), st.integers(0, 60)), min_size=1, max_size=20
)


@given(runs)
def test_a_week_holds_exactly_the_running_time_hour_by_hour(sessions):
    """Against laying every minute of every session down by itself."""
    expected, stretches = [0.0] * WEEK, []
    for start, length, running in sessions:
        density = running * MINUTE / length
        for minute in range(start, start + length):
            expected[minute // 60 % WEEK] += density
        first, hours = start // 60, -(-(start % 60 + length) // 60)
        opening = running * MINUTE * min(length, 60 - start % 60) // length
        middle = running * MINUTE * 60 // length
        closing = running * MINUTE - opening - middle * max(hours - 2, 0)
        stretches.append(Stretch(first, hours, opening, middle, closing))
    week = spread(stretches)
    assert sum(week) == sum(running * MINUTE for _, _, running in sessions)
    assert week == pytest.approx(expected, abs=120 * len(sessions))


def hours_of(running, service, external, pieces=1):
    return InstrumentHours("i", pieces, running * HOUR, service * HOUR, external * HOUR)


@pytest.mark.parametrize(
    ("hours", "faults"),
    [
        (hours_of(10, 10, 10), set()),
        (hours_of(10, 11, 10), {Fault.SERVICE_OVER_RUNNING}),
        (hours_of(10, 9, 10), {Fault.EXTERNAL_OVER_SERVICE}),
        (hours_of(101, 0, 0), {Fault.LONGER_THAN_THE_YEAR}),
        (hours_of(101, 0, 0, pieces=2), set()),
    ],
)
def test_hours_that_contradict_each_other_are_told(hours, faults):
    assert {one.fault for one in hour_faults([hours], year=100 * HOUR)} == faults


def test_texts_that_are_too_long_and_units_without_a_code_are_told():
    long = dict.fromkeys(INSTRUMENT) | {"innerId": "i", "cname": "长" * 301, "fee": "1" * 1500}
    found = list(field_faults([long], [{"insCode": None, "name": "甲"}, {"insCode": "x", "name": "乙"}]))
    assert [(one.fault, one.row, one.field) for one in found] == [
        (Fault.TOO_LONG, "i", "cname"),
        (Fault.NO_UNIT_CODE, "甲", "insCode"),
    ]


def test_no_field_of_the_national_report_holds_a_person():
    personal = {"contact", "phone", "email", "subjectName", "applicant"}
    assert not personal & {*INSTRUMENT, *SERVICE}


@given(st.lists(st.timedeltas(timedelta(), timedelta(days=400)), max_size=20))
def test_tenths_of_hours_never_come_to_more_than_their_whole(parts):
    assert sum(in_hours(one) for one in parts) <= in_hours(sum(parts, timedelta()))
    assert str(in_ten_thousands(1_234_567_89)) == "123.456789"
