"""Prepaid deposits (预存款): a firm's money with a platform, a liability until an invoice uses it.

A top-up gives a receipt and no tax invoice: tax is invoiced with the service (REQUIREMENTS 4.2). What is held
for reservations cannot be spent twice; the row of the account is locked before anything changes.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Protocol

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.booking.ends import over_or_given_up
from app.booking.rules.reservation import HOLDS_SLOT, ReservationState
from app.identity.models import Organization
from app.kernel import audit
from app.kernel.clock import local_date
from app.kernel.errors import Conflict, InvalidInput, NotFound
from app.kernel.money import ZERO, Money
from billing.bank_lines import reopen_if_unused
from billing.journal import post
from billing.models import DepositAccount, DepositHold, DepositMovement, Payment
from billing.money_settings import settings_of
from billing.rules.ledger import EntryKind, deposited
from billing.rules.money_words import HoldEnd, MovementKind


class Booked(Protocol):
    """What a hold asks of a reservation."""

    @property
    def id(self) -> int: ...
    @property
    def organization_id(self) -> int: ...
    @property
    def state(self) -> ReservationState: ...


def open_account(session: Session, *, platform_id: int, organization_id: int, at: datetime) -> DepositAccount:
    """The firm's account with its row locked; made where there is none."""
    session.execute(
        insert(DepositAccount)
        .values(platform_id=platform_id, organization_id=organization_id, balance_fen=ZERO, held_fen=ZERO, opened_at=at)
        .on_conflict_do_nothing()
    )
    account = locked_account(session, platform_id=platform_id, organization_id=organization_id)
    if account is None:
        raise ValueError("an account that was just made is gone")
    return account


def locked_account(session: Session, *, platform_id: int, organization_id: int) -> DepositAccount | None:
    """The firm's account as it is now, with its row locked, if it has one."""
    return session.scalar(
        select(DepositAccount)
        .where(DepositAccount.platform_id == platform_id, DepositAccount.organization_id == organization_id)
        .with_for_update(of=DepositAccount)
        .execution_options(populate_existing=True)
    )


def top_up(
    session: Session,
    *,
    platform_id: int,
    organization_id: int,
    amount: Money,
    paid_on: date,
    reference: str,
    by: int,
    at: datetime,
    bank_line_id: int | None = None,
) -> DepositMovement:
    """Money that a firm pays in advance. Errors: ``InvalidInput`` for nothing, a day to come or nobody."""
    if not amount > ZERO:
        raise InvalidInput("预存金额应大于 0。", field="amount")
    insist_not_to_come(paid_on, at=at, field="paid_on")
    if session.get(Organization, organization_id) is None:
        raise InvalidInput("没有叫这个名字的企业，请填写其登记的全称。", field="firm")
    account = open_account(session, platform_id=platform_id, organization_id=organization_id, at=at)
    movement = move(
        session, account, MovementKind.TOP_UP, amount,
        on=paid_on, by=by, at=at, reference=reference, bank_line_id=bank_line_id,
    )  # fmt: skip
    _book(session, account, movement, EntryKind.TOP_UP)
    return movement


def keep_excess(session: Session, payment: Payment, amount: Money, *, by: int, at: datetime) -> DepositMovement:
    """What a payment brought beyond its invoice becomes the firm's deposit (A30)."""
    invoice = payment.invoice
    account = open_account(session, platform_id=invoice.platform_id, organization_id=invoice.organization_id, at=at)
    movement = move(
        session, account, MovementKind.OVERPAYMENT, amount,
        on=payment.paid_on, by=by, at=at, reference=payment.reference, payment_id=payment.id,
        bank_line_id=payment.bank_line_id,
    )  # fmt: skip
    _book(session, account, movement, EntryKind.OVERPAID_TO_DEPOSIT)
    return movement


def refund(
    session: Session, account_id: int, *, amount: Money, paid_on: date, reference: str, by: int, at: datetime
) -> DepositMovement:
    """Pay a deposit back to the firm's bank. Errors: ``InvalidInput`` beyond what is not held."""
    insist_not_to_come(paid_on, at=at, field="paid_on")
    account = account_or_refuse(session, account_id)
    if not ZERO < amount <= account.available:
        raise InvalidInput(
            "退款金额应大于 0 且不超过可用余额 ¥%(available)s；为预约占用的部分须先释放。",
            field="amount",
            available=str(account.available),
        )
    movement = move(session, account, MovementKind.REFUND, -amount, on=paid_on, by=by, at=at, reference=reference)
    _book(session, account, movement, EntryKind.DEPOSIT_REFUND)
    return movement


