"""Charged time cut by the discounts of the wall clock."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from zoneinfo import ZoneInfo

from billing.rules.pricing.minutes import MINUTE, Span, moment_of
from billing.rules.pricing.tariff import DAY_MINUTES, NOTHING, Schedule

Segment = tuple[int, Decimal]
_THURSDAY = 3  # the weekday of the epoch, Monday = 0


def segments(spans: Sequence[Span], schedule: Schedule, zone: ZoneInfo) -> list[Segment]:
    """The charged minutes in order as (minutes, percent off), neighbours with the same discount joined.

    A minute belongs to the band in which it begins. O(days touched × bands of a day): no loop over minutes.
    """
    if not schedule:
        minutes = sum(end - start for start, end in spans)
        return [(minutes, NOTHING)] if minutes else []
    found: list[Segment] = []
    for span in spans:
        for start, end in _on_the_wall(span, zone):
            for minutes, off in _pieces(start, end, schedule):
                if found and found[-1][1] == off:
                    found[-1] = (found[-1][0] + minutes, off)
                else:
                    found.append((minutes, off))
    return found


def _pieces(start: int, end: int, schedule: Schedule) -> Iterator[Segment]:
    """One stretch of wall-clock minutes, cut at each band."""
    while start < end:
        day = start // DAY_MINUTES
        midnight = day * DAY_MINUTES
        stop = min(end, midnight + DAY_MINUTES)
        for since, until, off in schedule[(day + _THURSDAY) % 7]:
            since, until = max(since + midnight, start), min(until + midnight, stop)
            if since >= until:
                continue
            if since > start:
                yield since - start, NOTHING
            yield until - since, off
            start = until
        if start < stop:
            yield stop - start, NOTHING
            start = stop


def _on_the_wall(span: Span, zone: ZoneInfo) -> Iterable[Span]:
    """The span as stretches of wall-clock minutes; clocks that are put forward or back begin a new one."""
    start, end = span
    while start < end:
        # No zone changes its clocks twice within a day, so equal offsets at both ends mean none in between.
        stop, offset = min(end, start + DAY_MINUTES), _offset(start, zone)
        if _offset(stop - 1, zone) != offset:
            low, high = start, stop - 1
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if _offset(middle, zone) == offset else (low, middle)
            stop = high
        yield start + offset, stop + offset
        start = stop


def _offset(minute: int, zone: ZoneInfo) -> int:
    """Minutes that the wall clock is ahead of UTC."""
    shift = moment_of(minute).astimezone(zone).utcoffset()
    return shift // MINUTE if shift else 0
