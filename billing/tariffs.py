"""Which price holds: for whom, for what, on which day."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.catalogue.platforms import relation_of
from app.catalogue.rules.customer import CustomerClass, CustomerRelation
from billing.models import Tariff
from billing.rules.charge import Price


def price_of(tariff: Tariff) -> Price:
    return Price(
        tariff_id=tariff.id,
        rate_yuan=tariff.rate_yuan,
        setup_fee=tariff.setup_fee,
        minimum_hours=tariff.minimum_hours,
        increment=timedelta(seconds=tariff.increment_s),
        tax_rate=tariff.tax_rate,
        tax_code=tariff.tax_code,
        includes_tax=tariff.includes_tax,
        category=tariff.category,
    )


def tariff_on(session: Session, *, equipment_id: int, customer_class: CustomerClass, on: date) -> Tariff | None:
    """The version that holds on that day; the database knows of no two."""
    return session.scalar(
        select(Tariff).where(
            Tariff.equipment_id == equipment_id, Tariff.customer_class == customer_class, Tariff.days.contains(on)
        )
    )


class PriceList:
    """The prices of some equipment and how customers stand to its platforms, read once for many sessions."""

    def __init__(self, session: Session, equipment_ids: Collection[int]) -> None:
        self._session = session
        self._relations: dict[tuple[int, int, date], CustomerRelation] = {}
        self._tariffs: dict[tuple[int, CustomerClass], list[Tariff]] = {}
        for tariff in session.scalars(select(Tariff).where(Tariff.equipment_id.in_(equipment_ids))):
            self._tariffs.setdefault((tariff.equipment_id, tariff.customer_class), []).append(tariff)

    def tariff(self, equipment_id: int, customer_class: CustomerClass, on: date) -> Tariff | None:
        versions = self._tariffs.get((equipment_id, customer_class), ())
        return next((one for one in versions if one.days.contains(on)), None)

    def relation(self, platform_id: int, organization_id: int, on: date) -> CustomerRelation:
        key = (platform_id, organization_id, on)
        if key not in self._relations:
            self._relations[key] = relation_of(
                self._session, platform_id=platform_id, organization_id=organization_id, on=on
            )
        return self._relations[key]


def prices_of(session: Session, equipment_ids: Collection[int], *, on: date) -> dict[int, Tariff]:
    """Today's price for outsiders of each piece of equipment, for lists. One query."""
    rows = session.scalars(
        select(Tariff).where(
            Tariff.equipment_id.in_(equipment_ids),
            Tariff.customer_class == CustomerClass.EXTERNAL,
            Tariff.days.contains(on),
        )
    )
    return {tariff.equipment_id: tariff for tariff in rows}
