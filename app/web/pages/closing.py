"""The end of a month, by platform: what waits, close it, and how far the close is."""

from __future__ import annotations

from datetime import date

from flask import Blueprint, redirect, render_template, request, url_for
from flask_babel import lazy_gettext as _l
from flask_login import current_user
from sqlalchemy import select
from werkzeug.wrappers import Response

from app.catalogue.models import Platform
from app.identity.rules.permission import Permission
from app.kernel import clock
from app.kernel.db import db, in_transaction
from app.kernel.errors import Refusal
from app.kernel.long_work import LongWork
from app.web.access import bounds, requires
from app.web.errors import sentence, status_of
from app.web.forms import month_in, number_in
from app.web.own_platforms import own_platforms
from app.web.pages.long_work import RESULTS, WORDS
from billing.closing import KIND, close_month, month_end, release_late
from billing.models import PeriodClose
from billing.rules.period import month_back

pages = Blueprint("closing", __name__)
WORDS[KIND] = _l("月结")


@pages.get("/closing")
@requires(Permission.CLOSE_MONTHS)
def months() -> str:
    return _page()


@pages.post("/closing")
@requires(Permission.CLOSE_MONTHS)
def close() -> Response | tuple[str, int]:
    """Start the close of a platform's month, or go on with one that stopped."""
    platform_id, person_id, month = number_in("platform_id", 0), current_user.id, _month()
    bounds(Permission.CLOSE_MONTHS).insist(platform_id=platform_id)
    carry_over = "carry_over" in request.form
    try:
        in_transaction(
            lambda session: (
                close_month(
                    session,
                    platform_id=platform_id,
                    month=month,
                    carry_over=carry_over,
                    by=person_id,
                    at=clock.now(),
                ).id
            )
        )
    except Refusal as refusal:
        return _page(platform_id, refusal), status_of(refusal)
    return redirect(url_for(".months", month=f"{month:%Y-%m}", _anchor=f"platform-{platform_id}"))


@pages.post("/closing/late")
@requires(Permission.CLOSE_MONTHS)
def release() -> Response | tuple[str, int]:
    """Bill what is out of the look-back after all."""
    platform_id, person_id, month = number_in("platform_id", 0), current_user.id, _month()
    bounds(Permission.CLOSE_MONTHS).insist(platform_id=platform_id)
    reason = request.form.get("reason", "")
    try:
        in_transaction(
            lambda session: release_late(
                session, platform_id=platform_id, month=month, reason=reason, by=person_id, at=clock.now()
            )
        )
    except Refusal as refusal:
        return _page(platform_id, refusal), status_of(refusal)
    return redirect(url_for(".months", month=f"{month:%Y-%m}", _anchor=f"platform-{platform_id}"))


def _month() -> date:
    """The month that is asked for; the one that ended last if none is."""
    return month_in("month", month_back(clock.local_date(clock.now()), 1))


def _page(refused_for: int = 0, refusal: Refusal | None = None) -> str:
    session, month = db.session(), _month()
    platforms = own_platforms(Permission.CLOSE_MONTHS)
    return render_template(
        "closing.html",
        month=month,
        ends=[(one, month_end(session, platform_id=one.id, month=month)) for one in platforms],
        over=month < clock.local_date(clock.now()).replace(day=1),
        closed=_closed([one.id for one in platforms]),
        refused_for=refused_for,
        refused=sentence(refusal) if refusal is not None else "",
        errors={refusal.field: sentence(refusal)} if refusal is not None and refusal.field else {},
        reason=request.form.get("reason", ""),
    )


def _closed(platform_ids: list[int]) -> list[tuple[PeriodClose, Platform]]:
    """The last closes, latest first."""
    rows = db.session.execute(
        select(PeriodClose, Platform)
        .join(Platform, Platform.id == PeriodClose.platform_id)
        .where(PeriodClose.platform_id.in_(platform_ids), PeriodClose.closed_at.is_not(None))
        .order_by(PeriodClose.month.desc(), Platform.name_zh)
        .limit(24)
    )
    return [(row, platform) for row, platform in rows]


def _result(work: LongWork) -> str:
    return url_for("closing.months", month=work.arguments["month"][:7], _anchor=f"platform-{work.platform_id}")


RESULTS[KIND] = _result
