"""The yearly evaluation (管理评价): all platforms by place, one platform's year, and what an official concludes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from flask_login import current_user
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from app.catalogue.models import Platform
from app.identity.rules.permission import Permission
from app.kernel import clock
from app.kernel.db import db, in_transaction
from app.kernel.errors import InvalidInput, NotFound, Refusal
from app.kernel.money import Money
from app.web.access import bounds, requires
from app.web.errors import sentence, status_of
from app.web.evaluation_evidence import evidence_of
from app.web.exports import Column, download
from app.web.formats import money, said
from app.web.forms import CALENDAR, year_in
from app.web.own_platforms import own_platforms
from app.web.pages.platforms import platform_by
from app.web.paging import wanted_file
from app.web.words import word_of
from billing.evaluating import YearResult, claim_is_locked, conclude, concluded_years, correct, ranking, results_of
from billing.evaluation_entries import latest_entries, latest_files
from billing.evaluation_schemes import terms_of
from billing.rules.evaluation import Head, Scored, Scoring, Unit
from billing.rules.income import IncomeHead
from billing.rules.words import RevenueCategory

pages = Blueprint("evaluation", __name__)


@dataclass(frozen=True, slots=True)
class Placed:
    """A platform's row among the others; of one's own platforms alone nobody says a place."""

    platform: Platform
    year: YearResult
    place: int | None

    @property
    def selected(self) -> bool | None:
        return None if self.year.evaluation is None else self.year.evaluation.selected


@pages.get("/evaluation")
@requires(Permission.SEE_EVALUATION)
def ranking_list() -> Response | str:
    year, everybody = year_in("year"), bounds(Permission.SEE_EVALUATION).everything
    platforms = {one.id: one for one in own_platforms(Permission.SEE_EVALUATION)}
    results = results_of(db.session(), list(platforms), year)
    places = ranking(results.values()) if everybody else {}
    rows = [Placed(platforms[number], one, places.get(number)) for number, one in results.items()]
    rows.sort(key=lambda row: (row.place or 0, -row.year.result.total, row.platform.code))
    if form := wanted_file():
        columns: list[Column[Placed]] = [
            Column(gettext("平台"), lambda row: said(row.platform, "name")),
            *(Column(str(word_of(head)), _mean(head), "number") for head in Head),
            Column(gettext("总分"), lambda row: row.year.result.total, "number"),
            Column(gettext("等级"), lambda row: word_of(row.year.result.grade)),
            Column(gettext("结果"), _outcome),
            Column(gettext("文号"), lambda row: row.year.evaluation.document if row.year.evaluation else ""),
        ]
        if everybody:
            columns.insert(0, Column(gettext("名次"), lambda row: row.place, "number"))
        return download(f"evaluation-{year}", columns, rows, form=form, is_sample=lambda row: row.platform.illustrative)
    return render_template(
        "evaluation.html", rows=rows, year=year, heads=Head, everybody=everybody, terms=terms_of(db.session(), year)
    )


@pages.get("/evaluation/<code>/<int:year>")
@requires(Permission.SEE_EVALUATION)
def platform_year(code: str, year: int) -> Response | str:
    platform = evaluated_platform(code, year, Permission.SEE_EVALUATION)
    if form := wanted_file():
        result = results_of(db.session(), [platform.id], year)[platform.id].result
        columns: list[Column[Scored]] = [
            Column(gettext("指标"), lambda one: said(one.indicator, "")),
            Column(gettext("分项"), lambda one: word_of(one.indicator.head)),
            Column(gettext("数值"), value_of),
            Column(gettext("目标"), target_of),
            Column(gettext("权重"), lambda one: one.term.weight, "number"),
            Column(gettext("得分"), lambda one: one.score, "number"),
        ]
        return download(
            f"evaluation-{code}-{year}", columns, result.scored, form=form, is_sample=lambda _: platform.illustrative
        )
    return year_page(platform, year)


@pages.post("/evaluation/<code>/<int:year>")
@requires(Permission.CONCLUDE_EVALUATION)
def decide_year(code: str, year: int) -> Response | tuple[str, int]:
    """Record the result of the year."""
    by, document = current_user.id, request.form.get("document", "")
    return deed(
        code, year, Permission.CONCLUDE_EVALUATION,
        lambda session, platform_id: conclude(
            session, platform_id, year, selected=_selected(), document=document, by=by, at=clock.now(),
            seen=request.form.get("seen", ""),
        ),
        gettext("已记录评价结果。"),
    )  # fmt: skip


@pages.post("/evaluation/<code>/<int:year>/correct")
@requires(Permission.CONCLUDE_EVALUATION)
def correct_year(code: str, year: int) -> Response | tuple[str, int]:
    by, form = current_user.id, request.form
    return deed(
        code, year, Permission.CONCLUDE_EVALUATION,
        lambda session, platform_id: correct(
            session, platform_id, year, selected=_selected(), document=form.get("document", ""),
            recount="recount" in form, reason=form.get("reason", ""), by=by, at=clock.now(),
        ),
        gettext("已更正评价结果，原来的结果留在更正记录里。"),
    )  # fmt: skip


def evaluated_platform(code: str, year: int, permission: Permission) -> Platform:
    """Errors: ``NotFound`` for a year that is none, and outside the actor's bounds."""
    platform = platform_by(code)
    bounds(permission).insist(platform_id=platform.id)
    if year not in CALENDAR:
        raise NotFound("没有这个年度。")
    return platform


