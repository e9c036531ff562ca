"""Usage sessions: what the meter saw, what it cost, and the readings that say so."""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from flask import Blueprint, render_template, request
from flask_babel import gettext
from sqlalchemy import ColumnElement, false, func, or_, select, true
from sqlalchemy.orm import joinedload
from werkzeug.wrappers import Response

from app.booking.slots import reservations_by_id
from app.catalogue.models import Equipment
from app.identity.models import Organization
from app.identity.rules.permission import Permission
from app.kernel import clock
from app.kernel.db import db
from app.kernel.errors import NotFound, Refusal
from app.kernel.interval import Interval, local_month
from app.web.access import Bounds, bounds, requires
from app.web.curves import curve
from app.web.errors import sentence
from app.web.exports import Column, download
from app.web.formats import said
from app.web.forms import month_in
from app.web.paging import Page, page_of, wanted_file
from app.web.river import evidence_path
from app.web.words import problem_sentence, state_of, word_of
from billing.statements import charges_of_sessions, settlement_of_session
from devices.models import LateChange, UsageSession
from devices.rules.evidence import Flag
from devices.rules.usage import Usage
from devices.usage import meter, raw_message, readings_of, usage, waits_for_review

pages = Blueprint("usage", __name__)
READINGS_A_PAGE = 200
AROUND = timedelta(minutes=15)


@pages.get("/usage")
@requires(Permission.SEE_USAGE)
def list_usage() -> Response | str:
    month = month_in("month", clock.local_date(clock.now()))
    span = local_month(month.year, month.month)
    wanted = request.args.get("q", "").strip()
    visible = (
        select(UsageSession)
        .join(Equipment)
        .outerjoin(Organization, Organization.id == UsageSession.organization_id)
        .where(within_bounds(bounds(Permission.SEE_USAGE)))
        .options(joinedload(UsageSession.equipment))
        .order_by(UsageSession.started_at.desc())
    )
    in_doubt = visible.where(waits_for_review())
    in_month = visible.where(UsageSession.started_at >= span.start, UsageSession.started_at < span.end)
    shown = "review" if request.args.get("show") == "review" else "month"
    query = in_doubt if shown == "review" else in_month
    if wanted:
        like = f"%{wanted}%"
        query = query.where(
            or_(Equipment.name_zh.ilike(like), Equipment.name_en.ilike(like), Organization.name.ilike(like))
        )
    if form := wanted_file():
        firms = names_of(None)
        columns: list[Column[UsageSession]] = [
            Column(gettext("设备"), lambda one: said(one.equipment, "name")),
            Column(gettext("编号"), lambda one: one.id, "number"),
            Column(gettext("单位"), lambda one: firms.get(one.organization_id, "")),
            Column(gettext("开始"), lambda one: one.started_at, "time"),
            Column(gettext("结束"), lambda one: one.ended_at, "time"),
            Column(gettext("运行小时"), lambda one: timedelta(seconds=one.running_s), "hours"),
            Column(gettext("电量 kWh"), lambda one: Decimal(one.energy_mwh) / 1_000_000, "number"),
            Column(gettext("计量依据"), lambda one: state_of(one.evidence).word),
            Column(gettext("提示"), lambda one: "；".join(str(word_of(Flag(flag))) for flag in one.flags)),
        ]
        return download(
            f"usage-{month:%Y-%m}",
            columns,
            db.session.scalars(query),
            form=form,
            is_sample=lambda one: one.equipment.illustrative,
        )
    page = page_of(db.session(), query)
    names = names_of({one.organization_id for one in page.rows})
    return render_template(
        "usage_list.html",
        page=page,
        names=names,
        month=month,
        q=wanted,
        show=shown,
        in_doubt=db.session.scalar(select(func.count()).select_from(in_doubt.order_by(None).subquery())),
        flag=Flag,
    )


@pages.get("/usage/<int:session_id>")
@requires(Permission.SEE_USAGE)
def session(session_id: int) -> str:
    return session_page(*visible(session_id, Permission.SEE_USAGE))


