"""A park of 500 machines with as many reservations as asked for, made by SQL.

Every one keeps its occupancy, as reservations without check-in do: no history is heavier.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.identity.rules.permission import Role
from app.kernel.clock import local_date, local_midnight
from tests import makers

MACHINES, PLATFORMS = 500, 5
COMING = 4
"""Reservations of each machine in the next week, whatever the history: one every other day."""

RESERVATIONS = text(
    "INSERT INTO reservation (equipment_id, organization_id, person_id, during, state, purpose, created_at, changed_at)"
    " SELECT machine, :organization, :person, tstzrange(begins, begins + interval '1 hour'),"
    " 'booked', '', :now, :now"
    " FROM generate_series(CAST(:first AS int), CAST(:last AS int)) AS number,"
    " LATERAL (SELECT :lowest + number % :machines AS machine, number / :machines AS layer) AS placed,"
    " LATERAL (SELECT CAST(:today AS timestamptz) + CASE WHEN layer < :coming"
    " THEN (layer * 2 + 1) * interval '1 day' + interval '9 hours'"
    " ELSE ((layer - :coming) % 8 * 2 - 24 - (layer - :coming) / 8 * 24) * interval '1 hour' END AS begins) AS timed"
)
OCCUPANCY = text(
    "INSERT INTO occupancy (reservation_id, equipment_id, unit, blocked)"
    " SELECT id, equipment_id, 1, during FROM reservation WHERE id > :after"
)


class BenchWorld:
    """``grow`` adds reservations, the coming ones first, then an ever longer history. Every machine is open all day."""

    def __init__(self, session: Session, *, now: datetime) -> None:
        firm = makers.organization(session)
        self.firm, self.now = firm.id, now
        self.person = makers.person(session, (firm, Role.FIRM_MEMBER)).id
        platforms = [makers.platform(session) for _ in range(PLATFORMS)]
        self.machines = [
            makers.equipment(session, of=platforms[number * PLATFORMS // MACHINES]).id for number in range(MACHINES)
        ]
        self.platform = platforms[-1].code
        self.count = 0
        self.today = local_midnight(local_date(now))

    def grow(self, session: Session, count: int) -> None:
        """Up to ``count`` reservations in all, with statistics for the planner."""
        before = session.scalar(text("SELECT coalesce(max(id), 0) FROM reservation"))
        facts = {
            "organization": self.firm, "person": self.person, "now": self.now, "today": self.today,
            "first": self.count, "last": count - 1, "lowest": self.machines[0], "machines": MACHINES,
            "coming": COMING,
        }  # fmt: skip
        session.execute(RESERVATIONS, facts)
        session.execute(OCCUPANCY, {"after": before})
        session.execute(text("ANALYZE reservation, occupancy"))
        self.count = count