def reverse_movement(
    session: Session, movement_id: int, *, reason: str, on: date, by: int, at: datetime
) -> DepositMovement:
    """Take back a top-up or an overpayment that was recorded wrongly, by its mirror image.

    Errors: ``Conflict`` where it was taken back before, or has been used since.
    """
    movement = session.get(DepositMovement, movement_id)
    if movement is None:
        raise NotFound("没有这笔预存款变动。")
    if not reason.strip():
        raise InvalidInput("请填写冲销原因。", field="reason")
    if movement.kind is MovementKind.REFUND:
        raise Conflict("退款不能冲销。如果钱没有付出去或被退回，请按原金额重新登记一笔充值。")
    if movement.kind not in (MovementKind.TOP_UP, MovementKind.OVERPAYMENT):
        raise Conflict("只能冲销充值或多付转入；其他变动请冲销对应的收款。")
    account = account_or_refuse(session, movement.account_id)
    if session.scalar(select(DepositMovement.id).where(DepositMovement.reverses_id == movement.id)):
        raise Conflict("这笔变动已经冲销过。")
    if account.available < movement.amount_fen:
        raise Conflict(
            "这笔钱已被使用或占用，可用余额只有 ¥%(available)s。请先冲销用它支付的收款或取消占用它的预约。",
            available=str(account.available),
        )
    mirror = move(
        session, account, MovementKind.REVERSAL, -movement.amount_fen,
        on=on, by=by, at=at, reference=movement.reference, reason=reason, reverses_id=movement.id,
    )  # fmt: skip
    _book(session, account, mirror, EntryKind.TOP_UP_REVERSED)
    reopen_if_unused(session, movement.bank_line_id)
    return mirror


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
    """Free what is held for reservations that were given up or are over. Running it again frees nothing twice.

    Accounts are locked before their holds, in order, as everywhere.
    """
    over = over_or_given_up(
        session, select(DepositHold.reservation_id).where(DepositHold.ended_at.is_(None)), at=at, limit=limit
    )
    holds = select(DepositHold).where(DepositHold.reservation_id.in_(over), DepositHold.ended_at.is_(None))
    accounts = holds.with_only_columns(DepositHold.account_id)
    session.execute(
        select(DepositAccount.id).where(DepositAccount.id.in_(accounts)).order_by(DepositAccount.id).with_for_update()
    )
    held = session.scalars(holds.execution_options(populate_existing=True)).all()
    for one in held:
        one.ended_at, one.ended_by = at, HoldEnd.GIVEN_UP if over[one.reservation_id] else HoldEnd.USED
    session.flush()
    return len(held)


def insist_not_to_come(on: date, *, at: datetime, field: str) -> None:
    """Money moved today or before. Errors: ``InvalidInput``."""
    if on > local_date(at):
        raise InvalidInput("日期不能晚于今天，请核对。", field=field)


def account_or_refuse(session: Session, account_id: int) -> DepositAccount:
    """The account with its row locked. Errors: ``NotFound``."""
    account = session.scalar(
        select(DepositAccount)
        .where(DepositAccount.id == account_id)
        .with_for_update(of=DepositAccount)
        .execution_options(populate_existing=True)
    )
    if account is None:
        raise NotFound("没有这个预存款账户。")
    return account


def move(
    session: Session,
    account: DepositAccount,
    kind: MovementKind,
    amount: Money,
    *,
    on: date,
    by: int,
    at: datetime,
    reference: str = "",
    reason: str = "",
    payment_id: int | None = None,
    reverses_id: int | None = None,
    bank_line_id: int | None = None,
) -> DepositMovement:
    """Add one movement to a locked account, with its trace in the log. The books are the caller's.

    Settlements and returns are booked with their payment.
    """
    movement = DepositMovement(
        account_id=account.id,
        kind=kind,
        amount_fen=amount,
        moved_on=on,
        payment_id=payment_id,
        reverses_id=reverses_id,
        bank_line_id=bank_line_id,
        reference=reference.strip(),
        reason=reason.strip(),
        recorded_by=by,
        recorded_at=at,
    )
    session.add(movement)
    session.flush()
    session.expire(account)
    audit.record(
        session, at=at, by=by, deed=kind.value, subject="deposit_account", subject_id=account.id, amount=str(amount)
    )
    return movement


def _book(session: Session, account: DepositAccount, movement: DepositMovement, kind: EntryKind) -> None:
    post(
        session,
        deposited(movement.amount_fen, account.organization_id),
        platform_id=account.platform_id,
        booked_on=movement.moved_on,
        kind=kind,
        document=f"deposit:{movement.id}",
        label=movement.reference or f"#{movement.id}",
        by=movement.recorded_by,
        at=movement.recorded_at,
    )
