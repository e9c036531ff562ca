"""Tariffs, charges, invoices, payments, revenue and assessments."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, Numeric, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import DATERANGE, JSONB, ExcludeConstraint, Range
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.catalogue.models import Equipment, Platform
from app.catalogue.rules.customer import CustomerClass, CustomerRelation
from app.identity.models import Organization
from app.kernel.columns import LINE, SHORT, Fen, UtcTime, long_key, primary_key, word
from app.kernel.db import Model
from app.kernel.money import Money
from billing.rules.words import (
    ChargeKind,
    ChargeState,
    InvoiceKind,
    InvoiceState,
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


class Payment(Model):
    """Money received for an invoice, tax included."""

    __tablename__ = "payment"
    __table_args__ = (CheckConstraint("amount_fen > 0", name="something_was_paid"),)

    id: Mapped[int] = primary_key()
    invoice_id: Mapped[int] = mapped_column(ForeignKey("invoice.id"), index=True)
    paid_on: Mapped[date]
    amount_fen: Mapped[Money] = mapped_column(Fen)
    reference: Mapped[str] = mapped_column(LINE, default="")
    recorded_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    recorded_at: Mapped[datetime] = mapped_column(UtcTime)


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


class Evaluation(Model):
    """The yearly performance evaluation (运营绩效评估) that the operating subsidy waits for."""

    __tablename__ = "evaluation"
    __table_args__ = (UniqueConstraint("platform_id", "year"),)

    id: Mapped[int] = primary_key()
    platform_id: Mapped[int] = mapped_column(ForeignKey("platform.id"))
    year: Mapped[int]
    evaluated: Mapped[bool]
    selected: Mapped[bool]
    document: Mapped[str] = mapped_column(LINE)
    illustrative: Mapped[bool] = mapped_column(default=False)


class Filing(Model):
    """The day on which a platform's claim for a year was locked."""

    __tablename__ = "filing"
    __table_args__ = (UniqueConstraint("platform_id", "year"),)

    id: Mapped[int] = primary_key()
    platform_id: Mapped[int] = mapped_column(ForeignKey("platform.id"))
    year: Mapped[int]
    locked_on: Mapped[date]


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
