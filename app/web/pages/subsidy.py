"""What the policy grants: a platform's year from gross invoices to its two payers, and the readings behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, render_template, request, url_for
from flask_babel import gettext
from sqlalchemy import select, true
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import selectinload
from werkzeug.wrappers import Response

from app.catalogue.models import Platform
from app.identity.rules.permission import Permission
from app.kernel import clock
from app.kernel.db import db
from app.kernel.money import ZERO, Money, total
from app.web.access import bounds, requires
from app.web.exports import Column, download
from app.web.formats import is_english, said
from app.web.pages.platforms import platform_by
from app.web.pages.policy import plain_answer
from app.web.paging import page_of_rows, wanted_file
from app.web.river import evidence_path
from app.web.words import word_of
from billing.answering import POLICY
from billing.assessing import by_cash
from billing.claims.record import Basis, basis_of
from billing.claims.statements import claim_of_year
from billing.models import Assessment
from billing.revenue_lines import YearLines
from billing.rules.facts import Programme
from billing.rules.grant import NoGrant
from billing.rules.grant_steps import NAMES, REFUSED
from billing.rules.operating_steps import EXCLUDED
from billing.rules.policy import Setting, SettingValue
from billing.rules.revenue import Entry, Exclusion
from billing.rules.subsidy import assess
from billing.statements import PlatformYear, platform_year

pages = Blueprint("subsidy", __name__)


PlatformGrant = tuple[Platform, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Bar:
    """One step of the waterfall: it reaches from one amount to the next, or stands on the ground."""

    label: str
    amount: Money
    begins: Money
    ends: Money
    tone: str
    href: str


@pages.get("/subsidy")
@requires(Permission.SEE_SUBSIDY)
def list_years() -> Response | str:
    limits = bounds(Permission.SEE_SUBSIDY)
    platforms = db.session.scalars(
        select(Platform)
        .where(true() if limits.everything else Platform.id.in_(limits.platform_ids))
        .options(selectinload(Platform.recognitions))
        .order_by(Platform.id)
    ).all()
    kept = latest_assessments([one.id for one in platforms])
    if form := wanted_file():
        rows = [(one, grant) for one in platforms if one.id in kept for grant in kept[one.id].result["grants"]]
        return download("subsidies", grant_columns(), rows, form=form, is_sample=lambda row: row[0].illustrative)
    year = clock.local_date(clock.now()).year
    return render_template(
        "subsidies.html", platforms=platforms, kept=kept, year=year, policy=POLICY, programme_said=programme_said
    )


def grant_columns() -> list[Column[PlatformGrant]]:
    """Of a platform and one of its grants, as a kept judgement tells it."""

    def amount(title: str, key: str) -> Column[PlatformGrant]:
        return Column(title, lambda row: None if row[1][key] is None else Money.of(row[1][key]), "money")

    return [
        Column(gettext("平台"), lambda row: said(row[0], "name")),
        Column(gettext("年度"), lambda row: row[1]["year"], "number"),
        Column(gettext("补助项目"), lambda row: programme_said(row[1]["programme"])),
        amount(gettext("应付"), "payable"),
        *(amount(gettext("%(payer)s承担", payer=said(one, "")), one.key) for one in (POLICY.upper, POLICY.own)),
        amount(gettext("若已认定"), "estimate"),
        Column(gettext("受补方"), lambda row: row[1]["payee"] or ""),
    ]


@pages.get("/subsidy/<code>/<int:year>")
@requires(Permission.SEE_SUBSIDY)
def year(code: str, year: int) -> str:
    platform, told = _year(code, year)
    payable = told.grant.payable.amount if told.grant else ZERO
    bars = _bars(code, told)
    figures = _figures(told)
    return render_template(
        "subsidy.html",
        platform=platform,
        told=told,
        claim_id=claim.id if (claim := claim_of_year(db.session(), platform.id, year)) else None,
        year=year,
        bars=bars,
        chart={
            "bars": [
                {
                    "label": bar.label,
                    "amount_fen": bar.amount.fen,
                    "from_fen": bar.begins.fen,
                    "to_fen": bar.ends.fen,
                    "tone": bar.tone,
                    "href": bar.href,
                }
                for bar in bars
            ]
        },
        cap=Money.of(POLICY.value("P2.cap", on=clock.local_date(clock.now()))),
        cap_left=figures.get("cap_left"),
        policy=POLICY,
        river=evidence_path(db.session(), "grant", year=(platform.code, year, told.revenue.base, payable)),
    )


@pages.get("/subsidy/<code>/<int:year>/revenue")
@requires(Permission.SEE_SUBSIDY)
def revenue(code: str, year: int) -> Response | str:
    """The lines that a figure of the year is made of."""
    platform, told = _year(code, year)
    chosen = request.args.get("only", "")
    entries = [
        entry
        for entry in told.revenue.entries
        if not chosen
        or (chosen == "counted" and entry.excluded is None)
        or (entry.excluded is not None and entry.excluded.value == chosen)
    ]
    lines = YearLines(platform.id, year, told.basis, entries)
    if form := wanted_file():
        columns: list[Column[Entry]] = [
            Column(gettext("结算单"), lambda one: one.document_no),
            Column(gettext("行"), lambda one: one.line_no, "number"),
            Column(gettext("日期"), lambda one: one.on, "day"),
            Column(gettext("类别"), lambda one: word_of(one.category)),
            Column(gettext("价税合计"), lambda one: one.with_tax, "money"),
            Column(gettext("金额"), lambda one: one.amount, "money"),
            Column(gettext("不计入的原因"), lambda one: exclusion(one.excluded)),
        ]
        return download(
            f"revenue-{code}-{year}", columns, lines.rows(db.session()), form=form,
            is_sample=lambda one: platform.illustrative,
        )  # fmt: skip
    payable = told.grant.payable.amount if told.grant else ZERO
    return render_template(
        "subsidy_revenue.html",
        platform=platform,
        year=year,
        told=told,
        page=page_of_rows(
            lines.count(db.session()),
            lambda size, at: list(lines.rows(db.session(), limit=size, offset=at)),
            at=lines.place(db.session(), wanted) if (wanted := request.args.get("line", type=int)) else 0,
        ),
        chosen=chosen,
        reasons={reason.value: exclusion(reason) for reason in told.revenue.excluded},
        exclusion=exclusion,
        amount=total([one.amount for one in entries]),
        river=evidence_path(db.session(), "revenue", year=(platform.code, year, told.revenue.base, payable)),
    )


@pages.get("/subsidy/<code>/<int:year>/readings")
@requires(Permission.SEE_SUBSIDY)
def otherwise(code: str, year: int) -> str:
    """What each other reading of the policy would pay this platform for this year. Stores nothing."""
    platform, told = _year(code, year)
    payable = told.grant.payable.amount if told.grant else ZERO
    basis = told.basis
    now = basis.settings.values
    changes: list[tuple[Setting, str, Money]] = []
    for setting in POLICY.settings:
        for key, other_answer in _alternatives(setting, now[setting.key]):
            readings = POLICY.settings_with({**now, setting.key: other_answer})
            facts = basis.facts if by_cash(readings) == by_cash(basis.settings) else _by_line(platform.id, year).facts
            judged = assess(facts, readings, POLICY)
            other = next((g.payable.amount for g in judged.grants if (g.year, g.programme) == (year, "P2")), ZERO)
            changes.append((setting, key, other - payable))
    return render_template("subsidy_readings.html", platform=platform, year=year, payable=payable, changes=changes)


def _by_line(platform_id: int, year: int) -> Basis:
    return basis_of(db.session(), platform_id, year, lines=True)


def latest_assessments(platform_ids: Sequence[int]) -> dict[int, Assessment]:
    """The last kept judgement of each platform. One query."""
    rows = db.session.scalars(
        select(Assessment)
        .where(Assessment.platform_id.in_(platform_ids))
        .ext(distinct_on(Assessment.platform_id))
        .order_by(Assessment.platform_id, Assessment.assessed_at.desc(), Assessment.id.desc())
    )
    return {one.platform_id: one for one in rows}


def exclusion(reason: Exclusion | None) -> str:
    """Why a line does not count, in the reader's language."""
    if reason is None:
        return ""
    chinese, english, _ = EXCLUDED[reason]
    return english if is_english() else chinese


