"""What a deposit keeps for a reservation: held at booking, free again when its use is billed or it was given up."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy import and_, exists, or_, select
from sqlalchemy.orm import Session

from app.booking.ends import ended_before, given_up
from app.booking.rules.reservation import HOLDS_SLOT, ReservationState
from app.kernel.errors import Conflict
from app.kernel.money import ZERO, Money
from billing.deposits import locked_account
from billing.models import Charge, DepositAccount, DepositHold, UseSettlement
from billing.money_settings import settings_of
from billing.rules.money_words import HoldEnd
from billing.rules.words import ChargeState
from billing.settling import WAITING

UNUSED_AFTER = timedelta(days=1)
"""How long after its end a reservation may stay without any use that is charged."""


class Booked(Protocol):
    """What a hold asks of a reservation."""

    @property
    def id(self) -> int: ...
    @property
    def organization_id(self) -> int: ...
    @property
    def state(self) -> ReservationState: ...


def hold_for(session: Session, reservation: Booked, at: datetime, *, platform_id: int, estimate: Money) -> Money:
    """Keep what a reservation is estimated to cost, where its platform asks for that and the firm has a deposit.

    Called again after a move it holds the new estimate instead. Returns what is held.

    Errors: ``Conflict`` that says what is missing and how to top up.
    """
    if not settings_of(session, platform_id).deposit_hold:
        return ZERO
    account = locked_account(session, platform_id=platform_id, organization_id=reservation.organization_id)
    if account is None:
        return ZERO
    known = session.get(DepositHold, reservation.id, populate_existing=True)
    before = known.amount_fen if known is not None and known.ended_at is None else ZERO
    if reservation.state not in HOLDS_SLOT or not estimate > ZERO or (known is not None and known.ended_at is not None):
        return before
    missing = estimate - before - account.available
    if missing > ZERO:
        raise Conflict(
            "预存款不足：本次预约估价 ¥%(estimate)s，可用 ¥%(available)s，还差 ¥%(missing)s。"
            "请先向平台汇款充值并注明“预存款”，到账登记后再预约。%(pay_to)s",
            estimate=f"{estimate.yuan:,.2f}",
            available=f"{(account.available + before).yuan:,.2f}",
            missing=f"{missing.yuan:,.2f}",
            pay_to=settings_of(session, platform_id).pay_to,
        )
    if known is None:
        session.add(DepositHold(reservation_id=reservation.id, account_id=account.id, amount_fen=estimate, held_at=at))
    elif known.amount_fen != estimate:
        known.amount_fen, known.held_at = estimate, at
    session.flush()
    session.expire(account)
    return estimate


def release_holds(session: Session, *, at: datetime, limit: int) -> int:
    """Free what is held for reservations that were given up, or whose use is billed to the last charge.

    Until the invoice takes the confirmed amount nobody can spend what was kept for it; a reservation of which
    nothing is charged keeps it for a day. Running it again frees nothing twice. Accounts are locked before their
    holds, in order, as everywhere.
    """
    settlement = select(UseSettlement.id).where(UseSettlement.reservation_id == DepositHold.reservation_id)
    in_hand = exists(settlement.where(UseSettlement.status.in_(WAITING))) | exists(
        settlement.join(Charge, Charge.use_settlement_id == UseSettlement.id).where(
            Charge.state.not_in((ChargeState.INVOICED, ChargeState.WAIVED))
        )
    )
    billed = and_(exists(settlement), ~in_hand, DepositHold.reservation_id.in_(ended_before(at)))
    unused = and_(~exists(settlement), DepositHold.reservation_id.in_(ended_before(at - UNUSED_AFTER)))
    was_given_up = DepositHold.reservation_id.in_(given_up())
    found = session.execute(
        select(DepositHold.reservation_id, DepositHold.account_id, was_given_up.label("given_up"))
        .where(DepositHold.ended_at.is_(None), or_(was_given_up, billed, unused))
        .order_by(DepositHold.reservation_id)
        .limit(limit)
    ).all()
    over = {row.reservation_id: row.given_up for row in found}
    session.execute(
        select(DepositAccount.id)
        .where(DepositAccount.id.in_({row.account_id for row in found}))
        .order_by(DepositAccount.id)
        .with_for_update()
    )
    held = session.scalars(
        select(DepositHold)
        .where(DepositHold.reservation_id.in_(over), DepositHold.ended_at.is_(None))
        .execution_options(populate_existing=True)
    ).all()
    for one in held:
        one.ended_at, one.ended_by = at, HoldEnd.GIVEN_UP if over[one.reservation_id] else HoldEnd.USED
    session.flush()
    return len(held)
