"""Wait for a slot that is taken; take or leave what is offered; for operators, who waits for what."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from flask_login import current_user
from sqlalchemy import Select, case, func, select
from sqlalchemy.orm import Session, joinedload
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
from app.web.booking_money import hold_deposits, refuse_overdue
from app.web.errors import sentence, status_of
from app.web.exports import Column, download
from app.web.formats import said
from app.web.forms import interval_in
from app.web.paging import page_of, wanted_file
from app.web.words import state_of

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
    row = _visible(waiting_id)
    person_id, equipment_id, organization_id = current_user.id, row.equipment_id, row.organization_id

    def work(session: Session) -> int:
        now = clock.now()
        refuse_overdue(session, equipment_id, organization_id, now)
        taken = accept(session, waiting_id, by=person_id, at=now)
        hold_deposits(session, [taken], now)
        return taken.id

    try:
        reservation_id = in_transaction(work)
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


@pages.get("/waitlist/queue")
@requires(Permission.DECIDE_RESERVATIONS)
def queue() -> Response | str:
    """Who waits for the operator's equipment, slot by slot, the longest first. ``equipment`` is a code to keep to."""
    session, query = db.session(), _queue()
    if form := wanted_file():
        rows = session.scalars(query).all()
        ahead, held_until = ahead_of(session, [row.id for row in rows]), _held_until(rows)
        columns: list[Column[Waiting]] = [
            Column(gettext("设备"), lambda row: said(row.equipment, "name")),
            Column(gettext("开始"), lambda row: row.during.start, "time"),
            Column(gettext("结束"), lambda row: row.during.end, "time"),
            Column(gettext("顺序"), lambda row: ahead[row.id] + 1, "number"),
            Column(gettext("单位"), lambda row: row.organization.name),
            Column(gettext("预约人"), lambda row: row.person.name),
            Column(gettext("加入时间"), lambda row: row.created_at, "time"),
            Column(gettext("状态"), lambda row: state_of(row.state).word),
            Column(gettext("保留至"), lambda row: held_until.get(row.id), "time"),
        ]
        return download("waitlist", columns, rows, form=form, is_sample=lambda row: row.equipment.illustrative)
    page = page_of(session, query)
    return render_template(
        "waitlist_queue.html",
        page=page,
        ahead=ahead_of(session, [row.id for row in page.rows]),
        held_until=_held_until(page.rows),
        equipment=session.scalars(
            select(Equipment)
            .where(Equipment.platform_id.in_(bounds(Permission.DECIDE_RESERVATIONS).platform_ids))
            .order_by(Equipment.code)
        ).all(),
        code=request.args.get("equipment", ""),
    )


def _queue() -> Select[Waiting]:
    query = (
        select(Waiting)
        .join(Equipment, Equipment.id == Waiting.equipment_id)
        .where(
            Equipment.platform_id.in_(bounds(Permission.DECIDE_RESERVATIONS).platform_ids),
            Waiting.state.in_(STILL_HOPING),
        )
        .options(joinedload(Waiting.equipment), joinedload(Waiting.organization), joinedload(Waiting.person))
    )
    if code := request.args.get("equipment"):
        query = query.where(Equipment.code == code)
    return query.order_by(Equipment.code, func.lower(Waiting.during), Waiting.id)


def _held_until(rows: Iterable[Waiting]) -> dict[int, datetime | None]:
    """Until when what is offered is held, by the id of the wish."""
    held = db.session.execute(
        select(Waiting.id, Reservation.hold_until)
        .join(Reservation, Reservation.id == Waiting.reservation_id)
        .where(Waiting.id.in_([row.id for row in rows]), Waiting.state == WaitState.OFFERED)
    )
    return dict(held.all())


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
    return render_template(
        "waitlist.html",
        page=page,
        ahead=ahead_of(session, [row.id for row in page.rows if row.state is WaitState.WAITING]),
        held_until=_held_until(page.rows),
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
