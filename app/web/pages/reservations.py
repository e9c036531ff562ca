"""Book, look at, move and cancel reservations."""

from __future__ import annotations

import secrets
from datetime import datetime, time, timedelta
from typing import Any

from flask import Blueprint, flash, jsonify, redirect, render_template, request, url_for
from flask_babel import gettext
from flask_login import current_user
from sqlalchemy import ColumnElement, false, func, or_, select, true
from sqlalchemy.orm import Session, joinedload
from werkzeug.wrappers import Response

from app.booking.availability import nearest_free_slots
from app.booking.models import Reservation
from app.booking.qualifying import missing_requirements, requirements_of
from app.booking.reserving import cancel as cancel_reservation
from app.booking.reserving import move as move_reservation
from app.booking.reserving import reserve
from app.booking.rules.reservation import AGREED, GIVEN_UP, HOLDS_SLOT, NOT_BEGUN
from app.booking.telling import tell_changed
from app.catalogue.models import Equipment, Platform
from app.identity.models import Organization
from app.identity.rules.permission import Permission
from app.kernel import clock
from app.kernel.db import db, in_transaction
from app.kernel.errors import InvalidInput, NotFound, Refusal, SlotTaken
from app.kernel.interval import Interval
from app.web.access import Bounds, acting_organization, bounds, requires
from app.web.curves import curve
from app.web.errors import interval_json, sentence, status_of
from app.web.estimates import estimates
from app.web.exports import Column, download
from app.web.formats import said, span
from app.web.forms import day_in, interval_in
from app.web.paging import page_of, wanted_file
from app.web.words import state_of
from billing.statements import charges_of_sessions
from devices.usage import live_states, usage_of_reservations

pages = Blueprint("reservations", __name__)
USUAL_LENGTH = timedelta(hours=2)
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
    equipment = _equipment(request.args.get("equipment_id", type=int))
    when = _suggested(equipment)
    return _form(equipment, starts_at=_local(when.start), ends_at=_local(when.end), key=secrets.token_hex(16))


