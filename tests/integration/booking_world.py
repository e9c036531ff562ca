"""A small park of equipment that excludes each other in every way, and what must always be true of it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.booking.holding import devices_of
from app.booking.models import Occupancy, Reservation
from app.booking.rules.reservation import HOLDS_SLOT
from app.catalogue.models import Equipment, EquipmentPart, Quota
from app.catalogue.rules.words import Measure, Period
from app.kernel.clock import local_date
from app.kernel.interval import Interval
from tests import makers
from tests.makers import BEGINNING

NOW = BEGINNING + timedelta(hours=8)
QUOTA_HOURS = 6


@dataclass
class Park:
    """``firms`` are (organization, person) pairs; the first firm has a quota of hours a day on ``machine``."""

    equipment: dict[str, int]
    firms: list[tuple[int, int]]


def build(session: Session) -> Park:
    platform = makers.platform(session)

    def thing(**given: object) -> Equipment:
        return makers.equipment(session, of=platform, **given)

    machine = thing(setup_minutes=10, cleanup_minutes=20)
    listing = thing(shares_id=machine.id, setup_minutes=5)
    pool = thing(units=2)
    line, first, second = thing(), thing(), thing()
    session.add_all(EquipmentPart(whole_id=line.id, part_id=one.id) for one in (first, second))
    session.add(Quota(equipment_id=machine.id, measure=Measure.HOURS, limit=Decimal(QUOTA_HOURS), period=Period.DAY))
    session.flush()
    named = {"machine": machine, "listing": listing, "pool": pool, "line": line, "first": first, "second": second}
    firms = [(makers.organization(session).id, makers.person(session).id) for _ in range(3)]
    return Park({name: one.id for name, one in named.items()}, firms)


def hours(first: float, last: float) -> Interval:
    return Interval(NOW + timedelta(hours=first), NOW + timedelta(hours=last))


def check(session: Session, park: Park) -> None:
    """Every device that should be held is held, nothing else is, nothing twice, and no quota is exceeded."""
    session.expire_all()
    rows = session.scalars(select(Reservation)).all()
    held: dict[int, list[Occupancy]] = defaultdict(list)
    units: dict[tuple[int, int], list[Interval]] = defaultdict(list)
    for one in session.scalars(select(Occupancy)):
        held[one.reservation_id].append(one)
        assert 1 <= one.unit <= session.get_one(Equipment, one.equipment_id).units
        units[one.equipment_id, one.unit].append(one.blocked)
    for blocked in units.values():
        ordered = sorted(blocked)
        assert all(before.end <= after.start for before, after in pairwise(ordered))
    for row in rows:
        mine = held.pop(row.id, [])
        if row.state not in HOLDS_SLOT:
            assert not mine, f"{row.state} holds something"
            continue
        assert {one.equipment_id for one in mine} == set(devices_of(session, row.equipment_id))
        thing = session.get_one(Equipment, row.equipment_id)
        wanted = row.during.padded(
            before=timedelta(minutes=thing.setup_minutes), after=timedelta(minutes=thing.cleanup_minutes)
        )
        assert {one.blocked for one in mine} == {wanted}
    assert not held
    used: dict[tuple[int, object], timedelta] = defaultdict(timedelta)
    for row in rows:
        if row.equipment_id == park.equipment["machine"] and row.state in HOLDS_SLOT:
            for day, length in _by_day(row.during):
                used[row.organization_id, day] += length
    assert all(length <= timedelta(hours=QUOTA_HOURS) for length in used.values())


def _by_day(during: Interval) -> list[tuple[object, timedelta]]:
    """Minute by minute, so that it shares no thought with the rule it checks."""
    found: dict[object, timedelta] = defaultdict(timedelta)
    moment: datetime = during.start
    while moment < during.end:
        found[local_date(moment)] += timedelta(minutes=5)
        moment += timedelta(minutes=5)
    return list(found.items())
