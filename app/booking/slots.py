"""The door of booking: what is booked."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.booking.models import Reservation
from app.booking.rules.reservation import AGREED
from app.booking.rules.slot import BookedSlot
from app.kernel.interval import Interval


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
            Reservation.during.op("&&")(within),
        )
        .order_by(Reservation.during)
    )
    return [
        BookedSlot(number, equipment_id, organization_id, _kept(during, checked_in_at, released_at))
        for number, equipment_id, organization_id, during, checked_in_at, released_at in rows
    ]


def _kept(during: Interval, checked_in_at: datetime | None, released_at: datetime | None) -> Interval:
    start = during.start if checked_in_at is None else min(during.start, checked_in_at)
    if released_at is None or released_at <= start:
        return Interval(start, during.end)
    return Interval(start, min(during.end, released_at))


def reservations_by_id(session: Session, ids: Collection[int]) -> dict[int, Reservation]:
    """The reservations with these ids, for pages that show them beside the use."""
    found: Sequence[Reservation] = session.scalars(select(Reservation).where(Reservation.id.in_(ids))).all()
    return {reservation.id: reservation for reservation in found}
