"""The door of booking: what is booked, and who is there."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, exists, func, or_, select
from sqlalchemy.orm import Session, aliased

from app.booking.models import Reservation
from app.booking.rules.reservation import AGREED, ENDED, ReservationState
from app.booking.rules.slot import AgreedSlot, BookedSlot, Presence
from app.catalogue.models import Equipment
from app.kernel.interval import Interval

FURTHEST_AHEAD = timedelta(days=400)
LOOKED_BACK, AHEAD = timedelta(days=31), timedelta(days=1)
"""Where presences are looked for: one may check in before the start, and be there after the end."""


def booked_slots(session: Session, equipment_ids: Collection[int], within: Interval) -> list[BookedSlot]:
    """Agreed reservations of this equipment that touch ``within``, by start: from an early
    check-in on, up to where they were given back.

    One index lookup per piece of equipment.
    """
    rows = session.execute(
        select(
            Reservation.id,
            Reservation.equipment_id,
            Reservation.organization_id,
            Reservation.during,
            Reservation.checked_in_at,
            Reservation.released_at,
        )
        .where(
            Reservation.equipment_id.in_(equipment_ids),
            Reservation.state.in_(AGREED),
            Reservation.during.op("&&")(within.padded(after=AHEAD)),  # who checks in early is there before the start
        )
        .order_by(Reservation.during)
    )
    slots = [
        BookedSlot(number, equipment_id, organization_id, _kept(during, checked_in_at, released_at))
        for number, equipment_id, organization_id, during, checked_in_at, released_at in rows
    ]
    return [slot for slot in slots if slot.during.overlaps(within)]


def _kept(during: Interval, checked_in_at: datetime | None, released_at: datetime | None) -> Interval:
    start = during.start if checked_in_at is None else min(during.start, checked_in_at)
    if released_at is None or released_at <= start:
        return Interval(start, during.end)
    return Interval(start, min(during.end, released_at))


def agreed_slots(session: Session, reservation_ids: Collection[int], *, at: datetime) -> dict[int, AgreedSlot]:
    """These reservations, but those that never were agreed. One query."""
    rows = session.scalars(
        select(Reservation).where(
            Reservation.id.in_(reservation_ids),
            or_(Reservation.state.in_({*AGREED, ReservationState.NO_SHOW}), Reservation.cancelled_at.is_not(None)),
        )
    )
    return {row.id: _agreed(row, at) for row in rows}


def _agreed(row: Reservation, at: datetime) -> AgreedSlot:
    return AgreedSlot(
        row.id,
        row.equipment_id,
        row.organization_id,
        _until_released(row.during, row.released_at),
        row.created_at,
        row.checked_in_at,
        row.cancelled_at,
        row.withdrawn,
        over=row.state in ENDED or row.during.end <= at,
    )


def _until_released(during: Interval, released_at: datetime | None) -> Interval:
    if released_at is None or released_at <= during.start:
        return during
    return Interval(during.start, min(during.end, released_at))


def reservations_under_way(at: datetime) -> Select[int]:
    """Ids of agreed reservations that are not over: their use is not complete yet."""
    return select(Reservation.id).where(
        Reservation.state.in_((ReservationState.BOOKED, ReservationState.IN_USE)), func.upper(Reservation.during) > at
    )


def unused_reservations(
    session: Session, equipment_ids: Collection[int], *, within: Interval, apart_from: Select[Any], limit: int
) -> list[int]:
    """Ids of agreed reservations of this equipment that ended or were cancelled within that time, oldest first.

    O(reservations of this equipment within).
    """
    (known,) = apart_from.subquery().c
    return list(
        session.scalars(
            select(Reservation.id)
            .where(
                Reservation.equipment_id.in_(equipment_ids),
                Reservation.during.op("&&")(within.padded(after=FURTHEST_AHEAD)),
                Reservation.service_request_id.is_(None),
                or_(
                    Reservation.cancelled_at.between(within.start, within.end),
                    Reservation.state.in_({*AGREED, ReservationState.NO_SHOW})
                    & func.upper(Reservation.during).between(within.start, within.end),
                ),
                ~exists().where(known == Reservation.id),
            )
            .order_by(func.lower(Reservation.during), Reservation.id)
            .limit(limit)
        )
    )


def presences(session: Session, equipment_ids: Collection[int], *, at: datetime) -> dict[int, Presence]:
    """Who is at each piece of equipment, under whichever listing of the same device. One query.

    Only check-ins count, and the ends of what was checked in; a slot that began by the clock does not.
    """
    asked, listing = aliased(Equipment), aliased(Equipment)
    rows = session.execute(
        select(asked.id, Reservation.id, Reservation.state, Reservation.checked_in_at, Reservation.changed_at)
        .join(listing, func.coalesce(listing.shares_id, listing.id) == func.coalesce(asked.shares_id, asked.id))
        .join(Reservation, Reservation.equipment_id == listing.id)
        .where(
            asked.id.in_(equipment_ids),
            Reservation.checked_in_at.is_not(None),
            Reservation.during.op("&&")(Interval(at - LOOKED_BACK, at + AHEAD)),
        )
        .order_by(Reservation.checked_in_at, Reservation.id)
    )
    found = dict.fromkeys(equipment_ids, Presence())
    for equipment_id, number, state, checked_in_at, changed_at in rows:
        there = state is ReservationState.IN_USE
        turned_at = checked_in_at if there else changed_at  # what is finished does not change any more
        before = found[equipment_id]
        found[equipment_id] = Presence(
            number if there else before.reservation_id,
            max(filter(None, (before.turned_at, turned_at))),
        )
    return found


def reservations_by_id(session: Session, ids: Collection[int]) -> dict[int, Reservation]:
    """The reservations with these ids, for pages that show them beside the use."""
    found: Sequence[Reservation] = session.scalars(select(Reservation).where(Reservation.id.in_(ids))).all()
    return {reservation.id: reservation for reservation in found}
