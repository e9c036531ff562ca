"""What changes after a decision: proposals that follow from later facts, and the records that people make of them."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from app.kernel import audit
from app.kernel.errors import Conflict, InvalidInput, NotFound
from app.kernel.money import ZERO, Money, total
from billing.answering import POLICY
from billing.assessing import judging_facts
from billing.claims.budgeting import hold_budget, insist_on_budget
from billing.claims.record import basis_of, claim_for_change, locked_later, year_of
from billing.claims.telling import tell_operator
from billing.models import Claim, ClaimAdjustment, ClaimItem
from billing.rules.claim import DECIDED, ClaimState
from billing.rules.facts import Programme
from billing.rules.figures import yuan
from billing.rules.grant import Shares, shares
from billing.rules.policy import Settings
from billing.rules.subsidy import assess


def proposals_of(session: Session, claim: Claim) -> dict[Programme, Money]:
    """What each programme should give back, by today's facts and the readings it was locked with. O(issued lines).

    What was taken back already is not proposed again.
    """
    if claim.state not in DECIDED:
        return {}
    settings = basis_of(session, claim.platform_id, claim.year).settings
    judged = assess(judging_facts(session, claim.platform_id, settings), settings, POLICY)
    back = {one.programme: one.clawback.amount for one in judged.grants_of(claim.year)}
    found: dict[Programme, Money] = {}
    for item in claim.items:
        taken = -total([one.amount_fen for one in item.adjustments if one.amount_fen < ZERO])
        proposed = min(back.get(item.programme, granted(item) + taken) - taken, granted(item))
        if proposed > ZERO:
            found[item.programme] = proposed
    return found


def accept_proposal(
    session: Session, item_id: int, amount: Money, *, reason: str, document: str, by: int, at: datetime
) -> ClaimAdjustment:
    """Take back what is proposed. Errors: as ``adjust``; ``Conflict`` if it is no longer ``amount``."""
    item = _decided_item(session, item_id)
    if proposals_of(session, item.claim).get(item.programme, ZERO) != amount:
        raise Conflict("建议收回的金额已经变化，请刷新后再看。")
    return _record(session, item, -amount, proposed=True, reason=reason, document=document, by=by, at=at)


def adjust(
    session: Session, item_id: int, amount: Money, *, reason: str, document: str, by: int, at: datetime
) -> ClaimAdjustment:
    """Change what was approved, by a document: down to nothing, up to what was locked.

    Errors: ``NotFound``; ``Conflict`` before the decision, beyond these bounds or the budget, or upwards once a later
    year is locked; ``InvalidInput``.
    """
    return _record(
        session, _decided_item(session, item_id), amount, proposed=False, reason=reason, document=document, by=by, at=at
    )


def granted(item: ClaimItem) -> Money:
    """What is granted now: what was approved, and every adjustment since."""
    return (item.approved_fen or ZERO) + total([one.amount_fen for one in item.adjustments])


def _record(
    session: Session,
    item: ClaimItem,
    amount: Money,
    *,
    proposed: bool,
    reason: str,
    document: str,
    by: int,
    at: datetime,
) -> ClaimAdjustment:
    if not amount:
        raise InvalidInput("调整金额不能为零。", field="amount")
    if not reason.strip():
        raise InvalidInput("请写明调整的理由。", field="reason")
    if not document.strip():
        raise InvalidInput("请写明调整文件的文号。", field="document")
    if amount > ZERO:
        insist_on_budget(session, item.claim.year, amount)
        _insist_on_last_year(session, item.claim)
    then = granted(item) + amount
    if not ZERO <= then <= (item.locked_fen or ZERO):
        raise Conflict(
            "调整后为 %(then)s，应在零和锁定金额 %(locked)s 之间。",
            then=yuan(then), locked=yuan(item.locked_fen or ZERO),
        )  # fmt: skip
    settings = basis_of(session, item.claim.platform_id, item.claim.year).settings
    before, after = (_split(item, one, settings) for one in (granted(item), then))
    made = ClaimAdjustment(
        item=item, amount_fen=amount, upper_fen=after.upper - before.upper, own_fen=after.own - before.own,
        proposed=proposed, reason=reason.strip(), document=document.strip(), made_by=by, made_at=at,
    )  # fmt: skip
    session.add(made)
    item.claim.state = ClaimState.ADJUSTED
    session.flush()
    audit.record(
        session, at=at, by=by, deed="claim_adjusted", subject="claim", subject_id=item.claim_id,
        programme=item.programme, amount=str(amount), reason=made.reason, document=made.document,
    )  # fmt: skip
    tell_operator(session, item.claim, "adjusted", at=at)
    return made


def _split(item: ClaimItem, amount: Money, settings: Settings) -> Shares:
    return shares(amount, item.programme, settings=settings, policy=POLICY, on=date(item.claim.year, 12, 31))


def _insist_on_last_year(session: Session, claim: Claim) -> None:
    """A later year that is locked was reckoned with what this one left of the cap."""
    if locked_later(session, claim) is not None:
        raise Conflict("以后年度的申报已经锁定，上限已按原金额推算，不能再调增。")


def _decided_item(session: Session, item_id: int) -> ClaimItem:
    claim_id = session.scalar(select(ClaimItem.claim_id).where(ClaimItem.id == item_id))
    if claim_id is None:
        raise NotFound("没有这项申报。")
    hold_budget(session, year_of(session, claim_id))
    claim = claim_for_change(session, claim_id)
    if claim.state not in DECIDED:
        raise Conflict("核定之后才能调整；核定之前请用核减。")
    return session.scalars(
        select(ClaimItem)
        .where(ClaimItem.id == item_id)
        .options(selectinload(ClaimItem.adjustments))
        .execution_options(populate_existing=True)
    ).one()
