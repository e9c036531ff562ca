"""What pages read of claims. Nothing here changes anything."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload, selectinload

from app.kernel.audit import AuditEntry
from app.kernel.errors import NotFound
from app.kernel.money import ZERO, Money, total
from billing.answering import POLICY
from billing.claims.adjusting import granted
from billing.claims.budgeting import left_to_approve
from billing.claims.settling import BEARERS, due_from, paid_by
from billing.models import Claim, ClaimItem
from billing.rules.policy import Bearer


@dataclass(frozen=True, slots=True)
class BearerAccount:
    """What one bearer owes of a claim, and what it has paid."""

    bearer: Bearer
    due: Money
    paid: Money

    @property
    def open(self) -> Money:
        """Still to be paid; below zero what is to be given back."""
        return self.due - self.paid


@dataclass(frozen=True, slots=True)
class ClaimView:
    """A claim and its sums over all programmes; a sum is ``None`` before its step."""

    claim: Claim

    @property
    def filed(self) -> Money:
        return total([one.filed_fen for one in self.claim.items])

    @property
    def locked(self) -> Money | None:
        return self._sum([one.locked_fen for one in self.claim.items])

    @property
    def deducted(self) -> Money:
        return total([(one.locked_fen or ZERO) - left_to_approve(one) for one in self.claim.items])

    @property
    def approved(self) -> Money | None:
        return self._sum([one.approved_fen for one in self.claim.items])

    @property
    def adjusted(self) -> Money:
        return total([one.amount_fen for item in self.claim.items for one in item.adjustments])

    @property
    def granted(self) -> Money:
        return total([granted(one) for one in self.claim.items])

    @property
    def borne(self) -> list[BearerAccount]:
        return [BearerAccount(one, due_from(self.claim, one.key), paid_by(self.claim, one.key)) for one in BEARERS]

    @property
    def paid(self) -> Money:
        return total([one.amount_fen for one in self.claim.payments])

    @property
    def open_questions(self) -> int:
        return sum(one.answered_at is None for one in self.claim.questions)

    @staticmethod
    def _sum(amounts: Sequence[Money | None]) -> Money | None:
        known = [one for one in amounts if one is not None]
        return total(known) if known else None


_WHOLE = (
    joinedload(Claim.platform),
    joinedload(Claim.record),
    selectinload(Claim.items).options(selectinload(ClaimItem.deductions), selectinload(ClaimItem.adjustments)),
    selectinload(Claim.questions),
    selectinload(Claim.payments),
)


def claim_view(session: Session, claim_id: int) -> ClaimView:
    """Errors: ``NotFound``."""
    claim = session.scalar(select(Claim).where(Claim.id == claim_id).options(*_WHOLE))
    if claim is None:
        raise NotFound("没有找到这一项，或您无权查看。")
    return ClaimView(claim)


def claims_of(
    session: Session, *, year: int | None = None, platform_ids: Collection[int] | None = None
) -> list[ClaimView]:
    """The claims of a year, or of all, on these platforms, or on all; the latest year first. Six queries."""
    query = select(Claim).where(Claim.policy == POLICY.number).options(*_WHOLE)
    if year is not None:
        query = query.where(Claim.year == year)
    if platform_ids is not None:
        query = query.where(Claim.platform_id.in_(platform_ids))
    return [ClaimView(one) for one in session.scalars(query.order_by(Claim.year.desc(), Claim.platform_id))]


def claim_of_year(session: Session, platform_id: int, year: int) -> Claim | None:
    return session.scalar(
        select(Claim).where(Claim.platform_id == platform_id, Claim.policy == POLICY.number, Claim.year == year)
    )


def history_of(session: Session, claim_id: int) -> Sequence[AuditEntry]:
    """What was done to a claim, in order."""
    return session.scalars(
        select(AuditEntry)
        .where(AuditEntry.subject == "claim", AuditEntry.subject_id == claim_id)
        .order_by(AuditEntry.id)
    ).all()
