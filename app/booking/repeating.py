"""Series: many reservations by one rule, looked at before they are made, and changed together or one by one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.booking.admitting import obstacles
from app.booking.availability import SOUGHT_AROUND, bookable_stretches
from app.booking.changing import both_locked, give_up, move_together
from app.booking.holding import Stock, lock_devices, stocks
from app.booking.models import Reservation, Series
from app.booking.reserving import locked_listing, reserve
from app.booking.rules.free import free_stretches, nearest_free
from app.booking.rules.request import violations
from app.booking.rules.reservation import NOT_BEGUN, ReservationState
from app.booking.terms import class_for, terms_of
from app.kernel.clock import FACILITY_ZONE, local_date
from app.kernel.errors import Conflict, InvalidInput, NotFound, Refusal, SlotTaken
from app.kernel.interval import Interval

OFFERED = 3


class Reach(StrEnum):
    """How much of a series a change is about."""

    ONE = "one"
    FOLLOWING = "following"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One date of a series as it would stand now: ``refusal`` says why not, ``alternatives`` where else.

    ``too_early`` is for a date that nobody could reserve yet, because it lies beyond how far ahead one may.
    """

    when: Interval
    refusal: Refusal | None
    alternatives: tuple[Interval, ...]
    too_early: bool = False


def preview(
    session: Session,
    *,
    equipment_id: int,
    whens: Sequence[Interval],
    organization_id: int,
    person_id: int,
    at: datetime,
    accessories: Mapping[int, int] | None = None,
) -> list[Occurrence]:
    """What would become of each date, those before it counted along. Nothing is held.

    The reservations around are read once for the whole series; quotas and requirements for each date.
    Shape: ``accessories`` is how many of which each date takes along. Errors: as :func:`holding.stocks`.
    """
    if not whens:
        return []
    equipment, _ = lock_devices(session, equipment_id)
    customer_class = class_for(session, equipment, organization_id, on=local_date(at))
    terms = terms_of(session, equipment, at=at, customer_class=customer_class)
    window = Interval(min(when.start for when in whens), max(when.end for when in whens))
    around = window.padded(before=SOUGHT_AROUND, after=SOUGHT_AROUND)
    free = bookable_stretches(session, equipment, around, terms=terms, at=at)
    wanted = stocks(session, accessories or {}, within=around, platform_id=equipment.platform_id)
    complete = free_stretches(free, (when for stock in wanted for when in stock.out(around)))
    found: list[Occurrence] = []
    agreed: list[Interval] = []
    for when in whens:
        broken = obstacles(
            session,
            equipment,
            when,
            terms=terms,
            customer_class=customer_class,
            organization_id=organization_id,
            person_id=person_id,
            at=at,
            besides=agreed,
        )
        refusal: Refusal | None = broken[0] if broken else None
        clashes = any(terms.blocked(when).overlaps(terms.blocked(other)) for other in agreed)
        if refusal is None and (clashes or not any(stretch.encloses(when) for stretch in free)):
            refusal = SlotTaken("这段时间已被预约，请从最近的空闲时段中选择。")
        if refusal is None:  # dates of one series never overlap, so none takes an accessory from another
            refusal = _shortage(wanted, when)
        alternatives: tuple[Interval, ...] = ()
        if refusal is None:
            agreed.append(when)
        else:
            near = nearest_free(when, free=complete, step=terms.step, not_before=at + terms.notice, count=2 * OFFERED)
            alternatives = tuple(
                offer
                for offer in near
                if not violations(offer, terms=terms, at=at)
                and not any(offer.overlaps(other) for other in (*agreed, *whens) if other != when)
            )[:OFFERED]
        found.append(Occurrence(when, refusal, alternatives, too_early=when.start > at + terms.advance))
    return found


