"""The first page, which answers each role's first question."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from flask import Blueprint, redirect, render_template, url_for
from flask_login import current_user
from sqlalchemy import exists, func, select
from sqlalchemy.orm import joinedload
from werkzeug.wrappers import Response

from app.booking.approving import waiting_count
from app.booking.models import Reservation
from app.booking.rating import unrated
from app.booking.rules.reservation import HOLDS_SLOT, SHOWN
from app.catalogue.models import Equipment, Platform
from app.identity.models import Organization
from app.identity.rules.permission import Permission, Role
from app.kernel import clock
from app.kernel.db import db
from app.kernel.interval import Interval, local_days, local_month
from app.kernel.money import ZERO
from app.web.access import bounds, requires
from app.web.pages.admin import signs
from app.web.pages.city import city_figures
from billing.models import Charge, Invoice, UseSettlement
from billing.rules.words import ChargeState, InvoiceKind, InvoiceState
from billing.settling import WAITING
from devices.models import DeadLetter, DisputedReading, LateChange, Meter, UsageSession
from devices.usage import live_states, usage_within
from devices.watching import open_alerts

pages = Blueprint("home", __name__)
ROWS = 10
UNRATED = 3


@pages.get("/")
@requires(Permission.BROWSE)
def start() -> Response | str:
    if not current_user.is_authenticated:
        return redirect(url_for("platforms.list_platforms"))
    if current_user.has(Role.OPERATOR, Role.OPERATOR_FINANCE):
        return render_template("home_operator.html", **_operator())
    if current_user.has(Role.FIRM_MEMBER, Role.FIRM_MANAGER):
        return render_template("home_firm.html", **_firm())
    if current_user.has(Role.OFFICIAL):
        return render_template("city.html", **city_figures(clock.local_date(clock.now()).year))
    return render_template("home_admin.html", signs=signs())


def _firm() -> dict[str, Any]:
    """My next slots, what runs now, and what still has to be paid."""
    session, now = db.session(), clock.now()
    own = bounds(Permission.SEE_RESERVATIONS).organization_ids
    coming = session.scalars(
        select(Reservation)
        .where(
            Reservation.organization_id.in_(own),
            Reservation.state.in_(HOLDS_SLOT),
            func.upper(Reservation.during) > now,
        )
        .options(joinedload(Reservation.equipment), joinedload(Reservation.person))
        .order_by(func.lower(Reservation.during))
        .limit(ROWS)
    ).all()
    used = session.scalars(
        select(UsageSession)
        .where(UsageSession.organization_id.in_(own), UsageSession.started_at > now - timedelta(days=14))
        .options(joinedload(UsageSession.equipment))
        .order_by(UsageSession.started_at.desc())
        .limit(ROWS)
    ).all()
    bills = session.scalars(
        select(Invoice)
        .where(
            Invoice.organization_id.in_(bounds(Permission.SEE_INVOICES).organization_ids),
            Invoice.state == InvoiceState.ISSUED,
            Invoice.kind == InvoiceKind.INVOICE,
        )
        .options(joinedload(Invoice.platform))
        .order_by(Invoice.issued_on)
    ).all()
    today = clock.local_date(now)
    month = local_month(today.year, today.month)
    spent = session.scalar(
        select(func.sum(Charge.gross_fen)).where(
            Charge.organization_id.in_(own), Charge.served_at >= month.start, Charge.served_at < month.end
        )
    )
    seen = exists().where(UsageSession.reservation_id == Reservation.id, ~UsageSession.open)
    to_rate = session.scalars(
        unrated(bounds(Permission.GIVE_FEEDBACK).organization_ids, at=now)
        .where(seen)
        .options(joinedload(Reservation.equipment))
        .limit(UNRATED)
    ).all()
    return {
        "coming": coming,
        "to_rate": to_rate,
        "running": [one for one in used if one.open],
        "used": [one for one in used if not one.open],
        "bills": bills,
        "owed": sum((one.gross_fen for one in bills), ZERO),
        "spent": spent or ZERO,
    }


def _operator() -> dict[str, Any]:
    """Today on my platforms, with what the meters see now, and the queue of what needs a person."""
    session, now = db.session(), clock.now()
    ids = bounds(Permission.SEE_METERS).platform_ids
    today = local_days(clock.local_date(now), 1)
    platforms = session.scalars(select(Platform).where(Platform.id.in_(ids)).order_by(Platform.id)).all()
    equipment = session.scalars(
        select(Equipment).where(Equipment.platform_id.in_(ids)).order_by(Equipment.platform_id, Equipment.code)
    ).all()
    shown = [one.id for one in equipment]
    live = live_states(session, shown, at=now)
    booked = session.execute(
        select(Reservation, Organization.name)
        .join(Organization, Organization.id == Reservation.organization_id)
        .where(
            Reservation.equipment_id.in_(shown),
            Reservation.state.in_(SHOWN),
            Reservation.during.op("&&")(today),
        )
    ).all()
    bars: dict[int, list[dict[str, Any]]] = {one.id: [] for one in equipment}
    for row, name in booked:
        bars[row.equipment_id].append(
            _bar(row.during, today, "blue", name, url_for("reservations.reservation", reservation_id=row.id))
        )
    for usage in usage_within(session, shown, today):
        bars[usage.equipment_id].append(
            _bar(
                usage.when,
                today,
                "green" if usage.reservation_id else "orange",
                "",
                url_for("usage.session", session_id=usage.session_id),
                thin=True,
            )
        )
    order = {"running": 0, "idle": 1, "silent": 2}
    rows = sorted(
        (one for one in equipment if bars[one.id] or live[one.id].word != "unmetered"),
        key=lambda one: (not bars[one.id], order.get(live[one.id].word, 3), one.code),
    )

    def count(table: Any, *where: Any) -> int:
        return session.scalar(select(func.count()).select_from(table).where(*where)) or 0

    meters = select(Meter.id).where(Meter.equipment_id.in_(shown))
    proposed = session.execute(
        select(func.count(), func.sum(Charge.gross_fen)).where(
            Charge.platform_id.in_(ids), Charge.state == ChargeState.PROPOSED
        )
    ).one()
    return {
        "platforms": platforms,
        "rows": rows,
        "bars": bars,
        "live": live,
        "now_at": _share(now, today),
        "requests": waiting_count(session, bounds(Permission.DECIDE_RESERVATIONS).platform_ids, at=now),
        "proposed": proposed[0],
        "proposed_gross": proposed[1] or ZERO,
        "problems": count(UseSettlement, UseSettlement.platform_id.in_(ids), UseSettlement.status.in_(WAITING)),
        "alerts": open_alerts(session, ids),
        "silent": sum(one.word == "silent" for one in live.values()),
        "dead": count(DeadLetter, DeadLetter.meter_id.in_(meters)),
        "disputes": count(DisputedReading, DisputedReading.meter_id.in_(meters)),
        "late": count(LateChange, LateChange.meter_id.in_(meters), LateChange.resolved_at.is_(None)),
        "unpaid": count(
            Invoice,
            Invoice.platform_id.in_(ids),
            Invoice.state == InvoiceState.ISSUED,
            Invoice.kind == InvoiceKind.INVOICE,
        ),
    }


def _share(moment: Any, day: Interval) -> float:
    return round(100 * ((moment - day.start) / day.duration), 2)


def _bar(when: Interval, day: Interval, tone: str, title: str, href: str, *, thin: bool = False) -> dict[str, Any]:
    start, end = max(when.start, day.start), min(when.end, day.end)
    return {
        "left": _share(start, day),
        "width": max(0.4, round(_share(end, day) - _share(start, day), 2)),
        "tone": tone,
        "title": title,
        "href": href,
        "when": when,
        "thin": thin,
    }
