from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.booking.rules.recurrence import Every, Recurrence, occurrences
from app.kernel.clock import FACILITY_ZONE
from app.kernel.errors import InvalidInput
from app.kernel.interval import Interval

LONDON = ZoneInfo("Europe/London")
CHICAGO = ZoneInfo("America/Chicago")


def at(text: str, zone: ZoneInfo = FACILITY_ZONE, *, hours: float = 1) -> Interval:
    start = datetime.fromisoformat(text).replace(tzinfo=zone)
    return Interval(start, start + timedelta(hours=hours))


def days(found: list[Interval], zone: ZoneInfo = FACILITY_ZONE) -> list[date]:
    return [one.start.astimezone(zone).date() for one in found]


def every(kind: Every, until: str, **given) -> Recurrence:
    return Recurrence(kind, until=date.fromisoformat(until), **given)


WEDNESDAY = frozenset({2})
MONDAY_TUESDAY = frozenset({0, 1})


@pytest.mark.parametrize(
    ("first", "rule", "further", "last"),
    [
        pytest.param("2010-02-12T08:30", every(Every.DAY, "2010-02-14"), 2, "2010-02-14", id="L31"),
        pytest.param("2010-02-12T08:30", every(Every.DAY, "2010-04-02", interval=2), 24, "2010-04-01", id="L32"),
        pytest.param(
            "2010-02-11T08:30", every(Every.WEEK, "2010-04-01", weekdays=WEDNESDAY), 7, "2010-03-31", id="L34"
        ),
        pytest.param("2010-03-01T08:30", every(Every.MONTH_WEEKDAY, "2011-10-01"), 18, "2011-09-05", id="L37 Monday"),
        pytest.param("2010-02-11T08:30", every(Every.MONTH_DATE, "2011-10-01"), 19, "2011-09-11", id="L37 11th"),
        pytest.param("2010-03-31T08:30", every(Every.YEAR, "2016-03-30", interval=2), 2, "2014-03-31", id="L38"),
    ],
)
def test_how_many_dates_follow_the_first(first, rule, further, last):
    found = days(occurrences(at(first), rule))
    assert len(found) - 1 == further
    assert found[-1] == date.fromisoformat(last)


@pytest.mark.parametrize(
    ("interval", "span", "expected"),
    [
        (1, 7, 2), (1, 21, 4), (2, 7, 1), (2, 14, 2), (2, 42, 4), (3, 14, 1), (3, 63, 4), (4, 27, 1), (4, 28, 2),
        (4, 83, 3), (4, 84, 4),
    ],
)  # fmt: skip
def test_i05_weekly(interval, span, expected):
    first = date(2023, 10, 2)
    rule = Recurrence(Every.WEEK, interval=interval, until=first + timedelta(days=span))
    assert len(occurrences(at("2023-10-02T09:00"), rule)) == expected


@pytest.mark.parametrize(
    ("interval", "span", "expected"),
    [
        (1, 7, 3), (1, 14, 5), (1, 19, 6), (1, 28, 9), (2, 19, 4), (2, 28, 5), (2, 42, 7), (3, 19, 2), (3, 28, 4),
        (4, 19, 2), (4, 28, 3),
    ],
)  # fmt: skip
def test_i06_two_weekdays(interval, span, expected):
    rule = Recurrence(
        Every.WEEK, interval=interval, weekdays=MONDAY_TUESDAY, until=date(2023, 10, 2) + timedelta(days=span)
    )
    assert len(occurrences(at("2023-10-02T09:00"), rule)) == expected


def test_i04_daily_over_ten_days():
    assert len(occurrences(at("2023-10-02T09:00"), every(Every.DAY, "2023-10-12"))) == 11


def test_i07_the_fifth_monday_is_the_last():
    found = days(occurrences(at("2014-09-29T09:00"), every(Every.MONTH_WEEKDAY, "2015-01-07")))
    assert found == [date(2014, 9, 29), date(2014, 10, 27), date(2014, 11, 24), date(2014, 12, 29)]


@pytest.mark.parametrize(
    ("first", "february"),
    [
        pytest.param("2017-12-31T09:00", "2018-02-28", id="N100"),
        pytest.param("2015-12-31T09:00", "2016-02-29", id="N100 leap"),
    ],
)
def test_a_short_month_has_the_date_on_its_last_day(first, february):
    """L35 skips such months: docs/decisions/0003-recurrence.md."""
    found = days(occurrences(at(first), Recurrence(Every.MONTH_DATE, times=4)))
    assert found[2] == date.fromisoformat(february)
    assert [day.day for day in found] == [31, 31, found[2].day, 31]