def reserve_series(
    session: Session,
    *,
    equipment_id: int,
    whens: Sequence[Interval],
    rule: Mapping[str, Any],
    organization_id: int,
    person_id: int,
    at: datetime,
    purpose: str = "",
    accessories: Mapping[int, int] | None = None,
    idempotency_key: str | None = None,
    skip_conflicts: bool = False,
) -> tuple[Series, list[Occurrence]]:
    """Reserve every date, or with ``skip_conflicts`` those that can be had; returns what was left out.

    Shape: ``rule`` is kept as it was given, for people to read; ``accessories`` is how many of which each date
    takes along. Errors: as :func:`reserving.reserve`, with
    the date as ``starts_at`` fact, and nothing is reserved then; ``Conflict`` when no date can be had.
    """
    if not whens:
        raise InvalidInput("没有选中任何日期，请至少保留一个。", field="dates")
    listing = locked_listing(session, equipment_id, organization_id=organization_id, at=at)
    known = _by_key(session, organization_id, idempotency_key)
    if known is not None:
        return known, []
    series = Series(
        equipment_id=equipment_id,
        organization_id=organization_id,
        person_id=person_id,
        rule=dict(rule),
        idempotency_key=idempotency_key,
        created_at=at,
    )
    session.add(series)
    session.flush()
    left_out: list[Occurrence] = []
    for when in whens:
        try:
            with session.begin_nested():
                reserve(
                    session,
                    equipment_id=equipment_id,
                    when=when,
                    organization_id=organization_id,
                    person_id=person_id,
                    at=at,
                    purpose=purpose,
                    accessories=accessories,
                    series_id=series.id,
                    listing=listing,
                )
        except Refusal as refusal:
            if not skip_conflicts:
                refusal.facts["starts_at"] = when.start
                raise
            left_out.append(Occurrence(when, refusal, getattr(refusal, "alternatives", ())))
    if len(left_out) == len(whens):
        raise Conflict("所选日期都无法预约，请换一个时间或设备。", field="dates")
    return series, left_out


def move_series(
    session: Session, reservation_id: int, *, reach: Reach, when: Interval, by: int, at: datetime
) -> list[Reservation]:
    """Give this date, this and the following, or all future dates another time of day, weekday or length.

    Each date moves by as much on the clock of the facility as this one does. All or none.
    Errors: as :func:`reserving.move`.
    """
    reservation, _, _ = both_locked(session, reservation_id)
    affected = _affected(session, reservation, reach, at=at)
    wall = when.start.astimezone(FACILITY_ZONE).replace(tzinfo=None)
    by_clock = wall - reservation.during.start.astimezone(FACILITY_ZONE).replace(tzinfo=None)
    moved = {}
    for one in affected:
        start = one.during.start.astimezone(FACILITY_ZONE).replace(tzinfo=None) + by_clock
        begins = start.replace(tzinfo=FACILITY_ZONE)
        moved[one.id] = Interval(begins, begins + when.duration)
    return move_together(session, affected, moved, by=by, at=at)


def cancel_series(
    session: Session, reservation_id: int, *, reach: Reach, by: int, at: datetime, reason: str
) -> list[Reservation]:
    """Give back this date, this and the following, or all that have not begun."""
    reservation, _, _ = both_locked(session, reservation_id)
    affected = _affected(session, reservation, reach, at=at)
    for one in affected:
        give_up(session, one, ReservationState.CANCELLED, by=by, at=at, deed="cancelled", reason=reason)
    return affected


def dates_of(session: Session, series_id: int) -> Sequence[Reservation]:
    """Every reservation of a series, by start."""
    return session.scalars(
        select(Reservation).where(Reservation.series_id == series_id).order_by(Reservation.during)
    ).all()


def _shortage(wanted: Sequence[Stock], when: Interval) -> Refusal | None:
    return next((short for stock in wanted if (short := stock.shortage(when)) is not None), None)


def _affected(session: Session, reservation: Reservation, reach: Reach, *, at: datetime) -> list[Reservation]:
    if reservation.series_id is None and reach is not Reach.ONE:
        raise NotFound("这项预约不属于任何系列。")
    wanted = [reservation] if reservation.series_id is None else dates_of(session, reservation.series_id)
    match reach:
        case Reach.ONE:
            wanted = [reservation]
        case Reach.FOLLOWING:
            wanted = [one for one in wanted if one.during.start >= reservation.during.start]
        case Reach.ALL:
            pass
    affected = [one for one in wanted if one.state in NOT_BEGUN and one.during.start > at]
    if not affected:
        raise Conflict("系列中没有尚未开始的预约，不能更改。")
    return affected


def _by_key(session: Session, organization_id: int, key: str | None) -> Series | None:
    if key is None:
        return None
    return session.scalar(
        select(Series).where(Series.organization_id == organization_id, Series.idempotency_key == key)
    )
