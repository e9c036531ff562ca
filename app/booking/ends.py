"""The door of booking for whatever is kept for reservations until they end."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Select, func, select

from app.booking.models import Reservation
from app.booking.rules.reservation import GIVEN_UP, ReservationState


def given_up() -> Select[int]:
    """Ids of reservations that nobody came to or will come to."""
    return select(Reservation.id).where(Reservation.state.in_((*GIVEN_UP, ReservationState.NO_SHOW)))


def ended_before(at: datetime) -> Select[int]:
    """Ids of reservations whose time was over by then."""
    return select(Reservation.id).where(func.upper(Reservation.during) <= at)
