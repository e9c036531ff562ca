"""The form that books one slot: what it begins with, what it says when it is refused, what it would cost."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime, time, timedelta
from typing import Any

from flask import render_template, request
from flask_login import current_user
from sqlalchemy import select

from app.booking.availability import nearest_free_slots
from app.booking.qualifying import missing_requirements, requirements_of
from app.catalogue.models import Accessory, Equipment, Platform
from app.identity.models import Organization
from app.identity.rules.permission import Permission
from app.kernel import clock
from app.kernel.db import db
from app.kernel.errors import InvalidInput, NotFound, Refusal, SlotTaken
from app.kernel.interval import Interval
from app.web.access import acting_organization
from app.web.errors import sentence
from app.web.estimates import estimates
from app.web.forms import day_in, interval_in

USUAL_LENGTH = timedelta(hours=2)


def equipment_named(equipment_id: int | None) -> Equipment:
    if equipment_id is None:
        first = db.session.scalar(select(Equipment).where(Equipment.bookable).order_by(Equipment.id).limit(1))
    else:
        first = db.session.get(Equipment, equipment_id)
    if first is None:
        raise NotFound("没有这台设备。")
    return first


def suggested(equipment: Equipment) -> Interval:
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


def booking_form(
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
        told = estimate_of(equipment, Interval(begins, ends))
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
        accessories=accessories_of(equipment),
        **told,
    )


def accessories_in() -> dict[int, int]:
    """How many of which accessory the form asks for. Errors: ``InvalidInput``."""
    wanted = {}
    for name, text in request.values.items():
        number = name.removeprefix("accessory_")
        if number == name or not number.isdecimal() or text.strip() in ("", "0"):
            continue
        if not text.strip().isdecimal():
            raise InvalidInput("附件数量须为整数。", field="accessories")
        wanted[int(number)] = int(text)
    return wanted


def accessories_of(equipment: Equipment) -> Sequence[Accessory]:
    """What can be taken along."""
    return db.session.scalars(
        select(Accessory).where(Accessory.platform_id == equipment.platform_id).order_by(Accessory.id)
    ).all()


def estimate_of(equipment: Equipment, when: Interval) -> dict[str, Any]:
    firm = acting_organization(Permission.RESERVE)
    told = estimates(db.session(), [(equipment, when)], organization_id=firm)[0]
    return {"lines": told.lines, "total": told.total}
