"""Two platforms with a year of everything that the evaluation looks at, drawn by chance."""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.orm import Session

from app.booking.incidents import close_incident, record_incident
from app.booking.models import Feedback, Reservation, ServiceRequest
from app.booking.rules.feedback import Severity
from app.booking.rules.reservation import ReservationState
from app.booking.rules.words import RequestKind, RequestState
from app.catalogue.models import PlatformOperator, Qualification, RelatedParty, Requirement
from app.catalogue.rules.words import RequirementKind
from app.catalogue.seeding import sample_uscc
from app.identity.models import Organization
from app.kernel.interval import Interval
from devices.models import UsageSession
from devices.rules.evidence import Evidence
from tests import makers

YEAR = 2026
FIRST = datetime(2025, 12, 31, 12, tzinfo=makers.UTC)
LAST = datetime(2027, 1, 1, 12, tzinfo=makers.UTC)
HOUR = timedelta(hours=1)
numbers = itertools.count(1)


@dataclass
class Side:
    """One platform and who deals with it."""

    platform_id: int
    by: int
    equipment: list[tuple[int, int, int]] = field(default_factory=list)  # with meter and profile
    customers: list[Organization] = field(default_factory=list)


def build(session: Session, chance: random.Random) -> list[Side]:
    shared = [_firm(session, chance) for _ in range(3)]
    sides = [_side(session, chance, shared) for _ in range(2)]
    for side in sides:
        for equipment, meter, profile in side.equipment:
            _runs(session, chance, side, equipment, meter, profile)
        _signed(session, chance, side)
        _documents(session, chance, side)
        for _ in range(chance.randrange(4)):
            _incident(session, chance, side)
    session.flush()
    return sides


def _firm(session: Session, chance: random.Random) -> Organization:
    uscc = sample_uscc(f"EX{next(numbers):06d}") if chance.random() < 0.8 else None
    return makers.organization(session, uscc=uscc, region=chance.choice(["晋江", "泉州其他"]))


def _side(session: Session, chance: random.Random, shared: list[Organization]) -> Side:
    before, after, host, near = (_firm(session, chance) for _ in range(4))
    platform = makers.platform(session, operator=before, host_id=host.id)
    session.execute(text("UPDATE platform_operator SET days = '[2026-01-01,2026-07-01)' WHERE platform_id = :id"),
                    {"id": platform.id})  # fmt: skip
    session.add_all(
        [
            PlatformOperator(platform_id=platform.id, organization_id=after.id, days=Range(date(2026, 7, 1), None)),
            RelatedParty(platform_id=platform.id, organization_id=near.id, since=date(2026, 4, 1)),
        ]
    )
    side = Side(platform.id, makers.person(session).id, customers=[*shared, before, after, host, near])
    for lead, post in ((0, 0), (1800, 0), (900, 3600)):
        one = makers.equipment(session, of=platform, units=chance.randrange(1, 3))
        meter = makers.meter(session, of=one, profile={"lead_s": lead, "post_s": post})
        profile = session.scalar(text("SELECT id FROM meter_profile WHERE meter_id = :id"), {"id": meter.id})
        side.equipment.append((one.id, meter.id, profile))
    makers.equipment(session, of=platform, shares_id=side.equipment[0][0])
    return side


