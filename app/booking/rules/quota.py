"""How much one customer may hold in a day, a week, a month or a year."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from dateutil.relativedelta import relativedelta

from app.catalogue.rules.words import Measure, Period
from app.kernel.clock import FACILITY_ZONE
from app.kernel.interval import Interval

MOMENT = timedelta(microseconds=1)
MOMENTS_PER_HOUR = timedelta(hours=1) // MOMENT


LENGTH = {
    Period.DAY: relativedelta(days=1),
    Period.WEEK: relativedelta(weeks=1),
    Period.MONTH: relativedelta(months=1),
    Period.YEAR: relativedelta(years=1),
}


@dataclass(frozen=True, slots=True)
class Quota:
    """At most ``limit`` in each calendar period; reaching the limit is allowed.

    With ``weekdays`` (Monday = 0) only time on these local weekdays counts.
    A week that starts "today" is the caller's to say, in ``week_starts``.
    """

    measure: Measure
    limit: Decimal
    period: Period
    week_starts: int = 0
    weekdays: frozenset[int] | None = None


@dataclass(frozen=True, slots=True)
class Exceeded:
    """The period that begins on ``first_day`` would hold ``used``, the wish included."""

    quota: Quota
    first_day: date
    used: Decimal


def exceeded(
    quota: Quota, wish: Interval, taken: Iterable[Interval], *, zone: ZoneInfo = FACILITY_ZONE
) -> Exceeded | None:
    """The first period that ``wish`` would fill past the limit.

    A reservation counts in every period that it touches, hours are cut at local midnight. A period
    to which the wish adds nothing does not stand in its way, however full it is.

    Shape: ``taken`` is what the quota is about (whose, and on which equipment, is the caller's to choose);
    more than ``window`` asks for does no harm.
    """
    others = list(taken)
    for first, following in _periods(quota, wish, zone):
        counted = _counted(quota, first, following, zone)
        added = _use(quota.measure, [wish], counted)
        used = added + _use(quota.measure, others, counted)
        if added and used > quota.limit:
            return Exceeded(quota, first, used)
    return None


def window(quota: Quota, wish: Interval, *, zone: ZoneInfo = FACILITY_ZONE) -> Interval:
    """The whole periods that ``wish`` touches: only reservations that overlap them matter."""
    periods = list(_periods(quota, wish, zone))
    return _days(periods[0][0], periods[-1][1], zone)


def _periods(quota: Quota, wish: Interval, zone: ZoneInfo) -> Iterator[tuple[date, date]]:
    """The periods that ``wish`` touches: the first day of each, and of the one that follows it."""
    last = (wish.end - MOMENT).astimezone(zone).date()
    first = _first_day(quota, wish.start.astimezone(zone).date())
    while first <= last:
        following = first + LENGTH[quota.period]
        yield first, following
        first = following


def _first_day(quota: Quota, day: date) -> date:
    match quota.period:
        case Period.DAY:
            return day
        case Period.WEEK:
            return day - timedelta(days=(day.weekday() - quota.week_starts) % 7)
        case Period.MONTH:
            return day.replace(day=1)
        case Period.YEAR:
            return day.replace(month=1, day=1)


def _counted(quota: Quota, first: date, following: date, zone: ZoneInfo) -> list[Interval]:
    """The time of one period in which use counts."""
    if quota.weekdays is None:
        return [_days(first, following, zone)]
    days = (first + timedelta(days=number) for number in range((following - first).days))
    return [_days(day, day + timedelta(days=1), zone) for day in days if day.weekday() in quota.weekdays]


def _days(first: date, following: date, zone: ZoneInfo) -> Interval:
    return Interval(
        datetime(first.year, first.month, first.day, tzinfo=zone),
        datetime(following.year, following.month, following.day, tzinfo=zone),
    )


def _use(measure: Measure, reservations: Iterable[Interval], counted: list[Interval]) -> Decimal:
    inside = [sum((_shared(one, stretch) for stretch in counted), timedelta()) for one in reservations]
    if measure is Measure.RESERVATIONS:
        return Decimal(sum(1 for length in inside if length))
    return Decimal(sum(inside, timedelta()) // MOMENT) / MOMENTS_PER_HOUR


def _shared(one: Interval, other: Interval) -> timedelta:
    common = one.intersection(other)
    return common.duration if common else timedelta()
