"""Wait for a slot that is taken; take or leave what is offered."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from flask_login import current_user
from sqlalchemy import case, select
from sqlalchemy.orm import joinedload
from werkzeug.wrappers import Response

from app.booking.models import Reservation, Waiting
from app.booking.rules.words import WaitState
from app.booking.waiting import STILL_HOPING, accept, ahead_of, join, withdraw
from app.catalogue.models import Equipment
from app.identity.rules.permission import Permission
from app.kernel import clock
from app.kernel.db import db, in_transaction
from app.kernel.errors import NotFound, Refusal
from app.web.access import acting_organization, bounds, requires
from app.web.errors import sentence, status_of
from app.web.forms import interval_in
from app.web.paging import page_of

pages = Blueprint("waitlist", __name__)


@pages.get("/waitlist")
@requires(Permission.RESERVE)
def list_waiting() -> str:
    """What the firm waits for. With ``equipment_id``, ``starts_at`` and ``ends_at`` it offers to wait for that too."""
    return _page()


@pages.post("/waitlist")
@requires(Permission.RESERVE)
def wait() -> Response | tuple[str, int]:
    organization_id, person_id = acting_organization(Permission.RESERVE), current_user.id
    equipment_id = request.form.get("equipment_id", 0, type=int)
    try:
        when = interval_in()
        in_transaction(
            lambda session: (
                join(
                    session,
                    equipment_id=equipment_id,
                    when=when,
                    organization_id=organization_id,
                    person_id=person_id,
                    at=clock.now(),
                ).id
            )
        )
    except Refusal as refusal:
        return _page(refusal=refusal), status_of(refusal)
    flash(gettext("已加入候补。时段空出时会通知您，并为您短时保留。"))
    return redirect(url_for(".list_waiting"))


@pages.post("/waitlist/<int:waiting_id>/accept")
@requires(Permission.RESERVE)
def take(waiting_id: int) -> Response | tuple[str, int]:
    _visible(waiting_id)
    person_id = current_user.id
    try:
        reservation_id = in_transaction(lambda session: accept(session, waiting_id, by=person_id, at=clock.now()).id)
    except Refusal as refusal:
        return _page(refusal=refusal), status_of(refusal)
    flash(gettext("预约成功。"))
    return redirect(url_for("reservations.reservation", reservation_id=reservation_id))


@pages.post("/waitlist/<int:waiting_id>/leave")
@requires(Permission.RESERVE)
def leave(waiting_id: int) -> Response | tuple[str, int]:
    _visible(waiting_id)
    person_id = current_user.id
    try:
        in_transaction(lambda session: withdraw(session, waiting_id, by=person_id, at=clock.now()).id)
    except Refusal as refusal:
        return _page(refusal=refusal), status_of(refusal)
    flash(gettext("已退出候补。"))
    return redirect(url_for(".list_waiting"))


def _page(*, refusal: Refusal | None = None) -> str:
    session = db.session()
    page = page_of(
        session,
        select(Waiting)
        .where(Waiting.organization_id.in_(bounds(Permission.RESERVE).organization_ids))
        .options(joinedload(Waiting.equipment).joinedload(Equipment.platform), joinedload(Waiting.person))
        .order_by(
            case((Waiting.state == WaitState.OFFERED, 0), (Waiting.state == WaitState.WAITING, 1), else_=2),
            Waiting.id.desc(),
        ),
    )
    offers = [row.reservation_id for row in page.rows if row.state is WaitState.OFFERED]
    return render_template(
        "waitlist.html",
        page=page,
        ahead={row.id: ahead_of(session, row) for row in page.rows if row.state is WaitState.WAITING},
        held_until=dict(
            session.execute(select(Reservation.id, Reservation.hold_until).where(Reservation.id.in_(offers))).all()
        ),
        hoping=STILL_HOPING,
        wish=_wish(),
        refused="" if refusal is None else sentence(refusal),
    )


def _wish() -> dict[str, Any] | None:
    """The slot that the address or the form asks for."""
    equipment = db.session.get(Equipment, request.values.get("equipment_id", 0, type=int))
    if equipment is None:
        return None
    return {
        "equipment": equipment,
        "starts_at": request.values.get("starts_at", ""),
        "ends_at": request.values.get("ends_at", ""),
    }


def _visible(waiting_id: int) -> Waiting:
    row = db.session.get(Waiting, waiting_id)
    if row is None:
        raise NotFound("没有找到这一项，或您无权查看。")
    bounds(Permission.RESERVE).insist(organization_id=row.organization_id)
    return row
