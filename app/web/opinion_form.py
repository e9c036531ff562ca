"""What the page of a reservation shows of the firm's opinion on it, and whether it may still be given."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.booking.models import Feedback, Reservation
from app.booking.rules.feedback import CHANGED_WITHIN, insist_on_finished
from app.kernel import clock
from app.kernel.errors import Refusal
from app.web.access import Bounds
from devices.usage import metered_equipment, usage_of_reservations


def was_used(session: Session, row: Reservation) -> bool:
    """Whether anything was seen of the use; where nothing measures, nobody can say that there was none."""
    return bool(usage_of_reservations(session, [row.id])) or not metered_equipment(session, [row.equipment_id])


def opinion_of(session: Session, row: Reservation, *, may_give: Bounds) -> dict[str, Any] | None:
    """What was said (none yet) and whether it may be said or changed now; nothing where there is no opinion to have."""
    now = clock.now()
    given = session.scalar(select(Feedback).where(Feedback.reservation_id == row.id))
    mine = may_give.allows(organization_id=row.organization_id)
    if given is not None:
        return {"given": given, "may_give": mine and now - given.given_at <= CHANGED_WITHIN}
    try:
        insist_on_finished(
            row.state, row.during, released_at=row.released_at, used=mine and was_used(session, row), at=now
        )
    except Refusal:
        return None
    return {"given": None, "may_give": True}
