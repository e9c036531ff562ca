"""What a timeline draws: reservations, and where nobody can book and why."""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.booking.models import Reservation
from app.booking.outlook import Outlook
from app.booking.rules.opening import joined
from app.booking.rules.reservation import SHOWN
from app.identity.models import Organization
from app.kernel.interval import Interval


class Hindrance(StrEnum):
    """Why a stretch cannot be booked. ``TAKEN`` is with the time to set up and to clean."""

    SHUT = "shut"
    CLOSED = "closed"
    KEPT = "kept"
    TAKEN = "taken"


def shown_reservations(
    session: Session, equipment_ids: Collection[int], within: Interval
) -> list[tuple[Reservation, str]]:
    """Reservations that touch ``within``, with the firm's name, by start. One index lookup per machine."""
    rows = session.execute(
        select(Reservation, Organization.name)
        .join(Organization, Organization.id == Reservation.organization_id)
        .where(
            Reservation.equipment_id.in_(equipment_ids),
            Reservation.state.in_(SHOWN),
            Reservation.during.op("&&")(within),
        )
        .order_by(Reservation.during)
    )
    return [(row[0], row[1]) for row in rows]


def hindrances(outlook: Outlook, within: Interval) -> list[tuple[Interval, Hindrance, str]]:
    """Where the listing cannot be booked within ``within``, with why; a closure also with its reason."""
    found = [(when, Hindrance.SHUT, "") for when in within.minus(outlook.opening)]
    found += [(when, Hindrance.CLOSED, row.reason) for when, row in outlook.closed]
    found += [(when, Hindrance.KEPT, "") for when in outlook.kept]
    known = joined([*outlook.bookable(), *(when for when, _, _ in found)])
    found += [(when, Hindrance.TAKEN, "") for when in within.minus(known)]
    inside = ((when.intersection(within), why, reason) for when, why, reason in found)
    return [(when, why, reason) for when, why, reason in inside if when is not None]
