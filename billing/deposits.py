"""Prepaid deposits (预存款): a firm's money with a platform, a liability until an invoice uses it.

A top-up gives a receipt and no tax invoice: tax is invoiced with the service (REQUIREMENTS 4.2). What is held
for reservations cannot be spent twice; the row of the account is locked before anything changes.
"""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.identity.models import Organization
from app.kernel import audit
from app.kernel.errors import Conflict, InvalidInput, NotFound
from app.kernel.money import ZERO, Money
from billing.bank_lines import reopen_if_unused
from billing.journal import post
from billing.models import DepositAccount, DepositMovement, Payment
from billing.rules.deed import Deed
from billing.rules.ledger import EntryKind, deposited
from billing.rules.money_words import MovementKind

_BOOKED_AS = {
    MovementKind.TOP_UP: EntryKind.TOP_UP,
    MovementKind.OVERPAYMENT: EntryKind.OVERPAID_TO_DEPOSIT,
    MovementKind.REFUND: EntryKind.DEPOSIT_REFUND,
}
_TAKEN_BACK_AS = {
    MovementKind.TOP_UP: EntryKind.TOP_UP_REVERSED,
    MovementKind.OVERPAYMENT: EntryKind.TOP_UP_REVERSED,
    MovementKind.REFUND: EntryKind.DEPOSIT_REFUND_REVERSED,
}
REVERSIBLE = tuple(_TAKEN_BACK_AS)
"""Kinds that are taken back by themselves; the others go with their payment."""


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
    deed = Deed(paid_on, by, at, reference, bank_line_id=bank_line_id)
    if not amount > ZERO:
        raise InvalidInput("预存金额应大于 0。", field="amount")
    deed.insist_not_to_come(field="paid_on")
    if session.get(Organization, organization_id) is None:
        raise InvalidInput("没有叫这个名字的企业，请填写其登记的全称。", field="firm")
    account = open_account(session, platform_id=platform_id, organization_id=organization_id, at=at)
    return _at_the_bank(session, account, MovementKind.TOP_UP, amount, deed)


def keep_excess(session: Session, payment: Payment, amount: Money, deed: Deed) -> DepositMovement:
    """What a payment brought beyond its invoice becomes the deposit of who paid (A30)."""
    platform_id = payment.invoice.platform_id
    account = open_account(session, platform_id=platform_id, organization_id=payment.payer_id, at=deed.at)
    return _at_the_bank(session, account, MovementKind.OVERPAYMENT, amount, deed, payment_id=payment.id)


def refund(
    session: Session, account_id: int, *, amount: Money, paid_on: date, reference: str, by: int, at: datetime
) -> DepositMovement:
    """Pay a deposit back to the firm's bank. Errors: ``InvalidInput`` beyond what is not held."""
    deed = Deed(paid_on, by, at, reference)
    deed.insist_not_to_come(field="paid_on")
    account = account_or_refuse(session, account_id)
    if not ZERO < amount <= account.available:
        raise InvalidInput(
            "退款金额应大于 0 且不超过可用余额 ¥%(available)s；为预约占用的部分须先释放。",
            field="amount",
            available=str(account.available),
        )
    return _at_the_bank(session, account, MovementKind.REFUND, -amount, deed)


def reverse_movement(
    session: Session, movement_id: int, *, reason: str, on: date, by: int, at: datetime
) -> DepositMovement:
    """Take back a top-up, an overpayment or a refund that was recorded wrongly, by its mirror image.

    Errors: ``Conflict`` where it was taken back before, or has been used since.
    """
    movement = session.get(DepositMovement, movement_id)
    if movement is None:
        raise NotFound("没有这笔预存款变动。")
    deed = Deed(on, by, at, movement.reference, reason)
    deed.insist_on_reason()
    if movement.kind not in REVERSIBLE:
        raise Conflict("只能冲销充值、多付转入或退款；其他变动请冲销对应的收款。")
    account = account_or_refuse(session, movement.account_id)
    if session.scalar(select(DepositMovement.id).where(DepositMovement.reverses_id == movement.id)):
        raise Conflict("这笔变动已经冲销过。")
    mirror = mirror_of(session, account, movement, deed)
    _book(session, account, mirror, _TAKEN_BACK_AS[movement.kind])
    reopen_if_unused(session, movement.bank_line_id)
    return mirror


def mirror_of(
    session: Session, account: DepositAccount, movement: DepositMovement, deed: Deed, *, payment_id: int | None = None
) -> DepositMovement:
    """Take a movement back out of its locked account. The books are the caller's.

    Errors: ``Conflict`` where the money has been used since.
    """
    if account.available < movement.amount_fen:
        raise Conflict(
            "这笔钱已被使用或占用，可用余额只有 ¥%(available)s。请先冲销用它支付的收款或取消占用它的预约。",
            available=str(account.available),
        )
    return move(
        session, account, MovementKind.REVERSAL, -movement.amount_fen, deed,
        payment_id=payment_id, reverses_id=movement.id,
    )  # fmt: skip


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
    deed: Deed,
    *,
    payment_id: int | None = None,
    reverses_id: int | None = None,
) -> DepositMovement:
    """Add one movement to a locked account, with its trace in the log. The books are the caller's.

    Settlements and returns are booked with their payment.
    """
    movement = DepositMovement(
        account_id=account.id, kind=kind, amount_fen=amount, moved_on=deed.on, payment_id=payment_id,
        reverses_id=reverses_id, **deed.recorded,
    )  # fmt: skip
    session.add(movement)
    session.flush()
    session.expire(account)
    audit.record(
        session, at=deed.at, by=deed.by, deed=kind.value, subject="deposit_account", subject_id=account.id,
        amount=str(amount),
    )  # fmt: skip
    return movement


def _at_the_bank(
    session: Session,
    account: DepositAccount,
    kind: MovementKind,
    amount: Money,
    deed: Deed,
    *,
    payment_id: int | None = None,
) -> DepositMovement:
    """One movement between the bank and a locked account, and its entry in the books."""
    movement = move(session, account, kind, amount, deed, payment_id=payment_id)
    _book(session, account, movement, _BOOKED_AS[kind])
    return movement


def _book(session: Session, account: DepositAccount, movement: DepositMovement, kind: EntryKind) -> None:
    post(
        session, deposited(movement.amount_fen, account.organization_id), platform_id=account.platform_id,
        on=movement.moved_on, kind=kind, document=f"deposit:{movement.id}",
        label=movement.reference or f"#{movement.id}", by=movement.recorded_by, at=movement.recorded_at,
    )  # fmt: skip
