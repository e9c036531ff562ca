"""The only place that asks what time it is."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

FACILITY_ZONE = ZoneInfo("Asia/Shanghai")


def now() -> datetime:
    """The present moment, aware, in UTC."""
    return datetime.now(UTC)


def local_date(moment: datetime) -> date:
    """The calendar day of ``moment`` where the facility stands."""
    return moment.astimezone(FACILITY_ZONE).date()


def local_midnight(day: date) -> datetime:
    """The first moment of ``day`` at the facility, in UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=FACILITY_ZONE).astimezone(UTC)
