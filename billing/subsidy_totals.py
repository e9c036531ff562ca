"""What subsidies come to in the whole city in a year, by programme and payer: planned, filed, approved, paid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from app.kernel.money import ZERO, Money, total
from billing.answering import POLICY
from billing.rules.claim import FROZEN, ClaimState

# The latest assessment of each platform; its result is as ``billing.assessing`` keeps it.
PLANNED = text(
    """
    SELECT latest.platform_id, one ->> 'programme' AS programme, one ->> 'payable' AS payable,
           one ->> :upper AS upper, one ->> :own AS own, one ->> 'estimate' AS estimate
    FROM (
        SELECT DISTINCT ON (platform_id) platform_id, result -> 'grants' AS grants
        FROM assessment ORDER BY platform_id, assessed_at DESC, id DESC
    ) AS latest
    CROSS JOIN LATERAL jsonb_array_elements(latest.grants) AS one
    WHERE (one ->> 'year')::int = :year
    ORDER BY latest.platform_id, programme
    """
)
CLAIMED = text(
    """
    SELECT claim_item.programme, sum(claim_item.filed_fen)::bigint AS filed,
           sum(coalesce(claim_item.upper_fen, 0) + coalesce(later.upper_fen, 0))::bigint AS upper,
           sum(coalesce(claim_item.own_fen, 0) + coalesce(later.own_fen, 0))::bigint AS own
    FROM claim JOIN claim_item ON claim_item.claim_id = claim.id
    LEFT JOIN LATERAL (
        SELECT sum(upper_fen) AS upper_fen, sum(own_fen) AS own_fen FROM claim_adjustment
        WHERE claim_item_id = claim_item.id
    ) AS later ON true
    WHERE claim.year = :year AND claim.policy = :policy AND claim.state = ANY(CAST(:states AS varchar[]))
    GROUP BY claim_item.programme
    """
)
PAID = text(
    """
    SELECT coalesce(sum(amount_fen) FILTER (WHERE bearer = :upper), 0)::bigint AS upper,
           coalesce(sum(amount_fen) FILTER (WHERE bearer = :own), 0)::bigint AS own
    FROM claim_payment JOIN claim ON claim.id = claim_payment.claim_id
    WHERE claim.year = :year AND claim.policy = :policy
    """
)
STANDING = FROZEN | {ClaimState.FILED}
"""Claims that were neither returned nor withdrawn."""


@dataclass(frozen=True, slots=True)
class Borne:
    """An amount and what each authority bears of it, the upper one first."""

    upper: Money = ZERO
    own: Money = ZERO

    @property
    def amount(self) -> Money:
        return self.upper + self.own

    def __add__(self, other: Borne) -> Borne:
        return Borne(self.upper + other.upper, self.own + other.own)


@dataclass(frozen=True, slots=True)
class PlannedGrant:
    """What one platform may expect under one programme. ``estimate`` is not payable: the certification is missing."""

    platform_id: int
    programme: str
    payable: Borne
    estimate: Money


@dataclass(frozen=True, slots=True)
class SubsidyTotal:
    """One programme. ``planned`` is payable by the latest assessments, claimed or not; ``filed`` is not split yet.

    ``approved`` has later adjustments in it.
    """

    programme: str
    planned: Borne = Borne()
    estimate: Money = ZERO
    filed: Money = ZERO
    approved: Borne = Borne()


@dataclass(frozen=True, slots=True)
class SubsidyYear:
    """The programmes with anything, and what was paid: an authority pays a claim as a whole, not by programme."""

    programmes: Sequence[SubsidyTotal]
    paid: Borne

    @property
    def planned(self) -> Borne:
        return sum((one.planned for one in self.programmes), Borne())

    @property
    def estimate(self) -> Money:
        return total([one.estimate for one in self.programmes])

    @property
    def filed(self) -> Money:
        return total([one.filed for one in self.programmes])

    @property
    def approved(self) -> Borne:
        return sum((one.approved for one in self.programmes), Borne())


def planned_grants(session: Session, year: int) -> list[PlannedGrant]:
    """One statement; O(kept assessments)."""
    asked = {"year": year, "upper": POLICY.upper.key, "own": POLICY.own.key}
    return [
        PlannedGrant(
            row.platform_id,
            row.programme,
            Borne(Money.of(row.upper), Money.of(row.own)),
            ZERO if row.estimate is None else Money.of(row.estimate),
        )
        for row in session.execute(PLANNED, asked)
    ]


def subsidy_totals(session: Session, year: int, grants: Sequence[PlannedGrant]) -> SubsidyYear:
    """The year's totals, with ``grants`` as what is planned. Two statements; O(claims of the year)."""
    asked = {"year": year, "policy": POLICY.number, "upper": POLICY.upper.key, "own": POLICY.own.key}
    claimed = {row.programme: row for row in session.execute(CLAIMED, {**asked, "states": sorted(STANDING)})}
    paid = session.execute(PAID, asked).one()
    found = [
        _total(programme, [one for one in grants if one.programme == programme], claimed.get(programme))
        for programme in sorted({one.programme for one in grants if one.payable.amount or one.estimate} | set(claimed))
    ]
    return SubsidyYear(found, Borne(Money(paid.upper), Money(paid.own)))


def _total(programme: str, grants: Sequence[PlannedGrant], claimed: Row[object] | None) -> SubsidyTotal:
    planned = sum((one.payable for one in grants), Borne())
    estimate = total([one.estimate for one in grants])
    if claimed is None:
        return SubsidyTotal(programme, planned, estimate)
    approved = Borne(Money(claimed.upper), Money(claimed.own))
    return SubsidyTotal(programme, planned, estimate, Money(claimed.filed), approved)
