"""At the machine: check in by its QR code, finish, extend, and the screen beside it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import segno
from flask import Blueprint, current_app, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from flask_login import current_user
from itsdangerous import BadSignature, URLSafeSerializer
from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from app.booking.availability import bookable_stretches
from app.booking.models import Occupancy, Reservation
from app.booking.rules.request import MINUTE, next_on_grid
from app.booking.rules.reservation import ReservationState
from app.booking.terms import closed_times, terms_of
from app.booking.using import check_in, check_in_window, extend, finish
from app.catalogue.equipping import renew_screen
from app.catalogue.models import Equipment
from app.identity.rules.permission import Permission
from app.kernel import clock
from app.kernel.db import db, in_transaction
from app.kernel.errors import InvalidInput, NotFound, Refusal
from app.kernel.interval import Interval, local_days
from app.kernel.secrets import key_for
from app.web.access import bounds, requires
from app.web.errors import sentence, status_of
from app.web.forms import moment_in, safe_next
from app.web.pages.power import power_at
from devices.usage import live_states

pages = Blueprint("check_in", __name__)
RUNNING = (ReservationState.BOOKED, ReservationState.IN_USE)
MOMENT = timedelta(microseconds=1)
AHEAD = timedelta(days=7)
LONGER = (15, 30, 60)
"""Minutes that are one tap away."""


@pages.get("/check-in/<code>")
@requires(Permission.CHECK_IN)
def machine(code: str) -> str:
    """What the code on the machine opens: my reservation of now or next, or until when it is free."""
    return _machine(_equipment(code))


@pages.get("/check-in/<code>/power")
@requires(Permission.CHECK_IN)
def power(code: str) -> str:
    """The part of the page that follows the relay until it is on."""
    one = _equipment(code)
    return render_template("power_part.html", equipment=one, power=power_at(one))


@pages.post("/reservations/<int:reservation_id>/check-in")
@requires(Permission.CHECK_IN)
def begin(reservation_id: int) -> Response | tuple[str, int]:
    return _done(
        reservation_id,
        lambda session, person_id: check_in(session, reservation_id, by=person_id, at=clock.now()),
        gettext("已签到，可以开始使用。"),
    )


@pages.post("/reservations/<int:reservation_id>/finish")
@requires(Permission.CHECK_IN)
def end(reservation_id: int) -> Response | tuple[str, int]:
    return _done(
        reservation_id,
        lambda session, person_id: finish(session, reservation_id, by=person_id, at=clock.now()),
        gettext("已结束使用，剩余时段已释放。"),
    )


@pages.post("/reservations/<int:reservation_id>/extend")
@requires(Permission.CHECK_IN)
def prolong(reservation_id: int) -> Response | tuple[str, int]:
    """By ``minutes``, one of those that are offered, or until ``ends_at``."""
    row = _visible(reservation_id)
    by_operator = bounds(Permission.CHECK_IN).allows(platform_id=row.equipment.platform_id)
    minutes, before = request.form.get("minutes", type=int), row.during.end

    def longer(session: Session, person_id: int) -> Reservation:
        if minutes is not None and minutes not in LONGER:
            raise InvalidInput("请选择延长的时间。", field="ends_at")
        until = moment_in("ends_at") if minutes is None else before + timedelta(minutes=minutes)
        return extend(session, reservation_id, until=until, by=person_id, at=clock.now(), by_operator=by_operator)

    return _done(reservation_id, longer, gettext("已延长。"))


@pages.get("/equipment/<code>/qr")
@requires(Permission.MANAGE_EQUIPMENT)
def sign(code: str) -> str:
    """To print and put on the machine."""
    one = _equipment(code)
    bounds(Permission.MANAGE_EQUIPMENT).insist(platform_id=one.platform_id)
    screen = url_for(".kiosk", code=one.code, token=kiosk_token(one), _external=True)
    return render_template("qr.html", equipment=one, qr=_qr(one), address=_address(one), screen=screen)


@pages.post("/equipment/<code>/screen")
@requires(Permission.MANAGE_EQUIPMENT)
def renew(code: str) -> Response:
    """A new address for the screen: whoever has the old one sees nothing from now on."""
    one = _equipment(code)
    bounds(Permission.MANAGE_EQUIPMENT).insist(platform_id=one.platform_id)
    equipment_id, by = one.id, current_user.id
    in_transaction(lambda session: renew_screen(session, equipment_id, by=by, at=clock.now()).id)
    flash(gettext("已换发屏幕地址，旧地址已失效。请在平板上打开新地址。"))
    return redirect(url_for(".sign", code=one.code))


@pages.get("/kiosk/<code>")
@requires(Permission.BROWSE)
def kiosk(code: str) -> str:
    """The screen beside the machine, without anybody's name. Whoever has the operator's signed address sees it."""
    one = _equipment(code)
    try:
        known = _signer().loads(request.args.get("token", ""))
    except BadSignature:
        known = None
    if known != [one.code, one.screen_version]:
        raise NotFound("没有这个页面。")
    now = clock.now()
    today = local_days(clock.local_date(now), 1)
    rows = db.session.scalars(
        select(Reservation)
        .join(Occupancy, Occupancy.reservation_id == Reservation.id)
        .where(
            Occupancy.equipment_id == (one.shares_id or one.id),
            Reservation.during.op("&&")(today),
            func.upper(Reservation.during) > now,
        )
        .order_by(func.lower(Reservation.during))
    ).all()
    return render_template(
        "kiosk.html", equipment=one, qr=_qr(one), rows=rows, booked=ReservationState.BOOKED, **_now(one)
    )


def kiosk_token(one: Equipment) -> str:
    """What the screen's address is signed with. It tells nothing and opens one screen, until that is renewed."""
    signed: str | bytes = _signer().dumps([one.code, one.screen_version])
    return signed if isinstance(signed, str) else signed.decode()


