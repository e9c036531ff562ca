"""Book, look at, move and cancel reservations."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Any

from flask import Blueprint, flash, jsonify, redirect, render_template, request, url_for
from flask_babel import gettext
from flask_login import current_user
from sqlalchemy import ColumnElement, false, func, or_, select, true
from sqlalchemy.orm import Session, joinedload
from werkzeug.wrappers import Response

from app.booking.changing import cancel as cancel_reservation
from app.booking.changing import move as move_reservation
from app.booking.models import Reservation
from app.booking.reserving import reserve
from app.booking.rules.reservation import AGREED, GIVEN_UP, HOLDS_SLOT, NOT_BEGUN
from app.booking.telling import tell_changed
from app.catalogue.models import Equipment
from app.identity.models import Organization
from app.identity.rules.permission import Permission
from app.kernel import clock
from app.kernel.db import db, in_transaction
from app.kernel.errors import InvalidInput, NotFound, Refusal, SlotTaken
from app.web.access import Bounds, acting_organization, bounds, requires
from app.web.booking_form import accessories_in, booking_form, equipment_named, estimate_of, suggested
from app.web.booking_money import hold_deposits, refuse_overdue
from app.web.curves import curve
from app.web.errors import interval_json, sentence, status_of
from app.web.exports import Column, download
from app.web.formats import input_time, said, span
from app.web.forms import interval_in
from app.web.opinion_form import opinion_of
from app.web.paging import page_of, wanted_file
from app.web.words import state_of
from billing.statements import charges_of_sessions
from devices.metering import reconsider
from devices.usage import live_states, usage_of_reservations

pages = Blueprint("reservations", __name__)
SETTLES_AFTER = timedelta(minutes=30)


@pages.get("/reservations")
@requires(Permission.SEE_RESERVATIONS)
def list_reservations() -> Response | str:
    shown = request.args.get("show", "coming")
    wanted = request.args.get("q", "").strip()
    now = clock.now()
    query = (
        select(Reservation)
        .join(Equipment)
        .join(Organization, Organization.id == Reservation.organization_id)
        .where(within_bounds(bounds(Permission.SEE_RESERVATIONS)))
        .options(
            joinedload(Reservation.equipment).joinedload(Equipment.platform),
            joinedload(Reservation.organization),
            joinedload(Reservation.person),
        )
    )
    match shown:
        case "past":
            query = query.where(func.upper(Reservation.during) <= now).order_by(func.lower(Reservation.during).desc())
        case "cancelled":
            query = query.where(Reservation.state.in_(GIVEN_UP))
            query = query.order_by(func.lower(Reservation.during).desc())
        case _:
            shown = "coming"
            query = query.where(func.upper(Reservation.during) > now, Reservation.state.in_(HOLDS_SLOT))
            query = query.order_by(func.lower(Reservation.during))
    if wanted:
        like = f"%{wanted}%"
        query = query.where(
            or_(Equipment.name_zh.ilike(like), Equipment.name_en.ilike(like), Organization.name.ilike(like))
        )
    if form := wanted_file():
        columns: list[Column[Reservation]] = [
            Column(gettext("设备"), lambda row: said(row.equipment, "name")),
            Column(gettext("编号"), lambda row: row.id, "number"),
            Column(gettext("单位"), lambda row: row.organization.name),
            Column(gettext("开始"), lambda row: row.during.start, "time"),
            Column(gettext("结束"), lambda row: row.during.end, "time"),
            Column(gettext("状态"), lambda row: state_of(row.state).word),
            Column(gettext("用途"), lambda row: row.purpose),
        ]
        return download(
            "reservations",
            columns,
            db.session.scalars(query).unique(),
            form=form,
            is_sample=lambda row: row.equipment.illustrative,
        )
    return render_template("reservations.html", page=page_of(db.session(), query), show=shown, q=wanted)


@pages.get("/reservations/new")
@requires(Permission.RESERVE)
def new() -> str:
    equipment = equipment_named(request.args.get("equipment_id", type=int))
    when = suggested(equipment)
    return booking_form(
        equipment, starts_at=input_time(when.start), ends_at=input_time(when.end), key=secrets.token_hex(16)
    )


@pages.post("/reservations")
@requires(Permission.RESERVE)
def book() -> Response | tuple[str, int]:
    equipment_id = equipment_named(request.form.get("equipment_id", type=int)).id
    organization_id = acting_organization(Permission.RESERVE)
    key = request.form.get("idempotency_key") or secrets.token_hex(16)
    purpose = request.form.get("purpose", "").strip()[:2000]
    person_id = current_user.id

    def work(session: Session) -> int:
        now, when = clock.now(), interval_in()
        refuse_overdue(session, equipment_id, organization_id, now)
        made = reserve(
            session,
            equipment_id=equipment_id,
            when=when,
            organization_id=organization_id,
            person_id=person_id,
            at=now,
            purpose=purpose,
            idempotency_key=key,
            accessories=accessories_in(),
        )
        hold_deposits(session, [made], now)
        if when.start <= now:
            reconsider(session, made.equipment_id, since=when.start)
        return made.id

    try:
        reservation_id = in_transaction(work)
    except Refusal as refusal:
        again = equipment_named(request.form.get("equipment_id", type=int))
        page = booking_form(
            again,
            starts_at=request.form.get("starts_at", ""),
            ends_at=request.form.get("ends_at", ""),
            purpose=purpose,
            key=secrets.token_hex(16),
            refusal=refusal,
        )
        return page, status_of(refusal)
    flash(gettext("预约成功。"))
    return redirect(url_for(".reservation", reservation_id=reservation_id))


@pages.get("/reservations/estimate")
@requires(Permission.RESERVE)
def estimate() -> str:
    """What the slot in the form would cost, if it is used to the end."""
    equipment = equipment_named(request.args.get("equipment_id", type=int))
    try:
        return render_template("estimate.html", **estimate_of(equipment, interval_in()))
    except InvalidInput as refusal:
        return render_template("estimate.html", lines=[], part=True, refused=sentence(refusal))


@pages.get("/reservations/<int:reservation_id>")
@requires(Permission.SEE_RESERVATIONS)
def reservation(reservation_id: int) -> str:
    return reservation_page(visible(reservation_id, Permission.SEE_RESERVATIONS))


@pages.get("/reservations/<int:reservation_id>/use")
@requires(Permission.SEE_RESERVATIONS)
def use(reservation_id: int) -> str:
    """The part of the page that still changes; the page asks for it again while it may."""
    row = visible(reservation_id, Permission.SEE_RESERVATIONS)
    return render_template("reservation_use.html", reservation=row, **_use(db.session(), row))


@pages.post("/reservations/<int:reservation_id>/move")
@requires(Permission.RESERVE)
def move(reservation_id: int) -> Response | tuple[str, int]:
    try:
        _move(reservation_id)
    except Refusal as refusal:
        return reservation_page(visible(reservation_id, Permission.RESERVE), refusal=refusal), status_of(refusal)
    flash(gettext("已改期。"))
    return redirect(url_for(".reservation", reservation_id=reservation_id))


@pages.post("/reservations/<int:reservation_id>/move.json")
@requires(Permission.RESERVE)
def move_to(reservation_id: int) -> Response | tuple[Response, int]:
    """The same for the timeline: it drags, and hears a sentence."""
    try:
        _move(reservation_id)
    except Refusal as refusal:
        free = refusal.alternatives if isinstance(refusal, SlotTaken) else ()
        slots = [interval_json(slot) | {"text": span(slot)} for slot in free]
        return jsonify(detail=sentence(refusal), alternatives=slots), int(status_of(refusal))
    return jsonify(detail=gettext("已改期。"))


@pages.post("/reservations/<int:reservation_id>/cancel")
@requires(Permission.RESERVE)
def cancel(reservation_id: int) -> Response | tuple[str, int]:
    visible(reservation_id, Permission.RESERVE)
    person_id, reason = current_user.id, request.form.get("reason", "").strip()[:300]
    try:
        in_transaction(
            lambda session: tell_changed(
                session,
                cancel_reservation(session, reservation_id, by=person_id, at=clock.now(), reason=reason),
                by=person_id,
                at=clock.now(),
            )
        )
    except Refusal as refusal:
        return reservation_page(visible(reservation_id, Permission.RESERVE), refusal=refusal), status_of(refusal)
    flash(gettext("已取消，时段已释放。"))
    return redirect(url_for(".reservation", reservation_id=reservation_id))


def within_bounds(limits: Bounds) -> ColumnElement[bool]:
    """Reservations that may be seen, as a condition on reservation and equipment."""
    if limits.everything:
        return true()
    return or_(
        false(),
        Reservation.organization_id.in_(limits.organization_ids),
        Equipment.platform_id.in_(limits.platform_ids),
    )


def visible(reservation_id: int, permission: Permission) -> Reservation:
    row = db.session.get(
        Reservation, reservation_id, options=[joinedload(Reservation.equipment).joinedload(Equipment.platform)]
    )
    if row is None:
        raise NotFound("没有找到这一项，或您无权查看。")
    bounds(permission).insist(organization_id=row.organization_id, platform_id=row.equipment.platform_id)
    return row


def reservation_page(row: Reservation, *, refusal: Refusal | None = None) -> str:
    limits = bounds(Permission.RESERVE)
    mine = limits.allows(organization_id=row.organization_id)
    coming = row.state in NOT_BEGUN and row.during.start > clock.now()
    return render_template(
        "reservation.html",
        reservation=row,
        may_change=mine and coming,
        opinion=opinion_of(db.session(), row, may_give=bounds(Permission.GIVE_FEEDBACK)),
        refused=sentence(refusal) if refusal is not None else "",
        alternatives=refusal.alternatives if isinstance(refusal, SlotTaken) else (),
        **_use(db.session(), row),
    )


def _use(session: Session, row: Reservation) -> dict[str, Any]:
    """The sessions of a reservation, each with its charges and a small power curve."""
    now = clock.now()
    sessions = usage_of_reservations(session, [row.id]).get(row.id, [])
    charges = charges_of_sessions(session, [one.session_id for one in sessions])
    changing = (row.state in AGREED and row.during.start - SETTLES_AFTER < now < row.during.end + SETTLES_AFTER) or any(
        one.open for one in sessions
    )
    meter_id = next((one.meter_id for one in sessions if one.meter_id is not None), None)
    return {
        "sessions": sessions,
        "charges": charges,
        "curve": _curve(session, row, meter_id) if meter_id is not None else None,
        "live": live_states(session, [row.equipment_id], at=now)[row.equipment_id] if changing else None,
        "changing": changing,
    }


def _curve(session: Session, row: Reservation, meter_id: int) -> dict[str, Any]:
    return curve(
        session,
        meter_id=meter_id,
        within=row.during.padded(before=timedelta(minutes=10), after=timedelta(minutes=10)),
        reserved=row.during,
        points=200,
    )


def _move(reservation_id: int) -> None:
    visible(reservation_id, Permission.RESERVE)
    person_id, when = current_user.id, interval_in()

    def work(session: Session) -> None:
        now = clock.now()
        moved = move_reservation(session, reservation_id, when=when, by=person_id, at=now)
        hold_deposits(session, [moved], now)
        tell_changed(session, moved, by=person_id, at=now)

    in_transaction(work)
