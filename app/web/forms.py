"""What a form or an address says, as values; each refusal names its field."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from urllib.parse import urlsplit

from flask import request

from app.kernel import clock
from app.kernel.errors import InvalidInput
from app.kernel.interval import Interval
from app.kernel.money import Money

CALENDAR = range(2000, 2200)


def moment_in(field: str) -> datetime:
    """A ``datetime-local`` field, read as the facility's wall clock."""
    try:
        local = datetime.fromisoformat(request.values.get(field, ""))
    except ValueError:
        raise InvalidInput("请填写日期和时间。", field=field) from None
    return local if local.tzinfo else local.replace(tzinfo=clock.FACILITY_ZONE)


def interval_in(start: str = "starts_at", end: str = "ends_at") -> Interval:
    begins, ends = moment_in(start), moment_in(end)
    if ends <= begins:
        raise InvalidInput("结束时间应晚于开始时间。", field=end)
    return Interval(begins, ends)


def day_in(field: str, default: date | None = None) -> date:
    text = request.values.get(field, "")
    if not text and default is not None:
        return default
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InvalidInput("请填写日期。", field=field) from None


def month_in(field: str, default: date) -> date:
    """``2026-11`` as the first day of the month."""
    text = request.values.get(field, "")
    try:
        found = date.fromisoformat(f"{text[:7]}-01") if text else default.replace(day=1)
    except ValueError:
        raise InvalidInput("请选择月份。", field=field) from None
    if found.year not in CALENDAR:  # at the ends of the calendar there is no month before or after
        raise InvalidInput("请选择月份。", field=field)
    return found


def year_in(field: str) -> int:
    """A calendar year, the present one where none is named."""
    year = request.values.get(field, clock.local_date(clock.now()).year, type=int)
    if year not in CALENDAR:
        raise InvalidInput("请选择年度。", field=field)
    return year


def money_in(field: str) -> Money:
    try:
        return Money.of(request.values.get(field, "").replace(",", "").lstrip("¥") or "0")
    except (InvalidOperation, ValueError):
        raise InvalidInput("请填写金额，最多两位小数。", field=field) from None


def number_in(field: str, default: int) -> int:
    try:
        return int(Decimal(request.values.get(field, default)))
    except InvalidOperation:
        return default


def safe_next(default: str) -> str:
    """Where to go afterwards: only ever an address of this site."""
    wanted = request.values.get("next", "")
    parts = urlsplit(wanted.replace("\\", "/"))
    local = wanted.startswith("/") and not parts.netloc and not parts.scheme and not wanted.startswith("//")
    return wanted if local else default
