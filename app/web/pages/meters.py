"""Meters: what they said last, as it came and as it was understood, and what could not be read or is disputed."""

from __future__ import annotations

from datetime import timedelta
from itertools import groupby
from typing import Any

import segno
from flask import Blueprint, render_template, request, send_file
from sqlalchemy import Row, false, func, or_, select, true
from sqlalchemy.orm import joinedload
from werkzeug.wrappers import Response

from app.catalogue.models import Equipment
from app.identity.rules.permission import Permission
from app.kernel import clock
from app.kernel.db import db
from app.kernel.errors import NotFound, Refusal
from app.web.access import bounds, requires
from app.web.broker_place import authority_file, broker_place, hears_this_machine_only, is_embedded
from app.web.errors import sentence
from app.web.pages.usage import readable
from app.web.paging import page_of
from devices.models import DeadLetter, DeviceKey, DisputedReading, Meter
from devices.registering import CANNOT_SWITCH
from devices.rules.advice import advice_for
from devices.rules.evidence import Dialect
from devices.rules.power import FailSafe
from devices.rules.setup import HIDDEN, setup_notes, setup_text
from devices.rules.topic import shard_of, topic_of
from devices.usage import latest_readings, live_states

pages = Blueprint("meters", __name__)
LOOKED_BACK = timedelta(days=7)
READINGS, MESSAGES = 200, 10
"""The most that a page shows."""


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
        advice_for=advice_for,
        readable=readable,
        may_manage=bool(bounds(Permission.MANAGE_METERS).platform_ids),
        stray=_stray() if limits.everything else [],
    )


@pages.get("/meters/<code>")
@requires(Permission.SEE_METERS)
def meter(code: str) -> str:
    return meter_page(visible_meter(code, Permission.SEE_METERS))


@pages.get("/mqtt-ca.crt")
@requires(Permission.BROWSE)
def authority() -> Response:
    """The certificate that devices check the broker's by. Public: it is no secret, and a plug does not sign in."""
    path = authority_file()
    if path is None:
        raise NotFound("MQTT 服务没有使用自己的证书。")
    return send_file(path, mimetype="application/x-x509-ca-cert", as_attachment=True, download_name="mqtt-ca.crt")


def visible_meter(code: str, permission: Permission) -> Meter:
    one = db.session.scalar(select(Meter).where(func.lower(Meter.code) == code.lower()))
    if one is None:
        raise NotFound("没有找到这一项，或您无权查看。")
    bounds(permission).insist(platform_id=one.equipment.platform_id)
    return one


def meter_page(one: Meter, *, password: str = "", refusal: Refusal | None = None) -> str:
    """``password`` is shown this once; ``refusal`` is of the settings that were sent."""
    session, now = db.session(), clock.now()
    speaker, place = one.carrier or one, broker_place()
    text = setup_text(one.dialect, place, code=speaker.code, password=password or HIDDEN)
    errors = {refusal.field: sentence(refusal)} if refusal is not None and refusal.field else {}
    return render_template(
        "meter.html",
        meter=one,
        speaker=speaker,
        carried=session.scalars(select(Meter).where(Meter.carrier_id == one.id).order_by(Meter.channel)).all(),
        profile=one.profiles[-1] if one.profiles else None,
        live=live_states(session, [one.equipment_id], at=now)[one.equipment_id],
        heard=_messages(latest_readings(session, one.id, since=now - LOOKED_BACK, limit=READINGS)),
        keys=dict(session.execute(select(DeviceKey.id, DeviceKey.name).where(DeviceKey.meter_id == speaker.id)).all()),
        readable=readable,
        unreadable=_unread(one.id),
        advice_for=advice_for,
        disputes=session.scalars(
            select(DisputedReading)
            .where(DisputedReading.meter_id == one.id)
            .order_by(DisputedReading.id.desc())
            .limit(20)
        ).all(),
        password=password,
        setup=text,
        qr=segno.make(text, error="l").svg_inline(scale=4, border=4, light="#fff", omitsize=True, svgclass="qr")
        if password
        else "",
        notes=setup_notes(one.dialect),
        place=place,
        embedded=is_embedded(),
        only_here=hears_this_machine_only(),
        topic=f"spBv1.0/ps{shard_of(speaker.code)}/+/{speaker.code}/#"
        if one.dialect is Dialect.SPARKPLUG
        else topic_of(speaker.code, "#"),
        may_manage=bounds(Permission.MANAGE_METERS).allows(platform_id=one.equipment.platform_id),
        carriers=carriers_for(one.equipment.platform_id, one.dialect, but=one.id),
        may_switch=one.dialect not in CANNOT_SWITCH,
        native=Dialect.NATIVE,
        fail_safes=list(FailSafe),
        told=request.form if refusal is not None else None,
        errors=errors,
        refused=sentence(refusal) if refusal is not None and not errors else "",
    )


def carriers_for(platform_id: int, dialect: Dialect, *, but: int) -> list[Meter]:
    """The meters with a connection of their own that another one of the platform may speak through."""
    if dialect is Dialect.NATIVE:
        return []
    return list(
        db.session.scalars(
            select(Meter)
            .join(Equipment)
            .where(
                Equipment.platform_id == platform_id,
                Meter.dialect == dialect,
                Meter.carrier_id.is_(None),
                Meter.id != but,
            )
            .order_by(Meter.code)
        )
    )


def _messages(said: list[Row[Any]]) -> list[list[Row[Any]]]:
    """The last messages, newest first, each with its readings."""
    by_message = groupby(sorted(said, key=lambda row: -row.message_id), key=lambda row: row.message_id)
    return [list(rows) for _, rows in by_message][:MESSAGES]


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
