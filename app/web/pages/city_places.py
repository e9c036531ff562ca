"""Whom the platforms served, by town, street and park (六(一))."""

from __future__ import annotations

from datetime import date

from flask import Blueprint, render_template, request
from flask_babel import gettext
from sqlalchemy import exists, select
from werkzeug.wrappers import Response

from app.catalogue.models import Platform
from app.identity.rules.permission import Permission
from app.identity.rules.town import towns_on
from app.kernel.db import db
from app.web.access import requires
from app.web.exports import Column, download
from app.web.formats import place
from app.web.pages.city import added_up, asked_year
from app.web.paging import wanted_file
from app.web.words import word_of
from billing.place_figures import served_firms
from billing.rules.place import PlaceRow, Unplaced, by_park, by_town, together

pages = Blueprint("city_places", __name__)
ALL = "all"


@pages.get("/city/places")
@requires(Permission.SEE_CITY)
def places() -> Response | str:
    year = asked_year()
    by = "park" if request.args.get("by") == "park" else "town"
    towns = towns_on(date(year, 12, 31))
    as_of = added_up(year)
    firms = served_firms(db.session(), year)
    rows = by_park(firms) if by == "park" else by_town(firms, towns.names)
    whole = together(ALL, firms)
    if form := wanted_file():
        columns: list[Column[PlaceRow]] = [
            Column(gettext("园区") if by == "park" else gettext("镇（街道）"), place_word),
            Column(gettext("服务企业（按信用代码）"), lambda row: row.firms, "number"),
            Column(gettext("另有无信用代码"), lambda row: row.without_code, "number"),
            Column(gettext("服务订单"), lambda row: row.orders, "number"),
            Column(gettext("服务小时（计量运行）"), lambda row: row.served, "hours"),
            Column(gettext("服务收入（不含税，元）"), lambda row: row.revenue, "money"),
        ]
        sample = bool(db.session.scalar(select(exists().where(Platform.illustrative))))
        return download(f"{by}s-{year}", columns, [*rows, whole], form=form, is_sample=lambda row: sample)
    shown = [row for row in rows if row.firms or row.without_code or row.orders or row.revenue]
    return render_template(
        "city_places.html",
        year=year,
        as_of=as_of,
        by=by,
        rows=rows if by == "town" else shown,
        whole=whole,
        towns=towns,
        place_word=place_word,
    )


def place_word(row: PlaceRow) -> str:
    if isinstance(row.place, Unplaced):
        return str(word_of(row.place))
    return gettext("合计") if row.place == ALL else place(row.place)
