"""A door of booking: what platforms did for firms in a time, what these thought of it, and what went wrong."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from sqlalchemy import Row, and_, extract, func, select, text
from sqlalchemy.orm import Session

from app.booking.models import Feedback, Incident, IncidentClosing, Reservation
from app.booking.rules.feedback import POINTS, Severity
from app.catalogue.models import Equipment
from app.catalogue.rules.customer import CustomerRelation
from app.catalogue.standing_sql import relation, standing_joins
from app.kernel.interval import Interval

SIGNED_ON = "CAST(request.signed_at AT TIME ZONE 'Asia/Shanghai' AS date)"
SIGNED = f"""
    SELECT platform_id, organization_id, relation, count(*) AS orders
    FROM (
        SELECT request.platform_id, request.organization_id, {relation("request.organization_id")} AS relation
        FROM service_request AS request
        {standing_joins(platform="request.platform_id", customer="request.organization_id", day=SIGNED_ON)}
        WHERE request.platform_id = ANY(CAST(:platforms AS int[]))
            AND request.signed_at >= :since AND request.signed_at < :until
    ) AS told
    WHERE relation <> 'own_use' GROUP BY platform_id, organization_id, relation
"""  # noqa: S608 - the parts are ours


@dataclass(frozen=True, slots=True)
class SignedWork:
    """Commissioned work that customers signed off: how many orders, and whose."""

    orders: int = 0
    customers: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Satisfaction:
    """How many uses were rated, and the stars of all of them together."""

    count: int = 0
    stars: int = 0

    @property
    def mean(self) -> Fraction | None:
        return Fraction(self.stars, self.count) if self.count else None


@dataclass(frozen=True, slots=True)
class Incidents:
    """How many of each severity, and how many of all are not closed."""

    counts: Mapping[Severity, int] = field(default_factory=dict)
    still_open: int = 0

    @property
    def count(self) -> int:
        return sum(self.counts.values())

    @property
    def points(self) -> int:
        """All of them by their weight."""
        return sum(POINTS[severity] * count for severity, count in self.counts.items())


def signed_work(session: Session, platform_ids: Collection[int], within: Interval) -> dict[int, SignedWork]:
    """What was signed off ``within``; the platform's own orders do not count. One query."""
    found = dict.fromkeys(platform_ids, SignedWork())
    for row in _signed(session, platform_ids, within):
        before = found[row.platform_id]
        found[row.platform_id] = SignedWork(before.orders + row.orders, before.customers | {row.organization_id})
    return found


def signed_by_firm(session: Session, platform_ids: Collection[int], within: Interval) -> dict[tuple[int, int], int]:
    """The same orders, by platform and firm."""
    found: dict[tuple[int, int], int] = defaultdict(int)
    for row in _signed(session, platform_ids, within):
        found[row.platform_id, row.organization_id] += row.orders
    return found


def orders_by_customer(session: Session, platform_id: int, within: Interval) -> dict[tuple[int, CustomerRelation], int]:
    """The same of one platform, by customer and how it stood to the platform."""
    rows = _signed(session, [platform_id], within)
    return {(row.organization_id, CustomerRelation(row.relation)): row.orders for row in rows}


def _signed(session: Session, platform_ids: Collection[int], within: Interval) -> Sequence[Row[Any]]:
    asked = {"platforms": sorted(platform_ids), "since": within.start, "until": within.end}
    return session.execute(text(SIGNED), asked).all()


def satisfaction_of_platforms(
    session: Session, platform_ids: Collection[int], within: Interval
) -> dict[int, Satisfaction]:
    """What was said of uses that began ``within``. One query."""
    begins = func.lower(Reservation.during)
    rows = session.execute(
        select(Equipment.platform_id, func.count(), func.sum(Feedback.stars))
        .select_from(Feedback)
        .join(Reservation, Reservation.id == Feedback.reservation_id)
        .join(Equipment, Equipment.id == Reservation.equipment_id)
        .where(Equipment.platform_id.in_(platform_ids), begins >= within.start, begins < within.end)
        .group_by(Equipment.platform_id)
    )
    return {platform_id: Satisfaction(count, stars) for platform_id, count, stars in rows}


def incidents_of_platforms(session: Session, platform_ids: Collection[int], year: int) -> dict[int, Incidents]:
    """What happened in a year. One query."""
    rows = session.execute(
        select(
            Incident.platform_id,
            Incident.severity,
            func.count(),
            func.count().filter(IncidentClosing.incident_id.is_(None)),
        )
        .outerjoin(IncidentClosing, IncidentClosing.incident_id == Incident.id)
        .where(and_(Incident.platform_id.in_(platform_ids), extract("year", Incident.happened_on) == year))
        .group_by(Incident.platform_id, Incident.severity)
    )
    found: dict[int, Incidents] = {}
    for platform_id, severity, count, still_open in rows:
        before = found.get(platform_id, Incidents())
        found[platform_id] = Incidents({**before.counts, severity: count}, before.still_open + still_open)
    return found
