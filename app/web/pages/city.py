"""The city at a glance: platforms by stage against the targets, what the industries lack, subsidies of the year."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from flask import Blueprint, render_template, request
from flask_babel import gettext
from sqlalchemy import select
from werkzeug.wrappers import Response

from app.catalogue.annex import AnnexRow, Likeness, annex_platforms, annex_rows, distinct_if
from app.catalogue.industries import Industry, industries, readings
from app.catalogue.models import Platform
from app.catalogue.rules.stage import STAGES, is_built
from app.identity.rules.permission import Permission
from app.kernel import clock
from app.kernel.db import db, in_transaction
from app.web.access import requires
from app.web.exports import Column, download
from app.web.formats import is_english, said
from app.web.forms import CALENDAR
from app.web.paging import wanted_file
from app.web.words import word_of
from billing.adding_up import add_up, added_up_at
from billing.answering import POLICY
from billing.city_figures import CityYear, PlatformRow, city_year
from billing.rules.grant_steps import NAMES
from billing.subsidy_totals import subsidy_totals

pages = Blueprint("city", __name__)


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many platforms of each stage serve one industry."""

    industry: Industry
    counts: Sequence[int]
    platforms: int
    built: int


@pages.get("/city")
@requires(Permission.SEE_CITY)
def overview() -> Response | str:
    year = asked_year()
    if form := wanted_file():
        columns: list[Column[PlatformRow]] = [
            Column(gettext("平台"), lambda row: said(row.platform, "name")),
            Column(gettext("阶段"), lambda row: stage_word(row)),
            Column(gettext("设备"), lambda row: row.equipment, "number"),
            Column(gettext("运行小时"), lambda row: row.running, "hours"),
            Column(gettext("其中对外服务"), lambda row: row.served, "hours"),
            Column(gettext("服务企业"), lambda row: row.firms, "number"),
            Column(gettext("收入（不含税）"), lambda row: row.revenue, "money"),
            Column(gettext("应付补助"), lambda row: row.planned, "money"),
        ]
        return download(
            f"city-{year}", columns, figures_of(year).rows, form=form, is_sample=lambda row: row.platform.illustrative
        )
    return render_template("city.html", **city_figures(year))


@pages.get("/city/annex")
@requires(Permission.SEE_CITY)
def annex() -> Response | str:
    """The nineteen rows, and which of them are one platform."""
    if form := wanted_file():
        columns: list[Column[AnnexRow]] = [
            Column(gettext("附件平台名"), lambda row: row.name),
            Column(gettext("附件"), lambda row: row.annex),
            Column(gettext("序号"), lambda row: row.number, "number"),
            Column(gettext("分类"), lambda row: row.kind),
            Column(gettext("领域"), lambda row: row.field),
            Column(gettext("依托单位"), lambda row: row.host),
            Column(gettext("平台代码"), lambda row: row.platform),
            Column(gettext("相关条目"), lambda row: "；".join(pair.other for pair in row.pairs)),
            Column(gettext("关系"), lambda row: "；".join(str(word_of(pair.how)) for pair in row.pairs)),
            Column(gettext("理由"), lambda row: "；".join(said(pair, "because") for pair in row.pairs)),
            Column(gettext("备注"), lambda row: "；".join(said(remark, "") for remark in row.remarks)),
        ]
        return download("annex", columns, annex_rows(), form=form)
    platforms = annex_platforms()
    known = {one.code: one for one in db.session.scalars(select(Platform).where(Platform.code.in_(platforms)))}
    return render_template(
        "city_annex.html",
        platforms=platforms,
        known=known,
        rows=len(annex_rows()),
        merged=distinct_if([how for how in Likeness if how is not Likeness.UNCONFIRMED]),
        fewest=distinct_if(list(Likeness)),
        most=distinct_if([Likeness.IDENTICAL, Likeness.SIMILAR_NAME]),
        year=asked_year(),
    )


def city_figures(year: int) -> dict[str, Any]:
    """What the page shows, here and as an official's first page."""
    city = figures_of(year)
    return {
        "year": year,
        "city": city,
        "stages": STAGES,
        "coverage": [_covered(industry, city) for industry in industries()],
        "read": [one for code, one in readings().items() if any(row.platform.code == code for row in city.rows)],
        "subsidies": subsidy_totals(db.session(), year, city.grants),
        "payers": (POLICY.upper, POLICY.own),
        "programme_word": programme_word,
    }


def _covered(industry: Industry, city: CityYear) -> Coverage:
    reached = [row.stage for row in city.rows if industry.key in row.industries]
    return Coverage(
        industry, [reached.count(stage) for stage in STAGES], len(reached), sum(is_built(stage) for stage in reached)
    )


def programme_word(programme: str) -> str:
    chinese, english = NAMES[programme]
    return english if is_english() else chinese


def figures_of(year: int) -> CityYear:
    added_up(year)
    today = clock.local_date(clock.now())
    return city_year(db.session(), year, on=min(today, date(year, 12, 31)))


def added_up(year: int) -> datetime | None:
    """As of when the year's totals are. One that never was added up is now; from then on it is in the background."""
    at = clock.now()
    if (told := added_up_at(db.session(), year)) is None:
        in_transaction(lambda session: add_up(session, year, at=at))
        told = added_up_at(db.session(), year)
    return told


def asked_year() -> int:
    """The year in the address; an impossible one is this year."""
    this = clock.local_date(clock.now()).year
    wanted = request.args.get("year", this, type=int)
    return wanted if wanted in CALENDAR else this


def stage_word(row: PlatformRow) -> str:
    return gettext("清单") if row.stage is None else str(word_of(row.stage))