def programme_said(programme: Programme) -> str:
    """A programme's name in the reader's language."""
    chinese, english = NAMES[programme]
    return english if is_english() else chinese


def why_not(reason: NoGrant | None) -> str:
    """Why a year has no grant, in the reader's language."""
    if reason is None:
        return ""
    chinese, english, _ = REFUSED[reason]
    return english if is_english() else chinese


def _year(code: str, year: int) -> tuple[Platform, PlatformYear]:
    platform = platform_by(code)
    bounds(Permission.SEE_SUBSIDY).insist(platform_id=platform.id)
    return platform, platform_year(db.session(), platform.id, year)


def _alternatives(setting: Setting, now: SettingValue) -> list[tuple[str, SettingValue]]:
    """Each answer that differs from the one in force in one thing, with its words."""
    if isinstance(now, Mapping) and isinstance(setting.options, Mapping):
        return [
            (plain_answer(setting, {part: value}), {**now, part: value})
            for part, values in setting.options.items()
            for value in values
            if value != now[part] and len(setting.options) <= 3
        ]
    if isinstance(now, str | bool) and not isinstance(setting.options, Mapping) and setting.options:
        return [(plain_answer(setting, value), value) for value in {setting.default, *setting.options} if value != now]
    return []


def _figures(told: PlatformYear) -> dict[str, Money]:
    """The figures of the year's steps by their name; a later step's stands."""
    return {name: amount for step in told.steps for name, amount in step.figures.items()}


