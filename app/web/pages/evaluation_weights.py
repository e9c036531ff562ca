"""What the indicators of a year weigh: everybody concerned can read it, officials and administrators set it."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from flask_login import current_user
from werkzeug.wrappers import Response

from app.identity.rules.permission import Permission
from app.kernel import clock
from app.kernel.db import db, in_transaction
from app.kernel.errors import InvalidInput, Refusal
from app.web.access import bounds, requires
from app.web.errors import sentence, status_of
from app.web.forms import year_in
from billing.evaluation_schemes import has_results, set_terms, terms_of
from billing.policies.jinzhengban_2025_13_evaluation import GRADES, INDICATORS
from billing.rules.evaluation import Head, Scoring, Term
from billing.rules.figures import plain

pages = Blueprint("evaluation_weights", __name__)


@pages.get("/evaluation/weights")
@requires(Permission.SEE_WEIGHTS)
def form() -> str:
    return _page(year_in("year"))


@pages.post("/evaluation/weights")
@requires(Permission.SET_WEIGHTS)
def save() -> Response | tuple[str, int]:
    year, by = year_in("year"), current_user.id
    source, reason = request.form.get("source", ""), request.form.get("reason", "")
    try:
        terms = {one.key: Term(_number(f"{one.key}.weight"), _target(one.key)) for one in INDICATORS}
        in_transaction(
            lambda session: set_terms(session, year, terms, source=source, reason=reason, by=by, at=clock.now())
        )
    except Refusal as refusal:
        return _page(year, refusal), status_of(refusal)
    flash(gettext("已设定 %(year)s 年的指标权重。", year=year))
    return redirect(url_for(".form", year=year))


def _target(key: str) -> Decimal:
    """Points are out of a hundred; every other target is as the form says."""
    name = f"{key}.target"
    manual = next(one for one in INDICATORS if one.key == key).scoring is Scoring.MANUAL
    return Decimal(100) if manual else _number(name)


def _number(field: str) -> Decimal:
    try:
        return Decimal(request.form.get(field, "").replace(",", ""))
    except InvalidOperation:
        raise InvalidInput("请填写数字。", field=field) from None


def _page(year: int, refusal: Refusal | None = None) -> str:
    session = db.session()
    held = terms_of(session, year)
    return render_template(
        "evaluation_weights.html",
        year=year,
        held=held,
        heads=[(head, [one for one in INDICATORS if one.head is head]) for head in Head],
        grades=GRADES,
        manual=Scoring.MANUAL,
        plain=plain,
        fixed=has_results(session, year),
        may_set=bounds(Permission.SET_WEIGHTS).everything,
        errors={refusal.field: sentence(refusal)} if refusal is not None and refusal.field else {},
        refused=sentence(refusal) if refusal is not None and (not refusal.field or refusal.field == "sum") else "",
    )
