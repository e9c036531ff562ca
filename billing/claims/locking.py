"""Lock a claim: from this moment nothing that happens elsewhere changes what it is judged by."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.kernel import audit, clock
from app.kernel.errors import Conflict, NotFound
from app.kernel.money import ZERO, total
from billing.claims.record import (
    basis_today,
    claim_for_change,
    hold_platform,
    locked_later,
    packed,
    summary_of,
    year_of,
)
from billing.claims.telling import tell_operator
from billing.evaluation_schemes import hold_evaluations
from billing.models import Claim, ClaimRecord, Invoice, UnrecognizedInvoice
from billing.rules.claim import ClaimState, insist_on_move
from billing.rules.grant import Grant, NoGrant
from billing.rules.grant_steps import REFUSED

WAITING = frozenset({NoGrant.NOT_CERTIFIED, NoGrant.NOT_EVALUATED, NoGrant.NOT_SELECTED})
"""What somebody else may still decide: a lock would freeze it at nothing."""


def lock_claim(session: Session, claim_id: int, *, by: int, at: datetime) -> Claim:
    """Freeze the facts of a filed claim with what follows from them today. O(issued lines).

    Years are locked in their order, since each leaves less of a cap to the next.

    Errors: ``Conflict`` if nothing is payable, if something that was filed waits for its certification or selection, if
    a programme would be granted that was not filed, if a later year is locked, or if an issued invoice is not counted.
    """
    hold_platform(session, _platform_of(session, claim_id))
    hold_evaluations(session, year_of(session, claim_id))
    claim = claim_for_change(session, claim_id)
    insist_on_move(claim.state, ClaimState.LOCKED)
    _insist_on_order(session, claim)
    _insist_on_all_counted(session, claim.platform_id)
    basis = basis_today(session, claim.platform_id, claim.year, lines=True, locked_on=clock.local_date(at))
    judged = summary_of(basis).judged()
    granted = {one.programme: one for one in judged.grants_of(claim.year)}
    items = {one.programme: one for one in claim.items}
    if not total([one.payable.amount for one in granted.values()]):
        raise Conflict(
            "没有可支付的补助，不能锁定：%(why)s。请先补齐认定文件和择优记录，或退回申报。", why=_why(granted.values())
        )
    if waiting := [one for one in granted.values() if one.programme in items and one.reason in WAITING]:
        raise Conflict("已申报的 %(programmes)s 还不能支付：%(why)s。请先补齐，或退回申报后重新提交。",
                       programmes="、".join(one.programme for one in waiting), why=_why(waiting))  # fmt: skip
    if unfiled := sorted(name for name, one in granted.items() if one.payable.amount and name not in items):
        raise Conflict("核算后出现未申报的补助 %(programmes)s，请退回申报后重新提交。", programmes="、".join(unfiled))
    for programme, item in items.items():
        grant = granted.get(programme)
        item.locked_fen = grant.payable.amount if grant else ZERO
        item.payee = (grant.payee if grant else None) or item.payee
    scenario, digest = packed(basis.scenario())
    claim.record = ClaimRecord(
        locked_on=clock.local_date(at), locked_at=at, locked_by=by, scenario=scenario, digest=digest,
        summary=packed(summary_of(basis).scenario())[0],
    )  # fmt: skip
    claim.state = ClaimState.LOCKED
    session.flush()
    audit.record(
        session, at=at, by=by, deed="claim_locked", subject="claim", subject_id=claim.id, digest=digest,
        amount=str(total([one.locked_fen or ZERO for one in claim.items])),
    )  # fmt: skip
    tell_operator(session, claim, "locked", at=at)
    return claim


def _platform_of(session: Session, claim_id: int) -> int:
    platform_id = session.scalar(select(Claim.platform_id).where(Claim.id == claim_id))
    if platform_id is None:
        raise NotFound("没有这份申报。")
    return platform_id


def _insist_on_order(session: Session, claim: Claim) -> None:
    later = locked_later(session, claim)
    if later is not None:
        raise Conflict("%(later)s 年的申报已经锁定，%(year)s 年不能再锁定。", later=later, year=claim.year)


def _insist_on_all_counted(session: Session, platform_id: int) -> None:
    waiting = session.scalar(
        select(func.count())
        .select_from(UnrecognizedInvoice)
        .join(Invoice, Invoice.id == UnrecognizedInvoice.invoice_id)
        .where(Invoice.platform_id == platform_id)
    )
    if waiting:
        raise Conflict("还有 %(count)s 张结算单没有计入收入，请稍候再锁定。", count=waiting)


def _why(grants: Iterable[Grant]) -> str:
    reasons = [REFUSED[one.reason][0] for one in grants if one.reason is not None]
    return "、".join(dict.fromkeys(reasons)) or "没有收入和资产"
