"""Reserve, move and cancel. The page and the API come through here."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, selectinload

from app.booking.models import Reservation
from app.booking.rules.free import free_stretches, nearest_free
from app.booking.rules.opening import WeeklyHours, open_stretches
from app.booking.rules.request import BookingRules, refuse_unless_fit
from app.booking.rules.reservation import MOVES, ReservationState
from app.catalogue.models import Equipment
from app.kernel import audit
from app.kernel.errors import Conflict, InvalidInput, NotFound, SlotTaken
from app.kernel.interval import Interval

LOOK_AROUND = timedelta(days=14)


def rules_of(equipment: Equipment) -> BookingRules:
    def minutes(number: int) -> timedelta:
        return timedelta(minutes=number)

    return BookingRules(
        step=minutes(equipment.step_minutes),
        least=minutes(equipment.least_minutes),
        most=minutes(equipment.most_minutes),
        advance=timedelta(days=equipment.advance_days),
        before=minutes(equipment.setup_minutes),
        after=minutes(equipment.cleanup_minutes),
        hours=tuple(WeeklyHours(one.weekday, one.opens_minute, one.closes_minute) for one in equipment.opening_hours),
    )


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
    """Book one piece of equipment. The same ``idempotency_key`` with the same wish is the same reservation.

    Errors: ``InvalidInput`` for a rule of the equipment, ``SlotTaken`` with the nearest free slots,
    ``Conflict`` for a key that was used for something else.
    """
    equipment = _locked(session, equipment_id)
    if idempotency_key and (known := _by_key(session, organization_id, idempotency_key)):
        if (known.equipment_id, known.during) != (equipment_id, when):
            raise Conflict("这个幂等键已用于另一预约，请换一个键。", field="idempotency_key")
        return known
    if not equipment.bookable:
        raise InvalidInput("该设备暂不开放预约，请选择其他设备。", field="equipment_id")
    rules = rules_of(equipment)
    refuse_unless_fit(when, rules, at=at)
    reservation = Reservation(
        equipment_id=equipment_id,
        organization_id=organization_id,
        person_id=person_id,
        during=when,
        blocked=when.padded(before=rules.before, after=rules.after),
        purpose=purpose.strip(),
        idempotency_key=idempotency_key or None,
        created_at=at,
        changed_at=at,
    )
    _place(session, reservation, rules, at=at)
    _note(session, reservation, "reserved", by=person_id, at=at)
    return reservation


def move(session: Session, reservation_id: int, *, when: Interval, by: int, at: datetime) -> Reservation:
    """Give a reservation that has not begun another time."""
    reservation = _live(session, reservation_id)
    if reservation.during.start <= at:
        raise Conflict("预约已开始，不能再改期。")
    rules = rules_of(reservation.equipment)
    refuse_unless_fit(when, rules, at=at)
    before = reservation.during
    reservation.during = when
    reservation.blocked = when.padded(before=rules.before, after=rules.after)
    reservation.changed_at = at
    _place(session, reservation, rules, at=at)
    _note(session, reservation, "moved", by=by, at=at, was=[before.start.isoformat(), before.end.isoformat()])
    return reservation


def cancel(session: Session, reservation_id: int, *, by: int, at: datetime, reason: str = "") -> Reservation:
    """Give a slot back. What has begun is no longer cancelled: its use is metered."""
    reservation = _live(session, reservation_id)
    if reservation.during.start <= at:
        raise Conflict("预约已开始，不能取消。")
    if ReservationState.CANCELLED not in MOVES[reservation.state]:
        raise Conflict("该预约不能取消。")
    reservation.state = ReservationState.CANCELLED
    reservation.changed_at = at
    session.flush()
    _note(session, reservation, "cancelled", by=by, at=at, reason=reason.strip())
    return reservation


def _locked(session: Session, equipment_id: int) -> Equipment:
    """The equipment with its row locked, so that those who want it queue instead of deadlocking."""
    equipment = session.scalar(
        select(Equipment)
        .where(Equipment.id == equipment_id)
        .options(selectinload(Equipment.opening_hours))
        .with_for_update(key_share=True, of=Equipment)
    )
    if equipment is None:
        raise NotFound("没有这台设备。", field="equipment_id")
    return equipment


def _live(session: Session, reservation_id: int) -> Reservation:
    equipment_id = session.scalar(select(Reservation.equipment_id).where(Reservation.id == reservation_id))
    if equipment_id is None:
        raise NotFound("没有这个预约。")
    _locked(session, equipment_id)
    reservation = session.get_one(Reservation, reservation_id, populate_existing=True)
    if reservation.state is not ReservationState.BOOKED:
        raise Conflict("该预约已取消。")
    return reservation


def _by_key(session: Session, organization_id: int, key: str) -> Reservation | None:
    return session.scalar(
        select(Reservation).where(Reservation.organization_id == organization_id, Reservation.idempotency_key == key)
    )


def _place(session: Session, reservation: Reservation, rules: BookingRules, *, at: datetime) -> None:
    """Write it; the database has the last word on whether the slot is free."""
    wanted, equipment_id = reservation.during, reservation.equipment_id
    try:
        with session.begin_nested():
            session.add(reservation)
            session.flush()
    except IntegrityError as error:
        if "no_double_booking" not in str(error.orig):
            raise
        alternatives = free_slots_near(session, equipment_id, wanted, rules, at=at)
        raise SlotTaken(
            "该时段已被预约。以下是最近的空闲时段。", alternatives=alternatives, equipment_id=equipment_id
        ) from error


def free_slots_near(
    session: Session, equipment_id: int, wanted: Interval, rules: BookingRules, *, at: datetime, count: int = 4
) -> tuple[Interval, ...]:
    """The free slots as long as ``wanted`` that lie nearest to it, within two weeks on either side."""
    around = wanted.padded(before=LOOK_AROUND, after=LOOK_AROUND)
    blocked = session.scalars(
        select(Reservation.blocked).where(
            Reservation.equipment_id == equipment_id,
            Reservation.state == ReservationState.BOOKED,
            Reservation.blocked.op("&&")(around),
        )
    )
    # A slot's own set-up and cleaning must not meet anybody's blocked time either.
    taken = [other.padded(before=rules.after, after=rules.before) for other in blocked]
    free = free_stretches(open_stretches(rules.hours, around), taken)
    return nearest_free(wanted, free=free, step=rules.step, not_before=at, count=count)


def _note(session: Session, reservation: Reservation, deed: str, *, by: int, at: datetime, **more: object) -> None:
    when = [reservation.during.start.isoformat(), reservation.during.end.isoformat()]
    audit.record(
        session, at=at, by=by, deed=deed, subject="reservation", subject_id=reservation.id,
        equipment_id=reservation.equipment_id, when=when, **more,
    )  # fmt: skip
