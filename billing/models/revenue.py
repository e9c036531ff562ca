"""Service revenue and what the subsidy makes of it."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ForeignKey, Index, Numeric, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.catalogue.rules.customer import CustomerRelation
from app.kernel.columns import SHORT, Fen, UtcTime, long_key, primary_key, word
from app.kernel.db import Model
from app.kernel.money import Money
from billing.models.invoice import InvoiceLine
from billing.rules.words import (
    RevenueCategory,
)


class RevenueEntry(Model):
    """Revenue of one issued line, net of tax; negative for a credit note. One per line, added once."""

    __tablename__ = "revenue_entry"
    __table_args__ = (UniqueConstraint("invoice_line_id"), Index(None, "platform_id", "invoiced_on"))

    id: Mapped[int] = long_key()
    invoice_line_id: Mapped[int] = mapped_column(ForeignKey("invoice_line.id"))
    platform_id: Mapped[int] = mapped_column(ForeignKey("platform.id"))
    invoiced_on: Mapped[date]
    served_on: Mapped[date]
    category: Mapped[RevenueCategory] = mapped_column(word(RevenueCategory))
    relation: Mapped[CustomerRelation] = mapped_column(word(CustomerRelation))
    no_show_fee: Mapped[bool] = mapped_column(default=False, server_default="false")
    region: Mapped[str] = mapped_column(SHORT)
    net_fen: Mapped[Money] = mapped_column(Fen)
    tax_fen: Mapped[Money] = mapped_column(Fen)
    tax_rate: Mapped[Decimal] = mapped_column(Numeric(5, 4))
    recognized_at: Mapped[datetime] = mapped_column(UtcTime)
    line: Mapped[InvoiceLine] = relationship()


class UnrecognizedInvoice(Model):
    """An issued invoice whose revenue is not recognized yet. The database notes it when the invoice is issued."""

    __tablename__ = "unrecognized_invoice"

    invoice_id: Mapped[int] = mapped_column(ForeignKey("invoice.id"), primary_key=True)


class Assessment(Model):
    """What the policy grants one platform, as computed at one time from one set of facts.

    ``result`` is the assessment of all years with its trace; ``facts_digest`` names what it came from.
    """

    __tablename__ = "assessment"
    __table_args__ = (UniqueConstraint("platform_id", "facts_digest"),)

    id: Mapped[int] = primary_key()
    platform_id: Mapped[int] = mapped_column(ForeignKey("platform.id"))
    policy: Mapped[str] = mapped_column(SHORT)
    settings: Mapped[dict[str, Any]] = mapped_column(JSONB)
    facts_digest: Mapped[str] = mapped_column(SHORT)
    result: Mapped[dict[str, Any]] = mapped_column(JSONB)
    assessed_at: Mapped[datetime] = mapped_column(UtcTime)