def session_page(one: Usage, equipment: Equipment, refusal: Refusal | None = None) -> str:
    """One session with all that is known of it; after a refused deed with its reason."""
    database, session_id = db.session(), one.session_id
    reservation = (
        reservations_by_id(database, [one.reservation_id]).get(one.reservation_id) if one.reservation_id else None
    )
    charges = charges_of_sessions(database, [session_id]).get(session_id, [])
    settlement = settlement_of_session(database, session_id)
    spans = [one.when] if reservation is None else [one.when, reservation.during]
    window = Interval(min(span.start for span in spans), max(span.end for span in spans)).padded(
        before=AROUND, after=AROUND
    )
    return render_template(
        "usage.html",
        usage=one,
        equipment=equipment,
        reservation=reservation,
        organization=names_of({one.organization_id}).get(one.organization_id),
        charges=charges,
        problem=problem_sentence(settlement.reason) if settlement and settlement.reason else "",
        late=[
            (change, _told(change.proposal["was"]), _told(change.proposal["would_be"]))
            for change in database.scalars(
                select(LateChange).where(LateChange.usage_session_id == session_id).order_by(LateChange.noted_at)
            )
        ],
        errors={refusal.field: sentence(refusal)} if refusal is not None and refusal.field else {},
        refused=sentence(refusal) if refusal is not None and not refusal.field else "",
        curve=one.meter_id
        and curve(database, meter_id=one.meter_id, within=window, reserved=reservation.during if reservation else None),
        meter=one.meter_id and meter(database, one.meter_id),
        river=evidence_path(database, "usage", usage_id=session_id),
    )


@pages.get("/usage/<int:session_id>/readings")
@requires(Permission.SEE_READINGS)
def readings(session_id: int) -> str:
    one, equipment = visible(session_id, Permission.SEE_READINGS)
    number = max(1, request.args.get("page", 1, type=int))
    rows = readings_of(db.session(), one, limit=READINGS_A_PAGE, offset=(number - 1) * READINGS_A_PAGE)
    return render_template(
        "readings.html",
        usage=one,
        equipment=equipment,
        page=Page(rows, number, one.readings_count, READINGS_A_PAGE),
        river=evidence_path(db.session(), "readings", usage_id=session_id),
    )


@pages.get("/usage/<int:session_id>/messages/<int(max=9223372036854775807):message_id>")
@requires(Permission.SEE_READINGS)
def message(session_id: int, message_id: int) -> str:
    """One reading's message: as received and as understood."""
    one, equipment = visible(session_id, Permission.SEE_READINGS)
    try:
        received_at = datetime.fromisoformat(request.args.get("received_at", ""))
    except ValueError:
        raise NotFound("没有这条报文。") from None
    if received_at.tzinfo is None:
        raise NotFound("没有这条报文。")
    found = raw_message(db.session(), message_id, received_at)
    if found is None or found.meter_id != one.meter_id:
        raise NotFound("没有这条报文。")
    understood = [row for row in readings_of(db.session(), one, limit=100_000) if row.message_id == message_id]
    return render_template(
        "message.html",
        usage=one,
        equipment=equipment,
        message=found,
        payload=readable(bytes(found.payload)),
        understood=understood,
        river=evidence_path(db.session(), "readings", usage_id=session_id),
    )


def _told(facts: dict[str, Any] | None) -> tuple[Interval, int] | None:
    """When and how many milliwatt-hours a late change speaks of; nothing if there would be no session."""
    if facts is None:
        return None
    return (
        Interval(datetime.fromisoformat(facts["starts_at"]), datetime.fromisoformat(facts["ends_at"])),
        facts["energy_mwh"],
    )


def readable(payload: bytes) -> str:
    """A payload for human eyes: JSON laid out, other text as it is, anything else in hexadecimal."""
    try:
        text = payload.decode()
    except UnicodeDecodeError:
        return payload.hex(" ")
    try:
        return json.dumps(json.loads(text), ensure_ascii=False, indent=2)
    except ValueError:
        return text


def names_of(organization_ids: Collection[int | None] | None) -> dict[int | None, str]:
    """The names of these organizations, or of all."""
    query = select(Organization.id, Organization.name)
    if organization_ids is not None:
        query = query.where(Organization.id.in_([one for one in organization_ids if one]))
    return {row.id: row.name for row in db.session.execute(query)}


def within_bounds(limits: Bounds) -> ColumnElement[bool]:
    """Sessions that may be seen, as a condition on session and equipment."""
    if limits.everything:
        return true()
    return or_(
        false(),
        UsageSession.organization_id.in_(limits.organization_ids),
        Equipment.platform_id.in_(limits.platform_ids),
    )


def visible(session_id: int, permission: Permission) -> tuple[Usage, Equipment]:
    one = usage(db.session(), session_id)
    if one is None:
        raise NotFound("没有找到这一项，或您无权查看。")
    equipment = db.session.get_one(Equipment, one.equipment_id)
    bounds(permission).insist(organization_id=one.organization_id, platform_id=equipment.platform_id)
    return one, equipment