def test_a_leap_day_comes_every_year():
    found = days(occurrences(at("2024-02-29T09:00"), Recurrence(Every.YEAR, times=5)))
    assert [day.day for day in found] == [29, 28, 28, 28, 29]


def test_n98_daily_across_a_change_of_clocks_stays_at_noon():
    found = occurrences(at("2010-02-25T12:00", CHICAGO), Recurrence(Every.DAY, times=31), zone=CHICAGO)
    assert len(found) == 31
    assert {one.start.astimezone(CHICAGO).hour for one in found} == {12}
    assert len({one.start.hour for one in found}) == 2  # in UTC it did change


@pytest.mark.parametrize(("first", "until"), [("2013-02-06T09:00", "2013-10-31"), ("2013-03-06T13:00", "2013-12-31")])
def test_l39_the_first_wednesday_keeps_its_hours_on_the_wall(first, until):
    found = occurrences(at(first, LONDON), every(Every.MONTH_WEEKDAY, until), zone=LONDON)
    hour = datetime.fromisoformat(first).hour
    assert {(one.start.astimezone(LONDON).hour, one.end.astimezone(LONDON).hour) for one in found} == {(hour, hour + 1)}
    assert all(day.weekday() == 2 and day.day <= 7 for day in days(found, LONDON))


def test_l40_custom_dates_keep_their_overnight_length():
    rule = Recurrence(Every.DATES, dates=(date(2026, 3, 9), date(2026, 3, 5)))
    found = occurrences(at("2026-03-01T02:30", hours=25.5), rule)
    assert days(found) == [date(2026, 3, 1), date(2026, 3, 5), date(2026, 3, 9)]
    assert {one.duration for one in found} == {timedelta(hours=25.5)}


def test_dates_given_one_by_one_are_not_cut_by_an_end_or_a_number():
    rule = Recurrence(Every.DATES, dates=(date(2026, 3, 9), date(2026, 3, 5)), until=date(2026, 3, 6), times=1)
    assert len(occurrences(at("2026-03-01T09:00"), rule)) == 3


@pytest.mark.parametrize(
    ("rule", "field"),
    [
        pytest.param(Recurrence(Every.DAY, interval=0, times=3), "interval", id="I04"),
        (Recurrence(Every.DAY, interval=10**7, until=date(2026, 4, 1)), "interval"),
        (Recurrence(Every.DAY, interval=10**10, times=2), "interval"),
        (Recurrence(Every.MONTH_DATE, interval=10**6, times=2), "interval"),
        (Recurrence(Every.YEAR, interval=60, times=200), "interval"),
        (Recurrence(Every.WEEK, interval=10**5, times=10), "interval"),
        (Recurrence(Every.MONTH_WEEKDAY, interval=10**5, times=2), "interval"),
        (Recurrence(Every.DAY), "until"),
        (Recurrence(Every.DAY, until=date(2026, 4, 1), times=3), "until"),
        (Recurrence(Every.WEEK, until=date(2026, 2, 1)), "until"),
        (Recurrence(Every.DAY, until=date(2028, 1, 1)), "until"),
        (Recurrence(Every.DAY, times=0), "times"),
        (Recurrence(Every.DAY, times=201), "times"),
        (Recurrence(Every.DATES, dates=(date(2026, 1, 1),)), "dates"),
    ],
)
def test_a_rule_that_cannot_be_meant_names_its_field(rule, field):
    with pytest.raises(InvalidInput) as refused:
        occurrences(at("2026-03-01T09:00"), rule)
    assert refused.value.field == field


@given(
    first=st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)),  # noqa: DTZ001
    kind=st.sampled_from([Every.DAY, Every.WEEK, Every.MONTH_DATE, Every.MONTH_WEEKDAY, Every.YEAR]),
    interval=st.integers(1, 5),
    times=st.integers(1, 30),
    weekdays=st.frozensets(st.integers(0, 6)),
)
def test_dates_ascend_keep_their_time_and_are_as_many_as_wanted(first, kind, interval, times, weekdays):
    slot = Interval(first.replace(tzinfo=FACILITY_ZONE), first.replace(tzinfo=FACILITY_ZONE) + timedelta(hours=3))
    found = occurrences(slot, Recurrence(kind, interval=interval, times=times, weekdays=weekdays))
    assert found[0] == slot
    assert len(found) == times
    assert found == sorted(set(found))
    assert {one.start.astimezone(FACILITY_ZONE).time() for one in found} == {first.time()}
    assert {one.duration for one in found} == {timedelta(hours=3)}
    until = days(found)[-1]
    assert occurrences(slot, Recurrence(kind, interval=interval, until=until, weekdays=weekdays)) == found
