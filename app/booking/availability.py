"""When a listing can still be reserved, devices, pools and closures considered."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.booking.holding import devices_of
from app.booking.models import Occupancy
from app.booking.rules.finding import bookable
from app.booking.rules.free import nearest_free
from app.booking.rules.own_use import kept_for_owner
from app.booking.rules.request import Terms, violations
from app.booking.terms import closed_times, terms_of
from app.catalogue.models import Equipment
from app.catalogue.rules.customer import CustomerClass
from app.kernel.interval import Interval

SOUGHT_AROUND = timedelta(days=14)
OFFERED = 5


def nearest_free_slots(
    session: Session,
    equipment: Equipment,
    when: Interval,
    *,
    at: datetime,
    except_id: int | None = None,
    customer_class: CustomerClass = CustomerClass.EXTERNAL,
) -> tuple[Interval, ...]:
    """Free slots as long as ``when`` that could be reserved instead, nearest first, within two weeks."""
    terms = terms_of(session, equipment, at=at, customer_class=customer_class)
    window = when.padded(before=SOUGHT_AROUND, after=SOUGHT_AROUND)
    free = bookable_stretches(session, equipment, window, terms=terms, at=at, except_id=except_id)
    offers = nearest_free(when, free=free, step=terms.step, not_before=at + terms.notice, count=OFFERED)
    return tuple(offer for offer in offers if not violations(offer, terms=terms, at=at))


def bookable_stretches(
    session: Session,
    equipment: Equipment,
    window: Interval,
    *,
    terms: Terms,
    at: datetime,
    except_id: int | None = None,
) -> list[Interval]:
    """Stretches throughout which the listing could be reserved, ascending and disjoint.

    One index lookup per device and one for closures. O(n log n) in the reservations of the window.
    """
    closed = [stretch for stretch, _ in closed_times(session, equipment, window)]
    closed += kept_for_owner(terms.own_use, window, at=at)
    held = _occupied(session, equipment.id, terms.blocked(window), except_id=except_id)
    return bookable(terms.open_within(window), closed, terms=terms, held=held)


def _occupied(
    session: Session, equipment_id: int, within: Interval, *, except_id: int | None
) -> list[tuple[list[Interval], int]]:
    """What is held of each device behind the listing, and how many units it has."""
    devices = devices_of(session, equipment_id)
    units = session.execute(select(Equipment.id, Equipment.units).where(Equipment.id.in_(devices)))
    held: dict[int, list[Interval]] = {device: [] for device in devices}
    for device, blocked in session.execute(
        select(Occupancy.equipment_id, Occupancy.blocked).where(
            Occupancy.equipment_id.in_(devices),
            Occupancy.blocked.op("&&")(within),
            *([Occupancy.reservation_id != except_id] if except_id is not None else []),
        )
    ):
        held[device].append(blocked)
    return [(held[device], count) for device, count in units]
