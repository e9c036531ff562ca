"""What can be booked: platforms, one platform, and its timeline."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from flask import Blueprint, jsonify, render_template, request, url_for
from flask_babel import gettext
from flask_login import current_user
from sqlalchemy import func, or_, select
from sqlalchemy.orm import selectinload
from werkzeug.wrappers import Response

from app.booking.models import Reservation
from app.booking.rules.reservation import SHOWN
from app.catalogue.models import Equipment, Platform, RecognitionLevel
from app.identity.models import Organization
from app.identity.rules.permission import Permission
from app.kernel import clock
from app.kernel.db import db
from app.kernel.errors import InvalidInput, NotFound
from app.kernel.interval import Interval, local_days
from app.web.access import Bounds, bounds, requires
from app.web.formats import said, watts
from app.web.forms import day_in, interval_in
from app.web.words import state_of
from billing.tariffs import prices_of
from devices.usage import live_states, usage_within

pages = Blueprint("platforms", __name__)
LONGEST_VIEW = timedelta(days=45)


@pages.get("/platforms")
@requires(Permission.BROWSE)
def list_platforms() -> str:
    wanted = request.args.get("q", "").strip()
    field = request.args.get("field", "")
    query = select(Platform).options(selectinload(Platform.equipment), selectinload(Platform.recognitions))
    if wanted:
        like = f"%{wanted}%"
        of_equipment = select(Equipment.platform_id).where(
            or_(Equipment.name_zh.ilike(like), Equipment.name_en.ilike(like), Equipment.code.ilike(like))
        )
        query = query.where(
            or_(Platform.name_zh.ilike(like), Platform.name_en.ilike(like), Platform.id.in_(of_equipment))
        )
    if field:
        query = query.where(Platform.field == field)
    found = db.session.scalars(query.order_by(Platform.field, Platform.id)).all()
    fields = db.session.scalars(select(Platform.field).distinct().order_by(Platform.field)).all()
    return render_template(
        "platforms.html", platforms=found, fields=fields, q=wanted, field=field, certified=RecognitionLevel.QUANZHOU
    )


@pages.get("/platforms/<code>")
@requires(Permission.BROWSE)
def platform(code: str) -> str:
    one = platform_by(code)
    shown = [equipment.id for equipment in one.equipment]
    return render_template(
        "platform.html",
        platform=one,
        prices=prices_of(db.session(), shown, on=clock.local_date(clock.now())),
        live=live_states(db.session(), shown, at=clock.now()) if current_user.is_authenticated else {},
    )


@pages.get("/platforms/<code>/calendar")
@requires(Permission.BROWSE)
def calendar(code: str) -> str:
    one = platform_by(code)
    day = day_in("day", clock.local_date(clock.now()))
    may_book = current_user.is_authenticated and current_user.may(Permission.RESERVE)
    settings = {
        "feed": url_for(".feed", code=code),
        "book": url_for("reservations.new") if may_book else None,
        "view": "resourceTimelineDay" if request.args.get("view") != "week" else "resourceTimelineWeek",
        "date": clock.local_midnight(day).isoformat(),
        "offset_minutes": 480,
        "scroll": "07:00:00",
        "step": "00:15:00",
        "resources": [
            {
                "id": str(equipment.id),
                "title": said(equipment, "name"),
                "extendedProps": {"href": url_for("equipment.equipment", code=equipment.code)},
            }
            for equipment in one.equipment
        ],
        "words": {
            "failed": gettext("没有保存，请稍后再试。"),
            "buttons": {
                "today": gettext("今天"),
                "prev": gettext("前"),
                "next": gettext("后"),
                "resourceTimelineDay": gettext("日"),
                "resourceTimelineWeek": gettext("周"),
            },
        },
    }
    within = local_days(day, 1)
    rows = _reservations(one, within)
    return render_template(
        "calendar.html", platform=one, settings=settings, day=day, listed=_listed(one, rows), may_book=may_book
    )


@pages.get("/platforms/<code>/calendar.json")
@requires(Permission.BROWSE)
def feed(code: str) -> Response:
    """What is booked and what the meters saw. Names only for who may know them."""
    one = platform_by(code)
    within = interval_in("from", "to")
    if within.duration > LONGEST_VIEW:
        raise InvalidInput("一次最多查看 %(days)s 天。", field="to", days=LONGEST_VIEW.days)
    seen = [_reservation_bar(row, organization) for row, organization in _reservations(one, within)]
    equipment = [each.id for each in one.equipment]
    live: dict[str, dict[str, Any]] = {}
    if current_user.is_authenticated:
        may_see = bounds(Permission.SEE_USAGE)
        for usage in usage_within(db.session(), equipment, within):
            if may_see.allows(organization_id=usage.organization_id, platform_id=one.id):
                seen.append(
                    {
                        "id": f"u{usage.session_id}",
                        "resourceIds": [str(usage.equipment_id)],
                        "start": usage.when.start.isoformat(),
                        "end": usage.when.end.isoformat(),
                        "title": gettext("电表记录"),
                        "kind": "used" if usage.reservation_id else "unbooked",
                        "href": url_for("usage.session", session_id=usage.session_id),
                    }
                )
        for equipment_id, now in live_states(db.session(), equipment, at=clock.now()).items():
            shown = state_of(now.word)
            power = "" if now.power_w is None or now.word == "silent" else f" {watts(now.power_w)}"
            live[str(equipment_id)] = {"word": f"{shown.word}{power}", "tone": shown.tone}
    return jsonify(events=seen, live=live)


def platform_by(code: str) -> Platform:
    """Errors: ``NotFound``."""
    one = db.session.scalar(select(Platform).where(func.lower(Platform.code) == code.lower()))
    if one is None:
        raise NotFound("没有这个平台。")
    return one


def _reservations(platform: Platform, within: Interval) -> list[tuple[Reservation, str]]:
    rows = db.session.execute(
        select(Reservation, Organization.name)
        .join(Organization, Organization.id == Reservation.organization_id)
        .where(
            Reservation.equipment_id.in_([equipment.id for equipment in platform.equipment]),
            Reservation.state.in_(SHOWN),
            Reservation.during.op("&&")(within),
        )
        .order_by(Reservation.during)
    )
    return [(row[0], row[1]) for row in rows]


def _may_name(row: Reservation, platform_id: int) -> bool:
    return _seen().allows(organization_id=row.organization_id, platform_id=platform_id)


def _seen() -> Bounds:
    return bounds(Permission.SEE_RESERVATIONS)


def _reservation_bar(row: Reservation, organization: str) -> dict[str, Any]:
    bar: dict[str, Any] = {
        "id": f"r{row.id}",
        "resourceIds": [str(row.equipment_id)],
        "start": row.during.start.isoformat(),
        "end": row.during.end.isoformat(),
        "title": gettext("已占用"),
        "kind": "busy",
    }
    if _seen().allows(organization_id=row.organization_id, platform_id=row.equipment.platform_id):
        mine = bounds(Permission.RESERVE).allows(organization_id=row.organization_id)
        movable = mine and row.during.start > clock.now()
        bar |= {
            "title": organization,
            "kind": "mine" if mine else "booked",
            "href": url_for("reservations.reservation", reservation_id=row.id),
            "move": url_for("reservations.move_to", reservation_id=row.id) if movable else None,
        }
    return bar


def _listed(platform: Platform, rows: list[tuple[Reservation, str]]) -> list[tuple[Equipment, list[Any]]]:
    """The day as a list, for phones and for who has no script."""
    return [
        (
            equipment,
            [
                (row, name if _may_name(row, platform.id) else "")
                for row, name in rows
                if row.equipment_id == equipment.id
            ],
        )
        for equipment in platform.equipment
    ]
