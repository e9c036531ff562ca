"""What equipment costs."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import CheckConstraint, ForeignKey, Numeric
from sqlalchemy.dialects.postgresql import DATERANGE, ExcludeConstraint, Range
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.catalogue.models import Equipment
from app.catalogue.rules.customer import CustomerClass
from app.kernel.columns import SHORT, Fen, UtcTime, primary_key, word
from app.kernel.db import Model
from app.kernel.money import Money
from billing.rules.words import (
    RevenueCategory,
)


class Tariff(Model):
    """One version of a price. ``days`` of one equipment and class do not overlap; a used one only gets an end."""

    __tablename__ = "tariff"
    __table_args__ = (
        ExcludeConstraint(
            ("equipment_id", "="), ("customer_class", "="), ("days", "&&"), using="gist", name="one_price_at_a_time"
        ),
        CheckConstraint("rate_yuan >= 0 AND minimum_hours >= 0 AND increment_s > 0", name="sane_price"),
        CheckConstraint("tax_rate >= 0 AND tax_rate < 1", name="sane_tax"),
    )

    id: Mapped[int] = primary_key()
    equipment_id: Mapped[int] = mapped_column(ForeignKey("equipment.id"))
    customer_class: Mapped[CustomerClass] = mapped_column(word(CustomerClass))
    days: Mapped[Range[date]] = mapped_column(DATERANGE)
    rate_yuan: Mapped[Decimal] = mapped_column(Numeric(14, 4))
    setup_fee: Mapped[Money] = mapped_column(Fen)
    minimum_hours: Mapped[Decimal] = mapped_column(Numeric(8, 4))
    increment_s: Mapped[int]
    tax_rate: Mapped[Decimal] = mapped_column(Numeric(5, 4))
    tax_code: Mapped[str] = mapped_column(SHORT)
    includes_tax: Mapped[bool] = mapped_column(default=True)
    category: Mapped[RevenueCategory] = mapped_column(word(RevenueCategory))
    illustrative: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    equipment: Mapped[Equipment] = relationship()
