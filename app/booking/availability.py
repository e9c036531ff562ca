"""When a listing can still be reserved, devices, pools and closures considered."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import islice, product

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.booking.holding import devices_of
from app.booking.models import Occupancy
from app.booking.rules.free import free_stretches, nearest_free
from app.booking.rules.own_use import kept_for_owner
from app.booking.rules.request import Terms, violations
from app.booking.terms import closed_times, terms_of
from app.catalogue.models import Equipment
from app.catalogue.rules.customer import CustomerClass
from app.kernel.interval import Interval

SOUGHT_AROUND = timedelta(days=14)
OFFERED = 5
MOST_COMBINATIONS = 64
"""Of units of several pools that are held together; a line with two pools of eight is as far as it goes."""


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
    """Stretches throughout which the listing could be reserved. Those of different units of a pool may overlap.

    One index lookup per device and one for closures. O(n log n) in the reservations of the window.
    """
    opening = terms.open_within(window)
    closed = [stretch for stretch, _ in closed_times(session, equipment, window)]
    closed += kept_for_owner(terms.own_use, window, at=at)
    units, taken = _occupied(session, equipment.id, terms.blocked(window), except_id=except_id)
    choices = product(*([(device, unit) for unit in range(1, count + 1)] for device, count in units.items()))
    found: set[Interval] = set()
    for choice in islice(choices, MOST_COMBINATIONS):
        held = [when for one in choice for when in taken.get(one, ())]
        found.update(free_stretches(opening, [*closed, *terms.kept_from(held)]))
    return sorted(found)


def _occupied(
    session: Session, equipment_id: int, within: Interval, *, except_id: int | None
) -> tuple[dict[int, int], dict[tuple[int, int], list[Interval]]]:
    devices = devices_of(session, equipment_id)
    units = {
        row.id: row.units
        for row in session.execute(select(Equipment.id, Equipment.units).where(Equipment.id.in_(devices)))
    }
    rows = session.execute(
        select(Occupancy.equipment_id, Occupancy.unit, Occupancy.blocked).where(
            Occupancy.equipment_id.in_(devices),
            Occupancy.blocked.op("&&")(within),
            *([Occupancy.reservation_id != except_id] if except_id is not None else []),
        )
    )
    taken: dict[tuple[int, int], list[Interval]] = {}
    for device, unit, blocked in rows:
        taken.setdefault((device, unit), []).append(blocked)
    return units, taken
