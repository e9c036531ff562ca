"""What slots would cost, if each is used to its end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy.orm import Session

from app.catalogue.models import Equipment
from app.catalogue.rules.customer import class_of
from app.kernel import clock
from app.kernel.interval import Interval
from billing.rules.line_words import LINE_KINDS
from billing.rules.pricing.outcome import Priced
from billing.rules.pricing.price import price_booked
from billing.rules.pricing.terms import terms_of
from billing.rules.tax import Taxed
from billing.rules.words import ChargeKind
from billing.tariffs import PriceList


@dataclass(frozen=True, slots=True)
class EstimatedLine:
    kind: ChargeKind
    amount: Taxed
    explanation_zh: str
    explanation_en: str


@dataclass(frozen=True, slots=True)
class Estimate:
    """``lines`` is empty where there is no price that time alone decides."""

    lines: list[EstimatedLine]

    @property
    def total(self) -> Decimal:
        """Yuan, tax included."""
        return sum((line.amount.gross.yuan for line in self.lines), Decimal())


def total_of(found: Sequence[Estimate]) -> Decimal | None:
    """What all of them cost, yuan, tax included; None where one of them has no price."""
    return sum((one.total for one in found), Decimal()) if found and all(one.lines for one in found) else None


def estimates(
    session: Session, slots: Sequence[tuple[Equipment, Interval]], *, organization_id: int | None
) -> list[Estimate]:
    """An estimate for each slot, in order: the firm's own price, or an outsider's for who is no firm."""
    prices = PriceList(session, {equipment.id: equipment for equipment, _ in slots}.values())
    return [_estimate(prices, equipment, when, organization_id) for equipment, when in slots]


def _estimate(prices: PriceList, equipment: Equipment, when: Interval, organization_id: int | None) -> Estimate:
    tariff, relation = prices.tariff_for(equipment, organization_id, clock.local_date(when.start))
    if tariff is None:
        return Estimate([])
    outcome = price_booked(
        terms_of(tariff.terms),
        when,
        zone=clock.FACILITY_ZONE,
        customer_class=class_of(relation).value,
        booked_at=clock.now(),
    )
    if not isinstance(outcome, Priced):
        return Estimate([])
    return Estimate(
        [
            EstimatedLine(LINE_KINDS[line.kind], line.amount, line.explanation_zh, line.explanation_en)
            for line in outcome.lines
        ]
    )
