"""What decides when listings can be reserved, read for many of them at once.

:mod:`app.booking.availability` answers for one listing; both leave the answer to the same rules.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from operator import attrgetter

from sqlalchemy import or_, select, text
from sqlalchemy.orm import Session

from app.booking.models import Occupancy
from app.booking.rules.calendar import SpecialDay
from app.booking.rules.finding import bookable
from app.booking.rules.opening import OpenStretch, opening_intervals
from app.booking.rules.own_use import OwnUse, kept_for_owner
from app.booking.rules.request import Terms
from app.booking.terms import own_use_of, put_together
from app.catalogue.models import ClassTerms, Closure, Equipment, OpeningHours, OwnUseWindow, Platform
from app.catalogue.models import SpecialDay as SpecialDayRow
from app.catalogue.platforms import platforms_run_by
from app.catalogue.rules.customer import CustomerClass
from app.kernel.clock import local_date
from app.kernel.interval import Interval

MARGIN = timedelta(days=7)
"""Special days are read this much around a window, for stretches that reach over its ends."""

DEVICES = text(
    "WITH RECURSIVE whole (listing, id) AS (SELECT id, id FROM equipment WHERE id = ANY(CAST(:ids AS int[]))"
    " UNION SELECT listing, part_id FROM equipment_part JOIN whole ON equipment_part.whole_id = whole.id)"
    " SELECT DISTINCT whole.listing, device.id, device.units FROM whole JOIN equipment own ON own.id = whole.id"
    " JOIN equipment device ON device.id = coalesce(own.shares_id, own.id) ORDER BY 1, 2"
)


@dataclass(frozen=True, slots=True)
class Outlook:
    """All that decides when one listing can be reserved within a window. ``closed`` is with the reason's row."""

    equipment: Equipment
    terms: Terms
    opening: Sequence[Interval]
    closed: Sequence[tuple[Interval, Closure]]
    kept: Sequence[Interval]
    held: Sequence[tuple[Sequence[Interval], int]] = field(repr=False)

    def bookable(self) -> list[Interval]:
        return bookable(
            self.opening,
            [*(when for when, _ in self.closed), *self.kept],
            terms=self.terms,
            held=self.held,
        )


def outlooks(
    session: Session, listings: Collection[Equipment], window: Interval, *, at: datetime, customer: int | None = None
) -> list[Outlook]:
    """What decides about each listing within ``window``, in the order given. A fixed number of queries."""
    if not listings:
        return []
    ids = [one.id for one in listings]
    internal = _internal_platforms(session, customer, on=local_date(window.start))
    classes = {
        one.id: CustomerClass.INTERNAL if one.platform_id in internal else CustomerClass.EXTERNAL for one in listings
    }
    devices = _devices(session, ids)
    read = window.padded(before=MARGIN, after=MARGIN)
    special = _special_days(session, read) if any(one.observes_holidays for one in listings) else {}
    limits = _class_terms(session, ids, classes)
    hours, own_use = _hours(session, ids, classes), _own_use(session, ids)
    closures = _closures(session, listings, devices, window)
    taken = _taken(session, {device for units in devices.values() for device in units}, _widest(listings, window))
    open_times: dict[tuple[tuple[OpenStretch, ...], bool], list[Interval]] = {}
    found = []
    for one in listings:
        mine, observes = hours.get(one.id, ()), one.observes_holidays
        terms = put_together(
            one,
            limits.get(one.id),
            hours=mine,
            special=special if observes else {},
            own_use=() if classes[one.id] is CustomerClass.INTERNAL else tuple(own_use.get(one.id, ())),
        )
        if (mine, observes) not in open_times:  # most machines keep the same hours
            open_times[mine, observes] = opening_intervals(mine, window, special=terms.special)
        found.append(
            Outlook(
                one,
                terms,
                open_times[mine, observes],
                closures.get(one.id, ()),
                kept_for_owner(terms.own_use, window, at=at),
                [(taken.get(device, ()), units) for device, units in devices[one.id].items()],
            )
        )
    return found


def _internal_platforms(session: Session, organization_id: int | None, *, on: date) -> frozenset[int]:
    """The platforms on which the terms for own use hold for this firm: as host or as operator."""
    if organization_id is None:
        return frozenset()
    hosted = session.scalars(select(Platform.id).where(Platform.host_id == organization_id))
    return platforms_run_by(session, [organization_id], on=on) | frozenset(hosted)


