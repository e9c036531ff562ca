"""A door of booking: what missed slots cost."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import Session

from app.booking.keeping import mark_taken_over, standing
from app.booking.models import ConductEntry, Reservation
from app.booking.rules.conduct import Rung
from app.booking.rules.words import MisstepKind
from app.catalogue.models import Conduct
from app.kernel.money import Money


@dataclass(frozen=True, slots=True)
class FeeDue:
    """What a no-show costs, nothing where the ladder asks none. Told to billing, once per ``entry_id``."""

    entry_id: int
    reservation_id: int
    platform_id: int
    organization_id: int
    equipment_id: int
    due_at: datetime
    fee: Money


def fees_due(session: Session, *, at: datetime, settled: Select[Any] | None = None, limit: int = 200) -> list[FeeDue]:
    """No-shows to be settled: they count by ``at``, their slot is over and went to nobody else, oldest first.

    Shape: ``settled`` selects the ids of entries that need no other look.
    """
    mark_taken_over(session, since=at - timedelta(days=400))
    rows = session.execute(
        select(ConductEntry, Conduct, Reservation.equipment_id)
        .join(Conduct, Conduct.platform_id == ConductEntry.platform_id)
        .join(Reservation, Reservation.id == ConductEntry.reservation_id)
        .where(
            ConductEntry.kind == MisstepKind.NO_SHOW,
            ConductEntry.effective_at <= at,
            ConductEntry.excused_at.is_(None),
            ~ConductEntry.taken_over,
            func.upper(Reservation.during) <= at,
            Conduct.fee > Money(0),
            *(() if settled is None else (ConductEntry.id.not_in(settled),)),
        )
        .order_by(ConductEntry.effective_at, ConductEntry.id)
        .limit(limit)
    ).all()
    due = []
    for entry, conduct, equipment_id in rows:
        known = standing(
            session, platform_id=entry.platform_id, organization_id=entry.organization_id, at=entry.effective_at
        )
        costs = known is not None and known.rung in (Rung.FEE, Rung.BLOCK)
        due.append(
            FeeDue(
                entry.id,
                entry.reservation_id,
                entry.platform_id,
                entry.organization_id,
                equipment_id,
                entry.effective_at,
                conduct.fee if costs else Money(0),
            )
        )
    return due


def forgiven(session: Session, entry_ids: Collection[int]) -> set[int]:
    """Those of these entries that were excused, or whose slot somebody else took over, since they were charged."""
    return set(
        session.scalars(
            select(ConductEntry.id).where(
                ConductEntry.id.in_(entry_ids), or_(ConductEntry.excused_at.is_not(None), ConductEntry.taken_over)
            )
        )
    )
