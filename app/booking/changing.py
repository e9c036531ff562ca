"""Move a reservation, or give it up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.booking.admitting import obstacles
from app.booking.asking import ask_operators
from app.booking.holding import NotFree, hold, let_go, lock_devices, take_along
from app.booking.keeping import cancelled_late
from app.booking.models import Reservation
from app.booking.reserving import as_facts, beginning, first_of, refuse_taken, terms_for
from app.booking.rules.reservation import MOVES, NOT_BEGUN, ReservationState
from app.catalogue.models import Equipment
from app.kernel import audit
from app.kernel.errors import Conflict, NotFound
from app.kernel.interval import Interval


def move(
    session: Session, reservation_id: int, *, when: Interval, by: int, at: datetime, by_operator: bool = False
) -> Reservation:
    """Give a reservation that has not begun another time on the same equipment.

    What was approved has to be approved again. Errors: as :func:`reserve`; ``Conflict`` for one that has
    begun or was cancelled.
    """
    reservation, _, _ = both_locked(session, reservation_id)
    if when != reservation.during or reservation.state not in NOT_BEGUN:
        move_together(session, [reservation], {reservation_id: when}, by=by, at=at, by_operator=by_operator)
    return reservation


def move_together(
    session: Session,
    reservations: Sequence[Reservation],
    whens: Mapping[int, Interval],
    *,
    by: int,
    at: datetime,
    by_operator: bool = False,
) -> list[Reservation]:
    """Move reservations of one firm on one piece of equipment, all or none, in each other's way or not.

    The caller has the devices locked. Errors: as :func:`move`; a refusal carries the ``reservation_id``.
    """
    equipment, units = lock_devices(session, reservations[0].equipment_id)
    terms, customer_class = terms_for(session, equipment, reservations[0].organization_id, at=at)
    before = {one.id: one.during for one in reservations}
    for one in reservations:
        if one.state not in NOT_BEGUN or one.state is ReservationState.OFFERED:
            raise Conflict("这项预约已取消或已结束，不能改期。请重新预约。")
        if one.during.start <= at:
            raise Conflict("这项预约已经开始，不能改期。需要更多时间请另行预约。")
    with session.begin_nested():
        for one in reservations:
            let_go(session, one.id)
            one.during, one.changed_at = whens[one.id], at
        session.flush()
        for one in reservations:
            broken = obstacles(
                session,
                equipment,
                one.during,
                terms=terms,
                customer_class=customer_class,
                devices=units,
                organization_id=one.organization_id,
                person_id=one.person_id,
                at=at,
                mode=one.mode,
                exempt=by_operator,
                except_id=one.id,
            )
            if broken:
                broken[0].facts["reservation_id"] = one.id
                raise first_of(broken)
            try:
                hold(session, one.id, units, terms.blocked(one.during))
            except NotFree:
                refuse_taken(session, equipment, one.during, at=at, customer_class=customer_class, except_id=one.id)
            taken_along = {row.accessory_id: row.quantity for row in one.accessories}
            if taken_along:
                take_along(session, one, taken_along, when=one.during, platform_id=equipment.platform_id)
            one.state, one.hold_until = beginning(equipment, one.during, at=at, by_operator=by_operator)
            audit.record(
                session,
                at=at,
                by=by,
                deed="moved",
                subject="reservation",
                subject_id=one.id,
                before=as_facts(before[one.id]),
                after=as_facts(one.during),
            )
            ask_operators(session, one, at=at)
    session.flush()
    return list(reservations)


def cancel(session: Session, reservation_id: int, *, by: int, at: datetime, reason: str) -> Reservation:
    """Give the slot back. Cancelling twice changes nothing.

    Errors: ``Conflict`` for a reservation that has begun or ended.
    """
    reservation, _, _ = both_locked(session, reservation_id)
    if ReservationState.CANCELLED not in MOVES[reservation.state]:
        if reservation.state is ReservationState.CANCELLED:
            return reservation
        raise Conflict("这项预约已经开始或结束，不能取消。")
    if reservation.during.end <= at:
        raise Conflict("这项预约已经结束，不能取消。")
    if reservation.during.start <= at:
        raise Conflict("这项预约已经开始，不能取消。如需提前结束，请联系运营方。")
    if reservation.state is ReservationState.BOOKED:
        cancelled_late(session, reservation, at=at)
    give_up(session, reservation, ReservationState.CANCELLED, by=by, at=at, deed="cancelled", reason=reason)
    return reservation


def give_up(
    session: Session,
    reservation: Reservation,
    state: ReservationState,
    *,
    by: int | None,
    at: datetime,
    deed: str,
    reason: str = "",
) -> None:
    """End a reservation that holds its slot in a state that holds nothing, and free the slot.

    The caller has the devices locked (:func:`both_locked`).
    """
    if state not in MOVES[reservation.state]:
        raise ValueError(f"a reservation cannot go from {reservation.state} to {state}")
    if state is ReservationState.CANCELLED and reservation.state is ReservationState.BOOKED:
        reservation.cancelled_at = at
    reservation.state, reservation.changed_at, reservation.hold_until = state, at, None
    let_go(session, reservation.id)
    audit.record(session, at=at, by=by, deed=deed, subject="reservation", subject_id=reservation.id, reason=reason)
    session.flush()


def both_locked(session: Session, reservation_id: int) -> tuple[Reservation, Equipment, dict[int, int]]:
    """A reservation as it is now, with its devices locked before it: everybody locks in that order."""
    equipment_id = session.scalar(select(Reservation.equipment_id).where(Reservation.id == reservation_id))
    if equipment_id is None:
        raise NotFound("没有这项预约。")
    equipment, units = lock_devices(session, equipment_id)
    reservation = session.get_one(Reservation, reservation_id, populate_existing=True)
    return reservation, equipment, units
