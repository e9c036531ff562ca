"""Decide a locked claim: what is deducted and why, then what is approved and who bears it."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy.orm import Session

from app.kernel import audit
from app.kernel.errors import Conflict, InvalidInput, NotFound
from app.kernel.money import ZERO, Money, total
from billing.answering import POLICY
from billing.claims.budgeting import hold_budget, insist_on_budget, left_to_approve
from billing.claims.record import basis_of, claim_for_change, year_of
from billing.claims.telling import tell_operator
from billing.models import Claim, ClaimDeduction, ClaimItem
from billing.rules.claim import ClaimState, insist_on_move
from billing.rules.figures import yuan
from billing.rules.grant import shares


def deduct(session: Session, item_id: int, amount: Money, *, reason: str, by: int, at: datetime) -> ClaimDeduction:
    """Take something off a programme of a locked claim. Errors: ``Conflict``, ``InvalidInput``."""
    item = _open_item(session, item_id)
    if amount <= ZERO:
        raise InvalidInput("核减金额要大于零。", field="amount")
    if not reason.strip():
        raise InvalidInput("请写明核减的理由。", field="reason")
    left = left_to_approve(item)
    if amount > left:
        raise Conflict("核减不能超过余下的 %(left)s。", left=yuan(left))
    made = ClaimDeduction(item=item, amount_fen=amount, reason=reason.strip(), made_by=by, made_at=at)
    session.add(made)
    session.flush()
    _note(session, item, "claim_deducted", by=by, at=at, amount=str(amount), reason=made.reason)
    return made


def withdraw_deduction(session: Session, deduction_id: int, *, by: int, at: datetime) -> None:
    """Errors: ``NotFound``; ``Conflict`` after the decision."""
    made = session.get(ClaimDeduction, deduction_id)
    if made is None:
        raise NotFound("没有这笔核减。")
    item = _open_item(session, made.claim_item_id)
    session.refresh(made)
    if made.withdrawn_at is not None:
        raise Conflict("这笔核减已经撤销。")
    made.withdrawn_by, made.withdrawn_at = by, at
    session.flush()
    _note(session, item, "claim_deduction_withdrawn", by=by, at=at, amount=str(made.amount_fen))


def approve_claim(session: Session, claim_id: int, *, document: str, by: int, at: datetime) -> Claim:
    """Approve what the deductions leave, by the decision ``document``; the halves are those of the locked readings.

    Errors: ``Conflict`` while a question is open or where the year's budget does not suffice; ``InvalidInput``
    without a document number.
    """
    hold_budget(session, year_of(session, claim_id))
    claim = claim_for_change(session, claim_id)
    insist_on_move(claim.state, ClaimState.APPROVED)
    if not document.strip():
        raise InvalidInput("请写明核定文件的文号。", field="document")
    if any(one.answered_at is None for one in claim.questions):
        raise Conflict("还有问题没有答复，答复后才能核定。")
    amounts = [left_to_approve(item) for item in claim.items]
    insist_on_budget(session, claim.year, total(amounts))
    settings = basis_of(session, claim.platform_id, claim.year).settings
    for item, amount in zip(claim.items, amounts, strict=True):
        split = shares(amount, item.programme, settings=settings, policy=POLICY, on=date(claim.year, 12, 31))
        item.approved_fen, item.upper_fen, item.own_fen = split.amount, split.upper, split.own
    claim.state, claim.decided_at, claim.document = ClaimState.APPROVED, at, document.strip()
    session.flush()
    audit.record(
        session, at=at, by=by, deed="claim_approved", subject="claim", subject_id=claim.id,
        amount=str(total(amounts)), document=claim.document,
    )  # fmt: skip
    tell_operator(session, claim, "approved", at=at)
    return claim


def _open_item(session: Session, item_id: int) -> ClaimItem:
    """A programme of a claim that is locked and not decided; the claim's row is held."""
    item = session.get(ClaimItem, item_id)
    if item is None:
        raise NotFound("没有这项申报。")
    claim = claim_for_change(session, item.claim_id)
    if claim.state is not ClaimState.LOCKED:
        raise Conflict("只有已锁定、尚未核定的申报才能核减。")
    session.refresh(item)
    session.refresh(item, ["deductions"])
    return item


def _note(session: Session, item: ClaimItem, deed: str, *, by: int, at: datetime, **detail: str) -> None:
    audit.record(
        session, at=at, by=by, deed=deed, subject="claim", subject_id=item.claim_id, programme=item.programme, **detail
    )
