from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.booking.rules.quota import Exceeded, Measure, Period, Quota, exceeded, window
from app.kernel.clock import FACILITY_ZONE
from app.kernel.interval import Interval

CHICAGO = ZoneInfo("America/Chicago")
SUNDAY, THURSDAY = 6, 3


def local(first: str, last: str, zone: ZoneInfo = FACILITY_ZONE) -> Interval:
    return Interval(
        datetime.fromisoformat(first).replace(tzinfo=zone), datetime.fromisoformat(last).replace(tzinfo=zone)
    )


def utc(first: str, last: str) -> Interval:
    return Interval(datetime.fromisoformat(first).replace(tzinfo=UTC), datetime.fromisoformat(last).replace(tzinfo=UTC))


def nine(day: str, hours: int = 1) -> Interval:
    start = datetime.fromisoformat(f"{day}T09:00").replace(tzinfo=FACILITY_ZONE)
    return Interval(start, start + timedelta(hours=hours))


def times(limit: int, period: Period, **other) -> Quota:
    return Quota(Measure.RESERVATIONS, Decimal(limit), period, **other)


def hours(limit: int, period: Period) -> Quota:
    return Quota(Measure.HOURS, Decimal(limit), period)


ACROSS_TWO_WEEKS = local("2011-07-30T09:00", "2011-08-03T17:00")
LATER_THAT_WEEK = [nine("2011-08-04"), nine("2011-08-05")]
INTO_AUGUST = local("2011-07-31T21:30", "2011-08-01T02:30")
AROUND_AUGUST = [
    local("2011-07-02T09:00", "2011-07-02T09:30"),
    local("2011-08-31T23:30", "2011-09-01T03:00"),
]
THREE_DAYS = [local(f"2011-09-0{day}", f"2011-09-0{day + 1}") for day in (2, 3, 4)]


@pytest.mark.parametrize(
    ("quota", "wish", "taken", "first_day", "used"),
    [
        pytest.param(times(2, Period.WEEK, week_starts=THURSDAY), nine("2018-01-15"),
                     [nine("2018-01-11"), nine("2018-01-12")], date(2018, 1, 11), 3, id="L17"),
        pytest.param(times(2, Period.WEEK), nine("2018-01-15"),
                     [nine("2018-01-11"), nine("2018-01-12")], None, None, id="L17 in a week from Monday"),
        pytest.param(times(2, Period.WEEK, week_starts=date(2017, 2, 21).weekday()), nine("2017-02-23"),
                     [nine("2017-02-26"), nine("2017-02-27")], date(2017, 2, 21), 3, id="L18 exceeded"),
        pytest.param(times(2, Period.WEEK, week_starts=date(2017, 2, 21).weekday()), nine("2017-02-23"),
                     [nine("2017-02-26"), nine("2017-02-28")], None, None, id="L18 ok"),
        pytest.param(times(2, Period.WEEK, week_starts=SUNDAY), ACROSS_TWO_WEEKS,
                     LATER_THAT_WEEK, date(2011, 7, 31), 3, id="L19 exceeded"),
        pytest.param(times(3, Period.WEEK, week_starts=SUNDAY), ACROSS_TWO_WEEKS,
                     LATER_THAT_WEEK, None, None, id="L19 ok"),
        pytest.param(times(2, Period.WEEK, week_starts=SUNDAY, weekdays=frozenset({0, 1, 3})), ACROSS_TWO_WEEKS,
                     LATER_THAT_WEEK, None, None, id="L20"),
        pytest.param(hours(4, Period.MONTH), INTO_AUGUST, AROUND_AUGUST, None, None, id="L22"),
        pytest.param(hours(4, Period.MONTH), local("2011-07-31T05:30", "2011-08-01T06:30"),
                     [], date(2011, 7, 1), "18.5", id="L23"),
        pytest.param(times(1, Period.MONTH), local("2011-07-30T09:00", "2011-08-03T09:00"),
                     [local("2011-07-01T09:00", "2011-07-02T09:00")], date(2011, 7, 1), 2, id="L24"),
        pytest.param(hours(24, Period.DAY), local("2011-09-05", "2011-09-07"), THREE_DAYS, None, None, id="L27"),
        pytest.param(hours(24, Period.DAY), local("2011-09-05T12:00", "2011-09-07T12:00"),
                     THREE_DAYS, None, None, id="L27 noon"),
        pytest.param(times(1, Period.YEAR), nine("2026-12-31"), [nine("2027-01-01")], None, None, id="a new year"),
        pytest.param(times(1, Period.YEAR), nine("2026-12-31"), [nine("2026-01-01")], date(2026, 1, 1), 2, id="a year"),
    ],
)  # fmt: skip
def test_a_quota_counts_in_every_period_a_reservation_touches(quota, wish, taken, first_day, used):
    expected = None if first_day is None else Exceeded(quota, first_day, Decimal(used))
    assert exceeded(quota, wish, taken) == expected


