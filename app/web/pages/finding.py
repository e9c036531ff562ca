"""One sentence: what, how long, when and where; and what is free, to be booked in place."""

from __future__ import annotations

import secrets
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation

from flask import Blueprint, render_template, request
from flask_babel import gettext
from flask_login import current_user
from sqlalchemy import select

from app.booking.finding import Wish, find_slots
from app.catalogue.models import Equipment, Platform
from app.identity.models import Organization
from app.identity.rules.permission import Permission
from app.kernel import clock
from app.kernel.db import db
from app.kernel.errors import InvalidInput, Refusal
from app.kernel.interval import Interval, local_days
from app.web.access import acting_organization, requires
from app.web.errors import sentence, status_of
from app.web.estimates import estimates
from app.web.forms import day_in

pages = Blueprint("finding", __name__)
LENGTHS = ("0.5", "1", "2", "3", "4", "6", "8", "12", "24", "48")
USUAL_LENGTH = "2"
MOST = 30
LOOKED_AT = 300
"""Listings whose price is estimated before the dear ones are left out."""
LONGEST = timedelta(days=62)


@pages.get("/find")
@requires(Permission.BROWSE)
def find() -> str | tuple[str, int]:
    session, now = db.session(), clock.now()
    may_book = current_user.is_authenticated and current_user.may(Permission.RESERVE)
    firm = acting_organization(Permission.RESERVE) if may_book else None
    refusal: Refusal | None = None
    found, costs, dearest = [], [], None
    try:
        wish = _wish(firm)
        dearest = _dearest()
        found = find_slots(session, wish, at=now)
        costs = estimates(session, [(one.equipment, one.slot) for one in found], organization_id=firm)
    except InvalidInput as error:
        refusal = error
    rows = [
        (one, cost, [secrets.token_hex(16) for _ in one.slots])
        for one, cost in zip(found, costs, strict=True)
        if dearest is None or (cost.lines and cost.total <= dearest)
    ][:MOST]
    hosts = select(Organization.region).join(Platform, Platform.host_id == Organization.id).distinct()
    kinds = session.scalars(select(Equipment.kind_label).where(Equipment.bookable).distinct())
    page = render_template(
        "finding.html",
        rows=rows,
        may_book=may_book,
        firm=firm,
        kinds=sorted(kinds),
        platforms=session.scalars(select(Platform).order_by(Platform.id)).all(),
        fields=session.scalars(select(Platform.field).distinct().order_by(Platform.field)).all(),
        regions=session.scalars(hosts.order_by(Organization.region)).all(),
        lengths=LENGTHS,
        spans=_spans(),
        asked={
            "q": request.args.get("q", ""),
            "hours": request.args.get("hours", USUAL_LENGTH),
            "when": request.args.get("when", "fortnight"),
            "where": request.args.get("where", ""),
            "qualified": bool(request.args.get("qualified")),
            "field": request.args.get("field", ""),
            "dearest": request.args.get("dearest", ""),
        },
        errors={refusal.field: sentence(refusal)} if refusal is not None else {},
    )
    return page if refusal is None else (page, status_of(refusal))


def _spans() -> list[tuple[str, str]]:
    return [
        ("today", gettext("今天")),
        ("tomorrow", gettext("明天")),
        ("week", gettext("本周")),
        ("next_week", gettext("下周")),
        ("fortnight", gettext("今后 14 天")),
        ("days", gettext("指定日期")),
    ]


def _wish(firm: int | None) -> Wish:
    where, _, name = request.args.get("where", "").partition(":")
    return Wish(
        duration=_length(),
        window=_window(clock.local_date(clock.now())),
        words=request.args.get("q", "").strip()[:100],
        platform=name if where == "platform" else "",
        field=request.args.get("field", ""),
        region=name if where == "region" else "",
        customer=firm,
        qualified=(firm, current_user.id) if firm is not None and request.args.get("qualified") else None,
        most=LOOKED_AT,
    )


def _length() -> timedelta:
    try:
        hours = Decimal(request.args.get("hours", USUAL_LENGTH))
        if Decimal() < hours <= Decimal(24 * 31):
            return timedelta(minutes=int(hours * 60))
    except InvalidOperation:
        pass
    raise InvalidInput("请填写时长，最长 31 天。", field="hours")


def _dearest() -> Decimal | None:
    """The most that the slot may cost, in yuan with tax; what has no price is left out then."""
    text = request.args.get("dearest", "").strip()
    try:
        most = Decimal(text) if text else None
    except InvalidOperation:
        raise InvalidInput("请填写金额，最多两位小数。", field="dearest") from None
    if most is not None and not (most.is_finite() and most >= 0):
        raise InvalidInput("请填写金额，最多两位小数。", field="dearest")
    return most


def _window(today: date) -> Interval:
    monday = today - timedelta(days=today.weekday())
    match request.args.get("when", "fortnight"):
        case "today":
            return local_days(today, 1)
        case "tomorrow":
            return local_days(today + timedelta(days=1), 1)
        case "week":
            return Interval(local_days(today, 1).start, local_days(monday, 7).end)
        case "next_week":
            return local_days(monday + timedelta(days=7), 7)
        case "days":
            first = day_in("first", today)
            last = day_in("last", first)
            if not timedelta() <= last - first <= LONGEST:
                raise InvalidInput("请选择 62 天以内的起止日期。", field="last")
            return Interval(local_days(first, 1).start, local_days(last, 1).end)
        case _:
            return local_days(today, 14)
