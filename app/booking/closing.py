"""Close equipment or a whole platform for a time, and open it again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session, joinedload

from app.booking.changing import give_up
from app.booking.models import Occupancy, Reservation
from app.booking.rules.reservation import NOT_BEGUN, ReservationState
from app.catalogue.models import Closure, Equipment
from app.catalogue.rules.words import ClosureKind
from app.identity.notifying import notify
from app.identity.rules.notice import NoticeKind, msgid, names
from app.kernel import audit
from app.kernel.errors import InvalidInput, NotFound
from app.kernel.interval import Interval


def close(
    session: Session,
    *,
    when: Interval,
    kind: ClosureKind,
    reason: str,
    by: int,
    at: datetime,
    equipment_id: int | None = None,
    platform_id: int | None = None,
    cancel_affected: bool = False,
) -> Sequence[Reservation]:
    """Close one piece of equipment or all of a platform; returns the reservations that it meets.

    They stand unless ``cancel_affected``: then each that has not begun is cancelled without a fee and its
    person told. The devices are locked first, so whoever reserves at the same moment either meets the
    closure or is among the affected. Errors: ``InvalidInput``, ``NotFound``.
    """
    if not reason.strip():
        raise InvalidInput("请写明停用原因，受影响的用户会看到。", field="reason")
    if when.end <= at:
        raise InvalidInput("停用时段已过去，请选择将来的结束时间。", field="ends_at")
    _lock(session, equipment_id=equipment_id, platform_id=platform_id)
    closure = Closure(
        equipment_id=equipment_id,
        platform_id=platform_id,
        during=when,
        kind=kind,
        reason=reason.strip(),
        person_id=by,
        created_at=at,
    )
    session.add(closure)
    session.flush()
    affected = affected_by(session, when=when, at=at, equipment_id=equipment_id, platform_id=platform_id)
    audit.record(
        session,
        at=at,
        by=by,
        deed="closed",
        subject="closure",
        subject_id=closure.id,
        equipment_id=equipment_id,
        platform_id=platform_id,
        starts_at=when.start.isoformat(),
        ends_at=when.end.isoformat(),
        reason=closure.reason,
        affected=[one.id for one in affected],
    )
    if cancel_affected:
        for one in affected:
            if one.state in NOT_BEGUN:
                _cancel(session, one, reason=closure.reason, by=by, at=at)
    session.flush()
    return affected


def reopen(session: Session, closure_id: int, *, by: int, at: datetime) -> Closure:
    """End a closure now, or withdraw it before it began. Opening twice changes nothing."""
    closure = session.get(Closure, closure_id, with_for_update=True, populate_existing=True)
    if closure is None:
        raise NotFound("没有这项停用安排。")
    if closure.ended_at is None and closure.during.end > at:
        closure.ended_at = at
        audit.record(session, at=at, by=by, deed="reopened", subject="closure", subject_id=closure.id)
        session.flush()
    return closure


def affected_by(
    session: Session,
    *,
    when: Interval,
    at: datetime,
    equipment_id: int | None = None,
    platform_id: int | None = None,
) -> Sequence[Reservation]:
    """Reservations that have not ended and need this equipment then, by start; wholes and twins included."""
    query = select(Reservation).where(
        Reservation.state.in_([*NOT_BEGUN, ReservationState.IN_USE]),
        Reservation.during.op("&&")(when),
        func.upper(Reservation.during) > at,
    )
    if platform_id is not None:
        query = query.join(Equipment).where(Equipment.platform_id == platform_id)
    else:
        query = query.where(
            or_(
                Reservation.equipment_id == equipment_id,
                Reservation.id.in_(select(Occupancy.reservation_id).where(Occupancy.equipment_id == equipment_id)),
            )
        )
    return session.scalars(
        query.options(
            joinedload(Reservation.equipment), joinedload(Reservation.organization), joinedload(Reservation.person)
        )
        .order_by(func.lower(Reservation.during), Reservation.id)
        .execution_options(populate_existing=True)
    ).all()


def closures_of(session: Session, equipment: Equipment, *, at: datetime) -> Sequence[Closure]:
    """The equipment's and its platform's closures that are not over, by start."""
    return session.scalars(
        select(Closure)
        .where(
            or_(Closure.equipment_id == equipment.id, Closure.platform_id == equipment.platform_id),
            func.upper(Closure.during) > at,
            Closure.ended_at.is_(None),
        )
        .order_by(func.lower(Closure.during), Closure.id)
    ).all()


def _cancel(session: Session, reservation: Reservation, *, reason: str, by: int, at: datetime) -> None:
    """Without :func:`~app.booking.changing.cancel`, which counts against whoever cancels late."""
    reservation.withdrawn = True
    give_up(session, reservation, ReservationState.CANCELLED, by=by, at=at, deed="cancelled by closure", reason=reason)
    notify(
        session,
        [reservation.person_id],
        kind=NoticeKind.RESERVATION_CHANGED,
        key=f"closed:{reservation.id}",
        sentence=msgid("设备停用（%(reason)s），您对 %(equipment)s（%(starts_at)s 起）的预约已取消，不收费用。"),
        facts={
            "reason": reason,
            "equipment": names(reservation.equipment),
            "starts_at": reservation.during.start.isoformat(),
        },
        path=f"/reservations/{reservation.id}",
        at=at,
    )


def _lock(session: Session, *, equipment_id: int | None, platform_id: int | None) -> None:
    """Whoever reserves one of them, a whole that it is part of, or a twin that shares it, waits here, in order."""
    if (equipment_id is None) == (platform_id is None):
        raise InvalidInput("请选择一台设备或整个平台。", field="equipment_id")
    chosen = Equipment.id == equipment_id if platform_id is None else Equipment.platform_id == platform_id
    rows = session.scalars(
        select(Equipment.id).where(chosen).order_by(Equipment.id).with_for_update(key_share=True)
    ).all()
    if not rows:
        raise NotFound("没有这台设备。", field="equipment_id")