def _signer() -> URLSafeSerializer:
    return URLSafeSerializer(key_for("kiosk", master=current_app.config["MASTER_KEY"]), salt="kiosk")


def _done(reservation_id: int, work: Callable[[Session, int], Reservation], said: str) -> Response | tuple[str, int]:
    _visible(reservation_id)
    person_id = current_user.id
    try:
        in_transaction(lambda session: work(session, person_id).id)
    except Refusal as refusal:
        return _machine(_visible(reservation_id).equipment, refusal=refusal), status_of(refusal)
    flash(said)
    return redirect(safe_next(url_for("reservations.reservation", reservation_id=reservation_id)))


def _machine(one: Equipment, *, refusal: Refusal | None = None) -> str:
    now, session = clock.now(), db.session()
    mine = _mine(one)
    return render_template(
        "check_in.html",
        equipment=one,
        mine=mine,
        power=power_at(one),
        window=None if mine is None else check_in_window(session, mine),
        longer=LONGER,
        refused="" if refusal is None else sentence(refusal),
        free=_free_from_now(one) if mine is None or mine.during.start > now else None,
        **_now(one),
    )


def _mine(one: Equipment) -> Reservation | None:
    """The first that is not over or that nobody has ended, of those that the reader may check in."""
    limits, now = bounds(Permission.CHECK_IN), clock.now()
    rows = db.session.scalars(
        select(Reservation)
        .where(
            Reservation.equipment_id == one.id,
            Reservation.state.in_(RUNNING),
            or_(Reservation.during.op("&&")(Interval(now, now + AHEAD)), Reservation.state == ReservationState.IN_USE),
        )
        .order_by(func.lower(Reservation.during))
    )
    return next(
        (row for row in rows if limits.allows(organization_id=row.organization_id, platform_id=one.platform_id)), None
    )


def _now(one: Equipment) -> dict[str, Any]:
    """How the machine is at this moment, for everybody."""
    now, session = clock.now(), db.session()
    states = session.scalars(
        select(Reservation.state)
        .join(Occupancy, Occupancy.reservation_id == Reservation.id)
        .where(
            Occupancy.equipment_id == (one.shares_id or one.id),
            Occupancy.blocked.op("&&")(Interval(now, now + MOMENT)),
            Reservation.state.in_(RUNNING),
        )
    ).all()
    closed = bool(closed_times(session, one, Interval(now, now + MINUTE))) or not one.bookable
    if closed:
        word: Any = "out_of_service"
    elif ReservationState.IN_USE in states:
        word = ReservationState.IN_USE
    elif len(states) >= one.units:
        word = ReservationState.BOOKED
    else:
        word = "free"
    return {"word": word, "live": live_states(session, [one.id], at=now)[one.id]}


def _free_from_now(one: Equipment) -> Interval | None:
    """The slot that can be reserved at once: from the next step on, as long as it is free, within a day."""
    now, session = clock.now(), db.session()
    terms = terms_of(session, one, at=now)
    start = next_on_grid(now + terms.notice, terms.step)
    stretches = bookable_stretches(session, one, Interval(now, now + timedelta(days=1)), terms=terms, at=now)
    ends = [min(stretch.end, start + terms.most) for stretch in stretches if stretch.contains(start)]
    if not one.bookable or not ends or max(ends) - start < terms.least:
        return None
    return Interval(start, max(ends))


def _visible(reservation_id: int) -> Reservation:
    row = db.session.get(Reservation, reservation_id)
    if row is None:
        raise NotFound("没有找到这一项，或您无权查看。")
    bounds(Permission.CHECK_IN).insist(organization_id=row.organization_id, platform_id=row.equipment.platform_id)
    return row


def _equipment(code: str) -> Equipment:
    one = db.session.scalar(select(Equipment).where(func.lower(Equipment.code) == code.lower()))
    if one is None:
        raise NotFound("没有这台设备。")
    return one


def _address(one: Equipment) -> str:
    return url_for(".machine", code=one.code, _external=True)


def _qr(one: Equipment) -> str:
    drawn = segno.make(_address(one), error="m")
    drawing: str = drawn.svg_inline(scale=6, border=4, light="#fff", omitsize=True, svgclass="qr")
    return drawing
