"""The waitlist: ask for a slot that is taken, be offered it when it becomes free, take it or leave it."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import and_, exists, func, select
from sqlalchemy.orm import Session, aliased

from app.booking.admitting import obstacles
from app.booking.asking import ask_operators
from app.booking.availability import bookable_stretches
from app.booking.changing import both_locked, give_up
from app.booking.holding import lock_devices
from app.booking.models import Occupancy, Reservation, Waiting
from app.booking.reserving import beginning, first_of, reserve, terms_for
from app.booking.rules.reservation import ReservationState
from app.booking.rules.words import WaitState
from app.catalogue.models import Equipment
from app.identity.notifying import notify
from app.identity.rules.notice import NoticeKind, msgid, names
from app.kernel import audit
from app.kernel.errors import Conflict, NotFound, Refusal, SlotTaken
from app.kernel.interval import Interval

STILL_HOPING = (WaitState.WAITING, WaitState.OFFERED)


def join(
    session: Session, *, equipment_id: int, when: Interval, organization_id: int, person_id: int, at: datetime
) -> Waiting:
    """Wait for ``when``. Who waits for it already waits once.

    Errors: ``Conflict`` when the slot is free; whatever :func:`reserve` would refuse but that it is taken.
    """
    equipment, _ = lock_devices(session, equipment_id)
    known = session.scalar(
        select(Waiting).where(
            Waiting.equipment_id == equipment_id,
            Waiting.person_id == person_id,
            Waiting.organization_id == organization_id,
            Waiting.during == when,
            Waiting.state.in_(STILL_HOPING),
        )
    )
    if known is not None:
        return known
    if broken := _obstacles(session, equipment, when, organization_id=organization_id, person_id=person_id, at=at):
        raise first_of(broken)
    if _is_free(session, equipment, when, organization_id=organization_id, at=at):
        raise Conflict("这段时间现在空闲，请直接预约。", field="starts_at")
    row = Waiting(
        equipment_id=equipment_id,
        organization_id=organization_id,
        person_id=person_id,
        during=when,
        created_at=at,
        changed_at=at,
    )
    session.add(row)
    session.flush()
    return row


def withdraw(session: Session, waiting_id: int, *, by: int, at: datetime) -> Waiting:
    """Wait no more, or leave what was offered: the next one's turn. Twice changes nothing.

    Errors: ``Conflict`` for an offer that was taken: that is a reservation to cancel.
    """
    row = _locked(session, waiting_id)
    if row.state is WaitState.TAKEN:
        raise Conflict("这个名额已经成为预约，请在预约页面取消。")
    if row.state is WaitState.OFFERED and row.reservation_id is not None:
        offer = session.get_one(Reservation, row.reservation_id, populate_existing=True)
        if offer.state is ReservationState.OFFERED:
            give_up(session, offer, ReservationState.CANCELLED, by=by, at=at, deed="declined_offer")
    if row.state in STILL_HOPING:
        row.state, row.changed_at = WaitState.WITHDRAWN, at
        session.flush()
    return row


def accept(session: Session, waiting_id: int, *, by: int, at: datetime) -> Reservation:
    """Take what is offered, as a reservation, or a request where the equipment wants approval.

    Errors: ``Conflict`` when the offer has lapsed; whatever the terms refuse by now. Twice changes nothing.
    """
    row = _locked(session, waiting_id)
    if row.reservation_id is None:
        raise Conflict("这段时间还没有空出来，空出后会通知您。")
    reservation, equipment, _ = both_locked(session, row.reservation_id)
    if row.state is WaitState.TAKEN:
        return reservation
    if (
        row.state is not WaitState.OFFERED
        or reservation.state is not ReservationState.OFFERED
        or reservation.hold_until is None
        or reservation.hold_until <= at
    ):
        raise Conflict("这个名额已失效，可以重新候补或另选时段。")
    broken = _obstacles(
        session,
        equipment,
        reservation.during,
        organization_id=row.organization_id,
        person_id=row.person_id,
        at=at,
        except_id=reservation.id,
    )
    if broken:
        raise first_of(broken)
    reservation.state, reservation.hold_until = beginning(equipment, reservation.during, at=at)
    reservation.changed_at = at
    row.state, row.changed_at = WaitState.TAKEN, at
    audit.record(
        session,
        at=at,
        by=by,
        deed="accepted_offer",
        subject="reservation",
        subject_id=reservation.id,
        state=reservation.state.value,
    )
    ask_operators(session, reservation, at=at)
    session.flush()
    return reservation


def offer_freed(session: Session, *, at: datetime, limit: int) -> int:
    """Offer what has become free to whoever waits longest; let go of wishes whose start has passed."""
    done = _expire_passed(session, at=at, limit=limit)
    for waiting_id in _perhaps_free(session, at=at):
        if done >= limit:
            break
        row = session.get_one(Waiting, waiting_id)
        if not _is_free(session, row.equipment, row.during, organization_id=row.organization_id, at=at):
            continue
        row = _locked(session, waiting_id)
        if row.state is WaitState.WAITING and _offer(session, row, at=at):
            done += 1
    return done


def ahead_of(session: Session, waiting_ids: Collection[int]) -> dict[int, int]:
    """How many others wait longer for a slot that meets each of these. One query."""
    longer = aliased(Waiting)
    rows = session.execute(
        select(Waiting.id, func.count(longer.id))
        .outerjoin(
            longer,
            and_(
                longer.equipment_id == Waiting.equipment_id,
                longer.state.in_(STILL_HOPING),
                longer.during.op("&&")(Waiting.during),
                longer.id < Waiting.id,
            ),
        )
        .where(Waiting.id.in_(waiting_ids))
        .group_by(Waiting.id)
    )
    return dict(rows.all())


def _offer(session: Session, row: Waiting, *, at: datetime) -> bool:
    """Hold the slot for whoever waits. Not done when somebody was quicker; the wish stays then."""
    equipment = row.equipment
    try:
        reservation = reserve(
            session,
            equipment_id=row.equipment_id,
            when=row.during,
            organization_id=row.organization_id,
            person_id=row.person_id,
            at=at,
            offered_until=min(at + timedelta(minutes=equipment.offer_minutes), row.during.start),
        )
    except SlotTaken:
        return False
    except Refusal as refusal:
        row.state, row.changed_at = WaitState.EXPIRED, at
        _tell(
            session,
            row,
            msgid("%(equipment)s %(starts_at)s 的候补已结束：时段已空出，但目前不符合预约条件。请在预约页面查看原因。"),
            key=f"unfit:{row.id}",
            at=at,
            reason=refusal.code,
        )
        return True
    row.state, row.changed_at, row.reservation_id = WaitState.OFFERED, at, reservation.id
    _tell(
        session,
        row,
        msgid("%(equipment)s %(starts_at)s 的时段已空出并为您保留，请在 %(until_at)s 前确认。"),
        key=f"offer:{row.id}",
        at=at,
        until_at="" if reservation.hold_until is None else reservation.hold_until.isoformat(),
    )
    session.flush()
    return True


def _expire_passed(session: Session, *, at: datetime, limit: int) -> int:
    rows = session.scalars(
        select(Waiting)
        .where(Waiting.state == WaitState.WAITING, func.lower(Waiting.during) <= at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    for row in rows:
        row.state, row.changed_at = WaitState.EXPIRED, at
    session.flush()
    return len(rows)


def _perhaps_free(session: Session, *, at: datetime) -> list[int]:
    """Wishes that the listing's own device does not rule out, the oldest first: most wishes cost one index lookup."""
    held = exists().where(
        Occupancy.equipment_id == func.coalesce(Equipment.shares_id, Equipment.id),
        Occupancy.blocked.op("&&")(Waiting.during),
    )
    return list(
        session.scalars(
            select(Waiting.id)
            .join(Equipment, Equipment.id == Waiting.equipment_id)
            .where(
                Waiting.state == WaitState.WAITING,
                func.lower(Waiting.during) > at,
                (Equipment.units > 1) | Equipment.shares_id.is_not(None) | ~held,
            )
            .order_by(Waiting.created_at, Waiting.id)
        )
    )


