"""What equipment costs."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.dialects.postgresql import DATERANGE, JSONB, ExcludeConstraint, Range
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.catalogue.models import Equipment, EquipmentKind, Platform
from app.catalogue.rules.customer import CustomerClass
from app.identity.models import Organization
from app.kernel.columns import SHORT, UtcTime, primary_key, word
from app.kernel.db import Model
from billing.rules.words import RevenueCategory


class Tariff(Model):
    """One version of a price. A used one only ever gets an end.

    It holds for one piece of equipment, else for a kind of equipment of the platform, else for all of the
    platform; for a class of customers, or by contract for one firm. ``days`` of the same subject and customer
    do not overlap. ``terms`` is what :func:`billing.rules.pricing.terms.terms_of` reads.
    """

    __tablename__ = "tariff"
    __table_args__ = (
        ExcludeConstraint(
            ("platform_id", "="),
            (text("coalesce(equipment_id, 0)"), "="),
            (text("coalesce(equipment_kind, '')"), "="),
            (text("coalesce(organization_id, 0)"), "="),
            ("customer_class", "="),
            ("days", "&&"),
            using="gist",
            name="one_price_at_a_time",
        ),
        CheckConstraint("num_nonnulls(equipment_id, equipment_kind) <= 1", name="one_subject"),
        CheckConstraint("NOT isempty(days)", name="holds_some_day"),
        Index(None, "equipment_id"),
    )

    id: Mapped[int] = primary_key()
    platform_id: Mapped[int] = mapped_column(ForeignKey("platform.id"))
    equipment_id: Mapped[int | None] = mapped_column(ForeignKey("equipment.id"))
    equipment_kind: Mapped[EquipmentKind | None] = mapped_column(word(EquipmentKind))
    organization_id: Mapped[int | None] = mapped_column(ForeignKey("organization.id"))
    customer_class: Mapped[CustomerClass] = mapped_column(word(CustomerClass))
    days: Mapped[Range[date]] = mapped_column(DATERANGE)
    terms: Mapped[dict[str, Any]] = mapped_column(JSONB)
    tax_code: Mapped[str] = mapped_column(SHORT)
    category: Mapped[RevenueCategory] = mapped_column(word(RevenueCategory))
    illustrative: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    created_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    platform: Mapped[Platform] = relationship()
    equipment: Mapped[Equipment | None] = relationship()
    organization: Mapped[Organization | None] = relationship()
