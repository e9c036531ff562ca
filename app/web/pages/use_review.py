"""The operator's deeds on use: enter what no meter saw, accept what may be doubted, settle late changes."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from flask_login import current_user
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from app.booking.models import Reservation
from app.catalogue.models import Equipment
from app.identity.models import Organization
from app.identity.rules.permission import Permission
from app.kernel import clock
from app.kernel.db import db, in_transaction
from app.kernel.errors import InvalidInput, NotFound, Refusal
from app.kernel.interval import Interval
from app.web.access import bounds, requires
from app.web.errors import sentence, status_of
from app.web.formats import money
from app.web.forms import interval_in
from app.web.pages.usage import session_page, visible
from billing.adjusting import charge_late
from devices.entering import enter_use
from devices.models import LateChange
from devices.reviewing_use import resolve_late
from devices.reviewing_use import review as review_use

pages = Blueprint("use_review", __name__)
MOST_KWH = 1_000_000


@pages.get("/usage/new")
@requires(Permission.MANAGE_METERS)
def new() -> str:
    return _form()


@pages.post("/usage")
@requires(Permission.MANAGE_METERS)
def enter() -> Response | tuple[str, int]:
    person_id = current_user.id
    try:
        equipment_id, when, energy_mwh = _equipment(), interval_in(), _energy()
        reservation_id, organization_id = _number("reservation_id"), _organization()
        made = in_transaction(
            lambda session: enter_use(
                session,
                equipment_id=equipment_id,
                when=when,
                reservation_id=reservation_id,
                organization_id=organization_id,
                energy_mwh=energy_mwh,
                reason=request.form.get("reason", ""),
                by=person_id,
                at=clock.now(),
            )
        )
    except Refusal as refusal:
        return _form(refusal), status_of(refusal)
    flash(gettext("已录入使用记录 #%(number)s，复核通过后计费。", number=made))
    return redirect(url_for("usage.session", session_id=made))


@pages.post("/usage/<int:session_id>/review")
@requires(Permission.REVIEW_CHARGES)
def review(session_id: int) -> Response | tuple[str, int]:
    one, equipment = visible(session_id, Permission.REVIEW_CHARGES)
    person_id, accept = current_user.id, request.form.get("deed") == "accept"
    reason = request.form.get("reason", "")
    try:
        in_transaction(
            lambda session: review_use(session, session_id, accept=accept, reason=reason, by=person_id, at=clock.now())
        )
    except Refusal as refusal:
        return session_page(one, equipment, refusal), status_of(refusal)
    if accept:
        flash(gettext("已认可使用记录 #%(number)s，将按现有依据计费。", number=session_id))
        return redirect(url_for("usage.session", session_id=session_id))
    flash(gettext("已删除使用记录 #%(number)s。", number=session_id))
    return redirect(url_for("usage.list_usage", show="review"))


@pages.post("/usage/<int:session_id>/late/<int:late_id>")
@requires(Permission.REVIEW_CHARGES)
def resolve(session_id: int, late_id: int) -> Response | tuple[str, int]:
    one, equipment = visible(session_id, Permission.REVIEW_CHARGES)
    late = db.session.get(LateChange, late_id)
    if late is None or late.usage_session_id != session_id:
        raise NotFound("没有找到这一项，或您无权查看。")
    person_id, resolution = current_user.id, request.form.get("resolution", "").strip()
    on_top, told = request.form.get("deed") == "charge", late.proposal

    def work(session: Session) -> None:
        said = resolution
        if on_top:
            added = charge_late(
                session,
                session_id,
                was=_span(told["was"]),
                now=_span(told["would_be"]) if told["would_be"] else None,
                energy_mwh=told["would_be"]["energy_mwh"] if told["would_be"] else 0,
                by=person_id,
                at=clock.now(),
            )
            said = resolution or gettext("补计差额 %(amount)s，待审核。", amount=money(added))
        resolve_late(session, late_id, resolution=said, by=person_id, at=clock.now())

    try:
        in_transaction(work)
    except Refusal as refusal:
        return session_page(one, equipment, refusal), status_of(refusal)
    flash(gettext("已记录处理结果。"))
    return redirect(url_for("usage.session", session_id=session_id))


def _span(told: dict[str, Any]) -> Interval:
    return Interval(datetime.fromisoformat(told["starts_at"]), datetime.fromisoformat(told["ends_at"]))


def _form(refusal: Refusal | None = None) -> str:
    ids = bounds(Permission.MANAGE_METERS).platform_ids
    equipment = db.session.scalars(
        select(Equipment).where(Equipment.platform_id.in_(ids)).order_by(Equipment.platform_id, Equipment.code)
    ).all()
    errors = {refusal.field: sentence(refusal)} if refusal is not None and refusal.field else {}
    return render_template(
        "usage_new.html",
        equipment=equipment,
        organizations=_organizations(),
        told=request.values,
        errors=errors,
        refused=sentence(refusal) if refusal is not None and not errors else "",
    )


def _organizations() -> list[Organization]:
    """Firms that have reserved something on the operator's platforms."""
    reserved = (
        select(Reservation.organization_id)
        .join(Equipment)
        .where(Equipment.platform_id.in_(bounds(Permission.MANAGE_METERS).platform_ids))
    )
    return list(
        db.session.scalars(select(Organization).where(Organization.id.in_(reserved)).order_by(Organization.name))
    )


def _number(field: str) -> int | None:
    text = request.form.get(field, "").strip().removeprefix("#")
    if not text:
        return None
    if not text.isdecimal() or len(text) > 9:
        raise InvalidInput("请填写编号（数字）。", field=field)
    return int(text)


def _equipment() -> int:
    number = _number("equipment_id")
    equipment = None if number is None else db.session.get(Equipment, number)
    if equipment is None or not bounds(Permission.MANAGE_METERS).allows(platform_id=equipment.platform_id):
        raise InvalidInput("请选择设备。", field="equipment_id")
    return equipment.id


def _organization() -> int | None:
    number = _number("organization_id")
    if number is not None and number not in {one.id for one in _organizations()}:
        raise InvalidInput("请选择使用单位。", field="organization_id")
    return number


def _energy() -> int:
    """Kilowatt-hours as they were written, in whole milliwatt-hours."""
    try:
        energy_mwh = Decimal(request.form.get("energy_kwh", "").strip() or "0") * 1_000_000
    except InvalidOperation:
        energy_mwh = Decimal("NaN")
    if not energy_mwh.is_finite() or energy_mwh % 1 or abs(energy_mwh) > MOST_KWH * 1_000_000:
        raise InvalidInput("请填写电量（千瓦时），最多六位小数。", field="energy_kwh")
    return int(energy_mwh)
