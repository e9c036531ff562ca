"""The operator's month: look at every charge, approve it, issue the invoices."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from flask_login import current_user
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from app.catalogue.models import Platform
from app.identity.rules.permission import Permission
from app.kernel import clock
from app.kernel.db import db, in_transaction
from app.kernel.money import total
from app.web.access import bounds, requires
from app.web.formats import money
from app.web.forms import month_in, number_in
from app.web.words import problem_sentence
from billing.invoicing import issue_month
from billing.models import Charge, Invoice
from billing.reviewing import approve as approve_charges
from billing.rules.words import ChargeState
from billing.statements import FirmMonth, month_review

pages = Blueprint("review", __name__)


@pages.get("/review")
@requires(Permission.REVIEW_CHARGES)
def month() -> str:
    return render_template("review.html", **_month(_wanted_month()))


@pages.post("/review/approve")
@requires(Permission.REVIEW_CHARGES)
def approve() -> Response | str:
    """Approve the charges that the form names; others than the actor's are left as they are."""
    wanted = request.form.getlist("charge_id", type=int)
    platforms = bounds(Permission.REVIEW_CHARGES).platform_ids
    own = db.session.scalars(select(Charge.id).where(Charge.id.in_(wanted), Charge.platform_id.in_(platforms))).all()
    person_id = current_user.id
    approved = in_transaction(lambda session: approve_charges(session, own, by=person_id, at=clock.now()))
    chosen = _wanted_month()
    if request.headers.get("HX-Request"):
        told = _month(chosen)
        following = next((one for one in told["waiting"] if one > max(wanted, default=0)), None)
        return render_template("review_groups.html", following=following, **told)
    flash(gettext("已审核 %(count)s 笔费用。", count=approved))
    return redirect(url_for(".month", month=f"{chosen:%Y-%m}"))


@pages.post("/review/issue")
@requires(Permission.ISSUE_INVOICES)
def issue() -> Response:
    chosen, platform_id = _wanted_month(), number_in("platform_id", 0)
    organization_id, person_id = number_in("organization_id", 0), current_user.id
    bounds(Permission.ISSUE_INVOICES).insist(platform_id=platform_id)

    def work(session: Session) -> int:
        return issue_month(
            session,
            platform_id=platform_id,
            organization_id=organization_id,
            month=chosen,
            by=person_id,
            at=clock.now(),
        ).id

    invoice = db.session.get_one(Invoice, in_transaction(work))
    flash(gettext("已开具 %(label)s，%(amount)s。", label=invoice.label, amount=money(invoice.gross_fen)))
    return redirect(url_for("invoices.invoice", invoice_id=invoice.id))


def _wanted_month() -> date:
    return month_in("month", clock.local_date(clock.now()))


def _month(chosen: date) -> dict[str, Any]:
    """Every platform of the operator, each with its firms' charges that no invoice has taken yet."""
    session = db.session()
    platforms = session.scalars(
        select(Platform).where(Platform.id.in_(bounds(Permission.REVIEW_CHARGES).platform_ids)).order_by(Platform.id)
    ).all()
    reviews = [(one, month_review(session, platform_id=one.id, month=chosen)) for one in platforms]
    groups = [(platform, _unbilled(firm)) for platform, review in reviews for firm in review.firms]
    groups = [(platform, firm) for platform, firm in groups if firm.charges]
    waiting = [one.id for _, firm in groups for one in firm.charges if one.state is ChargeState.PROPOSED]
    return {
        "month": chosen,
        "groups": groups,
        "problems": [(one, problem_sentence(one.reason)) for _, review in reviews for one in review.problems],
        "waiting": waiting,
        "gross": total([firm.gross() for _, firm in groups]),
        "proposed": ChargeState.PROPOSED,
        "disputed": ChargeState.DISPUTED,
    }


def _unbilled(firm: FirmMonth) -> FirmMonth:
    done = (ChargeState.INVOICED, ChargeState.WAIVED)
    return replace(firm, charges=[one for one in firm.charges if one.state not in done])
