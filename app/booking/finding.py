"""Where and when something that suits is free: many listings at once, in a fixed number of queries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import ColumnElement, exists, or_, select
from sqlalchemy.orm import Session, contains_eager

from app.booking.outlook import Outlook, outlooks
from app.booking.rules.finding import fits
from app.booking.rules.free import nearest_free
from app.catalogue.models import Equipment, EquipmentRequirement, Platform, Qualification, Requirement
from app.catalogue.rules.words import OF_A_PERSON
from app.identity.models import Organization
from app.kernel.clock import local_date
from app.kernel.interval import Interval

OFFERED = 2
"""The nearest slot of a listing and one more to choose from."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody looks for. ``words`` is part of a name, a code or a kind of equipment.

    ``customer`` is the firm whose terms hold; ``qualified`` (a firm and a person) leaves out what they may not use.
    """

    duration: timedelta
    window: Interval
    words: str = ""
    field: str = ""
    platform: str = ""
    region: str = ""
    customer: int | None = None
    qualified: tuple[int, int] | None = None
    most: int = 100


@dataclass(frozen=True, slots=True)
class Found:
    """A listing and its nearest free slots, at least one."""

    equipment: Equipment
    slots: tuple[Interval, ...]

    @property
    def slot(self) -> Interval:
        return self.slots[0]


def find_slots(session: Session, wish: Wish, *, at: datetime) -> list[Found]:
    """The nearest free slots of every listing that suits, soonest first, then by name. The price is the caller's.

    A dozen indexed reads however many listings there are; none of them grows with what was booked before.
    """
    if wish.window.end <= at:
        return []
    window = Interval(max(wish.window.start, at), wish.window.end)
    listings = matching(session, wish, on=local_date(window.start))
    found = []
    for outlook in outlooks(session, listings, window, at=at, customer=wish.customer):
        if slots := _slots(outlook, window, wish.duration, at=at):
            found.append(Found(outlook.equipment, slots))
    return sorted(found, key=lambda one: (one.slot.start, one.equipment.name_zh, one.equipment.id))[: wish.most]


def matching(session: Session, wish: Wish, *, on: date) -> Sequence[Equipment]:
    """Bookable listings that answer to the wish, time apart. One query."""
    query = (
        select(Equipment)
        .join(Equipment.platform)
        .join(Organization, Organization.id == Platform.host_id)
        .where(Equipment.bookable)
        .options(contains_eager(Equipment.platform))
        .order_by(Equipment.id)
    )
    if wish.words:
        query = query.where(_named(wish.words))
    if wish.field:
        query = query.where(Platform.field == wish.field)
    if wish.platform:
        query = query.where(Platform.code == wish.platform)
    if wish.region:
        query = query.where(Organization.region == wish.region)
    if wish.qualified:
        query = query.where(~_lacks(*wish.qualified, on=on))
    return session.scalars(query).all()


def _slots(outlook: Outlook, window: Interval, duration: timedelta, *, at: datetime) -> tuple[Interval, ...]:
    terms = outlook.terms
    if not terms.least <= duration <= terms.most or duration % terms.step:
        return ()
    free = [inside for stretch in outlook.bookable() if (inside := stretch.intersection(window))]
    offers = nearest_free(
        Interval(window.start, window.start + duration),
        free=[stretch for stretch in free if stretch.duration >= duration],
        step=terms.step,
        not_before=max(window.start, at + terms.notice),
        count=OFFERED,
    )
    return tuple(slot for slot in offers if fits(slot, terms=terms, at=at))


def _named(words: str) -> ColumnElement[bool]:
    like = "%" + words.replace("\\", "\\\\").replace("%", r"\%").replace("_", r"\_") + "%"
    columns = (Equipment.name_zh, Equipment.name_en, Equipment.code, Equipment.kind_label, Platform.name_zh)
    return or_(*(column.ilike(like) for column in columns))


def _lacks(organization_id: int, person_id: int, *, on: date) -> ColumnElement[bool]:
    """Whether one of a listing's requirements is not met by this person of this firm on that day."""
    of_person = Requirement.kind.in_(OF_A_PERSON)
    met = exists().where(
        Qualification.requirement_id == Requirement.id,
        or_(
            of_person & (Qualification.person_id == person_id),
            ~of_person & (Qualification.organization_id == organization_id),
        ),
        Qualification.granted_on <= on,
        or_(Qualification.expires_on.is_(None), Qualification.expires_on > on),
        Qualification.revoked_at.is_(None),
    )
    return exists().where(
        EquipmentRequirement.equipment_id == Equipment.id, Requirement.id == EquipmentRequirement.requirement_id, ~met
    )