def _devices(session: Session, ids: list[int]) -> dict[int, dict[int, int]]:
    found: dict[int, dict[int, int]] = defaultdict(dict)
    for listing, device, units in session.execute(DEVICES, {"ids": ids}):
        found[listing][device] = units
    return found


def _special_days(session: Session, within: Interval) -> dict[date, SpecialDay]:
    rows = session.execute(
        select(SpecialDayRow.day, SpecialDayRow.kind, SpecialDayRow.follows).where(
            SpecialDayRow.day.between(local_date(within.start), local_date(within.end))
        )
    )
    return {day: SpecialDay(day, kind, follows) for day, kind, follows in rows}


def _class_terms(session: Session, ids: list[int], classes: Mapping[int, CustomerClass]) -> dict[int, ClassTerms]:
    rows = session.scalars(select(ClassTerms).where(ClassTerms.equipment_id.in_(ids)))
    return {row.equipment_id: row for row in rows if row.customer_class is classes[row.equipment_id]}


def _hours(
    session: Session, ids: list[int], classes: Mapping[int, CustomerClass]
) -> dict[int, tuple[OpenStretch, ...]]:
    rows = session.execute(
        select(
            OpeningHours.equipment_id,
            OpeningHours.customer_class,
            OpeningHours.weekday,
            OpeningHours.opens_minute,
            OpeningHours.closes_minute,
        )
        .where(OpeningHours.equipment_id.in_(ids))
        .order_by(OpeningHours.weekday, OpeningHours.opens_minute)
    )
    found: dict[tuple[int, CustomerClass | None], list[OpenStretch]] = defaultdict(list)
    for listing, customer_class, weekday, opens, closes in rows:
        found[listing, customer_class].append(OpenStretch(weekday, opens, closes))
    return {one: tuple(found[one, classes[one]] or found[one, None]) for one in ids}


def _own_use(session: Session, ids: list[int]) -> dict[int, list[OwnUse]]:
    found: dict[int, list[OwnUse]] = defaultdict(list)
    for row in session.scalars(select(OwnUseWindow).where(OwnUseWindow.equipment_id.in_(ids))):
        found[row.equipment_id].append(own_use_of(row))
    return found


def _closures(
    session: Session, listings: Collection[Equipment], devices: Mapping[int, Mapping[int, int]], within: Interval
) -> dict[int, list[tuple[Interval, Closure]]]:
    platforms = {one.platform_id for one in listings}
    needed = {one.id: {one.id, *devices[one.id]} for one in listings}
    rows = session.scalars(
        select(Closure).where(
            or_(
                Closure.equipment_id.in_({each for ids in needed.values() for each in ids}),
                Closure.platform_id.in_(platforms),
            ),
            Closure.during.op("&&")(within),
        )
    ).all()
    found: dict[int, list[tuple[Interval, Closure]]] = defaultdict(list)
    for row in rows:
        end = row.during.end if row.ended_at is None else min(row.during.end, row.ended_at)
        if end <= row.during.start:
            continue
        when = Interval(row.during.start, end)
        for one in listings:
            if when.overlaps(within) and (row.platform_id == one.platform_id or row.equipment_id in needed[one.id]):
                found[one.id].append((when, row))
    for closed in found.values():
        closed.sort(key=lambda one: one[0])
    return found


def _widest(listings: Collection[Equipment], window: Interval) -> Interval:
    """The window with the longest time to set up and to clean, so that one read serves all."""
    return window.padded(
        before=timedelta(minutes=max(map(attrgetter("setup_minutes"), listings))),
        after=timedelta(minutes=max(map(attrgetter("cleanup_minutes"), listings))),
    )


def _taken(session: Session, devices: Collection[int], within: Interval) -> dict[int, list[Interval]]:
    found: dict[int, list[Interval]] = defaultdict(list)
    for device, blocked in session.execute(
        select(Occupancy.equipment_id, Occupancy.blocked).where(
            Occupancy.equipment_id.in_(devices), Occupancy.blocked.op("&&")(within)
        )
    ):
        found[device].append(blocked)
    return found
