"""The money that there is for a year's claims, and what each gives up where it does not suffice."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select, text
from sqlalchemy.orm import Session, selectinload

from app.kernel import audit
from app.kernel.errors import Conflict, InvalidInput
from app.kernel.money import ZERO, Money, total
from billing.answering import POLICY
from billing.models import Claim, ClaimDeduction, ClaimItem, SubsidyBudget
from billing.rules.claim import DECIDED, ClaimState, shortfall_shares
from billing.rules.figures import yuan

ONE_AT_A_TIME = text("SELECT pg_advisory_xact_lock(hashtext(:policy), CAST(:year AS int))")


def hold_budget(session: Session, year: int) -> None:
    """Until the transaction ends, nobody else spends or sets this year's budget. Taken before any claim's row."""
    session.execute(ONE_AT_A_TIME, {"policy": POLICY.number, "year": year})


def budget_of(session: Session, year: int) -> SubsidyBudget | None:
    """The last one set for the year; ``None`` where none limits it."""
    return session.scalar(
        select(SubsidyBudget)
        .where(SubsidyBudget.policy == POLICY.number, SubsidyBudget.year == year)
        .order_by(SubsidyBudget.id.desc())
        .limit(1)
    )


def set_budget(session: Session, year: int, amount: Money, *, document: str, by: int, at: datetime) -> SubsidyBudget:
    """Errors: ``InvalidInput`` without a document or for less than zero."""
    if amount < ZERO:
        raise InvalidInput("预算不能小于零。", field="amount")
    if not document.strip():
        raise InvalidInput("请写明预算文件的文号。", field="document")
    hold_budget(session, year)
    budget = SubsidyBudget(
        policy=POLICY.number, year=year, amount_fen=amount, document=document.strip(), set_by=by, set_at=at
    )
    session.add(budget)
    session.flush()
    audit.record(
        session, at=at, by=by, deed="subsidy_budget_set", subject="policy", subject_id=0, year=year,
        amount=str(amount), document=budget.document,
    )  # fmt: skip
    return budget


def share_shortfall(session: Session, year: int, *, by: int, at: datetime) -> Sequence[ClaimDeduction]:
    """Take from every locked claim of the year, in proportion, what the budget lacks. What was approved stays.

    Earlier shares of a shortfall are withdrawn first, so that it can be done again. O(claims of the year).

    Errors: ``Conflict`` without a budget, or if it suffices and nothing was shared before.
    """
    hold_budget(session, year)
    budget = budget_of(session, year)
    if budget is None:
        raise Conflict("%(year)s 年没有登记预算，请先登记预算和文号。", year=year)
    claims = session.scalars(
        select(Claim)
        .where(Claim.policy == POLICY.number, Claim.year == year)
        .order_by(Claim.id)
        .options(selectinload(Claim.items).selectinload(ClaimItem.deductions))
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()
    waiting = [item for claim in claims if claim.state is ClaimState.LOCKED for item in claim.items]
    withdrawn = [one for item in waiting for one in item.deductions if one.budget_id and one.withdrawn_at is None]
    for one in withdrawn:
        one.withdrawn_by, one.withdrawn_at = by, at
        _note(session, one.item, "claim_deduction_withdrawn", by=by, at=at, amount=str(one.amount_fen))
    decided = total([_approved(item) for claim in claims if claim.state in DECIDED for item in claim.items])
    shares = shortfall_shares([left_to_approve(item) for item in waiting], budget.amount_fen - decided)
    if not total(shares) and not withdrawn:
        raise Conflict("预算够用，不需要核减。")
    made = [
        ClaimDeduction(
            item=item, amount_fen=share, reason=f"{year} 年预算不足，按比例核减（{budget.document}）",
            budget_id=budget.id, made_by=by, made_at=at,
        )
        for item, share in zip(waiting, shares, strict=True)
        if share
    ]  # fmt: skip
    session.add_all(made)
    session.flush()
    for one in made:
        _note(session, one.item, "claim_deducted", by=by, at=at, amount=str(one.amount_fen), reason=one.reason)
    return made


def _note(session: Session, item: ClaimItem, deed: str, *, by: int, at: datetime, **detail: str) -> None:
    audit.record(
        session, at=at, by=by, deed=deed, subject="claim", subject_id=item.claim_id, programme=item.programme, **detail
    )


def left_to_approve(item: ClaimItem) -> Money:
    """What a programme was locked with, less the deductions that stand."""
    standing = [one.amount_fen for one in item.deductions if one.withdrawn_at is None]
    return (item.locked_fen or ZERO) - total(standing)


def _approved(item: ClaimItem) -> Money:
    return (item.approved_fen or ZERO) + total([one.amount_fen for one in item.adjustments])


def left_in_budget(session: Session, year: int) -> Money | None:
    """What of the year's budget is not approved yet; below zero if more was. ``None`` where there is no budget."""
    budget = budget_of(session, year)
    if budget is None:
        return None
    items = session.scalars(
        select(ClaimItem)
        .join(Claim)
        .where(Claim.policy == POLICY.number, Claim.year == year, Claim.state.in_(DECIDED))
        .options(selectinload(ClaimItem.adjustments))
    )
    return budget.amount_fen - total([_approved(item) for item in items])


def insist_on_budget(session: Session, year: int, amount: Money) -> None:
    """Errors: ``Conflict`` if the year's budget, where there is one, does not leave that much."""
    left = left_in_budget(session, year)
    if left is not None and amount > left:
        raise Conflict(
            "%(year)s 年预算只余 %(left)s，不够核定 %(amount)s。请按比例核减，或登记新的预算。",
            year=year, left=yuan(left), amount=yuan(amount),
        )  # fmt: skip
