"""When the city's equipment runs, and in which fields."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from flask import Blueprint, render_template, request
from flask_babel import gettext
from sqlalchemy import exists, select
from werkzeug.wrappers import Response

from app.catalogue.models import Platform
from app.identity.rules.permission import Permission
from app.kernel.db import db
from app.kernel.interval import local_year
from app.web.access import requires
from app.web.exports import Column, download
from app.web.pages.city import asked_year
from app.web.paging import wanted_file
from devices.use_totals import use_by_hour, use_by_month

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
    fields = dict(session.execute(select(Platform.id, Platform.field)).all())
    rows = _by_field(fields, use_by_month(session, local_year(year)))
    if form := wanted_file():
        columns: list[Column[FieldRow]] = [
            Column(gettext("领域"), lambda row: row.field),
            *(Column(f"{year}-{month:02}", _of_month(month), "hours") for month in MONTHS),
            Column(gettext("合计"), lambda row: row.whole, "hours"),
        ]
        whole = FieldRow(gettext("合计"), [sum((row.months[at] for row in rows), timedelta()) for at in range(12)])
        sample = bool(session.scalar(select(exists().where(Platform.illustrative))))
        return download(f"use-{year}", columns, [*rows, whole], form=form, is_sample=lambda row: sample)
    chosen = request.args.get("field", "")
    chosen = chosen if chosen in fields.values() else ""
    among = [number for number, field in fields.items() if field == chosen] if chosen else None
    week = use_by_hour(session, local_year(year), platform_ids=among)
    return render_template(
        "city_use.html",
        year=year,
        rows=rows,
        whole=sum((row.whole for row in rows), timedelta()),
        week=week,
        week_whole=sum(week.values(), timedelta()),
        days=DAYS,
        hours_of_day=HOURS,
        months=MONTHS,
        fields=sorted(set(fields.values())),
        chosen=chosen,
        heat=[[hour, day, round(week[day, hour] / HOUR, 2)] for day in DAYS for hour in HOURS],
        stacks=[{"name": row.field, "hours": [round(one / HOUR, 2) for one in row.months]} for row in rows],
    )


def _by_field(fields: dict[int, str], use: dict[tuple[int, int], timedelta]) -> list[FieldRow]:
    """Every field that a platform has, also without use."""
    months: dict[str, list[timedelta]] = defaultdict(lambda: [timedelta()] * 12)
    for field in sorted(set(fields.values())):
        months[field] = [timedelta()] * 12
    for (platform_id, month), length in use.items():
        months[fields[platform_id]][month - 1] += length
    return [FieldRow(field, lengths) for field, lengths in months.items()]


def _of_month(month: int) -> Callable[[FieldRow], timedelta]:
    return lambda row: row.months[month - 1]
