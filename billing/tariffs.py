"""Which price holds: for whom, for what, on which day."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import date
from typing import TYPE_CHECKING

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from app.catalogue.models import Equipment
from app.catalogue.platforms import Standing, standing_of
from app.catalogue.rules.customer import CustomerClass, CustomerRelation, class_of
from billing.models import Tariff
from billing.rules.pricing.terms import Terms, terms_of

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement


class PriceList:
    """The prices of some equipment and how customers stand to its platforms, read once for many cases."""

    def __init__(self, session: Session, equipment: Iterable[Equipment]) -> None:
        self._session = session
        self._standing: dict[int, Standing] = {}
        self._terms: dict[int, Terms] = {}
        known = list(equipment)
        self._tariffs: dict[tuple[object, ...], list[Tariff]] = {}
        for tariff in session.scalars(select(Tariff).where(_may_concern(known))):
            self._tariffs.setdefault(_subject(tariff), []).append(tariff)

    def tariff(
        self, equipment: Equipment, customer_class: CustomerClass, on: date, *, organization_id: int | None = None
    ) -> Tariff | None:
        """The version that holds on that day; the database knows of no two of one subject.

        A firm's contract goes before the price of its class, and for either the equipment's own price before
        that of its kind before that of the platform.
        """
        who: list[tuple[object, ...]] = [(None, customer_class)]
        if organization_id is not None and customer_class is CustomerClass.EXTERNAL:
            who.insert(0, (organization_id, customer_class))
        what = [(equipment.id, None), (None, equipment.kind), (None, None)]
        for customer in who:
            for subject in what:
                versions = self._tariffs.get((equipment.platform_id, *subject, *customer), ())
                found = next((one for one in versions if one.days.contains(on)), None)
                if found is not None:
                    return found
        return None

    def terms(self, tariff: Tariff) -> Terms:
        """What a version says, read once."""
        if tariff.id not in self._terms:
            self._terms[tariff.id] = terms_of(tariff.terms)
        return self._terms[tariff.id]

    def relation(self, platform_id: int, organization_id: int, on: date) -> CustomerRelation:
        if platform_id not in self._standing:
            self._standing[platform_id] = standing_of(self._session, platform_id)
        return self._standing[platform_id].relation(organization_id, on)

    def tariff_for(
        self, equipment: Equipment, organization_id: int | None, on: date
    ) -> tuple[Tariff | None, CustomerRelation]:
        """The firm's price and how it stands to the platform; an outsider's for who is no firm."""
        relation = CustomerRelation.EXTERNAL
        if organization_id is not None:
            relation = self.relation(equipment.platform_id, organization_id, on)
        return self.tariff(equipment, class_of(relation), on, organization_id=organization_id), relation


def tariff_on(
    session: Session,
    *,
    equipment: Equipment,
    customer_class: CustomerClass,
    on: date,
    organization_id: int | None = None,
) -> Tariff | None:
    """The version that holds on that day for one piece of equipment."""
    return PriceList(session, [equipment]).tariff(equipment, customer_class, on, organization_id=organization_id)


def prices_of(session: Session, equipment: Collection[Equipment], *, on: date) -> dict[int, Tariff]:
    """That day's price for outsiders of each piece of equipment that has one, for lists. One query."""
    prices = PriceList(session, equipment)
    found = {one.id: prices.tariff(one, CustomerClass.EXTERNAL, on) for one in equipment}
    return {equipment_id: tariff for equipment_id, tariff in found.items() if tariff is not None}


def _subject(tariff: Tariff) -> tuple[object, ...]:
    return (
        tariff.platform_id,
        tariff.equipment_id,
        tariff.equipment_kind,
        tariff.organization_id,
        tariff.customer_class,
    )


def _may_concern(equipment: Collection[Equipment]) -> ColumnElement[bool]:
    return Tariff.platform_id.in_({one.platform_id for one in equipment}) & or_(
        Tariff.equipment_id.is_(None), Tariff.equipment_id.in_([one.id for one in equipment])
    )
