"""What coming reservations mean for a change of settings: what they hold, and which no longer fit."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session, joinedload

from app.booking.models import Occupancy, Reservation
from app.booking.rules.request import violations
from app.booking.rules.reservation import NOT_BEGUN
from app.booking.terms import class_for, terms_of
from app.catalogue.models import Equipment
from app.kernel.clock import local_date


def highest_unit_held(session: Session, equipment_id: int, *, at: datetime) -> int:
    """The highest unit of this device that is held now or later; 0 for none."""
    return (
        session.scalar(
            select(func.max(Occupancy.unit)).where(
                Occupancy.equipment_id == equipment_id, func.upper(Occupancy.blocked) > at
            )
        )
        or 0
    )


def is_held(session: Session, equipment_id: int, *, at: datetime) -> bool:
    """Whether the listing has reservations that are not over, or its device is held through another."""
    found = session.scalar(
        select(Occupancy.id)
        .join(Reservation, Reservation.id == Occupancy.reservation_id)
        .where(
            or_(Occupancy.equipment_id == equipment_id, Reservation.equipment_id == equipment_id),
            func.upper(Occupancy.blocked) > at,
        )
        .limit(1)
    )
    return found is not None


def misfits(session: Session, equipment: Equipment, *, at: datetime) -> list[Reservation]:
    """Coming reservations that the present rules would not allow for their grid, length or hours, by start."""
    rows = session.scalars(
        select(Reservation)
        .where(
            Reservation.equipment_id == equipment.id,
            Reservation.state.in_(NOT_BEGUN),
            func.lower(Reservation.during) > at,
        )
        .options(joinedload(Reservation.organization))
        .order_by(func.lower(Reservation.during))
    ).all()
    found, terms_by_class = [], {}
    for row in rows:
        customer_class = class_for(session, equipment, row.organization_id, on=local_date(at))
        if customer_class not in terms_by_class:
            terms_by_class[customer_class] = terms_of(session, equipment, at=at, customer_class=customer_class)
        terms = terms_by_class[customer_class]
        # Seen from its own start: what was in time when it was booked is in time.
        broken = violations(row.during, terms=terms, at=row.during.start, exempt=True)
        if broken or not terms.least <= row.during.duration <= terms.most:
            found.append(row)
    return found
