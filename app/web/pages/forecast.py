"""What a platform may expect of the policy: where the year stands, what more would bring, and what does not count."""

from __future__ import annotations

from flask import Blueprint, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response

from app.identity.rules.permission import Permission
from app.kernel import clock
from app.kernel.db import db
from app.kernel.errors import Refusal
from app.kernel.money import ZERO, Money
from app.web.access import bounds, requires
from app.web.errors import sentence
from app.web.exports import Column, download
from app.web.forms import money_in
from app.web.pages.platforms import platform_by
from app.web.pages.subsidy import exclusion, programme_said, why_not
from app.web.paging import wanted_file
from billing.answering import POLICY, settings_in_force
from billing.assessing import judging_facts
from billing.rules.forecast import ForecastYear, forecast
from billing.rules.subsidy import assess

pages = Blueprint("forecast", __name__)

USUAL_MORE = Money.of(100_000)


@pages.get("/subsidy/<code>/forecast")
@requires(Permission.SEE_SUBSIDY)
def expected(code: str) -> Response | str:
    """Reckoned from what is recorded now; stores nothing."""
    platform = platform_by(code)
    bounds(Permission.SEE_SUBSIDY).insist(platform_id=platform.id)
    today = clock.local_date(clock.now())
    more, refused = _more()
    settings = settings_in_force(db.session())
    facts = judging_facts(db.session(), platform.id, settings)
    told = forecast(facts, settings, POLICY, on=today, more=more)
    if form := wanted_file():
        columns: list[Column[ForecastYear]] = [
            Column(gettext("年度"), lambda one: one.year, "number"),
            Column(gettext("目前计入"), lambda one: one.so_far, "money"),
            Column(gettext("预计计补基数"), lambda one: one.base, "money"),
            Column(gettext("预计应付"), lambda one: one.payable, "money"),
        ]
        return download(f"forecast-{code}", columns, told.years, form=form, is_sample=lambda _: platform.illustrative)
    judged = assess(facts, settings, POLICY)
    revenue = next((one for one in judged.revenue_years if one.year == today.year), None)
    excluded = {} if revenue is None else revenue.excluded
    return render_template(
        "forecast.html",
        platform=platform,
        told=told,
        year=today.year,
        today=today,
        rate=POLICY.value("P2.rate", on=today),
        cap=Money.of(POLICY.value("P2.cap", on=today)),
        excluded=[
            (exclusion(reason), amount, url_for("subsidy.revenue", code=code, year=today.year, only=reason.value))
            for reason, amount in excluded.items()
        ],
        grants=[
            (programme_said(one.programme), one, why_not(one.reason)) for one in judged.grants if one.year == today.year
        ],
        asked=request.args.get("more", str(more)),
        refused=refused,
    )


def _more() -> tuple[Money, str]:
    """How much more to invoice, and what is wrong with what was asked."""
    if "more" not in request.args:
        return USUAL_MORE, ""
    try:
        wanted = money_in("more")
    except Refusal as refusal:
        return USUAL_MORE, sentence(refusal)
    if not ZERO < wanted <= Money.of(10**9):
        return USUAL_MORE, gettext("请填写大于零、不超过十亿元的金额。")
    return wanted, ""
