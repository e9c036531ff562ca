"""How a piece of equipment may be booked: one page, each section a form of its own."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, TypeVar

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from flask_login import current_user
from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from app.booking.fitting import highest_unit_held, is_held, misfits
from app.booking.holding import lock_devices
from app.booking.qualifying import requirements_of
from app.catalogue import equipping, limiting
from app.catalogue.granting import ask_for
from app.catalogue.models import (
    Accessory,
    Approval,
    ClassTerms,
    Equipment,
    EquipmentKind,
    EquipmentPart,
    OwnUseWindow,
    Quota,
    Requirement,
)
from app.catalogue.rules.customer import CustomerClass
from app.catalogue.rules.hours import stretches_of, written
from app.catalogue.rules.words import Measure, Period
from app.identity.models import Membership, Organization
from app.identity.rules.permission import Permission, Role
from app.kernel import clock
from app.kernel.db import db, in_transaction
from app.kernel.errors import InvalidInput, NotFound, Refusal
from app.web.access import bounds, requires
from app.web.errors import sentence, status_of
from app.web.forms import day_in

pages = Blueprint("equipment_settings", __name__)
Word = TypeVar("Word", bound=StrEnum)
FIRMS = (
    select(Organization)
    .where(
        Organization.id.in_(
            select(Membership.organization_id).where(Membership.role.in_((Role.FIRM_MEMBER, Role.FIRM_MANAGER)))
        )
    )
    .order_by(Organization.name)
)
Section = Callable[[Session, Equipment, int, datetime], None]


@pages.get("/equipment/<code>/settings")
@requires(Permission.MANAGE_EQUIPMENT)
def settings(code: str) -> str:
    return _page(_mine(code))


@pages.post("/equipment/<code>/settings")
@requires(Permission.MANAGE_EQUIPMENT)
def save(code: str) -> Response | tuple[str, int]:
    """Saves the ``section`` that was sent; the devices are locked, so no booking comes between."""
    equipment_id, by = _mine(code).id, current_user.id
    section = request.form.get("section", "")
    try:
        if section not in SECTIONS:
            raise InvalidInput("请选择要保存的部分。", field="section")

        def work(session: Session) -> int:
            equipment, _ = lock_devices(session, equipment_id)
            SECTIONS[section](session, equipment, by, clock.now())
            return equipment.id

        in_transaction(work)
    except Refusal as refusal:
        return _page(_mine(code), refusal=refusal), status_of(refusal)
    flash(gettext("已保存。已有的预约不受影响。"))
    return redirect(url_for(".settings", code=code, _anchor=section))


def _general(session: Session, equipment: Equipment, by: int, at: datetime) -> None:
    changes = {
        "kind": _word(EquipmentKind, "kind"),
        "kind_label": _text("kind_label", 80),
        "location": _text("location", 300),
        "note": request.form.get("note", "").strip()[:2000],
        "bookable": "bookable" in request.form,
    }
    equipping.set_terms(session, equipment, changes, by=by, at=at)


def _devices(session: Session, equipment: Equipment, by: int, at: datetime) -> None:
    held = highest_unit_held(session, equipment.id, at=at)
    equipping.set_terms(session, equipment, {"units": _whole("units")}, by=by, at=at, units_held=held)
    equipping.set_devices(
        session,
        equipment,
        shares_id=request.form.get("shares_id", type=int),
        part_ids=request.form.getlist("parts", type=int),
        by=by,
        at=at,
        held=is_held(session, equipment.id, at=at),
    )


def _time(session: Session, equipment: Equipment, by: int, at: datetime) -> None:
    names = (*equipping.CLASS_LIMITS, "setup_minutes", "cleanup_minutes")
    changes: dict[str, Any] = {name: _whole(name) for name in names}
    changes["observes_holidays"] = "observes_holidays" in request.form
    equipping.set_terms(session, equipment, changes, by=by, at=at)


def _hours(session: Session, equipment: Equipment, by: int, at: datetime) -> None:
    chosen = request.form.get("customer_class", "")
    customer_class = _word(CustomerClass, "customer_class") if chosen else None
    equipping.set_hours(session, equipment, _week(), customer_class=customer_class, by=by, at=at)


def _class_terms(session: Session, equipment: Equipment, by: int, at: datetime) -> None:
    limits = {name: _whole(name) if request.form.get(name, "").strip() else None for name in equipping.CLASS_LIMITS}
    customer_class = _word(CustomerClass, "customer_class")
    equipping.set_class_terms(session, equipment, customer_class, limits, by=by, at=at)


def _own_use(session: Session, equipment: Equipment, by: int, at: datetime) -> None:
    equipping.keep_for_owner(
        session,
        equipment,
        _week(),
        first_day=day_in("first_day"),
        last_day=day_in("last_day") if request.form.get("last_day") else None,
        release_hours=_whole("release_hours"),
        by=by,
        at=at,
    )


def _quota(session: Session, equipment: Equipment, by: int, at: datetime) -> None:
    if dropped := request.form.get("drop", type=int):
        limiting.drop_quota(session, equipment, dropped, by=by, at=at)
        return
    try:
        limit = Decimal(request.form.get("limit", ""))
    except InvalidOperation:
        raise InvalidInput("请填写数量。", field="limit") from None
    chosen = request.form.get("customer_class", "")
    limiting.add_quota(
        session,
        equipment,
        measure=_word(Measure, "measure"),
        limit=limit,
        period=_word(Period, "period"),
        customer_class=_word(CustomerClass, "customer_class") if chosen else None,
        whole_platform="whole_platform" in request.form,
        organization_id=_firm(session),
        weekdays=request.form.getlist("weekdays", type=int),
        by=by,
        at=at,
    )


def _firm(session: Session) -> int | None:
    """The firm that the quota is for, if for one."""
    chosen = request.form.get("organization_id", "")
    if not chosen:
        return None
    known = {str(one.id): one.id for one in session.scalars(FIRMS)}
    if chosen not in known:
        raise InvalidInput("请从列表中选择。", field="organization_id")
    return known[chosen]


def _admission(session: Session, equipment: Equipment, by: int, at: datetime) -> None:
    changes: dict[str, Any] = {name: _whole(name) for name in ("approval_hours", "early_minutes", "offer_minutes")}
    changes |= {"approval": _word(Approval, "approval"), "check_in": "check_in" in request.form}
    equipping.set_terms(session, equipment, changes, by=by, at=at)
    ask_for(session, equipment.id, requirement_ids=request.form.getlist("requirements", type=int), by=by, at=at)


def _accessories(session: Session, equipment: Equipment, by: int, at: datetime) -> None:
    equipping.set_accessory(
        session,
        equipment,
        name_zh=request.form.get("accessory", "")[:300],
        name_en=request.form.get("accessory_en", "")[:300],
        stock=_whole("stock") if request.form.get("stock", "").strip() else None,
        by=by,
        at=at,
    )


SECTIONS: dict[str, Section] = {
    "general": _general,
    "devices": _devices,
    "time": _time,
    "hours": _hours,
    "class_terms": _class_terms,
    "own_use": _own_use,
    "quota": _quota,
    "admission": _admission,
    "accessories": _accessories,
}


def _mine(code: str) -> Equipment:
    row = db.session.scalar(select(Equipment).where(func.lower(Equipment.code) == code.lower()))
    if row is None:
        raise NotFound("没有找到这一项，或您无权查看。")
    bounds(Permission.MANAGE_EQUIPMENT).insist(platform_id=row.platform_id)
    return row


def _whole(name: str) -> int:
    text = request.form.get(name, "").strip()
    if not text.isdecimal() or len(text) > 7:
        raise InvalidInput("请填写整数。", field=name)
    return int(text)


def _text(name: str, longest: int) -> str:
    text = request.form.get(name, "").strip()
    if not text:
        raise InvalidInput("请填写这一项。", field=name)
    return text[:longest]


def _word(kind: type[Word], name: str) -> Word:
    try:
        return kind(request.form.get(name, ""))
    except ValueError:
        raise InvalidInput("请从列表中选择。", field=name) from None


def _week() -> list[tuple[int, int, int]]:
    return stretches_of({day: request.form.get(f"hours_{day}", "") for day in range(7)})


def _page(equipment: Equipment, *, refusal: Refusal | None = None) -> str:
    session, now = db.session(), clock.now()
    section = request.form.get("section", "") if refusal is not None else ""
    errors = {refusal.field: sentence(refusal)} if refusal is not None and refusal.field else {}
    hours = {
        chosen: written(
            (row.weekday, row.opens_minute, row.closes_minute)
            for row in equipment.opening_hours
            if row.customer_class is chosen
        )
        for chosen in (None, *CustomerClass)
    }
    windows = session.scalars(select(OwnUseWindow).where(OwnUseWindow.equipment_id == equipment.id)).all()
    others = session.scalars(
        select(Equipment)
        .where(Equipment.platform_id == equipment.platform_id, Equipment.id != equipment.id)
        .order_by(Equipment.code)
    ).all()
    return render_template(
        "equipment_settings.html",
        equipment=equipment,
        others=others,
        parts=set(session.scalars(select(EquipmentPart.part_id).where(EquipmentPart.whole_id == equipment.id))),
        hours=hours,
        class_terms={
            row.customer_class: row
            for row in session.scalars(select(ClassTerms).where(ClassTerms.equipment_id == equipment.id))
        },
        windows=windows,
        own_hours=written((row.weekday, row.opens_minute, row.closes_minute) for row in windows),
        quotas=session.scalars(
            select(Quota)
            .where(or_(Quota.equipment_id == equipment.id, Quota.platform_id == equipment.platform_id))
            .order_by(Quota.id)
        ).all(),
        firms={one.id: one.name for one in session.scalars(FIRMS)},
        chosen_days=request.form.getlist("weekdays", type=int) if section == "quota" else [],
        accessories=session.scalars(
            select(Accessory).where(Accessory.platform_id == equipment.platform_id).order_by(Accessory.id)
        ).all(),
        asked={one.id for one in requirements_of(session, equipment.id)},
        requirements=session.scalars(
            select(Requirement).where(Requirement.platform_id == equipment.platform_id).order_by(Requirement.id)
        ).all(),
        misfits=misfits(session, equipment, at=now),
        kinds=list(EquipmentKind),
        approvals=list(Approval),
        classes=list(CustomerClass),
        measures=list(Measure),
        periods=list(Period),
        section=section,
        told=request.form if refusal is not None else {},
        errors=errors,
        refused=sentence(refusal) if refusal is not None and not errors else "",
        today=clock.local_date(now),
    )
