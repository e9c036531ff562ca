"""Begin, end and prolong the use of what was reserved."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NoReturn

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from app.booking.admitting import closures, obstacles, unfit
from app.booking.changing import both_locked
from app.booking.holding import NotFree, hold_longer, let_go_from, take_along
from app.booking.keeping import ladder_of, record
from app.booking.models import Reservation
from app.booking.reserving import first_of, terms_for
from app.booking.rules.request import MINUTE, Terms
from app.booking.rules.reservation import ReservationState, ServiceMode
from app.booking.rules.words import MisstepKind
from app.booking.terms import closed_times
from app.catalogue.models import Approval, Equipment
from app.identity.models import Membership
from app.kernel import audit
from app.kernel.clock import local_date
from app.kernel.errors import Conflict, InvalidInput, Refusal, SlotTaken
from app.kernel.interval import Interval

FOLLOWING = text(
    "SELECT min(lower(other.blocked)) FROM occupancy AS mine JOIN occupancy AS other"
    " ON other.equipment_id = mine.equipment_id AND other.unit = mine.unit"
    " AND lower(other.blocked) >= upper(mine.blocked) WHERE mine.reservation_id = :reservation"
)


def check_in_window(session: Session, reservation: Reservation) -> Interval:
    """When one may check in: from a while before the start until the grace is over, at most until the end."""
    during, ladder = reservation.during, ladder_of(session, reservation.equipment.platform_id)
    closes = during.end if ladder is None else min(during.end, during.start + max(ladder.grace, MINUTE))
    return Interval(during.start - timedelta(minutes=reservation.equipment.early_minutes), closes)


def check_in(session: Session, reservation_id: int, *, by: int, at: datetime) -> Reservation:
    """Begin the use. What was right when it was reserved has to be right still. Twice changes nothing.

    Errors: ``Conflict`` too early, too late, while closed or while the time before is taken;
    ``NotAllowed`` when something is missing or the firm is blocked.
    """
    reservation, equipment, _ = both_locked(session, reservation_id)
    if reservation.state is ReservationState.IN_USE:
        return reservation
    if reservation.state is not ReservationState.BOOKED:
        raise Conflict("这项预约尚未确认或已经结束，不能签到。")
    window = check_in_window(session, reservation)
    if at < window.start:
        raise Conflict("开始前 %(minutes)s 分钟起可以签到，请稍后再来。", minutes=equipment.early_minutes)
    if at >= window.end:
        raise Conflict("签到时间已过，请重新预约。")
    broken = _unfit_now(session, reservation, equipment, by=by, at=at)
    if broken:
        raise first_of(broken)
    if at < reservation.during.start - timedelta(minutes=equipment.setup_minutes):
        try:
            hold_longer(session, reservation.id, since=at)
        except NotFree:
            raise Conflict("前一项预约还没有结束，请稍后再签到。") from None
    _moved(session, reservation, ReservationState.IN_USE, by=by, at=at, deed="checked_in")
    reservation.checked_in_at = at
    start = reservation.during.start
    if _behind(session, reservation, start, at=at) and not closed_times(session, equipment, Interval(start, at)):
        record(session, reservation, MisstepKind.LATE, at=at)
    session.flush()
    return reservation


def finish(session: Session, reservation_id: int, *, by: int | None, at: datetime, ran_on: bool = True) -> Reservation:
    """End the use; after the cleaning the rest is free for others at once. Twice changes nothing.

    Ending it well after the reserved end is an overrun, unless ``ran_on`` is False: the use was over
    and only the button forgotten.
    Errors: ``Conflict`` for a reservation that has not begun or holds nothing any more.
    """
    reservation, equipment, _ = both_locked(session, reservation_id)
    if reservation.state is ReservationState.FINISHED:
        return reservation
    begun = reservation.state is ReservationState.IN_USE or (
        reservation.state is ReservationState.BOOKED and reservation.during.start < at
    )
    if not begun:
        raise Conflict("这项预约尚未开始或已经取消，不能结束使用。")
    if at < reservation.during.end:
        reservation.released_at = at
        let_go_from(session, reservation.id, at + timedelta(minutes=equipment.cleanup_minutes))
    if reservation.checked_in_at is not None:
        overrun = ran_on and _behind(session, reservation, reservation.during.end, at=at)
        record(session, reservation, MisstepKind.OVERRUN if overrun else MisstepKind.GOOD_USE, at=at)
    _moved(session, reservation, ReservationState.FINISHED, by=by, at=at, deed="finished")
    session.flush()
    return reservation


def extend(
    session: Session, reservation_id: int, *, until: datetime, by: int, at: datetime, by_operator: bool = False
) -> Reservation:
    """Give a reservation that has begun more time, where the time is free and the terms allow it.

    Errors: ``SlotTaken`` that says how many minutes are possible; ``Conflict`` for one that has not begun,
    is over, or was approved for its time; whatever :func:`reserve` refuses.
    """
    reservation, equipment, _ = both_locked(session, reservation_id)
    during = reservation.during
    if reservation.state not in (ReservationState.BOOKED, ReservationState.IN_USE) or during.end <= at:
        raise Conflict("这项预约已经结束，不能延长。请重新预约。")
    if reservation.state is ReservationState.BOOKED and at < during.start:
        raise Conflict("这项预约还没有开始，请改期。")
    if until <= during.end:
        raise InvalidInput("新的结束时间应晚于原来的结束时间。", field="ends_at")
    if equipment.approval is not Approval.NONE and not by_operator:
        raise Conflict("这台设备的时段须经批准，请联系运营方延长。")
    longer = Interval(during.start, until)
    terms, customer_class = terms_for(session, equipment, reservation.organization_id, at=at)
    broken = obstacles(
        session,
        equipment,
        longer,
        terms=terms,
        customer_class=customer_class,
        organization_id=reservation.organization_id,
        person_id=reservation.person_id,
        at=min(at, during.start - terms.notice),  # it was reserved in time; only its length is new
        mode=reservation.mode,
        exempt=by_operator,
        except_id=reservation.id,
    )
    if broken:
        raise first_of(broken)
    with session.begin_nested():
        try:
            hold_longer(session, reservation.id, until=terms.blocked(longer).end)
        except NotFree:
            _refuse(session, reservation, terms)
        taken_along = {row.accessory_id: row.quantity for row in reservation.accessories}
        if taken_along:
            take_along(session, reservation, taken_along, when=longer, platform_id=equipment.platform_id)
        reservation.during, reservation.changed_at = longer, at
    audit.record(
        session,
        at=at,
        by=by,
        deed="extended",
        subject="reservation",
        subject_id=reservation.id,
        before=during.end.isoformat(),
        after=until.isoformat(),
    )
    session.flush()
    return reservation


def _unfit_now(
    session: Session, reservation: Reservation, equipment: Equipment, *, by: int, at: datetime
) -> list[Refusal]:
    """The rules again, for whoever stands at the machine; an operator checks in for the one who reserved."""
    if not equipment.bookable:
        return [Conflict("这台设备目前停用，请联系运营方。")]
    of_the_firm = session.scalar(
        select(Membership.id).where(
            Membership.person_id == by, Membership.organization_id == reservation.organization_id
        )
    )
    now = Interval(at, at + MINUTE)
    return closures(session, equipment, now) + unfit(
        session,
        equipment,
        organization_id=reservation.organization_id,
        person_id=reservation.person_id if of_the_firm is None else by,
        on=local_date(at),
        at=at,
        mode=reservation.mode,
    )


def _behind(session: Session, reservation: Reservation, due: datetime, *, at: datetime) -> bool:
    """Whether ``at`` is past ``due`` by more than is let pass, where somebody has to answer for it.

    As with no-shows, nobody has to where no check-in is asked for or the platform's staff run the equipment.
    """
    equipment = reservation.equipment
    ladder = ladder_of(session, equipment.platform_id)
    own_doing = equipment.check_in and reservation.mode is ServiceMode.SELF
    return own_doing and ladder is not None and due + ladder.tolerance <= at


def _refuse(session: Session, reservation: Reservation, terms: Terms) -> NoReturn:
    """Say how much longer the units are free that are held already."""
    following: datetime = session.scalars(FOLLOWING, {"reservation": reservation.id}).one()
    possible = (following - terms.cleanup - reservation.during.end) // terms.step * terms.step // MINUTE
    if possible > 0:
        raise SlotTaken("后面已有预约，最多可延长 %(minutes)s 分钟。", minutes=possible)
    raise SlotTaken("后面紧接着有预约，不能延长，请按时结束。", minutes=0)


def _moved(
    session: Session, reservation: Reservation, state: ReservationState, *, by: int | None, at: datetime, deed: str
) -> None:
    reservation.state, reservation.changed_at = state, at
    audit.record(session, at=at, by=by, deed=deed, subject="reservation", subject_id=reservation.id)
