"""The operator looks at the month's charges: approves, corrects or waives them, before an invoice takes them."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.kernel import audit
from app.kernel.errors import Conflict, InvalidInput, NotFound
from app.kernel.money import ZERO, Money
from billing.models import Charge, Dispute
from billing.rules.figures import yuan
from billing.rules.tax import taxed
from billing.rules.words import ChargeState

OPEN = frozenset({ChargeState.PROPOSED, ChargeState.APPROVED, ChargeState.DISPUTED})
LONGEST_REASON = 300


def approve(session: Session, charge_ids: Collection[int], *, by: int, at: datetime) -> int:
    """Approve proposed charges; others are left as they are. Returns how many were approved."""
    charges = session.scalars(
        select(Charge)
        .where(Charge.id.in_(charge_ids), Charge.state == ChargeState.PROPOSED)
        .order_by(Charge.id)
        .with_for_update()
    ).all()
    for charge in charges:
        charge.state, charge.approved_by, charge.approved_at = ChargeState.APPROVED, by, at
        audit.record(session, at=at, by=by, deed="approved", subject="charge", subject_id=charge.id)
    session.flush()
    return len(charges)


def correct(session: Session, charge_id: int, *, gross: Money, reason: str, by: int, at: datetime) -> Charge:
    """Set another amount, tax included, and have it approved anew. What the rules said stays beside it.

    Errors: ``InvalidInput`` for no reason or nothing to pay (waive it then); ``Conflict`` once it is invoiced.
    """
    charge, reason = _open_charge(session, charge_id, OPEN), _given(reason)
    if gross.fen <= 0:
        raise InvalidInput("更正后的金额应大于 0；不收费请用“免除”。", field="gross")
    if gross == charge.gross_fen:
        raise InvalidInput("金额没有变化。", field="gross")
    before = charge.gross_fen
    amount = taxed(gross.yuan, rate=charge.tax_rate, includes_tax=True)
    if charge.priced_gross_fen is None:
        charge.priced_gross_fen = before
    charge.net_fen, charge.tax_fen, charge.gross_fen = amount.net, amount.tax, amount.gross
    charge.unit_price = round(amount.gross.yuan / charge.quantity, 4) if charge.quantity else amount.gross.yuan
    charge.explanation_zh += f"；人工更正：{yuan(before)} → {yuan(gross)}（{reason}）"
    charge.explanation_en += f"; corrected by hand: {yuan(before)} → {yuan(gross)} ({reason})"
    charge.reason = reason
    _ask_again(session, charge)
    session.flush()
    audit.record(
        session, at=at, by=by, deed="corrected", subject="charge", subject_id=charge.id, was=str(before),
        now=str(gross), reason=reason,
    )  # fmt: skip
    return charge


def waive(session: Session, charge_id: int, *, reason: str, by: int, at: datetime) -> Charge:
    """Leave a charge out of every invoice. Errors: ``InvalidInput`` for no reason; ``Conflict`` once invoiced."""
    charge, reason = _open_charge(session, charge_id, OPEN), _given(reason)
    charge.state, charge.reason = ChargeState.WAIVED, reason
    session.flush()
    audit.record(
        session, at=at, by=by, deed="waived", subject="charge", subject_id=charge.id, amount=str(charge.gross_fen),
        reason=reason,
    )  # fmt: skip
    return charge


def restore(session: Session, charge_id: int, *, by: int, at: datetime) -> Charge:
    """Take a waiver back: the charge is to be approved again."""
    charge = _open_charge(session, charge_id, {ChargeState.WAIVED})
    charge.reason = ""
    _ask_again(session, charge)
    session.flush()
    audit.record(session, at=at, by=by, deed="waiver taken back", subject="charge", subject_id=charge.id)
    return charge


def correction_of(charge: Charge) -> Money:
    """By how much a person changed what the rules said."""
    return ZERO if charge.priced_gross_fen is None else charge.gross_fen - charge.priced_gross_fen


def locked_charge(session: Session, charge_id: int) -> Charge:
    """The charge with its row locked. Errors: ``NotFound``."""
    charge = session.get(Charge, charge_id, with_for_update=True, populate_existing=True)
    if charge is None:
        raise NotFound("没有找到这一项，或您无权查看。")
    return charge


def _open_charge(session: Session, charge_id: int, states: Collection[ChargeState]) -> Charge:
    charge = locked_charge(session, charge_id)
    if charge.state not in states:
        raise Conflict("这笔费用已开具结算单或已处理，不能再更改；已开具的请开红字通知单。")
    return charge


def _ask_again(session: Session, charge: Charge) -> None:
    """To be approved anew; while the firm's objection waits for its answer, that comes first."""
    objected = session.scalar(select(Dispute.id).where(Dispute.charge_id == charge.id, Dispute.answered_at.is_(None)))
    charge.state = ChargeState.PROPOSED if objected is None else ChargeState.DISPUTED
    charge.approved_by, charge.approved_at, charge.confirmed_by, charge.confirmed_at = None, None, None, None


def _given(reason: str) -> str:
    reason = reason.strip()
    if not reason or len(reason) > LONGEST_REASON:
        raise InvalidInput("请填写原因，最多 300 字。", field="reason")
    return reason
