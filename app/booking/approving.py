"""Decide requests: agree or decline, step by step."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session, joinedload, selectinload

from app.booking.asking import ask_operators
from app.booking.changing import both_locked, give_up
from app.booking.models import Decision, Reservation
from app.booking.rules.approval import STEPS, Step, agreed_by, stands
from app.booking.rules.reservation import HOLDS_SLOT, ReservationState
from app.catalogue.models import Equipment
from app.identity.notifying import notify
from app.identity.rules.notice import NoticeKind, msgid, names
from app.kernel import audit
from app.kernel.errors import Conflict, InvalidInput
from app.kernel.interval import Interval

AROUND = timedelta(hours=12)


def decide(
    session: Session,
    reservation_id: int,
    *,
    by: int,
    approve: bool,
    reason: str,
    at: datetime,
    during: Interval | None = None,
) -> Reservation:
    """Take one step. The last approval books the slot; one refusal declines it and frees the slot.

    ``during`` is the slot that the decider saw. Errors: ``InvalidInput`` for a refusal without a reason;
    ``Conflict`` for what was decided, lapsed or moved meanwhile, and for a second step by the same person.
    """
    reservation, equipment, _ = both_locked(session, reservation_id)
    if reservation.state is not ReservationState.REQUESTED:
        raise Conflict("这项申请已处理或已撤回，请刷新列表。")
    if reservation.hold_until is not None and reservation.hold_until <= at:
        raise Conflict("这项申请已超过审批期限，时段即将释放。如仍需使用，请申请人重新预约。")
    if during is not None and during != reservation.during:
        raise Conflict("申请人刚刚改了时段，请刷新后按新时段审批。")
    if not approve and not reason.strip():
        raise InvalidInput("请写明不批准的原因，申请人会看到。", field="reason")
    earlier = [Step(one.person_id, one.during, one.approved) for one in _decisions(session, reservation)]
    agreed, needed = agreed_by(earlier, reservation.during), STEPS[equipment.approval]
    again = by in agreed  # moved away and back: what this person said about this slot is known already
    if again and approve and not stands(earlier, reservation.during, needed=needed):
        raise Conflict("您已批准过这项申请，还需另一位运营人员批准。")
    step = len(agreed) + (not again)
    if not again:
        session.add(
            Decision(
                reservation_id=reservation.id,
                during=reservation.during,
                step=step,
                person_id=by,
                approved=approve,
                reason=reason.strip(),
                decided_at=at,
            )
        )
        session.flush()
    if not approve:
        give_up(session, reservation, ReservationState.DECLINED, by=by, at=at, deed="declined", reason=reason.strip())
        _tell(session, reservation, approved=False, reason=reason.strip(), at=at)
        return reservation
    audit.record(session, at=at, by=by, deed="approved", subject="reservation", subject_id=reservation.id, step=step)
    taken = [*earlier, Step(by, reservation.during, approved=True)]
    if stands(taken, reservation.during, needed=needed):
        reservation.state, reservation.hold_until, reservation.changed_at = ReservationState.BOOKED, None, at
        _tell(session, reservation, approved=True, reason="", at=at)
    else:
        ask_operators(session, reservation, at=at, step=step + 1, besides=by)
    session.flush()
    return reservation


def waiting_requests(session: Session, platform_ids: Collection[int], *, at: datetime) -> Sequence[Reservation]:
    """Requests on these platforms that can still be decided, whichever lapses first first."""
    return session.scalars(
        select(Reservation)
        .join(Equipment, Equipment.id == Reservation.equipment_id)
        .where(*_waiting(platform_ids, at=at))
        .options(
            joinedload(Reservation.equipment).joinedload(Equipment.platform),
            joinedload(Reservation.organization),
            joinedload(Reservation.person),
            selectinload(Reservation.decisions).joinedload(Decision.person),
        )
        .order_by(Reservation.hold_until, Reservation.id)
    ).all()


def waiting_count(session: Session, platform_ids: Collection[int], *, at: datetime) -> int:
    """How many there are."""
    return (
        session.scalar(
            select(func.count())
            .select_from(Reservation)
            .join(Equipment, Equipment.id == Reservation.equipment_id)
            .where(*_waiting(platform_ids, at=at))
        )
        or 0
    )


def booked_around(session: Session, reservation: Reservation) -> Sequence[Reservation]:
    """What else is held on the same equipment half a day before and after, by start."""
    return session.scalars(
        select(Reservation)
        .where(
            Reservation.equipment_id == reservation.equipment_id,
            Reservation.id != reservation.id,
            Reservation.state.in_(HOLDS_SLOT),
            Reservation.during.op("&&")(reservation.during.padded(before=AROUND, after=AROUND)),
        )
        .options(joinedload(Reservation.organization))
        .order_by(func.lower(Reservation.during))
    ).all()


def _waiting(platform_ids: Collection[int], *, at: datetime) -> tuple[ColumnElement[bool], ...]:
    return (
        Equipment.platform_id.in_(platform_ids),
        Reservation.state == ReservationState.REQUESTED,
        Reservation.hold_until > at,
    )


def _decisions(session: Session, reservation: Reservation) -> Sequence[Decision]:
    return session.scalars(select(Decision).where(Decision.reservation_id == reservation.id)).all()


def _tell(session: Session, reservation: Reservation, *, approved: bool, reason: str, at: datetime) -> None:
    sentence = (
        msgid("您对 %(equipment)s（%(starts_at)s 起）的申请已批准。")
        if approved
        else msgid("您对 %(equipment)s（%(starts_at)s 起）的申请未获批准：%(reason)s")
    )
    notify(
        session,
        [reservation.person_id],
        kind=NoticeKind.DECISION,
        key=f"decision:{reservation.id}:{at.isoformat()}",
        sentence=sentence,
        facts={
            "equipment": names(reservation.equipment),
            "starts_at": reservation.during.start.isoformat(),
            "reason": reason,
        },
        path=f"/reservations/{reservation.id}",
        at=at,
    )
