"""Tell people what somebody else did to their reservation."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from app.booking.models import Reservation
from app.booking.rules.reservation import GIVEN_UP
from app.identity.notifying import notify
from app.identity.rules.notice import NoticeKind, msgid, names


def tell_changed(session: Session, reservation: Reservation, *, by: int, at: datetime) -> int:
    """That it was moved or cancelled, unless they did it themselves."""
    if by == reservation.person_id:
        return 0
    return notify(
        session,
        [reservation.person_id],
        kind=NoticeKind.RESERVATION_CHANGED,
        key=f"changed:{reservation.id}:{at.isoformat()}",
        sentence=msgid("您对 %(equipment)s（%(starts_at)s 起）的预约已被取消。")
        if reservation.state in GIVEN_UP
        else msgid("您对 %(equipment)s 的预约已被改到 %(starts_at)s–%(ends_at)s。"),
        facts={
            "equipment": names(reservation.equipment),
            "starts_at": reservation.during.start.isoformat(),
            "ends_at": reservation.during.end.isoformat(),
        },
        path=f"/reservations/{reservation.id}",
        at=at,
    )
