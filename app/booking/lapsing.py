"""What the clock does to reservations: pending ones lapse, missed ones are no-shows, used ones end."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session, aliased

from app.booking.changing import both_locked, give_up
from app.booking.keeping import mark_taken_over, record
from app.booking.models import Occupancy, Reservation, Waiting
from app.booking.rules.request import MINUTE
from app.booking.rules.reservation import GIVEN_UP, PENDING, ReservationState, ServiceMode
from app.booking.rules.words import MisstepKind, WaitState
from app.booking.terms import closed_times
from app.booking.using import finish
from app.catalogue.models import Conduct, Equipment
from app.identity.notifying import notify
from app.identity.rules.notice import NoticeKind, msgid, names
from app.kernel.interval import Interval

LOOKS_BACK = timedelta(days=31)
"""No-shows are found later too, when the job did not run; after a month nobody is blamed any more."""


def lapse(session: Session, *, at: datetime, limit: int) -> int:
    """Free what nobody took or approved in time, and tell whoever asked for it."""
    late = session.scalars(
        select(Reservation.id)
        .where(Reservation.state.in_(PENDING), Reservation.hold_until <= at)
        .order_by(Reservation.equipment_id, Reservation.id)
        .limit(limit)
    ).all()
    for reservation_id in late:
        reservation, _, _ = both_locked(session, reservation_id)
        if reservation.state in PENDING and reservation.hold_until is not None and reservation.hold_until <= at:
            offered = reservation.state is ReservationState.OFFERED
            give_up(session, reservation, ReservationState.LAPSED, by=None, at=at, deed="lapsed")
            _tell_lapsed(session, reservation, offered=offered, at=at)
    _settle_offers(session, at=at)
    return len(late)


def declare_no_shows(
    session: Session, *, at: datetime, limit: int, was_used: Callable[[Collection[int]], Collection[int]]
) -> int:
    """Free what nobody came for within the grace, keep it as a no-show and write it down.

    ``was_used`` says in which of these reservations a meter saw use: those stay as they are, and so do
    those whose equipment was closed or that the platform's staff were to run.
    """
    due = session.execute(
        select(Reservation.id, Conduct.grace_minutes)
        .join(Equipment, Equipment.id == Reservation.equipment_id)
        .join(Conduct, Conduct.platform_id == Equipment.platform_id)
        .where(
            Reservation.state == ReservationState.BOOKED,
            Reservation.mode == ServiceMode.SELF,
            Equipment.check_in,
            func.lower(Reservation.during).between(at - LOOKS_BACK, at),
            func.lower(Reservation.during) + func.make_interval(0, 0, 0, 0, 0, Conduct.grace_minutes) <= at,
        )
        .order_by(Reservation.equipment_id, Reservation.id)
    ).all()
    used = set(was_used([row.id for row in due])) if due else set()
    declared = 0
    for reservation_id, grace in due:
        if reservation_id in used or declared == limit:
            continue
        reservation, equipment, _ = both_locked(session, reservation_id)
        start = reservation.during.start
        idle = Interval(start, start + max(timedelta(minutes=grace), MINUTE))
        if reservation.state is not ReservationState.BOOKED or closed_times(session, equipment, idle):
            continue
        give_up(session, reservation, ReservationState.NO_SHOW, by=None, at=at, deed="no_show")
        record(session, reservation, MisstepKind.NO_SHOW, at=at)
        declared += 1
    mark_taken_over(session, since=at - LOOKS_BACK)
    return declared


def finish_overdue(
    session: Session, *, at: datetime, limit: int, is_running: Callable[[Collection[int]], Collection[int]]
) -> int:
    """End the use of reservations whose time is over and that nobody ended within the tolerance.

    ``is_running`` says which of this equipment a meter sees in use now: that is an overrun, if nobody
    else has begun there. Where no meter tells, somebody only forgot to end it.
    """
    tolerance = func.greatest(func.coalesce(Conduct.grace_minutes, 0) * 30, 60)  # seconds of Ladder.tolerance
    over = session.execute(
        select(Reservation.id, Reservation.equipment_id)
        .join(Equipment, Equipment.id == Reservation.equipment_id)
        .outerjoin(Conduct, Conduct.platform_id == Equipment.platform_id)
        .where(
            Reservation.state == ReservationState.IN_USE,
            func.upper(Reservation.during) + func.make_interval(0, 0, 0, 0, 0, 0, tolerance) <= at,
        )
        .order_by(Reservation.equipment_id, Reservation.id)
        .limit(limit)
    ).all()
    running = set(is_running({row.equipment_id for row in over})) if over else set()
    relieved = _relieved(session, [row.id for row in over])
    for reservation_id, equipment_id in over:
        ran_on = equipment_id in running and reservation_id not in relieved
        finish(session, reservation_id, by=None, at=at, ran_on=ran_on)
    return len(over)


def _relieved(session: Session, reservation_ids: Collection[int]) -> set[int]:
    """Those of which somebody else has begun to use the device."""
    other = aliased(Occupancy)
    return set(
        session.scalars(
            select(Occupancy.reservation_id)
            .join(
                other,
                (other.equipment_id == Occupancy.equipment_id) & (other.reservation_id != Occupancy.reservation_id),
            )
            .join(Reservation, Reservation.id == other.reservation_id)
            .where(Occupancy.reservation_id.in_(reservation_ids), Reservation.state == ReservationState.IN_USE)
        )
    )


def _tell_lapsed(session: Session, reservation: Reservation, *, offered: bool, at: datetime) -> None:
    facts = {
        "equipment": names(reservation.equipment),
        "starts_at": reservation.during.start.isoformat(),
    }
    notify(
        session,
        [reservation.person_id],
        kind=NoticeKind.OFFER if offered else NoticeKind.DECISION,
        key=f"lapsed:{reservation.id}",
        sentence=msgid("%(equipment)s %(starts_at)s 的候补名额未及时确认，已失效。")
        if offered
        else msgid("%(equipment)s %(starts_at)s 的预约申请未及时批准，已失效。请另选时段或联系运营方。"),
        facts=facts,
        path=f"/reservations/{reservation.id}",
        at=at,
    )


def _settle_offers(session: Session, *, at: datetime) -> None:
    """Whoever let an offer go, by waiting or by cancelling it, waits no more."""
    for row in session.scalars(
        select(Waiting)
        .join(Reservation, Reservation.id == Waiting.reservation_id)
        .where(Waiting.state == WaitState.OFFERED, Reservation.state.in_(GIVEN_UP))
    ):
        row.state, row.changed_at = WaitState.EXPIRED, at
    session.flush()
