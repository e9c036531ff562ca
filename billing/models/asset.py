"""What a platform bought: the register that purchase subsidies are claimed from."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import CheckConstraint, ForeignKey, Numeric, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.kernel.columns import LINE, SHORT, Fen, UtcTime, primary_key
from app.kernel.db import Model
from app.kernel.money import Money
from billing.rules.facts import AssetKind, EquipmentProgramme


class Asset(Model):
    """A purchase of equipment, software or a facility. ``fiscal_fen`` is on the same tax basis as ``cost_fen``.

    It is corrected in place, with the earlier words in the audit log, until a locked claim names it.
    """

    __tablename__ = "asset"
    __table_args__ = (
        UniqueConstraint("platform_id", "no"),
        CheckConstraint("cost_fen >= 0 AND fiscal_fen >= 0 AND fiscal_fen <= cost_fen", name="fiscal_within_cost"),
        CheckConstraint("tax_rate >= 0 AND tax_rate < 1", name="sane_rate"),
        CheckConstraint("kind IN ('equipment', 'software', 'facility')", name="known_kind"),
        CheckConstraint("already_paid_under IN ('P1', 'P4')", name="known_programme"),
    )

    id: Mapped[int] = primary_key()
    platform_id: Mapped[int] = mapped_column(ForeignKey("platform.id"))
    no: Mapped[str] = mapped_column(SHORT)
    name: Mapped[str] = mapped_column(LINE)
    kind: Mapped[AssetKind] = mapped_column(SHORT)
    accepted_on: Mapped[date]
    paid_on: Mapped[date]
    cost_fen: Mapped[Money] = mapped_column(Fen)
    cost_includes_tax: Mapped[bool]
    tax_rate: Mapped[Decimal] = mapped_column(Numeric(5, 4))
    input_tax_creditable: Mapped[bool]
    fiscal_fen: Mapped[Money] = mapped_column(Fen)
    already_paid_under: Mapped[EquipmentProgramme | None] = mapped_column(SHORT)
    document: Mapped[str] = mapped_column(LINE, default="")
    illustrative: Mapped[bool] = mapped_column(default=False)
    recorded_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    recorded_at: Mapped[datetime] = mapped_column(UtcTime)