EVENING = utc("2011-04-03T01:30", "2011-04-03T02:30")  # 2 April in Chicago


def test_a_day_is_the_day_of_the_zone_and_other_equipment_is_not_counted():  # L12
    same = [utc("2011-04-03T03:30", "2011-04-03T04:30"), utc("2011-04-03T06:30", "2011-04-03T20:30")]
    elsewhere = [utc("2011-04-03T01:30", "2011-04-03T02:30"), utc("2011-04-03T02:30", "2011-04-03T03:30")]
    assert exceeded(times(2, Period.DAY), EVENING, same, zone=CHICAGO) is None
    assert exceeded(times(2, Period.DAY), EVENING, [*same, *elsewhere], zone=CHICAGO).used == 4


def test_a_reservation_belongs_to_the_local_day_on_which_it_starts_too():  # L13
    taken = [utc("2011-04-03T03:30", "2011-04-03T08:00")]
    found = exceeded(times(1, Period.DAY), EVENING, taken, zone=CHICAGO)
    assert (found.first_day, found.used) == (date(2011, 4, 2), 2)


def test_what_another_machine_holds_is_not_handed_over():  # L15
    wish, long_use = local("2026-03-02T09:00", "2026-03-02T09:30"), local("2026-03-02T10:00", "2026-03-02T10:31")
    assert exceeded(hours(1, Period.DAY), wish, [long_use]).used == Decimal(61) / 60
    assert exceeded(hours(1, Period.DAY), wish, []) is None


@pytest.mark.parametrize(("held", "used"), [((2, 1), 5), ((1, 1), None)])
def test_a_quota_for_a_whole_platform_counts_each_machine_of_one_request(held, used):  # L25
    wish = nine("2026-03-02")
    taken = [wish, *(nine("2026-03-09", length) for length in held)]
    found = exceeded(hours(4, Period.MONTH), wish, taken)
    assert (found and found.used) == used


@pytest.mark.parametrize(("asked", "refused"), [((101, 102), False), ((101, 100), True)])
def test_a_quota_of_nothing_closes_the_equipment_it_is_for(asked, refused):  # L29
    nothing_on = {100: [times(0, Period.DAY)]}
    quotas = [quota for equipment in asked for quota in nothing_on.get(equipment, [])]
    assert any(exceeded(quota, nine("2026-03-02"), []) for quota in quotas) is refused


def test_a_wish_on_days_that_do_not_count_is_never_refused():
    weekdays_only = times(1, Period.WEEK, weekdays=frozenset(range(5)))
    full = [nine("2026-03-02"), nine("2026-03-03")]
    assert exceeded(weekdays_only, nine("2026-03-07"), full) is None
    assert exceeded(weekdays_only, nine("2026-03-04"), full).used == 3


hour = st.integers(0, 40 * 24)
spans = st.builds(
    lambda first, length: nine("2026-02-20", length).shifted(timedelta(hours=first)), hour, st.integers(1, 80)
)
quotas = st.builds(
    Quota,
    st.sampled_from(Measure),
    st.integers(0, 30).map(Decimal),
    st.sampled_from(Period),
    st.integers(0, 6),
    st.none() | st.frozensets(st.integers(0, 6)),
)


@given(quotas, spans, st.lists(spans, max_size=6))
def test_only_reservations_in_the_window_matter(quota, wish, taken):
    whole = window(quota, wish)
    assert whole.encloses(wish)
    assert exceeded(quota, wish, taken) == exceeded(quota, wish, [one for one in taken if one.overlaps(whole)])


@given(quotas, spans, st.lists(spans, max_size=6), spans)
def test_holding_more_never_makes_room(quota, wish, taken, another):
    if exceeded(quota, wish, taken):
        assert exceeded(quota, wish, [*taken, another])
