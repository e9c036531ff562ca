"""The door of booking: what is booked."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.booking.models import Reservation
from app.booking.rules.reservation import ReservationState
from app.booking.rules.slot import BookedSlot
from app.kernel.interval import Interval


def booked_slots(session: Session, equipment_ids: Collection[int], within: Interval) -> list[BookedSlot]:
    """Live reservations of this equipment that touch ``within``, by start. One index lookup per piece of equipment."""
    rows = session.execute(
        select(Reservation.id, Reservation.equipment_id, Reservation.organization_id, Reservation.during)
        .where(
            Reservation.equipment_id.in_(equipment_ids),
            Reservation.state == ReservationState.BOOKED,
            Reservation.blocked.op("&&")(within),
            Reservation.during.op("&&")(within),
        )
        .order_by(Reservation.during)
    )
    return [BookedSlot(*row) for row in rows]


def reservations_by_id(session: Session, ids: Collection[int]) -> dict[int, Reservation]:
    """The reservations with these ids, for pages that show them beside the use."""
    found: Sequence[Reservation] = session.scalars(select(Reservation).where(Reservation.id.in_(ids))).all()
    return {reservation.id: reservation for reservation in found}