@pages.post("/reservations")
@requires(Permission.RESERVE)
def book() -> Response | tuple[str, int]:
    equipment = _equipment(request.form.get("equipment_id", type=int))
    organization_id = acting_organization(Permission.RESERVE)
    key = request.form.get("idempotency_key") or secrets.token_hex(16)
    purpose = request.form.get("purpose", "").strip()[:2000]
    person_id = current_user.id
    try:
        when = interval_in()
        reservation_id = in_transaction(
            lambda session: (
                reserve(
                    session,
                    equipment_id=equipment.id,
                    when=when,
                    organization_id=organization_id,
                    person_id=person_id,
                    at=clock.now(),
                    purpose=purpose,
                    idempotency_key=key,
                ).id
            )
        )
    except Refusal as refusal:
        again = _equipment(request.form.get("equipment_id", type=int))
        page = _form(
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
    equipment = _equipment(request.args.get("equipment_id", type=int))
    try:
        return render_template("estimate.html", **_estimate(equipment, interval_in()))
    except InvalidInput as refusal:
        return render_template("estimate.html", lines=[], refused=sentence(refusal))


@pages.get("/reservations/<int:reservation_id>")
@requires(Permission.SEE_RESERVATIONS)
def reservation(reservation_id: int) -> str:
    return _page(_visible(reservation_id, Permission.SEE_RESERVATIONS))


@pages.get("/reservations/<int:reservation_id>/use")
@requires(Permission.SEE_RESERVATIONS)
def use(reservation_id: int) -> str:
    """The part of the page that still changes; the page asks for it again while it may."""
    row = _visible(reservation_id, Permission.SEE_RESERVATIONS)
    return render_template("reservation_use.html", reservation=row, **_use(db.session(), row))


@pages.post("/reservations/<int:reservation_id>/move")
@requires(Permission.RESERVE)
def move(reservation_id: int) -> Response | tuple[str, int]:
    try:
        _move(reservation_id)
    except Refusal as refusal:
        return _page(_visible(reservation_id, Permission.RESERVE), refusal=refusal), status_of(refusal)
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
    _visible(reservation_id, Permission.RESERVE)
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
        return _page(_visible(reservation_id, Permission.RESERVE), refusal=refusal), status_of(refusal)
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


def _visible(reservation_id: int, permission: Permission) -> Reservation:
    row = db.session.get(
        Reservation, reservation_id, options=[joinedload(Reservation.equipment).joinedload(Equipment.platform)]
    )
    if row is None:
        raise NotFound("没有找到这一项，或您无权查看。")
    bounds(permission).insist(organization_id=row.organization_id, platform_id=row.equipment.platform_id)
    return row


def _equipment(equipment_id: int | None) -> Equipment:
    if equipment_id is None:
        first = db.session.scalar(select(Equipment).where(Equipment.bookable).order_by(Equipment.id).limit(1))
    else:
        first = db.session.get(Equipment, equipment_id)
    if first is None:
        raise NotFound("没有这台设备。")
    return first


def _local(at: datetime) -> str:
    return at.astimezone(clock.FACILITY_ZONE).strftime("%Y-%m-%dT%H:%M")


def _suggested(equipment: Equipment) -> Interval:
    """What the form begins with: what the address asks for, else the nearest free slot."""
    if request.args.get("starts_at"):
        return interval_in()
    now = clock.now()
    start = now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    if request.args.get("day"):
        start = datetime.combine(day_in("day"), time(9), tzinfo=clock.FACILITY_ZONE)
    wish = Interval(start, start + max(USUAL_LENGTH, timedelta(minutes=equipment.least_minutes)))
    free = nearest_free_slots(db.session(), equipment, wish, at=now)
    return free[0] if free else wish


def _form(
    equipment: Equipment,
    *,
    starts_at: str,
    ends_at: str,
    key: str,
    purpose: str = "",
    refusal: Refusal | None = None,
) -> str:
    options = db.session.execute(
        select(Equipment, Platform).join(Platform).where(Equipment.bookable).order_by(Platform.id, Equipment.code)
    ).all()
    alternatives = refusal.alternatives if isinstance(refusal, SlotTaken) else ()
    errors = {refusal.field: sentence(refusal)} if refusal is not None and refusal.field else {}
    told: dict[str, Any] = {"lines": []}
    try:
        begins, ends = (
            datetime.fromisoformat(text).replace(tzinfo=clock.FACILITY_ZONE) for text in (starts_at, ends_at)
        )
        told = _estimate(equipment, Interval(begins, ends))
    except ValueError:
        pass
    organizations = db.session.scalars(
        select(Organization)
        .where(Organization.id.in_(current_user.reach(Permission.RESERVE).organizations))
        .order_by(Organization.id)
    ).all()
    return render_template(
        "book.html",
        equipment=equipment,
        options=options,
        organizations=organizations,
        starts_at=starts_at,
        ends_at=ends_at,
        purpose=purpose,
        key=key,
        errors=errors,
        refused=sentence(refusal) if refusal is not None and not errors else "",
        alternatives=[(slot, secrets.token_hex(16)) for slot in alternatives],
        taken=isinstance(refusal, SlotTaken),
        wanted=requirements_of(db.session(), equipment.id),
        missing=missing_requirements(
            db.session(),
            equipment.id,
            organization_id=acting_organization(Permission.RESERVE),
            person_id=current_user.id,
            on=clock.local_date(clock.now()),
        ),
        **told,
    )


def _estimate(equipment: Equipment, when: Interval) -> dict[str, Any]:
    firm = acting_organization(Permission.RESERVE)
    told = estimates(db.session(), [(equipment, when)], organization_id=firm)[0]
    return {"lines": told.lines, "total": told.total}


def _page(row: Reservation, *, refusal: Refusal | None = None) -> str:
    limits = bounds(Permission.RESERVE)
    mine = limits.allows(organization_id=row.organization_id)
    coming = row.state in NOT_BEGUN and row.during.start > clock.now()
    return render_template(
        "reservation.html",
        reservation=row,
        may_change=mine and coming,
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
    return {
        "sessions": sessions,
        "charges": charges,
        "curve": _curve(session, row, sessions[0].meter_id) if sessions else None,
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
    _visible(reservation_id, Permission.RESERVE)
    person_id, when = current_user.id, interval_in()
    in_transaction(
        lambda session: tell_changed(
            session,
            move_reservation(session, reservation_id, when=when, by=person_id, at=clock.now()),
            by=person_id,
            at=clock.now(),
        )
    )
