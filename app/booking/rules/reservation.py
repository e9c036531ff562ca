"""The states of a reservation and the moves between them."""

from __future__ import annotations

from enum import StrEnum


class ReservationState(StrEnum):
    BOOKED = "booked"
    CANCELLED = "cancelled"


HOLDS_SLOT = frozenset({ReservationState.BOOKED})

MOVES: dict[ReservationState, frozenset[ReservationState]] = {
    ReservationState.BOOKED: frozenset({ReservationState.CANCELLED}),
    ReservationState.CANCELLED: frozenset(),
}
