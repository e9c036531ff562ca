"""Calendars that a phone or a desk subscribes to: who may read one, and what it says.

A feed shows what its owner may see when it is read, not what they might see when it was made.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

from icalendar import Alarm, Calendar, Event
from sqlalchemy import ColumnElement, and_, false, func, or_, select
from sqlalchemy.orm import Session, joinedload

from app.booking.models import CalendarFeed, Reservation
from app.booking.rules.reservation import GIVEN_UP, PENDING, ReservationState
from app.booking.rules.words import FeedScope
from app.catalogue.models import Closure, Equipment, Platform
from app.catalogue.platforms import platforms_run_by
from app.catalogue.rules.words import ClosureKind
from app.identity.models import Membership, Person
from app.identity.rules.language import Language
from app.identity.rules.notice import Named, msgid, names
from app.identity.rules.permission import Permission, Reach, reach
from app.kernel.clock import local_date, local_midnight
from app.kernel.errors import InvalidInput, NotFound
from app.kernel.interval import Interval

KEPT = timedelta(days=60)
ALARM = timedelta(minutes=30)
ASK_AGAIN = timedelta(minutes=15)
MINE, TAKEN = msgid("我的中试预约"), msgid("已占用")
CLOSED = {ClosureKind.CLOSED: msgid("停用"), ClosureKind.MAINTENANCE: msgid("维护")}


@dataclass(frozen=True, slots=True)
class Voice:
    """How a calendar speaks: in the language of the person whose address it is."""

    language: Language
    say: Callable[[str], str]

    def name(self, thing: Named) -> str:
        return names(thing)[self.language]


def open_feed(
    session: Session, person_id: int, scope: FeedScope, *, at: datetime, subject_id: int | None = None
) -> tuple[CalendarFeed, str]:
    """A new address; ``subject_id`` is the equipment's or the platform's. The token is told only here."""
    kind = {FeedScope.EQUIPMENT: Equipment, FeedScope.PLATFORM: Platform}.get(scope)
    if kind is not None and (subject_id is None or session.get(kind, subject_id) is None):
        raise InvalidInput("请选择要订阅的日历。", field="subject")
    token = secrets.token_urlsafe(32)
    feed = CalendarFeed(
        person_id=person_id,
        scope=scope,
        equipment_id=subject_id if scope is FeedScope.EQUIPMENT else None,
        platform_id=subject_id if scope is FeedScope.PLATFORM else None,
        token_digest=_digest(token),
        created_at=at,
    )
    session.add(feed)
    session.flush()
    return feed, token


def revoke_feed(session: Session, feed_id: int, *, by: int, at: datetime) -> None:
    """The address answers no more. Errors: ``NotFound`` where it is not theirs."""
    feed = session.scalar(select(CalendarFeed).where(CalendarFeed.id == feed_id, CalendarFeed.person_id == by))
    if feed is None:
        raise NotFound("没有找到这一项，或您无权查看。")
    feed.revoked_at = feed.revoked_at or at
    session.flush()


def feed_by_token(session: Session, token: str) -> CalendarFeed | None:
    return session.scalar(
        select(CalendarFeed).where(CalendarFeed.token_digest == _digest(token), CalendarFeed.revoked_at.is_(None))
    )


def calendar_text(
    session: Session, feed: CalendarFeed, *, at: datetime, site: str, translate: Callable[[Language, str], str]
) -> bytes:
    """The feed as iCalendar (RFC 5545), the same bytes as long as nothing has changed.

    ``site`` is the address of this installation, for links back; ``translate`` says a Chinese sentence
    in a language.
    """
    language = session.get_one(Person, feed.person_id).language
    voice = Voice(language, partial(translate, language))
    calendar = Calendar()
    calendar.add("prodid", f"-//PilotShare//Reservations//{language.value[:2].upper()}")
    calendar.add("version", "2.0")
    calendar.add("calscale", "GREGORIAN")
    calendar.add("x-wr-calname", _name(session, feed, voice))
    calendar.add("x-wr-timezone", "Asia/Shanghai")
    calendar.add("refresh-interval", ASK_AGAIN, parameters={"VALUE": "DURATION"})
    calendar.add("x-published-ttl", ASK_AGAIN)
    granted = _reach(session, feed.person_id)
    if granted:
        platforms = platforms_run_by(session, granted.operators, on=local_date(at))
        for reservation in _reservations(session, feed, granted, at=at):
            open_book = (
                reservation.organization_id in granted.organizations or reservation.equipment.platform_id in platforms
            )
            calendar.add_component(_event(reservation, feed, voice, in_full=open_book, site=site))
        for event in _closures(session, feed, voice, at=at):
            calendar.add_component(event)
    return calendar.to_ical()


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _reach(session: Session, person_id: int) -> Reach:
    roles = session.execute(
        select(Membership.organization_id, Membership.role)
        .join(Person)
        .where(Membership.person_id == person_id, Person.active)
    )
    return reach([(organization_id, role) for organization_id, role in roles], Permission.SEE_RESERVATIONS)


def _name(session: Session, feed: CalendarFeed, voice: Voice) -> str:
    if feed.equipment_id is not None:
        return voice.name(session.get_one(Equipment, feed.equipment_id))
    if feed.platform_id is not None:
        return voice.name(session.get_one(Platform, feed.platform_id))
    return voice.say(MINE)


def _reservations(session: Session, feed: CalendarFeed, granted: Reach, *, at: datetime) -> Iterator[Reservation]:
    match feed.scope:
        case FeedScope.PERSON:
            wanted: ColumnElement[bool] = and_(
                Reservation.person_id == feed.person_id, Reservation.organization_id.in_(granted.organizations)
            )
        case FeedScope.EQUIPMENT:
            wanted = Reservation.equipment_id == feed.equipment_id
        case FeedScope.PLATFORM:
            wanted = Equipment.platform_id == feed.platform_id
    rows = session.scalars(
        select(Reservation)
        .join(Reservation.equipment)
        .where(
            wanted,
            func.upper(Reservation.during) > at - KEPT,
            or_(Reservation.state.not_in(GIVEN_UP), Reservation.changed_at > at - KEPT),
        )
        .order_by(func.lower(Reservation.during), Reservation.id)
        .options(
            joinedload(Reservation.equipment),
            joinedload(Reservation.organization),
            joinedload(Reservation.person),
        )
    )
    yield from rows


def _event(reservation: Reservation, feed: CalendarFeed, voice: Voice, *, in_full: bool, site: str) -> Event:
    """Without ``in_full`` it tells only that, when and where the equipment is taken."""
    name, during = voice.name(reservation.equipment), reservation.during
    mine, given_up = feed.scope is FeedScope.PERSON, reservation.state in GIVEN_UP
    released_at = reservation.released_at
    end = released_at if released_at is not None and during.contains(released_at) else during.end
    event = _plain_event(
        f"reservation-{reservation.id}@pilotshare",
        Interval(during.start, max(end, during.start + timedelta(minutes=1))),
        changed_at=reservation.changed_at,
        created_at=reservation.created_at,
    )
    who = reservation.organization.name if in_full else voice.say(TAKEN)
    event.add("summary", name if mine else f"{name} · {who}")
    event.add("location", reservation.equipment.location)
    event.add("status", _status(reservation.state))
    event.add("transp", "TRANSPARENT" if given_up else "OPAQUE")
    if in_full:
        event.add("description", "\n".join(filter(None, (who, reservation.person.name, reservation.purpose))))
        event.add("url", f"{site}/reservations/{reservation.id}")
    if mine and reservation.state is ReservationState.BOOKED:
        alarm = Alarm()
        alarm.add("action", "DISPLAY")
        alarm.add("description", name)
        alarm.add("trigger", -ALARM)
        event.add_component(alarm)
    return event


def _status(state: ReservationState) -> str:
    return "CANCELLED" if state in GIVEN_UP else "TENTATIVE" if state in PENDING else "CONFIRMED"


def _closures(session: Session, feed: CalendarFeed, voice: Voice, *, at: datetime) -> Iterator[Event]:
    """Closures of what the feed is about, up to where they were ended; a person's own calendar has none."""
    match feed.scope:
        case FeedScope.PERSON:
            wanted: ColumnElement[bool] = false()
        case FeedScope.EQUIPMENT:
            platform_id = select(Equipment.platform_id).where(Equipment.id == feed.equipment_id)
            wanted = or_(Closure.equipment_id == feed.equipment_id, Closure.platform_id.in_(platform_id))
        case FeedScope.PLATFORM:
            of_platform = select(Equipment.id).where(Equipment.platform_id == feed.platform_id)
            wanted = or_(Closure.platform_id == feed.platform_id, Closure.equipment_id.in_(of_platform))
    rows = session.execute(
        select(Closure, Equipment)
        .outerjoin(Equipment, Equipment.id == Closure.equipment_id)
        .where(wanted, func.upper(Closure.during) > at - KEPT)
        .order_by(func.lower(Closure.during), Closure.id)
    )
    for closure, equipment in rows:
        end = min(closure.during.end, closure.ended_at or closure.during.end)
        if end <= closure.during.start:
            continue
        event = _plain_event(
            f"closure-{closure.id}@pilotshare",
            Interval(closure.during.start, end),
            changed_at=closure.ended_at or closure.created_at,
            created_at=closure.created_at,
        )
        what = voice.say(CLOSED[closure.kind]), closure.reason
        event.add("summary", " · ".join((voice.name(equipment), *what) if equipment else what))
        event.add("status", "CONFIRMED")
        yield event


def _plain_event(uid: str, when: Interval, *, changed_at: datetime, created_at: datetime) -> Event:
    """``SEQUENCE`` grows with every change; whole local days are dates, the last one exclusive."""
    event = Event()
    event.add("uid", uid)
    event.add("dtstamp", changed_at.astimezone(UTC))
    event.add("created", created_at.astimezone(UTC))
    event.add("last-modified", changed_at.astimezone(UTC))
    event.add("sequence", max(0, int((changed_at - created_at).total_seconds())))
    first, last = local_date(when.start), local_date(when.end)
    if (local_midnight(first), local_midnight(last)) == (when.start, when.end):
        event.add("dtstart", first)
        event.add("dtend", last)
    else:
        event.add("dtstart", when.start)
        event.add("dtend", when.end)
    return event
