"""Reservations over the API, by the same use cases as the pages."""

from __future__ import annotations

from typing import Any

from flask import request
from flask_login import current_user
from flask_smorest import Blueprint
from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from app.booking.changing import cancel, move
from app.booking.models import Reservation
from app.booking.reserving import reserve
from app.booking.telling import tell_changed
from app.catalogue.models import Equipment
from app.identity.rules.permission import Permission
from app.kernel import clock
from app.kernel.db import db, in_transaction
from app.kernel.errors import InvalidInput, NotFound
from app.kernel.interval import Interval
from app.web.access import acting_organization, bounds, requires
from app.web.api.schemas import CancelIn, ListQuery, MoveIn, ReservationIn, ReservationOut
from app.web.booking_money import hold_deposits, refuse_overdue
from devices.metering import reconsider

blueprint = Blueprint("api_reservations", __name__, url_prefix="/api/v1/reservations", description="Reservations")
MOST = 200
LONGEST_KEY = 80


def interval_of(told: dict[str, Any]) -> Interval:
    try:
        return Interval(told["starts_at"], told["ends_at"])
    except OverflowError as error:  # the last hours of the year 9999 in another zone
        raise InvalidInput("日期超出可用范围，请选择更近的日期。", field="starts_at") from error
    except ValueError as error:
        raise InvalidInput("结束时间须晚于开始时间。", field="ends_at") from error


def taken_along(told: dict[str, Any]) -> dict[int, int]:
    """How many of which accessory."""
    return {one["accessory_id"]: one["quantity"] for one in told["accessories"]}


def idempotency_key() -> str | None:
    """The key under which a repeated request is the same one. Errors: ``InvalidInput``."""
    key = request.headers.get("Idempotency-Key") or None
    if key is not None and len(key) > LONGEST_KEY:
        raise InvalidInput("幂等键最长 %(length)s 个字符。", field="Idempotency-Key", length=LONGEST_KEY)
    return key


@blueprint.route("", methods=["GET"])
@requires(Permission.SEE_RESERVATIONS)
@blueprint.arguments(ListQuery, location="query")
@blueprint.response(200, ReservationOut(many=True))
def visible(query: dict[str, Any]) -> Any:
    """The latest reservations of one's own organizations and on one's own platforms; ``before`` pages on."""
    seen = bounds(Permission.SEE_RESERVATIONS)
    wanted = (
        select(Reservation)
        .join(Equipment)
        .where(
            or_(
                Reservation.organization_id.in_(seen.organization_ids),
                Equipment.platform_id.in_(seen.platform_ids),
            )
        )
        .order_by(Reservation.id.desc())
        .limit(MOST)
    )
    if query["equipment_id"]:
        wanted = wanted.where(Reservation.equipment_id == query["equipment_id"])
    if query["before"]:
        wanted = wanted.where(Reservation.id < query["before"])
    return db.session.scalars(wanted).all()


@blueprint.route("", methods=["POST"])
@requires(Permission.RESERVE)
@blueprint.arguments(ReservationIn)
@blueprint.response(201, ReservationOut)
def create(told: dict[str, Any]) -> Reservation:
    """Book a slot. 409 comes with the nearest free ones; ``Idempotency-Key`` makes a repeat harmless."""
    organization_id, when, now = acting_organization(Permission.RESERVE), interval_of(told), clock.now()
    key = idempotency_key()

    def work(session: Session) -> int:
        refuse_overdue(session, told["equipment_id"], organization_id, now)
        made = reserve(
            session,
            equipment_id=told["equipment_id"],
            when=when,
            organization_id=organization_id,
            person_id=current_user.id,
            at=now,
            purpose=told["purpose"],
            idempotency_key=key,
            accessories=taken_along(told),
        )
        hold_deposits(session, [made], now)
        if when.start <= now:
            reconsider(session, made.equipment_id, since=when.start)
        return made.id

    return db.session.get_one(Reservation, in_transaction(work))


@blueprint.route("/<int:reservation_id>", methods=["GET"])
@requires(Permission.SEE_RESERVATIONS)
@blueprint.response(200, ReservationOut)
def one(reservation_id: int) -> Reservation:
    """One reservation."""
    return _visible(reservation_id, Permission.SEE_RESERVATIONS)


@blueprint.route("/<int:reservation_id>", methods=["PATCH"])
@requires(Permission.RESERVE)
@blueprint.arguments(MoveIn)
@blueprint.response(200, ReservationOut)
def change(told: dict[str, Any], reservation_id: int) -> Reservation:
    """Give it another time."""
    before = _visible(reservation_id, Permission.RESERVE)
    since, when = before.during.start, interval_of(told)

    def work(session: Session) -> None:
        moved = move(session, reservation_id, when=when, by=current_user.id, at=clock.now())
        hold_deposits(session, [moved], clock.now())
        tell_changed(session, moved, by=current_user.id, at=clock.now())
        reconsider(session, moved.equipment_id, since=min(since, when.start))

    in_transaction(work)
    return db.session.get_one(Reservation, reservation_id)


@blueprint.route("/<int:reservation_id>", methods=["DELETE"])
@requires(Permission.RESERVE)
@blueprint.arguments(CancelIn, location="query")
@blueprint.response(200, ReservationOut)
def remove(told: dict[str, Any], reservation_id: int) -> Reservation:
    """Give the slot back."""
    _visible(reservation_id, Permission.RESERVE)
    in_transaction(
        lambda session: tell_changed(
            session,
            cancel(session, reservation_id, by=current_user.id, at=clock.now(), reason=told["reason"]),
            by=current_user.id,
            at=clock.now(),
        )
    )
    return db.session.get_one(Reservation, reservation_id)


def _visible(reservation_id: int, permission: Permission) -> Reservation:
    found = db.session.get(Reservation, reservation_id)
    if found is None:
        raise NotFound("没有这个预约。")
    bounds(permission).insist(organization_id=found.organization_id, platform_id=found.equipment.platform_id)
    return found
