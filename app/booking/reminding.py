"""Remind people in time: of a reservation that is near, of a qualification that runs out.

The key of a notice names what it is about, so a run that was skipped is caught up with and a second
run says nothing twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import BigInteger, ColumnElement, Interval, Text, and_, cast, exists, func, literal, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from app.booking.models import Reservation
from app.booking.rules.reservation import ReservationState
from app.catalogue.models import Qualification, Requirement
from app.identity.models import Membership, Notice, Person
from app.identity.notifying import notify
from app.identity.rules.notice import NoticeKind, msgid, names
from app.identity.rules.permission import Role
from app.kernel.clock import local_date


@dataclass(frozen=True, slots=True)
class Reminder:
    """Given from ``ahead`` of the start until ``until`` of it, when the next nearer one takes over."""

    ahead: timedelta
    until: timedelta
    name: str


REMINDERS = (
    Reminder(timedelta(hours=1), timedelta(), "reminder-1h-"),
    Reminder(timedelta(hours=24), timedelta(hours=1), "reminder-24h-"),
)
EXPIRY_DAYS = ((7, 0), (30, 7))


def remind(session: Session, *, at: datetime, limit: int) -> int:
    """Remind who booked, a day and an hour ahead. What was booked or changed later than that needs no reminder."""
    reminded = 0
    starts_at = func.lower(Reservation.during)
    for reminder in REMINDERS:
        key = func.concat(
            reminder.name, Reservation.id, "-", cast(cast(func.extract("epoch", starts_at), BigInteger), Text)
        )
        near = session.execute(
            select(Reservation, key)
            .where(
                Reservation.state == ReservationState.BOOKED,
                starts_at > at + reminder.until,
                starts_at <= at + reminder.ahead,
                starts_at - Reservation.changed_at >= literal(reminder.ahead, Interval),
                ~_is_told(Reservation.person_id, key),
            )
            .order_by(starts_at, Reservation.id)
            .limit(limit - reminded)
        )
        for reservation, name in near.all():
            reminded += notify(
                session,
                [reservation.person_id],
                kind=NoticeKind.REMINDER,
                key=name,
                sentence=msgid("您预约的 %(equipment)s 将于 %(starts_at)s 开始，地点：%(location)s。"),
                facts={
                    "equipment": names(reservation.equipment),
                    "location": reservation.equipment.location,
                    "starts_at": reservation.during.start.isoformat(),
                },
                path=f"/reservations/{reservation.id}",
                at=at,
            )
    return reminded


def remind_of_expiry(session: Session, *, at: datetime, limit: int) -> int:
    """Tell the person, or the firm's managers, a month and a week before a qualification ends.

    One that has been renewed ends quietly.
    """
    reminded, today = 0, local_date(at)
    newer = aliased(Qualification)
    renewed = exists().where(
        newer.requirement_id == Qualification.requirement_id,
        or_(
            newer.person_id == Qualification.person_id,
            newer.organization_id == Qualification.organization_id,
        ),
        newer.revoked_at.is_(None),
        or_(newer.expires_on.is_(None), newer.expires_on > Qualification.expires_on),
    )
    for days, until in EXPIRY_DAYS:
        key = func.concat(f"expiry-{days}d-", Qualification.id, "-", cast(Qualification.expires_on, Text))
        person_id = func.coalesce(Qualification.person_id, Membership.person_id)
        ending = session.execute(
            select(Requirement, Qualification.expires_on, Person.id, key)
            .select_from(Qualification)
            .join(Qualification.requirement)
            .outerjoin(
                Membership,
                and_(Membership.organization_id == Qualification.organization_id, Membership.role == Role.FIRM_MANAGER),
            )
            .join(Person, Person.id == person_id)
            .where(
                Person.active,
                Qualification.revoked_at.is_(None),
                Qualification.expires_on > today + timedelta(days=until),
                Qualification.expires_on <= today + timedelta(days=days),
                Qualification.granted_on + days <= Qualification.expires_on,
                ~renewed,
                ~_is_told(Person.id, key),
            )
            .order_by(Qualification.expires_on, Qualification.id, Person.id)
            .limit(limit - reminded)
        )
        for requirement, expires_on, reader, name in ending.all():
            reminded += notify(
                session,
                [reader],
                kind=NoticeKind.QUALIFICATION,
                key=name,
                sentence=msgid("“%(name)s”将于 %(expires_on)s 到期，请及时续办。"),
                facts={"name": names(requirement), "expires_on": f"{expires_on}"},
                path="/qualifications",
                at=at,
            )
    return reminded


def _is_told(person_id: InstrumentedAttribute[int], key: ColumnElement[str]) -> ColumnElement[bool]:
    return exists().where(Notice.person_id == person_id, Notice.key == key)
