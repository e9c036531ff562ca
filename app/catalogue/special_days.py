"""The calendar of China: public holidays, and weekend days that are worked instead (调休)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Any

import holidays
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.catalogue.models import SpecialDay
from app.catalogue.rules.words import DayKind
from app.identity.rules.notice import msgid
from app.kernel import audit
from app.kernel.errors import InvalidInput, NotFound

SATURDAY = 5
DAY = timedelta(days=1)


def seed_special_days(session: Session, years: Iterable[int]) -> int:
    """Add the special days of these years that are not known yet; returns how many. What was edited stays.

    The library knows the holidays of each year by the law. Which weekend days are worked for them, and
    which days off they pay for, it knows only once the State Council's notice of that year is in it.
    """
    rows = [row for year in years for row in days_of(year)]
    if not rows:
        return 0
    added = session.execute(insert(SpecialDay).values(rows).on_conflict_do_nothing().returning(SpecialDay.day))
    return len(added.all())


def days_of(year: int) -> list[dict[str, Any]]:
    """The special days of one year as rows: holidays, the weekends that touch them, and make-up workdays."""
    known = holidays.country_holidays("CN", years=year, language="zh_CN")
    worked = {day for day in known.weekend_workdays if day.year == year}
    source = f"python-holidays {holidays.__version__}"
    off = dict(sorted(known.items()))
    rows = [
        {"day": day, "kind": DayKind.HOLIDAY, "name": name, "follows": None, "source": source}
        for day, name in off.items()
    ]
    rows += [
        {
            "day": day,
            "kind": DayKind.HOLIDAY,
            "name": msgid("假期周末"),
            "follows": None,
            "source": source,
        }
        for day in (_weekends_beside(off, worked) if worked else ())  # a guess about a weekend would hide the notice
    ]
    rows += [
        {"day": day, "kind": DayKind.WORKDAY, "name": msgid("调休上班"), "follows": None, "source": source}
        for day in sorted(worked)
    ]
    return rows


def english_names(year: int) -> dict[str, str]:
    """What the library calls that year's holidays in English, by their Chinese names."""
    chinese, english = (holidays.country_holidays("CN", years=year, language=code) for code in ("zh_CN", "en_US"))
    return {name: english[day] for day, name in chinese.items()}


def knows_workdays(session: Session, year: int) -> bool:
    """Whether any make-up workday of that year is in the table: a year without one is not announced yet."""
    found = session.scalar(
        select(SpecialDay.day).where(
            SpecialDay.day.between(date(year, 1, 1), date(year, 12, 31)), SpecialDay.kind == DayKind.WORKDAY
        )
    )
    return found is not None


def special_days(session: Session, year: int) -> Sequence[SpecialDay]:
    """That year's special days, in order."""
    return session.scalars(
        select(SpecialDay).where(SpecialDay.day.between(date(year, 1, 1), date(year, 12, 31))).order_by(SpecialDay.day)
    ).all()


def set_special_day(
    session: Session,
    *,
    day: date,
    kind: DayKind,
    name: str,
    source: str,
    by: int,
    at: datetime,
    follows: int | None = None,
) -> SpecialDay:
    """Add a day, or say something else about it. Errors: ``InvalidInput`` without a name or a source.

    ``follows`` is the weekday (Monday = 0) whose hours a workday keeps; None is Monday's.
    """
    if not name.strip():
        raise InvalidInput("请填写名称，例如“国庆节”或“调休上班”。", field="name")
    if not source.strip():
        raise InvalidInput("请填写依据，例如放假安排通知的文号。", field="source")
    if follows is not None and not 0 <= follows <= 6:
        raise InvalidInput("请选择星期。", field="follows")
    row = session.get(SpecialDay, day)
    before = None if row is None else _told(row)
    if row is None:
        row = SpecialDay(day=day)
        session.add(row)
    row.kind, row.name, row.source = kind, name.strip(), source.strip()
    row.follows = follows if kind is DayKind.WORKDAY else None
    session.flush()
    _record(session, day, before=before, after=_told(row), by=by, at=at)
    return row


def remove_special_day(session: Session, day: date, *, by: int, at: datetime) -> None:
    """The day is again what its weekday says. Errors: ``NotFound``."""
    row = session.get(SpecialDay, day)
    if row is None:
        raise NotFound("没有这个特殊日期。")
    _record(session, day, before=_told(row), after=None, by=by, at=at)
    session.delete(row)
    session.flush()


def _weekends_beside(off: Iterable[date], worked: set[date]) -> list[date]:
    """Weekend days that touch a day off, directly or through another: the notices count them into the break."""
    known, found = set(off), set()
    edge = list(known)
    while edge:
        day = edge.pop()
        for other in (day - DAY, day + DAY):
            if other.weekday() >= SATURDAY and other not in known and other not in worked and other.year == day.year:
                known.add(other)
                found.add(other)
                edge.append(other)
    return sorted(found)


def _told(row: SpecialDay) -> dict[str, Any]:
    return {"kind": row.kind.value, "name": row.name, "follows": row.follows, "source": row.source}


def _record(
    session: Session,
    day: date,
    *,
    before: dict[str, Any] | None,
    after: dict[str, Any] | None,
    by: int,
    at: datetime,
) -> None:
    """The audit log wants a number: the day as 20261001."""
    audit.record(
        session,
        at=at,
        by=by,
        deed="special day changed",
        subject="special_day",
        subject_id=int(f"{day:%Y%m%d}"),
        before=before,
        after=after,
    )
