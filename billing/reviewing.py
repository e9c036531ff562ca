"""The operator looks at the month's charges and approves them."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.kernel import audit
from billing.models import Charge
from billing.rules.words import ChargeState


def approve(session: Session, charge_ids: Collection[int], *, by: int, at: datetime) -> int:
    """Approve proposed charges; others are left as they are. Returns how many were approved."""
    charges = session.scalars(
        select(Charge)
        .where(Charge.id.in_(charge_ids), Charge.state == ChargeState.PROPOSED)
        .order_by(Charge.id)
        .with_for_update()
    ).all()
    for charge in charges:
        charge.state, charge.approved_by, charge.approved_at = ChargeState.APPROVED, by, at
        audit.record(session, at=at, by=by, deed="approved", subject="charge", subject_id=charge.id)
    session.flush()
    return len(charges)
