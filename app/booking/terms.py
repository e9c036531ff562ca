"""How one piece of equipment may be reserved by one customer: limits, hours, special days, own use, closures."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime, timedelta

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from app.booking.holding import devices_of
from app.booking.rules.calendar import SpecialDay
from app.booking.rules.opening import OpenStretch
from app.booking.rules.own_use import OwnUse
from app.booking.rules.request import Terms
from app.catalogue.models import ClassTerms, Closure, Equipment, OwnUseWindow
from app.catalogue.models import SpecialDay as SpecialDayRow
from app.catalogue.platforms import relation_of
from app.catalogue.rules.customer import CustomerClass, class_of
from app.kernel.clock import local_date
from app.kernel.interval import Interval

BEYOND = timedelta(days=60)
"""How far after the last possible start special days are read: a slot may be long."""


def class_for(session: Session, equipment: Equipment, organization_id: int, *, on: date) -> CustomerClass:
    """Whose terms hold for this firm on this equipment."""
    relation = relation_of(session, platform_id=equipment.platform_id, organization_id=organization_id, on=on)
    return class_of(relation)


def terms_of(
    session: Session, equipment: Equipment, *, at: datetime, customer_class: CustomerClass = CustomerClass.EXTERNAL
) -> Terms:
    """How this equipment may be reserved, as a value for the rules. Four small indexed reads."""
    other = session.scalar(
        select(ClassTerms).where(ClassTerms.equipment_id == equipment.id, ClassTerms.customer_class == customer_class)
    )

    ahead = max(equipment.advance_days, (other.advance_days if other else None) or 0)
    until = at + timedelta(days=ahead) + BEYOND
    special = _special_days(session, at=at, until=until) if equipment.observes_holidays else {}
    return put_together(
        equipment,
        other,
        hours=_hours(equipment, customer_class),
        special=special,
        own_use=() if customer_class is CustomerClass.INTERNAL else _own_use(session, equipment.id),
    )


def put_together(
    equipment: Equipment,
    other: ClassTerms | None,
    *,
    hours: tuple[OpenStretch, ...],
    special: Mapping[date, SpecialDay],
    own_use: tuple[OwnUse, ...],
) -> Terms:
    """The terms of one listing, where ``other`` says something for the customer's class by that."""

    def own(name: str) -> int:
        replaced = getattr(other, name, None)
        value: int = getattr(equipment, name) if replaced is None else replaced
        return value

    return Terms(
        step=timedelta(minutes=own("step_minutes")),
        least=timedelta(minutes=own("least_minutes")),
        most=timedelta(minutes=own("most_minutes")),
        advance=timedelta(days=own("advance_days")),
        notice=timedelta(minutes=own("notice_minutes")),
        setup=timedelta(minutes=equipment.setup_minutes),
        cleanup=timedelta(minutes=equipment.cleanup_minutes),
        hours=hours,
        special=special,
        own_use=own_use,
    )


def closed_times(
    session: Session, equipment: Equipment, within: Interval, *, devices: Collection[int] | None = None
) -> list[tuple[Interval, Closure]]:
    """When this equipment, a device that it needs, or its whole platform is closed within that time, by start."""
    needed = {equipment.id, *(devices_of(session, equipment.id) if devices is None else devices)}
    rows: Sequence[Closure] = session.scalars(
        select(Closure).where(
            or_(Closure.equipment_id.in_(needed), Closure.platform_id == equipment.platform_id),
            Closure.during.op("&&")(within),
        )
    ).all()
    closed = [(_while_closed(row), row) for row in rows if row.ended_at is None or row.ended_at > row.during.start]
    return sorted(((when, row) for when, row in closed if when.overlaps(within)), key=lambda one: one[0])


def _while_closed(row: Closure) -> Interval:
    return row.during if row.ended_at is None else Interval(row.during.start, min(row.during.end, row.ended_at))


def _hours(equipment: Equipment, customer_class: CustomerClass) -> tuple[OpenStretch, ...]:
    rows = [row for row in equipment.opening_hours if row.customer_class is customer_class]
    rows = rows or [row for row in equipment.opening_hours if row.customer_class is None]
    return tuple(OpenStretch(row.weekday, row.opens_minute, row.closes_minute) for row in rows)


def _special_days(session: Session, *, at: datetime, until: datetime) -> dict[date, SpecialDay]:
    rows = session.execute(
        select(SpecialDayRow.day, SpecialDayRow.kind, SpecialDayRow.follows).where(
            SpecialDayRow.day.between(local_date(at) - timedelta(days=7), local_date(until))
        )
    )
    return {day: SpecialDay(day, kind, follows) for day, kind, follows in rows}


def _own_use(session: Session, equipment_id: int) -> tuple[OwnUse, ...]:
    rows = session.scalars(select(OwnUseWindow).where(OwnUseWindow.equipment_id == equipment_id))
    return tuple(map(own_use_of, rows))


def own_use_of(row: OwnUseWindow) -> OwnUse:
    return OwnUse(
        weekday=row.weekday,
        opens=row.opens_minute,
        closes=row.closes_minute,
        first_day=row.first_day,
        last_day=row.last_day,
        release=timedelta(hours=row.release_hours),
    )
