"""A platform's timeline: what is booked, what the meters saw, and where nobody can book and why."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from flask import Blueprint, jsonify, render_template, request, url_for
from flask_babel import gettext
from flask_login import current_user
from werkzeug.wrappers import Response

from app.booking.models import Reservation
from app.booking.outlook import outlooks
from app.booking.rules.reservation import NOT_BEGUN, ReservationState
from app.booking.timeline import Hindrance, hindrances, shown_reservations
from app.catalogue.models import Equipment, Platform
from app.identity.rules.permission import Permission
from app.kernel import clock
from app.kernel.db import db
from app.kernel.errors import InvalidInput
from app.kernel.interval import Interval, local_days
from app.web.access import acting_organization, bounds, requires
from app.web.formats import said, span, watts
from app.web.forms import day_in, interval_in
from app.web.pages.platforms import platform_by
from app.web.paging import Page, page_of_list
from app.web.words import state_of
from devices.usage import live_states, usage_within

pages = Blueprint("calendar", __name__)
LONGEST_VIEW = timedelta(days=45)
VIEWS = {
    "day": "resourceTimelineDay",
    "week": "resourceTimelineWeek",
    "month": "resourceTimelineMonth",
    "list": "listWeek",
}
BAR_KINDS = {
    ReservationState.OFFERED: "pending",
    ReservationState.REQUESTED: "pending",
    ReservationState.BOOKED: "booked",
    ReservationState.IN_USE: "inuse",
    ReservationState.FINISHED: "finished",
    ReservationState.NO_SHOW: "noshow",
}


@pages.get("/platforms/<code>/calendar")
@requires(Permission.BROWSE)
def calendar(code: str) -> str:
    platform = platform_by(code)
    day = day_in("day", clock.local_date(clock.now()))
    may_book = current_user.is_authenticated and current_user.may(Permission.RESERVE)
    wanted = request.args.get("q", "").strip()
    page = _shown(platform, wanted)
    shown = page.rows
    settings = {
        "feed": url_for(".feed", code=code, q=wanted or None, page=page.number),
        "book": url_for("reservations.new") if may_book else None,
        "view": VIEWS.get(request.args.get("view", ""), VIEWS["day"]),
        "date": clock.local_midnight(day).isoformat(),
        "offset_minutes": 480,
        "scroll": "07:00:00",
        "step": "00:15:00",
        "resources": [
            {
                "id": str(equipment.id),
                "title": said(equipment, "name"),
                "extendedProps": {
                    "href": url_for("equipment.equipment", code=equipment.code),
                    "book": url_for("reservations.new", equipment_id=equipment.id, day=day.isoformat())
                    if may_book and equipment.bookable
                    else None,
                },
            }
            for equipment in shown
        ],
        "words": {
            "failed": gettext("没有保存，请稍后再试。"),
            "book": gettext("预约"),
            "past": gettext("开始时间已过去，请选择现在之后的时段。"),
            "elsewhere": gettext("在其他设备上找"),
            "wait": gettext("排候补"),
            "none": gettext("这段时间没有预约。"),
            "buttons": {
                "today": gettext("今天"),
                "prev": gettext("前"),
                "next": gettext("后"),
                VIEWS["day"]: gettext("日"),
                VIEWS["week"]: gettext("周"),
                VIEWS["month"]: gettext("月"),
                VIEWS["list"]: gettext("列表"),
            },
        },
        "find": url_for("finding.find"),
        "wait": url_for("waitlist.list_waiting") if may_book else None,
    }
    rows = shown_reservations(db.session(), [equipment.id for equipment in shown], local_days(day, 1))
    return render_template(
        "calendar.html",
        platform=platform,
        settings=settings,
        day=day,
        listed=_listed(shown, rows),
        may_book=may_book,
        page=page,
        q=wanted,
    )


@pages.get("/platforms/<code>/calendar.json")
@requires(Permission.BROWSE)
def feed(code: str) -> Response:
    """What is booked, what hinders and what the meters saw. Names only for who may know them."""
    platform, session, now = platform_by(code), db.session(), clock.now()
    within = interval_in("from", "to")
    if within.duration > LONGEST_VIEW:
        raise InvalidInput("一次最多查看 %(days)s 天。", field="to", days=LONGEST_VIEW.days)
    shown = _shown(platform, request.args.get("q", "").strip()).rows
    by_id = {equipment.id: equipment for equipment in shown}
    seen = [
        _reservation_bar(row, by_id[row.equipment_id], organization)
        for row, organization in shown_reservations(session, list(by_id), within)
    ]
    live: dict[str, dict[str, Any]] = {}
    if current_user.is_authenticated:
        seen += _usage_bars(platform, list(by_id), within)
        for equipment_id, state in live_states(session, list(by_id), at=now).items():
            told = state_of(state.word)
            power = "" if state.power_w is None or state.word == "silent" else f" {watts(state.power_w)}"
            live[str(equipment_id)] = {"word": f"{told.word}{power}", "tone": told.tone}
    firm = None
    if current_user.is_authenticated and current_user.may(Permission.RESERVE):
        firm = acting_organization(Permission.RESERVE)
    for outlook in outlooks(session, shown, within, at=now, customer=firm):
        for number, (when, why, reason) in enumerate(hindrances(outlook, within)):
            seen.append(_hatch(outlook.equipment.id, number, when, why, reason))
            if why is Hindrance.CLOSED and when.contains(now):
                live[str(outlook.equipment.id)] = {"word": gettext("停用"), "tone": "grey"}
    return jsonify(events=seen, live=live)


def _shown(platform: Platform, wanted: str) -> Page[Equipment]:
    """A page of the platform's machines, or of those whose name or code has what is searched for."""
    words = wanted.casefold()
    return page_of_list(
        [
            one
            for one in platform.equipment
            if not words
            or any(words in text.casefold() for text in (one.name_zh, one.name_en, one.code, one.kind_label))
        ]
    )


