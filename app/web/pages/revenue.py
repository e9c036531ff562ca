"""Revenue by month, customer or kind of income, under any reading of the policy's open questions."""

from __future__ import annotations

from datetime import date
from typing import Any

from flask import Blueprint, render_template, request
from flask_babel import gettext
from flask_babel import lazy_gettext as _l
from werkzeug.wrappers import Response

from app.catalogue.rules.customer import CustomerRelation
from app.identity.rules.permission import Permission
from app.kernel import clock
from app.kernel.db import db
from app.web.access import requires
from app.web.exports import Column, download
from app.web.formats import month
from app.web.own_platforms import own_platforms
from app.web.paging import page_of_list, wanted_file
from app.web.words import word_of
from billing.answering import POLICY, settings_in_force
from billing.revenue_queries import Basis, Dimension, RevenueRow, reading_of, revenue_by
from billing.rules.policy import Settings
from billing.rules.revenue import Exclusion
from billing.rules.words import RevenueCategory

pages = Blueprint("revenue", __name__)
DIMENSIONS: dict[Dimension, Any] = {
    Dimension.MONTH: _l("月份"),
    Dimension.CATEGORY: _l("收入类别"),
    Dimension.CUSTOMER: _l("客户"),
    Dimension.RELATION: _l("与客户的关系"),
    Dimension.REGION: _l("地区"),
    Dimension.EXCLUSION: _l("不计入的原因"),
}
BASES: dict[Basis, Any] = {
    Basis.INVOICE_DATE: _l("按开具日期"),
    Basis.SERVICE_DATE: _l("按服务日期"),
    Basis.CASH_DATE: _l("按收款日期"),
}

REASONS: dict[Exclusion, Any] = {
    Exclusion.OWN_USE: _l("自用"),
    Exclusion.RELATED_PARTY: _l("关联方"),
    Exclusion.CATEGORY: _l("不属于服务性收入"),
    Exclusion.CATEGORY_UNDER_REVIEW: _l("类别待定"),
    Exclusion.SUBCONTRACTED: _l("转包"),
    Exclusion.NO_SHOW_FEE: _l("爽约费"),
    Exclusion.NOT_OPERATING: _l("尚未认定或运行"),
    Exclusion.BEFORE_START: _l("早于起算日"),
    Exclusion.AFTER_LOCK: _l("申报锁定之后"),
    Exclusion.WINDOW_OVER: _l("补助年限已满"),
}


@pages.get("/revenue")
@requires(Permission.SEE_REVENUE)
def table() -> Response | str:
    platforms = own_platforms(Permission.SEE_REVENUE)
    wanted = request.args.get("platform_id", type=int)
    chosen = [one for one in platforms if one.id == wanted] or platforms
    dimension = _one_of(Dimension, "by", Dimension.MONTH)
    settings = _settings()
    reading = reading_of(settings)
    year = request.args.get("year", clock.local_date(clock.now()).year, type=int)
    year = min(max(year, 2000), 2200)
    found = revenue_by(
        db.session(),
        dimension,
        platform_ids=[one.id for one in chosen],
        reading=reading,
        since=date(year, 1, 1),
        until=date(year + 1, 1, 1),
    )
    if form := wanted_file():
        columns: list[Column[RevenueRow]] = [
            Column(
                str(DIMENSIONS[dimension]),
                lambda row: row.key if dimension is Dimension.MONTH else _said(dimension, row.key),
            ),
            Column(gettext("笔数"), lambda row: row.lines, "number"),
            Column(gettext("含税"), lambda row: row.with_tax, "money"),
            Column(gettext("按口径的金额"), lambda row: row.amount, "money"),
            Column(gettext("计入"), lambda row: row.counted, "money"),
        ]
        return download(
            "revenue", columns, found.rows, form=form, is_sample=lambda _: any(one.illustrative for one in chosen)
        )
    return render_template(
        "revenue.html",
        platforms=platforms,
        platform_id=wanted if len(chosen) == 1 else None,
        page=page_of_list(found.rows),
        found=found,
        reading=reading,
        settings=settings,
        default=not settings.overridden,
        dimension=dimension,
        dimensions=DIMENSIONS,
        bases=BASES,
        year=year,
        key_said=lambda key: _said(dimension, key),
    )


def _settings() -> Settings:
    """The readings in force, with what the address asks to read otherwise."""
    given: dict[str, object] = {}
    chosen = {
        "A02_revenue_basis": ("basis", [one.value for one in Basis]),
        "A03_revenue_tax": ("tax", ["net", "gross"]),
        "A04_related_party": ("related", ["exclude", "include"]),
        "A06_revenue_from": ("from", ["max(recognition_date, operating_date)", "calendar_year"]),
    }
    for key, (name, known) in chosen.items():
        if (value := request.args.get(name, "")) in known:
            given[key] = value
    return POLICY.settings_with(given) if given else settings_in_force(db.session())


def _one_of(words: type[Dimension], name: str, default: Dimension) -> Dimension:
    asked = request.args.get(name, "")
    return words(asked) if asked in {one.value for one in words} else default


def _said(dimension: Dimension, key: str) -> str:
    match dimension:
        case Dimension.MONTH:
            return month(date.fromisoformat(f"{key}-01"))
        case Dimension.CATEGORY:
            return str(word_of(RevenueCategory(key)))
        case Dimension.RELATION:
            return str(word_of(CustomerRelation(key)))
        case Dimension.EXCLUSION:
            return str(REASONS[Exclusion(key)]) if key else gettext("计入")
    return key
