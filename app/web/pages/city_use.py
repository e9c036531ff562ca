"""When the city's equipment runs, and in which fields."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from flask import Blueprint, render_template, request
from flask_babel import gettext
from sqlalchemy import and_, exists, select
from werkzeug.wrappers import Response

from app.catalogue.models import Platform
from app.identity.rules.permission import Permission
from app.kernel.db import db
from app.web.access import requires
from app.web.exports import Column, download
from app.web.pages.city import added_up, asked_year
from app.web.paging import wanted_file
from app.web.words import field_said
from billing.models import PlatformYear

pages = Blueprint("city_use", __name__)
MONTHS, DAYS, HOURS = range(1, 13), range(7), range(24)
HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class FieldRow:
    """The running time of one field by month."""

    field: str
    months: Sequence[timedelta]

    @property
    def whole(self) -> timedelta:
        return sum(self.months, timedelta())


@pages.get("/city/use")
@requires(Permission.SEE_CITY)
def use() -> Response | str:
    year = asked_year()
    session = db.session()
    as_of = added_up(year)
    used = session.execute(
        select(Platform.field, PlatformYear.months_s, PlatformYear.week_us).outerjoin(
            PlatformYear, and_(PlatformYear.platform_id == Platform.id, PlatformYear.year == year)
        )
    ).all()
    rows = _by_field((row.field, row.months_s or ()) for row in used)
    if form := wanted_file():
        columns: list[Column[FieldRow]] = [
            Column(gettext("领域"), lambda row: field_said(row.field)),
            *(Column(f"{year}-{month:02}", _of_month(month), "hours") for month in MONTHS),
            Column(gettext("合计"), lambda row: row.whole, "hours"),
        ]
        whole = FieldRow(gettext("合计"), [sum((row.months[at] for row in rows), timedelta()) for at in range(12)])
        sample = bool(session.scalar(select(exists().where(Platform.illustrative))))
        return download(f"use-{year}", columns, [*rows, whole], form=form, is_sample=lambda row: sample)
    chosen = request.args.get("field", "")
    fields = [row.field for row in rows]
    chosen = chosen if chosen in fields else ""
    week = _week(row.week_us or () for row in used if chosen in ("", row.field))
    return render_template(
        "city_use.html",
        year=year,
        as_of=as_of,
        rows=rows,
        whole=sum((row.whole for row in rows), timedelta()),
        week=week,
        week_whole=sum(week.values(), timedelta()),
        days=DAYS,
        hours_of_day=HOURS,
        months=MONTHS,
        fields=fields,
        chosen=chosen,
        heat=[[hour, day, round(week[day, hour] / HOUR, 2)] for day in DAYS for hour in HOURS],
        stacks=[{"name": field_said(row.field), "hours": [round(one / HOUR, 2) for one in row.months]} for row in rows],
    )


def _by_field(used: Iterable[tuple[str, Sequence[int]]]) -> list[FieldRow]:
    """Every field that a platform has, also without use."""
    seconds: dict[str, list[int]] = {}
    for field, months in used:
        whole = seconds.setdefault(field, [0] * 12)
        for at, length in enumerate(months):
            whole[at] += length
    return [FieldRow(field, [timedelta(seconds=one) for one in months]) for field, months in sorted(seconds.items())]


def _week(weeks: Iterable[Sequence[int]]) -> dict[tuple[int, int], timedelta]:
    """By weekday and hour."""
    whole = [0] * (7 * 24)
    for week in weeks:
        for at, length in enumerate(week):
            whole[at] += length
    return {divmod(at, 24): timedelta(microseconds=length) for at, length in enumerate(whole)}


def _of_month(month: int) -> Callable[[FieldRow], timedelta]:
    return lambda row: row.months[month - 1]
