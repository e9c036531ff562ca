"""The money that there is for a year's claims, and what each gives up where it does not suffice."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from app.kernel import audit
from app.kernel.errors import Conflict, InvalidInput
from app.kernel.money import ZERO, Money, total
from billing.answering import POLICY
from billing.models import Claim, ClaimDeduction, ClaimItem, SubsidyBudget
from billing.rules.claim import DECIDED, ClaimState, shortfall_shares


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

    Errors: ``Conflict`` without a budget, or if it suffices.
    """
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
    for item in waiting:
        for one in item.deductions:
            if one.budget_id is not None and one.withdrawn_at is None:
                one.withdrawn_by, one.withdrawn_at = by, at
    decided = total([_approved(item) for claim in claims if claim.state in DECIDED for item in claim.items])
    amounts = [what_is_left(item) for item in waiting]
    shares = shortfall_shares(amounts, budget.amount_fen - decided)
    if not total(shares):
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
    audit.record(
        session, at=at, by=by, deed="shortfall_shared", subject="policy", subject_id=0, year=year,
        amount=str(total(shares)), claims=len({one.item.claim_id for one in made}),
    )  # fmt: skip
    return made


def what_is_left(item: ClaimItem) -> Money:
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
