"""File the claim of a year, take it back, or send it back to its operator."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.kernel import audit, clock
from app.kernel.errors import Conflict, InvalidInput
from app.kernel.money import Money, total
from billing.answering import POLICY, settings_in_force
from billing.assessing import judging_facts
from billing.claims.record import claim_for_change, hold_platform
from billing.claims.telling import tell_officials, tell_operator
from billing.models import Claim, ClaimItem
from billing.rules.claim import ClaimState, insist_on_move
from billing.rules.facts import Evaluation, Facts
from billing.rules.grant import Grant
from billing.rules.subsidy import assess


def file_claim(
    session: Session, platform_id: int, year: int, *, by: int, at: datetime, requested_m2: int | None = None
) -> Claim:
    """Claim what the year yields, the certification and the selection provided; both are asked for at the lock.

    Errors: ``Conflict`` if the year is not over, if there is nothing to claim, or if a claim is under way.
    """
    if year < POLICY.in_force_from.year:
        raise InvalidInput("政策自 %(day)s 起施行，请选择以后的年度。", field="year", day=str(POLICY.in_force_from))
    if requested_m2 is not None and requested_m2 < 0:
        raise InvalidInput("场地面积不能小于零。", field="requested_m2")
    if clock.local_date(at).year <= year:
        raise Conflict("%(year)s 年尚未结束，次年 1 月 1 日起才能申报。", year=year)
    hold_platform(session, platform_id)
    claimed = claimable(session, platform_id, year)
    if not claimed:
        raise Conflict("%(year)s 年没有可申报的补助。请看补助页面上的逐步推算。", year=year)
    claim = session.scalar(
        select(Claim)
        .where(Claim.platform_id == platform_id, Claim.policy == POLICY.number, Claim.year == year)
        .with_for_update()
    )
    if claim is None:
        claim = Claim(platform_id=platform_id, policy=POLICY.number, year=year, filed_by=by, filed_at=at)
        session.add(claim)
    else:
        insist_on_move(claim.state, ClaimState.FILED)
        for item in claim.items:
            session.delete(item)
        session.flush()
    claim.state, claim.filed_by, claim.filed_at, claim.requested_m2 = ClaimState.FILED, by, at, requested_m2
    claim.items = [
        ClaimItem(programme=one.programme, payee=one.payee or "", filed_fen=amount) for one, amount in claimed
    ]
    session.flush()
    tell_officials(session, claim, "filed", at=at)
    _note(session, claim, "claim_filed", by=by, at=at, amount=str(total([amount for _, amount in claimed])))
    return claim


def claimable(session: Session, platform_id: int, year: int) -> list[tuple[Grant, Money]]:
    """What each programme would grant for the year to a platform that is certified and selected."""
    settings = settings_in_force(session)
    facts = as_if_selected(judging_facts(session, platform_id, settings), year)
    judged = assess(facts, settings, POLICY)
    mine = [(one, one.payable.amount if one.estimate is None else one.estimate) for one in judged.grants_of(year)]
    return [(one, amount) for one, amount in mine if amount]


def as_if_selected(facts: Facts, year: int) -> Facts:
    """The facts with a selection for the year, where nobody has decided yet."""
    if facts.evaluation_of(year) is not None:
        return facts
    return replace(
        facts, evaluations=(*facts.evaluations, Evaluation(year, evaluated=True, selected=True, document=""))
    )


def withdraw_claim(session: Session, claim_id: int, *, reason: str, by: int, at: datetime) -> Claim:
    """Take a claim back before it is locked; it can be filed again. Errors: ``Conflict``, ``InvalidInput``."""
    return _undo(session, claim_id, ClaimState.WITHDRAWN, reason=reason, by=by, at=at)


def return_claim(session: Session, claim_id: int, *, reason: str, by: int, at: datetime) -> Claim:
    """Send a claim back to be put right before it is locked. Errors: ``Conflict``, ``InvalidInput``."""
    return _undo(session, claim_id, ClaimState.RETURNED, reason=reason, by=by, at=at)


def _undo(session: Session, claim_id: int, then: ClaimState, *, reason: str, by: int, at: datetime) -> Claim:
    claim = claim_for_change(session, claim_id)
    insist_on_move(claim.state, then)
    if not reason.strip():
        raise InvalidInput("请写明原因。", field="reason")
    claim.state = then
    _note(session, claim, f"claim_{then}", by=by, at=at, reason=reason.strip())
    session.flush()
    if then is ClaimState.RETURNED:
        tell_operator(session, claim, "returned", at=at)
    return claim


def _note(session: Session, claim: Claim, deed: str, *, by: int, at: datetime, **detail: str) -> None:
    audit.record(session, at=at, by=by, deed=deed, subject="claim", subject_id=claim.id, **detail)
