"""A firm says what it thought of a use, and may change its mind for some days."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Select, exists, func, or_, select
from sqlalchemy.orm import Session

from app.booking.models import Feedback, Reservation
from app.booking.rules.feedback import ASKED_WITHIN, insist_on_finished, insist_on_opinion, insist_on_still_open
from app.booking.rules.reservation import AGREED, ReservationState
from app.kernel import audit
from app.kernel.errors import NotFound


def rate(
    session: Session, reservation_id: int, *, stars: int, words: str, used: bool, by: int, at: datetime
) -> Feedback:
    """Keep what the firm says; a second time changes it. ``used`` says whether anything was seen of the use.

    Errors: ``NotFound``; ``Conflict`` before the use is over, without use, or when it is too late to change;
    ``InvalidInput`` for what is no opinion.
    """
    row = session.get(Reservation, reservation_id, with_for_update=True)
    if row is None:
        raise NotFound("没有找到这一项，或您无权查看。")
    words = words.strip()
    insist_on_opinion(stars, words)
    insist_on_finished(row.state, row.during, released_at=row.released_at, used=used, at=at)
    given = session.scalar(select(Feedback).where(Feedback.reservation_id == reservation_id))
    if given is None:
        given = Feedback(
            reservation_id=reservation_id, stars=stars, words=words, person_id=by, given_at=at, changed_at=at
        )
        session.add(given)
    elif (given.stars, given.words) != (stars, words):
        insist_on_still_open(given.given_at, at)
        audit.record(
            session, at=at, by=by, deed="feedback_changed", subject="reservation", subject_id=reservation_id,
            before=given.stars, after=stars,
        )  # fmt: skip
        given.stars, given.words, given.changed_at = stars, words, at
    session.flush()
    return given


def unrated(organization_ids: Collection[int], *, at: datetime) -> Select[Reservation]:
    """Reservations of these firms that are over since not long and that nobody has rated, the latest first."""
    return (
        select(Reservation)
        .where(
            Reservation.organization_id.in_(organization_ids),
            Reservation.state.in_(AGREED),
            func.upper(Reservation.during) > at - ASKED_WITHIN,
            func.lower(Reservation.during) < at,
            or_(func.upper(Reservation.during) <= at, Reservation.state == ReservationState.FINISHED),
            ~exists().where(Feedback.reservation_id == Reservation.id),
        )
        .order_by(func.lower(Reservation.during).desc())
    )
