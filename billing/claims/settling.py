"""What each bearer paid of a decided claim, or took back."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime

from sqlalchemy.orm import Session

from app.kernel import audit, clock
from app.kernel.errors import Conflict, InvalidInput
from app.kernel.money import ZERO, Money, total
from billing.answering import POLICY
from billing.claims.record import claim_for_change
from billing.models import Claim, ClaimPayment
from billing.rules.claim import DECIDED, ClaimState
from billing.rules.figures import yuan

BEARERS = (POLICY.upper, POLICY.own)


def pay_out(
    session: Session, claim_id: int, bearer: str, amount: Money, *, paid_on: date, document: str, by: int, at: datetime
) -> ClaimPayment:
    """Record what was paid, or, below zero, what was taken back or recorded by mistake.

    Errors: ``Conflict`` before the decision, for more than is due or less than nothing; ``InvalidInput``.
    """
    claim = claim_for_change(session, claim_id)
    if claim.state not in DECIDED or claim.decided_at is None:
        raise Conflict("核定之后才能登记拨付。")
    if bearer not in {one.key for one in BEARERS}:
        raise InvalidInput("请选择由谁拨付。", field="bearer")
    if not clock.local_date(claim.decided_at) <= paid_on <= clock.local_date(at):
        raise InvalidInput("拨付日期应在核定之后、今天或以前。", field="paid_on")
    if not document.strip():
        raise InvalidInput("请写明拨付凭证号。", field="document")
    if not amount:
        raise InvalidInput("金额不能为零。", field="amount")
    due, paid = due_from(claim, bearer), paid_by(claim, bearer)
    if amount > ZERO and paid + amount > due:
        raise Conflict("应拨 %(due)s，已拨 %(paid)s，不能再拨 %(amount)s。",
                       due=yuan(due), paid=yuan(paid), amount=yuan(amount))  # fmt: skip
    if paid + amount < ZERO:
        raise Conflict("已拨 %(paid)s，不能收回 %(amount)s。", paid=yuan(paid), amount=yuan(-amount))
    made = ClaimPayment(
        claim=claim, bearer=bearer, amount_fen=amount, paid_on=paid_on, document=document.strip(),
        recorded_by=by, recorded_at=at,
    )  # fmt: skip
    session.add(made)
    if claim.state is not ClaimState.ADJUSTED:
        settled = all(paid_by(claim, one.key) == due_from(claim, one.key) for one in BEARERS)
        claim.state = ClaimState.PAID if settled else ClaimState.APPROVED
    session.flush()
    audit.record(
        session, at=at, by=by, deed="claim_paid", subject="claim", subject_id=claim.id, bearer=bearer,
        amount=str(amount), document=made.document,
    )  # fmt: skip
    return made


def due_from(claim: Claim, bearer: str) -> Money:
    """What a bearer owes altogether: its part of what was approved and adjusted since."""
    parts = [(item.upper_fen, item.own_fen) for item in claim.items]
    parts += [(one.upper_fen, one.own_fen) for item in claim.items for one in item.adjustments]
    return _sum(upper if bearer == POLICY.upper.key else own for upper, own in parts)


def paid_by(claim: Claim, bearer: str) -> Money:
    return total([one.amount_fen for one in claim.payments if one.bearer == bearer])


def _sum(amounts: Iterable[Money | None]) -> Money:
    return total([one for one in amounts if one is not None])