def _bars(code: str, told: PlatformYear) -> list[Bar]:
    """From gross invoices over tax and exclusions to the base; 30 %, the cap, and the two payers."""
    revenue, figures = told.revenue, _figures(told)

    def lines(only: str = "") -> str:
        return url_for(".revenue", code=code, year=told.year, only=only or None)

    def trace(step: str) -> str:
        return f"#{step}"

    bars = [Bar(gettext("开票价税合计"), revenue.with_tax, ZERO, revenue.with_tax, "total", lines())]
    level = revenue.with_tax
    if revenue.tax:
        bars.append(Bar(gettext("税额"), -revenue.tax, level, level - revenue.tax, "less", lines()))
        level -= revenue.tax
    for reason, amount in revenue.excluded.items():
        bars.append(Bar(exclusion(reason), -amount, level, level - amount, "less", lines(reason.value)))
        level -= amount
    if revenue.carried_in:
        bars.append(
            Bar(gettext("上年结转"), revenue.carried_in, level, level + revenue.carried_in, "less", trace("base"))
        )
    bars.append(Bar(gettext("计补基数"), revenue.base, ZERO, revenue.base, "total", lines("counted")))
    if told.grant is None or "raw" not in figures:
        return bars
    raw, entitled = figures["raw"], figures["entitled"]
    bars.append(Bar(gettext("按比例"), raw, ZERO, raw, "total", trace("rate")))
    if raw > entitled:
        bars.append(Bar(gettext("超出上限"), entitled - raw, raw, entitled, "lost", trace("cap")))
    if "higher_level" in figures:
        higher = min(figures["higher_level"], entitled)
        bars.append(Bar(gettext("上级已补"), -higher, entitled, entitled - higher, "less", trace("higher_level")))
    paid = told.grant.payable
    bars.append(Bar(gettext("应付"), paid.amount, ZERO, paid.amount, "grant", trace("split")))
    bars.append(Bar(gettext("泉州承担"), paid.upper, ZERO, paid.upper, "grant", trace("split")))
    bars.append(Bar(gettext("晋江承担"), paid.own, paid.upper, paid.amount, "grant", trace("split")))
    return bars
