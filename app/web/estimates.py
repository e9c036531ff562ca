"""What slots would cost, if each is used to its end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy.orm import Session

from app.catalogue.models import Equipment
from app.catalogue.rules.customer import CustomerRelation, class_of
from app.kernel import clock
from app.kernel.interval import Interval
from billing.rules.charge import ChargeLine, charge_lines
from billing.tariffs import PriceList, price_of


@dataclass(frozen=True, slots=True)
class Estimate:
    """``lines`` is empty where there is no price by the hour."""

    lines: list[ChargeLine]

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
    prices = PriceList(session, {equipment.id for equipment, _ in slots})
    found = []
    for equipment, when in slots:
        on = clock.local_date(when.start)
        relation = CustomerRelation.EXTERNAL
        if organization_id is not None:
            relation = prices.relation(equipment.platform_id, organization_id, on)
        tariff = prices.tariff(equipment.id, class_of(relation), on)
        found.append(Estimate(charge_lines(when.duration, price_of(tariff)) if tariff is not None else []))
    return found