def _locked(session: Session, waiting_id: int) -> Waiting:
    """The wish as it is now, with the devices locked: whatever changes a wish waits its turn here."""
    equipment_id = session.scalar(select(Waiting.equipment_id).where(Waiting.id == waiting_id))
    if equipment_id is None:
        raise NotFound("没有这项候补。")
    lock_devices(session, equipment_id)
    return session.get_one(Waiting, waiting_id, populate_existing=True)


def _is_free(session: Session, equipment: Equipment, when: Interval, *, organization_id: int, at: datetime) -> bool:
    terms, _ = terms_for(session, equipment, organization_id, at=at)
    free = bookable_stretches(session, equipment, when, terms=terms, at=at)
    return any(stretch.encloses(when) for stretch in free)


def _obstacles(
    session: Session,
    equipment: Equipment,
    when: Interval,
    *,
    organization_id: int,
    person_id: int,
    at: datetime,
    except_id: int | None = None,
) -> list[Refusal]:
    terms, customer_class = terms_for(session, equipment, organization_id, at=at)
    return obstacles(
        session,
        equipment,
        when,
        terms=terms,
        customer_class=customer_class,
        organization_id=organization_id,
        person_id=person_id,
        at=at,
        except_id=except_id,
    )


def _tell(session: Session, row: Waiting, sentence: str, *, key: str, at: datetime, **facts: str) -> None:
    notify(
        session,
        [row.person_id],
        kind=NoticeKind.OFFER,
        key=key,
        sentence=sentence,
        facts={"equipment": names(row.equipment), "starts_at": row.during.start.isoformat(), **facts},
        path="/waitlist",
        at=at,
    )
