"""The states of a reservation and the moves between them."""

from __future__ import annotations

from enum import StrEnum


class ReservationState(StrEnum):
    """``OFFERED`` is a place from the waitlist that one person may take; ``REQUESTED`` waits for approval.

    ``BOOKED`` is also how a reservation without check-in ends its days: the meter says what became of it.
    """

    OFFERED = "offered"
    REQUESTED = "requested"
    BOOKED = "booked"
    IN_USE = "in_use"
    FINISHED = "finished"
    CANCELLED = "cancelled"
    DECLINED = "declined"
    LAPSED = "lapsed"
    NO_SHOW = "no_show"


class ServiceMode(StrEnum):
    """Who runs the equipment: the firm itself (自主上机) or the platform's staff (委托)."""

    SELF = "self"
    COMMISSIONED = "commissioned"


MOVES: dict[ReservationState, frozenset[ReservationState]] = {
    ReservationState.OFFERED: frozenset(
        {ReservationState.REQUESTED, ReservationState.BOOKED, ReservationState.LAPSED, ReservationState.CANCELLED}
    ),
    ReservationState.REQUESTED: frozenset(
        {ReservationState.BOOKED, ReservationState.DECLINED, ReservationState.LAPSED, ReservationState.CANCELLED}
    ),
    ReservationState.BOOKED: frozenset(
        {ReservationState.IN_USE, ReservationState.NO_SHOW, ReservationState.CANCELLED, ReservationState.FINISHED}
    ),
    ReservationState.IN_USE: frozenset({ReservationState.FINISHED}),
    ReservationState.FINISHED: frozenset(),
    ReservationState.CANCELLED: frozenset(),
    ReservationState.DECLINED: frozenset(),
    ReservationState.LAPSED: frozenset(),
    ReservationState.NO_SHOW: frozenset(),
}

PENDING = frozenset({ReservationState.OFFERED, ReservationState.REQUESTED})
"""Held for a time, and not yet agreed."""

AGREED = frozenset({ReservationState.BOOKED, ReservationState.IN_USE, ReservationState.FINISHED})
"""What a usage session may belong to."""

ENDED = frozenset({ReservationState.FINISHED, ReservationState.CANCELLED, ReservationState.NO_SHOW})
"""Over before their time is: nothing more is expected of an agreed one."""

NOT_BEGUN = frozenset({*PENDING, ReservationState.BOOKED})
HOLDS_SLOT = frozenset({*PENDING, ReservationState.BOOKED, ReservationState.IN_USE})

SHOWN = frozenset({*HOLDS_SLOT, ReservationState.FINISHED, ReservationState.NO_SHOW})
"""What a timeline shows: what is or was held."""

GIVEN_UP = frozenset({ReservationState.CANCELLED, ReservationState.DECLINED, ReservationState.LAPSED})
