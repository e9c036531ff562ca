"""Reserve, move and cancel: one slot, one firm.

The exclusion constraint is what makes double booking impossible. The equipment row is locked first
all the same: without it the losers of a race wait for each other until PostgreSQL breaks the deadlock.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NoReturn

from psycopg import errors as pg
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.booking.models import Reservation
from app.booking.rules.free import free_stretches, nearest_free
from app.booking.rules.opening import OpenStretch, opening_intervals
from app.booking.rules.request import Terms, violations
from app.booking.rules.reservation import HOLDS_SLOT, MOVES, ReservationState
from app.catalogue.models import Equipment
from app.kernel import audit
from app.kernel.errors import Conflict, InvalidInput, NotFound, SlotTaken
from app.kernel.interval import Interval

SOUGHT_AROUND = timedelta(days=14)
OFFERED = 5


def reserve(
    session: Session,
    *,
    equipment_id: int,
    when: Interval,
    organization_id: int,
    person_id: int,
    at: datetime,
    purpose: str = "",
    idempotency_key: str | None = None,
) -> Reservation:
    """Reserve ``when`` for a firm. The same key with the same content gives the same reservation again.

    Errors: ``SlotTaken`` with the nearest free slots; ``InvalidInput`` when the terms are not met;
    ``Conflict`` for equipment out of service and for a key that was used for something else.
    """
    equipment = _locked(session, equipment_id)

    def earlier() -> Reservation | None:
        return _by_key(session, organization_id, idempotency_key, equipment_id=equipment_id, when=when, purpose=purpose)

    if (known := earlier()) is not None:
        return known
    terms = terms_of(equipment)
    _insist(equipment, terms, when, at=at)
    reservation = Reservation(
        equipment_id=equipment_id,
        organization_id=organization_id,
        person_id=person_id,
        during=when,
        blocked=terms.blocked(when),
        purpose=purpose,
        idempotency_key=idempotency_key,
        created_at=at,
        changed_at=at,
    )
    try:
        with session.begin_nested():
            session.add(reservation)
    except IntegrityError as error:
        if isinstance(error.orig, pg.UniqueViolation) and (known := earlier()) is not None:
            return known  # the same key came at the same moment by another way
        _explain(error, session, equipment, when, at=at)
    audit.record(
        session,
        at=at,
        by=person_id,
        deed="reserved",
        subject="reservation",
        subject_id=reservation.id,
        equipment_id=equipment_id,
        **_said(when),
    )
    session.flush()
    return reservation


def move(session: Session, reservation_id: int, *, when: Interval, by: int, at: datetime) -> Reservation:
    """Give a reservation that has not begun another time on the same equipment.

    Errors: as :func:`reserve`; ``Conflict`` for one that has begun or was cancelled.
    """
    reservation, equipment = _both_locked(session, reservation_id)
    before = reservation.during
    if reservation.state not in HOLDS_SLOT:
        raise Conflict("这项预约已取消，不能改期。请重新预约。")
    if before.start <= at:
        raise Conflict("这项预约已经开始，不能改期。需要更多时间请另行预约。")
    if when == before:
        return reservation
    terms = terms_of(equipment)
    _insist(equipment, terms, when, at=at)
    try:
        with session.begin_nested():
            reservation.during, reservation.blocked, reservation.changed_at = when, terms.blocked(when), at
    except IntegrityError as error:
        _explain(error, session, equipment, when, at=at, except_id=reservation_id)
    audit.record(
        session,
        at=at,
        by=by,
        deed="moved",
        subject="reservation",
        subject_id=reservation_id,
        before=_said(before),
        after=_said(when),
    )
    session.flush()
    return reservation


def cancel(session: Session, reservation_id: int, *, by: int, at: datetime, reason: str) -> Reservation:
    """Give the slot back. Cancelling twice changes nothing.

    Errors: ``Conflict`` for a reservation that has begun or ended.
    """
    reservation, _ = _both_locked(session, reservation_id)
    if ReservationState.CANCELLED not in MOVES[reservation.state]:
        return reservation
    if reservation.during.end <= at:
        raise Conflict("这项预约已经结束，不能取消。")
    if reservation.during.start <= at:
        raise Conflict("这项预约已经开始，不能取消。如需提前结束，请联系运营方。")
    reservation.state, reservation.changed_at = ReservationState.CANCELLED, at
    audit.record(
        session, at=at, by=by, deed="cancelled", subject="reservation", subject_id=reservation_id, reason=reason
    )
    session.flush()
    return reservation


def terms_of(equipment: Equipment) -> Terms:
    """How this equipment may be reserved, as a value for the rules."""
    return Terms(
        step=timedelta(minutes=equipment.step_minutes),
        least=timedelta(minutes=equipment.least_minutes),
        most=timedelta(minutes=equipment.most_minutes),
        advance=timedelta(days=equipment.advance_days),
        setup=timedelta(minutes=equipment.setup_minutes),
        cleanup=timedelta(minutes=equipment.cleanup_minutes),
        hours=tuple(OpenStretch(row.weekday, row.opens_minute, row.closes_minute) for row in equipment.opening_hours),
    )


def nearest_free_slots(
    session: Session, equipment: Equipment, when: Interval, *, at: datetime, except_id: int | None = None
) -> tuple[Interval, ...]:
    """Free slots as long as ``when`` that could be reserved instead, nearest first, within two weeks."""
    terms = terms_of(equipment)
    window = when.padded(before=SOUGHT_AROUND, after=SOUGHT_AROUND)
    taken = session.scalars(
        select(Reservation.blocked).where(
            Reservation.equipment_id == equipment.id,
            Reservation.state.in_(HOLDS_SLOT),
            Reservation.blocked.op("&&")(terms.blocked(window)),
            *([Reservation.id != except_id] if except_id is not None else []),
        )
    ).all()
    free = free_stretches(opening_intervals(terms.hours, window), terms.kept_from(taken))
    offers = nearest_free(when, free=free, step=terms.step, not_before=at, count=OFFERED)
    return tuple(offer for offer in offers if not violations(offer, terms=terms, at=at))


def _locked(session: Session, equipment_id: int) -> Equipment:
    """The equipment row under FOR NO KEY UPDATE: whoever books it waits here, in order."""
    equipment = session.scalar(
        select(Equipment)
        .where(Equipment.id == equipment_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    if equipment is None:
        raise NotFound("没有这台设备。", field="equipment_id")
    return equipment


def _both_locked(session: Session, reservation_id: int) -> tuple[Reservation, Equipment]:
    """A reservation as it is now, with its equipment locked before it: everybody locks in that order."""
    equipment_id = session.scalar(select(Reservation.equipment_id).where(Reservation.id == reservation_id))
    if equipment_id is None:
        raise NotFound("没有这项预约。")
    equipment = _locked(session, equipment_id)
    reservation = session.get_one(Reservation, reservation_id, populate_existing=True)
    return reservation, equipment


def _by_key(
    session: Session, organization_id: int, key: str | None, *, equipment_id: int, when: Interval, purpose: str
) -> Reservation | None:
    if key is None:
        return None
    known = session.scalar(
        select(Reservation).where(Reservation.organization_id == organization_id, Reservation.idempotency_key == key)
    )
    if known is None:
        return None
    if (known.equipment_id, known.during, known.purpose) != (equipment_id, when, purpose):
        raise Conflict("这个幂等键已用于另一项预约，请换一个新的键。", field="idempotency_key")
    return known


def _insist(equipment: Equipment, terms: Terms, when: Interval, *, at: datetime) -> None:
    if not equipment.bookable:
        raise Conflict("这台设备目前停止预约，请选择其他设备或联系运营方。")
    broken = violations(when, terms=terms, at=at)
    if broken:
        raise first_of(broken)


def first_of(broken: list[InvalidInput]) -> InvalidInput:
    """The first refusal, which carries the others along as ``also`` for whoever can show all."""
    broken[0].facts["also"] = broken[1:]
    return broken[0]


def _explain(
    error: IntegrityError,
    session: Session,
    equipment: Equipment,
    when: Interval,
    *,
    at: datetime,
    except_id: int | None = None,
) -> NoReturn:
    if not isinstance(error.orig, pg.ExclusionViolation):
        raise error
    raise SlotTaken(
        "这段时间已被预约，请从最近的空闲时段中选择。",
        alternatives=nearest_free_slots(session, equipment, when, at=at, except_id=except_id),
        equipment_id=equipment.id,
    ) from None


def _said(when: Interval) -> dict[str, str]:
    return {"starts_at": when.start.isoformat(), "ends_at": when.end.isoformat()}
