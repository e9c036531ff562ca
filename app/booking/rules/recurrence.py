"""On which dates a series takes place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from itertools import count, islice, takewhile
from zoneinfo import ZoneInfo

from dateutil.relativedelta import relativedelta
from dateutil.rrule import MONTHLY, WEEKLY, rrule, weekday

from app.kernel.clock import FACILITY_ZONE
from app.kernel.errors import InvalidInput
from app.kernel.interval import Interval

MOST_DATES = 200
LAST_OF_MONTH = -1
WEEKS_IN_EVERY_MONTH = 4


class Every(StrEnum):
    """``MONTH_DATE`` keeps the 15th, ``MONTH_WEEKDAY`` the second Tuesday; ``DATES`` are given one by one."""

    DAY = "day"
    WEEK = "week"
    MONTH_DATE = "month_date"
    MONTH_WEEKDAY = "month_weekday"
    YEAR = "year"
    DATES = "dates"


@dataclass(frozen=True, slots=True)
class Recurrence:
    """How a series goes on after its first date: to ``until`` (included) or ``times`` dates in all, the first counted.

    ``weekdays`` (Monday = 0) are of ``WEEK`` alone; without any it is the first date's own. ``DATES`` end with
    the last one, whatever ``until`` and ``times`` say.
    """

    every: Every
    interval: int = 1
    weekdays: frozenset[int] = frozenset()
    until: date | None = None
    times: int | None = None
    dates: tuple[date, ...] = ()


def occurrences(first: Interval, rule: Recurrence, *, zone: ZoneInfo = FACILITY_ZONE) -> list[Interval]:
    """Every date of the series, the first included, at the same time of day on the clock of ``zone``.

    A month that is too short has the date on its last day, and a fifth weekday is the last one.
    Errors: ``InvalidInput`` with the field for a rule that never ends, goes backwards or is too long.
    """
    begins = first.start.astimezone(zone).replace(tzinfo=None)
    if rule.every is Every.DATES:
        rule = replace(rule, until=None, times=None)
    _insist(rule, begins.date())
    dates: Iterable[date] = (moment.date() for moment in _moments(begins, rule))
    if rule.until is not None:
        until = rule.until
        dates = takewhile(lambda day: day <= until, dates)
    try:
        wanted = list(islice(dates, MOST_DATES + 1 if rule.times is None else rule.times))
    except (OverflowError, ValueError):  # a date after the year 9999
        wanted = []
    if len(wanted) < (rule.times or 1):  # weekly rules end there without a word
        raise InvalidInput("间隔过大，请填写更小的间隔。", field="interval")
    if len(wanted) > MOST_DATES:
        raise InvalidInput("一个系列最多 %(most)s 次，请缩短期限或加大间隔。", field="until", most=MOST_DATES)
    length = first.end.astimezone(zone).replace(tzinfo=None) - begins
    return [_on(day, begins, length, zone) for day in wanted]


def _on(day: date, begins: datetime, length: timedelta, zone: ZoneInfo) -> Interval:
    start = datetime.combine(day, begins.time())
    return Interval(start.replace(tzinfo=zone), (start + length).replace(tzinfo=zone))


def _moments(begins: datetime, rule: Recurrence) -> Iterable[datetime]:
    match rule.every:
        case Every.DAY:
            return (begins + number * timedelta(days=rule.interval) for number in count())
        case Every.WEEK:
            days = [weekday(day) for day in sorted(rule.weekdays or {begins.weekday()})]
            return _with_first(begins, rrule(WEEKLY, dtstart=begins, interval=rule.interval, byweekday=days))
        case Every.MONTH_DATE:
            return (begins + relativedelta(months=number * rule.interval) for number in count())
        case Every.MONTH_WEEKDAY:
            which = (begins.day - 1) // 7 + 1
            nth = weekday(begins.weekday())(which if which <= WEEKS_IN_EVERY_MONTH else LAST_OF_MONTH)
            return _with_first(begins, rrule(MONTHLY, dtstart=begins, interval=rule.interval, byweekday=nth))
        case Every.YEAR:
            return (begins + relativedelta(years=number * rule.interval) for number in count())
        case Every.DATES:
            given = sorted({begins.date(), *rule.dates})
            return [datetime.combine(day, begins.time()) for day in given]


def _with_first(begins: datetime, others: Iterable[datetime]) -> Iterator[datetime]:
    yield begins
    yield from (moment for moment in others if moment > begins)


def _insist(rule: Recurrence, first: date) -> None:
    if rule.interval < 1:
        raise InvalidInput("间隔须至少为 1。", field="interval")
    if rule.every is Every.DATES:
        if any(day < first for day in rule.dates):
            raise InvalidInput("所选日期不能早于首次日期。", field="dates")
        return
    if (rule.until is None) == (rule.times is None):
        raise InvalidInput("请填写截止日期或总次数，二者选一。", field="until")
    if rule.until is not None and rule.until < first:
        raise InvalidInput("截止日期不能早于首次日期。", field="until")
    if rule.times is not None and not 1 <= rule.times <= MOST_DATES:
        raise InvalidInput("总次数须在 1 到 %(most)s 之间。", field="times", most=MOST_DATES)
