"""The door of booking: what is booked, and who is there."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session, aliased

from app.booking.models import Reservation
from app.booking.rules.reservation import AGREED, ReservationState
from app.booking.rules.slot import BookedSlot, Presence
from app.catalogue.models import Equipment
from app.kernel.interval import Interval

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