def deed(
    code: str, year: int, permission: Permission, work: Callable[[Session, int], object], told: str
) -> Response | tuple[str, int]:
    """Done and told, or the page again with the refusal where it belongs."""
    platform_id = evaluated_platform(code, year, permission).id
    try:
        in_transaction(lambda session: work(session, platform_id))
    except Refusal as refusal:
        return year_page(evaluated_platform(code, year, permission), year, refusal), status_of(refusal)
    flash(told)
    return redirect(url_for("evaluation.platform_year", code=code, year=year))


def year_page(platform: Platform, year: int, refusal: Refusal | None = None) -> str:
    session = db.session()
    found = results_of(session, [platform.id], year)[platform.id]
    concludes = bounds(Permission.CONCLUDE_EVALUATION).everything
    entries = {key: one for (_, key), one in latest_entries(session, [platform.id], year).items()}
    return render_template(
        "evaluation_year.html",
        platform=platform,
        year=year,
        found=found,
        result=found.result,
        heads=[(head, [one for one in found.result.scored if one.indicator.head is head]) for head in Head],
        value_of=value_of,
        target_of=target_of,
        manual=Scoring.MANUAL,
        evidence=evidence_of(platform, year),
        entries=entries,
        files=latest_files(session, platform.id, year),
        terms=terms_of(session, year),
        income_words={one.value: word_of(one) for one in IncomeHead},
        category_words={one.value: word_of(one) for one in RevenueCategory},
        series=_series(session, platform.id, found),
        may_conclude=concludes,
        may_hand_in=bounds(Permission.HAND_IN_EVALUATION).allows(platform_id=platform.id),
        locked=concludes and claim_is_locked(session, platform.id, year),
        this_year=clock.local_date(clock.now()).year,
        errors={refusal.field: sentence(refusal)} if refusal is not None and refusal.field else {},
        refused=sentence(refusal) if refusal is not None else "",
    )


def value_of(one: Scored) -> str:
    return "—" if one.value is None else _said(one.value, one.indicator.unit)


def target_of(one: Scored) -> str:
    if one.indicator.scoring is Scoring.MANUAL:
        return ""
    told = _said(Fraction(one.term.target), one.indicator.unit)
    return gettext("%(target)s 及以上为 0 分", target=told) if one.indicator.scoring is Scoring.LOWER else told


def _said(value: Fraction, unit: Unit) -> str:
    match unit:
        case Unit.SHARE:
            return f"{float(value) * 100:.1f} %"
        case Unit.YUAN:
            return money(Money.rounded(value))
        case Unit.STARS:
            return f"{float(value):.2f}"
        case _:
            return f"{float(value):g}"


def _series(session: Session, platform_id: int, found: YearResult) -> dict[str, Any]:
    """Totals and heads of the concluded years, with the present state of this one."""
    years = dict(concluded_years(session, platform_id))
    years.setdefault(found.year, found.result)
    ordered = sorted(years)

    def number(points: Decimal | None) -> float | None:
        return None if points is None else float(points)

    return {
        "years": [str(year) for year in ordered],
        "lines": [
            {"name": gettext("总分"), "main": True, "points": [number(years[year].total) for year in ordered]},
            *(
                {"name": str(word_of(head)), "points": [number(years[year].heads[head]) for year in ordered]}
                for head in Head
            ),
        ],
    }


def _selected() -> bool:
    answer = request.form.get("selected", "")
    if answer not in ("yes", "no"):
        raise InvalidInput("请选择入选或未入选。", field="selected")
    return answer == "yes"


def _mean(head: Head) -> Callable[[Placed], Decimal | None]:
    return lambda row: row.year.result.heads[head]


def _outcome(row: Placed) -> str:
    if row.selected is None:
        return gettext("尚无结果")
    return gettext("入选") if row.selected else gettext("未入选")
