"""Stretches of time: half-open, aware, in UTC."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from app.kernel.clock import local_midnight


@dataclass(frozen=True, slots=True, order=True)
class Interval:
    """From ``start`` (included) to ``end`` (excluded). Nine to ten and ten to eleven do not meet.

    Errors: ``ValueError`` for naive times and for an end that is not after the start.
    """

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.start.tzinfo is None or self.end.tzinfo is None:
            raise ValueError("an interval needs times with a time zone")
        if self.end <= self.start:
            raise ValueError("an interval must end after it starts")
        object.__setattr__(self, "start", self.start.astimezone(UTC))
        object.__setattr__(self, "end", self.end.astimezone(UTC))

    @property
    def duration(self) -> timedelta:
        return self.end - self.start

    def overlaps(self, other: Interval) -> bool:
        return self.start < other.end and other.start < self.end

    def contains(self, moment: datetime) -> bool:
        return self.start <= moment < self.end

    def encloses(self, other: Interval) -> bool:
        return self.start <= other.start and other.end <= self.end

    def intersection(self, other: Interval) -> Interval | None:
        start, end = max(self.start, other.start), min(self.end, other.end)
        return Interval(start, end) if start < end else None

    def padded(self, *, before: timedelta = timedelta(), after: timedelta = timedelta()) -> Interval:
        return Interval(self.start - before, self.end + after)

    def shifted(self, by: timedelta) -> Interval:
        return Interval(self.start + by, self.end + by)

    def minus(self, others: Iterable[Interval]) -> list[Interval]:
        """What is left of this interval when ``others`` are taken out, in order. O(n log n)."""
        left: list[Interval] = []
        cursor = self.start
        for other in sorted(others):
            if other.end <= cursor:
                continue
            if other.start >= self.end:
                break
            if other.start > cursor:
                left.append(Interval(cursor, other.start))
            cursor = other.end
        if cursor < self.end:
            left.append(Interval(cursor, self.end))
        return left


def local_days(first: date, days: int) -> Interval:
    """``days`` whole calendar days at the facility, from ``first``."""
    return Interval(local_midnight(first), local_midnight(first + timedelta(days=days)))


def local_month(year: int, month: int) -> Interval:
    """One calendar month at the facility."""
    following = date(year + month // 12, month % 12 + 1, 1)
    return Interval(local_midnight(date(year, month, 1)), local_midnight(following))


def local_year(year: int) -> Interval:
    """One calendar year at the facility."""
    return Interval(local_midnight(date(year, 1, 1)), local_midnight(date(year + 1, 1, 1)))
