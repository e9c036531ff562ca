"""Charges, and what could not be charged."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, Numeric, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.catalogue.models import Equipment
from app.catalogue.rules.customer import CustomerRelation
from app.identity.models import Organization
from app.kernel.columns import SHORT, Fen, UtcTime, long_key, word
from app.kernel.db import Model
from app.kernel.money import Money
from billing.rules.words import (
    ChargeKind,
    ChargeState,
    RevenueCategory,
)


class Charge(Model):
    """One priced line of a usage session, or of the accepted quote of commissioned work, with what it was made from.

    A session's is derived again while the session or the tariff changes; fixed once ``state`` is invoiced.
    """

    __tablename__ = "charge"
    __table_args__ = (
        UniqueConstraint("usage_session_id", "kind"),
        UniqueConstraint("quote_line_id"),
        UniqueConstraint("conduct_entry_id"),
        CheckConstraint(
            "num_nonnulls(usage_session_id, quote_line_id, conduct_entry_id) = 1"
            " AND (quote_line_id IS NULL) = (service_request_id IS NULL)"
            " AND num_nulls(usage_session_id, session_fingerprint, tariff_id) IN (0, 3)"
            " AND (usage_session_id IS NULL OR equipment_id IS NOT NULL)",
            name="one_origin",
        ),
        CheckConstraint("net_fen + tax_fen = gross_fen", name="gross_is_net_plus_tax"),
        Index(None, "platform_id", "served_at"),
        Index(None, "organization_id", "served_at"),
        Index("ix_charge_open", "platform_id", "organization_id", postgresql_where=text("state <> 'invoiced'")),
    )

    id: Mapped[int] = long_key()
    # A session that is derived away takes its open charges along; an invoiced one refuses to go.
    usage_session_id: Mapped[int | None] = mapped_column(ForeignKey("usage_session.id", ondelete="CASCADE"))
    session_fingerprint: Mapped[str | None] = mapped_column(SHORT)
    service_request_id: Mapped[int | None] = mapped_column(ForeignKey("service_request.id"), index=True)
    quote_line_id: Mapped[int | None] = mapped_column(ForeignKey("quote_line.id"))
    conduct_entry_id: Mapped[int | None] = mapped_column(ForeignKey("conduct_entry.id"))
    platform_id: Mapped[int] = mapped_column(ForeignKey("platform.id"))
    organization_id: Mapped[int] = mapped_column(ForeignKey("organization.id"))
    equipment_id: Mapped[int | None] = mapped_column(ForeignKey("equipment.id"))
    tariff_id: Mapped[int | None] = mapped_column(ForeignKey("tariff.id"))
    kind: Mapped[ChargeKind] = mapped_column(word(ChargeKind))
    quantity: Mapped[Decimal] = mapped_column(Numeric(14, 4))
    unit_price: Mapped[Decimal] = mapped_column(Numeric(14, 4))
    net_fen: Mapped[Money] = mapped_column(Fen)
    tax_fen: Mapped[Money] = mapped_column(Fen)
    gross_fen: Mapped[Money] = mapped_column(Fen)
    tax_rate: Mapped[Decimal] = mapped_column(Numeric(5, 4))
    tax_code: Mapped[str] = mapped_column(SHORT)
    category: Mapped[RevenueCategory] = mapped_column(word(RevenueCategory))
    relation: Mapped[CustomerRelation] = mapped_column(word(CustomerRelation))
    inputs: Mapped[dict[str, Any]] = mapped_column(JSONB)
    explanation_zh: Mapped[str] = mapped_column(Text)
    explanation_en: Mapped[str] = mapped_column(Text)
    served_at: Mapped[datetime] = mapped_column(UtcTime)
    state: Mapped[ChargeState] = mapped_column(word(ChargeState), default=ChargeState.PROPOSED)
    approved_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    approved_at: Mapped[datetime | None] = mapped_column(UtcTime)
    charged_at: Mapped[datetime] = mapped_column(UtcTime)
    equipment: Mapped[Equipment | None] = relationship()
    organization: Mapped[Organization] = relationship()


class ChargeProblem(Model):
    """Why a finished session could not be charged. Goes away by itself when it can."""

    __tablename__ = "charge_problem"

    usage_session_id: Mapped[int] = mapped_column(ForeignKey("usage_session.id", ondelete="CASCADE"), primary_key=True)
    session_fingerprint: Mapped[str] = mapped_column(SHORT)
    platform_id: Mapped[int] = mapped_column(ForeignKey("platform.id"), index=True)
    reason: Mapped[str] = mapped_column(SHORT)
    noted_at: Mapped[datetime] = mapped_column(UtcTime)


class ServiceSettlement(Model):
    """Commissioned work that was looked at for charging, and how many charges it came to (none for own use)."""

    __tablename__ = "service_settlement"

    service_request_id: Mapped[int] = mapped_column(ForeignKey("service_request.id"), primary_key=True)
    charges: Mapped[int]
    settled_at: Mapped[datetime] = mapped_column(UtcTime)
