"""Invoices with gapless numbers, and credit notes."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import CheckConstraint, ForeignKey, Index, Numeric, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.catalogue.models import Platform
from app.catalogue.rules.customer import CustomerRelation
from app.identity.models import Organization
from app.kernel.columns import LINE, SHORT, Fen, UtcTime, long_key, primary_key, word
from app.kernel.db import Model
from app.kernel.money import Money
from billing.models.charge import Charge
from billing.rules.words import (
    InvoiceKind,
    InvoiceState,
    RevenueCategory,
)


class InvoiceCounter(Model):
    """The last number given in one platform and year; its row lock keeps the numbers gapless."""

    __tablename__ = "invoice_counter"

    platform_id: Mapped[int] = mapped_column(ForeignKey("platform.id"), primary_key=True)
    year: Mapped[int] = mapped_column(primary_key=True)
    last: Mapped[int] = mapped_column(default=0)


class Invoice(Model):
    """A statement to a firm, or a credit note against one. Fixed once issued (only ``paid`` follows)."""

    __tablename__ = "invoice"
    __table_args__ = (
        UniqueConstraint("platform_id", "year", "number"),
        CheckConstraint(
            "(state = 'draft') = (number IS NULL) AND (state = 'draft') = (issued_on IS NULL)",
            name="numbered_if_issued",
        ),
        CheckConstraint("(kind = 'credit_note') = (credits_id IS NOT NULL)", name="credit_note_names_invoice"),
        CheckConstraint("net_fen + tax_fen = gross_fen", name="gross_is_net_plus_tax"),
        Index(None, "platform_id", "issued_on"),
        Index(None, "issued_on", "id"),
        Index(None, "organization_id", "issued_on"),
        Index(
            "uq_invoice_one_draft",
            "platform_id",
            "organization_id",
            "month",
            unique=True,
            postgresql_where=text("state = 'draft' AND kind = 'invoice'"),
        ),
    )

    id: Mapped[int] = primary_key()
    platform_id: Mapped[int] = mapped_column(ForeignKey("platform.id"))
    seller_id: Mapped[int] = mapped_column(ForeignKey("organization.id"))
    organization_id: Mapped[int] = mapped_column(ForeignKey("organization.id"))
    kind: Mapped[InvoiceKind] = mapped_column(word(InvoiceKind), default=InvoiceKind.INVOICE)
    credits_id: Mapped[int | None] = mapped_column(ForeignKey("invoice.id"), index=True)
    reason: Mapped[str] = mapped_column(LINE, default="")
    month: Mapped[date]
    state: Mapped[InvoiceState] = mapped_column(word(InvoiceState), default=InvoiceState.DRAFT)
    year: Mapped[int | None]
    number: Mapped[int | None]
    issued_on: Mapped[date | None]
    issued_at: Mapped[datetime | None] = mapped_column(UtcTime)
    issued_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    net_fen: Mapped[Money] = mapped_column(Fen)
    tax_fen: Mapped[Money] = mapped_column(Fen)
    gross_fen: Mapped[Money] = mapped_column(Fen)
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    platform: Mapped[Platform] = relationship()
    seller: Mapped[Organization] = relationship(foreign_keys=[seller_id])
    organization: Mapped[Organization] = relationship(foreign_keys=[organization_id])
    credits: Mapped[Invoice | None] = relationship(remote_side=[id])
    lines: Mapped[list[InvoiceLine]] = relationship(back_populates="invoice", order_by="InvoiceLine.position")

    @property
    def label(self) -> str:
        """What people call it: ``HX-TEXTILE-2026-000012``, or a dash for a draft."""
        if self.number is None:
            return "—"
        return f"{self.platform.code.upper()}-{self.year}-{self.number:06d}"


class InvoiceLine(Model):
    """One charge on an invoice, or what a credit note takes back of one line."""

    __tablename__ = "invoice_line"
    __table_args__ = (
        UniqueConstraint("invoice_id", "position"),
        UniqueConstraint("charge_id"),
        CheckConstraint("net_fen + tax_fen = gross_fen", name="gross_is_net_plus_tax"),
        CheckConstraint("(charge_id IS NULL) <> (credits_line_id IS NULL)", name="charge_or_credit"),
        Index(None, "credits_line_id"),
    )

    id: Mapped[int] = long_key()
    invoice_id: Mapped[int] = mapped_column(ForeignKey("invoice.id"))
    position: Mapped[int]
    charge_id: Mapped[int | None] = mapped_column(ForeignKey("charge.id"))
    credits_line_id: Mapped[int | None] = mapped_column(ForeignKey("invoice_line.id"))
    description_zh: Mapped[str] = mapped_column(LINE)
    description_en: Mapped[str] = mapped_column(LINE)
    explanation_zh: Mapped[str] = mapped_column(Text)
    explanation_en: Mapped[str] = mapped_column(Text)
    quantity: Mapped[Decimal] = mapped_column(Numeric(14, 4))
    unit: Mapped[str] = mapped_column(SHORT)
    unit_price: Mapped[Decimal] = mapped_column(Numeric(14, 4))
    net_fen: Mapped[Money] = mapped_column(Fen)
    tax_fen: Mapped[Money] = mapped_column(Fen)
    gross_fen: Mapped[Money] = mapped_column(Fen)
    tax_rate: Mapped[Decimal] = mapped_column(Numeric(5, 4))
    tax_code: Mapped[str] = mapped_column(SHORT)
    category: Mapped[RevenueCategory] = mapped_column(word(RevenueCategory))
    relation: Mapped[CustomerRelation] = mapped_column(word(CustomerRelation))
    no_show_fee: Mapped[bool] = mapped_column(default=False, server_default="false")
    served_on: Mapped[date]
    invoice: Mapped[Invoice] = relationship(back_populates="lines")
    charge: Mapped[Charge | None] = relationship()
