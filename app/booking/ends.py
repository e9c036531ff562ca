"""The door of booking for whatever is kept for reservations until they end."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import SelectBase, func, or_, select
from sqlalchemy.orm import Session

from app.booking.models import Reservation
from app.booking.rules.reservation import GIVEN_UP, HOLDS_SLOT, ReservationState


def over_or_given_up(session: Session, reservation_ids: SelectBase, *, at: datetime, limit: int) -> dict[int, bool]:
    """Those of these reservations that nothing is kept for any more, each with whether it was given up. One query."""
    rows = session.execute(
        select(Reservation.id, Reservation.state)
        .where(
            Reservation.id.in_(reservation_ids),
            or_(Reservation.state.not_in(HOLDS_SLOT), func.upper(Reservation.during) <= at),
        )
        .order_by(Reservation.id)
        .limit(limit)
    )
    return {number: state in GIVEN_UP or state is ReservationState.NO_SHOW for number, state in rows}