def _usage_bars(platform: Platform, equipment_ids: list[int], within: Interval) -> list[dict[str, Any]]:
    may_see = bounds(Permission.SEE_USAGE)
    return [
        _bar(f"u{usage.session_id}", usage.equipment_id, usage.when, title=gettext("电表记录"))
        | {
            "kind": "used" if usage.reservation_id else "unbooked",
            "href": url_for("usage.session", session_id=usage.session_id),
        }
        for usage in usage_within(db.session(), equipment_ids, within)
        if may_see.allows(organization_id=usage.organization_id, platform_id=platform.id)
    ]


def _reservation_bar(row: Reservation, equipment: Equipment, organization: str) -> dict[str, Any]:
    bar = _bar(f"r{row.id}", equipment.id, row.during, title=gettext("已占用")) | {"kind": "busy"}
    if bounds(Permission.SEE_RESERVATIONS).allows(
        organization_id=row.organization_id, platform_id=equipment.platform_id
    ):
        mine = bounds(Permission.RESERVE).allows(organization_id=row.organization_id)
        movable = mine and row.state in NOT_BEGUN and row.during.start > clock.now()
        over = row.state is ReservationState.BOOKED and row.during.end <= clock.now()
        bar |= {
            "title": f"{organization} · {state_of('over' if over else row.state).word}",
            "kind": BAR_KINDS[ReservationState.FINISHED if over else row.state],
            "href": url_for("reservations.reservation", reservation_id=row.id),
            "move": url_for("reservations.move_to", reservation_id=row.id) if movable else None,
        }
    return bar | {"label": f"{said(equipment, 'name')}，{span(row.during)}，{bar['title']}"}


def _hatch(equipment_id: int, number: int, when: Interval, why: Hindrance, reason: str) -> dict[str, Any]:
    sentences = {
        Hindrance.SHUT: gettext("该时段不在设备开放时间内，请选择开放时间内的时段。"),
        Hindrance.CLOSED: gettext("设备停用：%(reason)s", reason=reason),
        Hindrance.KEPT: gettext("该时段暂由设备所属单位自用，到期未使用即对外开放，请选择其他时段。"),
        Hindrance.TAKEN: gettext("该时段已被占用，或需留给前后预约做准备与清洁。"),
    }
    return _bar(f"h{equipment_id}-{number}", equipment_id, when, title=sentences[why]) | {
        "kind": "closed",
        "why": why.value,
        "display": "background",
    }


def _bar(name: str, equipment_id: int, when: Interval, *, title: str) -> dict[str, Any]:
    return {
        "id": name,
        "resourceIds": [str(equipment_id)],
        "start": when.start.isoformat(),
        "end": when.end.isoformat(),
        "title": title,
    }


def _listed(shown: Sequence[Equipment], rows: list[tuple[Reservation, str]]) -> list[tuple[Equipment, list[Any]]]:
    """The day as a list, for phones and for who has no script."""
    seen = bounds(Permission.SEE_RESERVATIONS)
    listed: dict[int, list[Any]] = {equipment.id: [] for equipment in shown}
    platform_of = {equipment.id: equipment.platform_id for equipment in shown}
    for row, name in rows:
        may_name = seen.allows(organization_id=row.organization_id, platform_id=platform_of[row.equipment_id])
        listed[row.equipment_id].append((row, name if may_name else ""))
    return [(equipment, listed[equipment.id]) for equipment in shown]
