"""Meters: what they said last, what could not be read or is disputed, and their credentials."""

from __future__ import annotations

from datetime import timedelta

from flask import Blueprint, current_app, render_template, request
from flask_login import current_user
from sqlalchemy import false, func, or_, select, true
from sqlalchemy.orm import Session, joinedload

from app.catalogue.models import Equipment
from app.identity.rules.permission import Permission
from app.kernel import audit, clock
from app.kernel.db import db, in_transaction
from app.kernel.errors import NotFound
from app.kernel.secrets import key_for
from app.web.access import bounds, requires
from app.web.pages.usage import readable
from app.web.paging import page_of
from devices.broker import meter_password
from devices.models import DeadLetter, DisputedReading, Meter
from devices.rules.topic import topic_of
from devices.usage import latest_readings, live_states

pages = Blueprint("meters", __name__)
LOOKED_BACK = timedelta(days=7)


@pages.get("/meters")
@requires(Permission.SEE_METERS)
def list_meters() -> str:
    limits = bounds(Permission.SEE_METERS)
    wanted = request.args.get("q", "").strip()
    query = (
        select(Meter)
        .join(Equipment)
        .where(true() if limits.everything else Equipment.platform_id.in_(limits.platform_ids))
        .options(joinedload(Meter.equipment).joinedload(Equipment.platform))
        .order_by(Equipment.platform_id, Meter.code)
    )
    if wanted:
        like = f"%{wanted}%"
        query = query.where(or_(Meter.code.ilike(like), Equipment.name_zh.ilike(like), Equipment.name_en.ilike(like)))
    page = page_of(db.session(), query, size=100)
    live = live_states(db.session(), [meter.equipment_id for meter in page.rows], at=clock.now())
    return render_template(
        "meters.html",
        page=page,
        live=live,
        q=wanted,
        unreadable=_unread(None),
        stray=_stray() if limits.everything else [],
    )


@pages.get("/meters/<code>")
@requires(Permission.SEE_METERS)
def meter(code: str) -> str:
    return _page(_visible(code, Permission.SEE_METERS))


@pages.post("/meters/<code>/credentials")
@requires(Permission.MANAGE_METERS)
def credentials(code: str) -> str:
    """A new password, shown this once; the one before stops working."""
    one = _visible(code, Permission.MANAGE_METERS)
    person_id, meter_id = current_user.id, one.id

    def renew(session: Session) -> int:
        row = session.get_one(Meter, meter_id, with_for_update=True)
        row.credential_version += 1
        audit.record(
            session,
            at=clock.now(),
            by=person_id,
            deed="renewed_credentials",
            subject="meter",
            subject_id=meter_id,
            version=row.credential_version,
        )
        return row.credential_version

    version = in_transaction(renew)
    key = key_for("meters", master=current_app.config["MASTER_KEY"])
    return _page(_visible(code, Permission.MANAGE_METERS), password=meter_password(key, one.code, version))


def _visible(code: str, permission: Permission) -> Meter:
    one = db.session.scalar(select(Meter).where(func.lower(Meter.code) == code.lower()))
    if one is None:
        raise NotFound("没有找到这一项，或您无权查看。")
    bounds(permission).insist(platform_id=one.equipment.platform_id)
    return one


def _page(one: Meter, *, password: str = "") -> str:
    session, now = db.session(), clock.now()
    return render_template(
        "meter.html",
        meter=one,
        profile=one.profiles[-1] if one.profiles else None,
        live=live_states(session, [one.equipment_id], at=now)[one.equipment_id],
        said=latest_readings(session, one.id, since=now - LOOKED_BACK, limit=10),
        readable=readable,
        unreadable=_unread(one.id),
        disputes=session.scalars(
            select(DisputedReading)
            .where(DisputedReading.meter_id == one.id)
            .order_by(DisputedReading.id.desc())
            .limit(20)
        ).all(),
        password=password,
        topic=topic_of(one.code, "#"),
        may_manage=bounds(Permission.MANAGE_METERS).allows(platform_id=one.equipment.platform_id),
    )


def _unread(meter_id: int | None) -> list[DeadLetter]:
    """What could not be read: of one meter, or of every meter that the actor may see."""
    limits = bounds(Permission.SEE_METERS)
    query = select(DeadLetter).order_by(DeadLetter.id.desc()).limit(20)
    if meter_id is not None:
        return list(db.session.scalars(query.where(DeadLetter.meter_id == meter_id)))
    seen = select(Meter.id).join(Equipment).where(or_(false(), Equipment.platform_id.in_(limits.platform_ids)))
    return list(db.session.scalars(query if limits.everything else query.where(DeadLetter.meter_id.in_(seen))))


def _stray() -> list[DeadLetter]:
    """Messages of devices that nobody registered."""
    return list(
        db.session.scalars(
            select(DeadLetter).where(DeadLetter.meter_id.is_(None)).order_by(DeadLetter.id.desc()).limit(20)
        )
    )
