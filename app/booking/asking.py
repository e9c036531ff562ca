"""Tell the operators that a reservation waits for their approval."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from app.booking.models import Reservation
from app.booking.rules.reservation import ReservationState
from app.catalogue.platforms import operator_of
from app.identity.notifying import notify, people_with
from app.identity.rules.notice import NoticeKind, msgid, names
from app.identity.rules.permission import Role
from app.kernel.clock import local_date


def ask_operators(session: Session, reservation: Reservation, *, at: datetime, step: int = 1, besides: int = 0) -> int:
    """Tell them once for each slot and step; returns how many were told. Nobody for a reservation that asks nothing.

    ``besides`` has taken the step before and need not be told.
    """
    if reservation.state is not ReservationState.REQUESTED or reservation.hold_until is None:
        return 0
    operator = operator_of(session, reservation.equipment.platform_id, on=local_date(at))
    if operator is None:
        return 0
    start = reservation.during.start.isoformat()
    return notify(
        session,
        [one for one in people_with(session, operator.id, Role.OPERATOR) if one != besides],
        kind=NoticeKind.APPROVAL_WANTED,
        key=f"approval:{reservation.id}:{reservation.changed_at.isoformat()}:{step}",
        sentence=msgid("%(organization)s 申请使用 %(equipment)s（%(starts_at)s 起），请在 %(lapses_at)s 前审批。"),
        facts={
            "organization": reservation.organization.name,
            "equipment": names(reservation.equipment),
            "starts_at": start,
            "lapses_at": reservation.hold_until.isoformat(),
        },
        path="/approvals",
        at=at,
    )