def _runs(session: Session, chance: random.Random, side: Side, equipment: int, meter: int, profile: int) -> None:
    """Runs one after another, some close together, across both ends of the year; and slots beside them."""
    at = FIRST
    while at < LAST:
        length = timedelta(minutes=chance.randrange(30, 300))
        when = Interval(at, at + length)
        firm = chance.choice(side.customers)
        reserved = chance.random() < 0.7
        row = _reserved(session, chance, side, equipment, firm, when) if reserved else None
        known = reserved or chance.random() < 0.5
        metered = chance.random() < 0.8
        session.add(
            UsageSession(
                meter_id=meter if metered else None, profile_id=profile if metered else None, equipment_id=equipment,
                reservation_id=row and row.id, organization_id=firm.id if known else None, started_at=when.start,
                ended_at=when.end, during=when, open=chance.random() < 0.05, running_s=length.seconds * 7 // 10,
                energy_mwh=1, evidence=Evidence.METERED if metered else Evidence.BOOKED, readings_count=0,
                readings_digest="", rule_version=1, fingerprint=str(next(numbers)), derived_at=when.end,
            )
        )  # fmt: skip
        if row is not None and chance.random() < 0.3:
            session.add(
                Feedback(
                    reservation_id=row.id, stars=chance.randrange(1, 6), person_id=side.by, given_at=when.end,
                    changed_at=when.end,
                )
            )  # fmt: skip
        at = when.end + chance.choice(
            [timedelta(minutes=chance.randrange(0, 90)), timedelta(days=chance.randrange(20))]
        )
    session.flush()


def _reserved(
    session: Session, chance: random.Random, side: Side, equipment: int, firm: Organization, when: Interval
) -> Reservation:
    early, late = (timedelta(minutes=chance.randrange(0, 40)) for _ in range(2))
    during = Interval(when.start - early, when.end + late)
    row = Reservation(
        equipment_id=equipment, organization_id=firm.id, person_id=side.by, during=during,
        state=ReservationState.FINISHED, created_at=makers.BEGINNING, changed_at=makers.BEGINNING,
        checked_in_at=during.start - timedelta(minutes=20) if chance.random() < 0.2 else None,
        released_at=when.end if chance.random() < 0.2 else None,
        service_request_id=_request(session, side, firm, None).id if chance.random() < 0.1 else None,
    )  # fmt: skip
    session.add(row)
    session.flush()
    return row


def _request(session: Session, side: Side, firm: Organization, signed_at: datetime | None) -> ServiceRequest:
    row = ServiceRequest(
        platform_id=side.platform_id, organization_id=firm.id, person_id=side.by, kind=RequestKind.SAMPLE,
        title="示例", created_at=makers.BEGINNING, changed_at=makers.BEGINNING, signed_at=signed_at,
        state=RequestState.SIGNED_OFF if signed_at else RequestState.ACCEPTED,
    )  # fmt: skip
    session.add(row)
    session.flush()
    return row


def _signed(session: Session, chance: random.Random, side: Side) -> None:
    for _ in range(chance.randrange(12)):
        when = FIRST + (LAST - FIRST) * chance.random()
        _request(session, side, chance.choice(side.customers), when)


def _documents(session: Session, chance: random.Random, side: Side) -> None:
    for kind in (RequirementKind.TRAINING, RequirementKind.SAFETY_DOCUMENT):
        wanted = Requirement(
            platform_id=side.platform_id, kind=kind, name_zh="示例", name_en="Sample", how_zh="示例", how_en="Sample"
        )
        session.add(wanted)
        session.flush()
        for _ in range(chance.randrange(8)):
            granted = date(2025, 6, 1) + timedelta(days=chance.randrange(700))
            session.add(
                Qualification(
                    requirement_id=wanted.id, organization_id=chance.choice(side.customers).id, granted_on=granted,
                    expires_on=granted + timedelta(days=chance.randrange(1, 500)) if chance.random() < 0.8 else None,
                    created_at=makers.BEGINNING,
                    revoked_at=makers.BEGINNING if chance.random() < 0.2 else None,
                )
            )  # fmt: skip


def _incident(session: Session, chance: random.Random, side: Side) -> None:
    day = date(2025, 12, 1) + timedelta(days=chance.randrange(400))
    told = {"by": side.by, "at": datetime(2027, 3, 1, tzinfo=makers.UTC)}
    made = record_incident(
        session, platform_id=side.platform_id, equipment_id=None, happened_on=day,
        severity=chance.choice(list(Severity)), what_happened="示例", what_was_done="示例", **told,
    )  # fmt: skip
    if chance.random() < 0.5:
        close_incident(session, made.id, closed_on=day, measures="示例", **told)
