"""Tax invoices and their red letters, who pays what of an invoice, and what its document says."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, Numeric, String, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import DATERANGE, JSONB, ExcludeConstraint, Range
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.identity.models import Organization
from app.kernel.columns import LINE, SHORT, Fen, UtcTime, primary_key, word
from app.kernel.db import Model
from app.kernel.money import Money
from billing.models.invoice import Invoice, InvoiceLine
from billing.rules.red_letter import RedReason, RedState
from billing.rules.tax_invoice import TaxInvoiceKind

NUMBER = String(20)
TWENTY_DIGITS = "number ~ '^[0-9]{20}$'"


class InvoiceDocument(Model):
    """The statement as it was first made, with what was told to the printer. Only added to."""

    __tablename__ = "invoice_document"

    invoice_id: Mapped[int] = mapped_column(ForeignKey("invoice.id"), primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64))
    told: Mapped[str] = mapped_column(Text)
    pdf: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    made_at: Mapped[datetime] = mapped_column(UtcTime)


class InvoiceWords(Model):
    """What names and settings said when an invoice was issued: all that its document prints beside its lines.

    Only added to.
    """

    __tablename__ = "invoice_words"

    invoice_id: Mapped[int] = mapped_column(ForeignKey("invoice.id"), primary_key=True)
    words: Mapped[dict[str, Any]] = mapped_column(JSONB)


class InvoiceSetting(Model):
    """How a platform has its tax invoices made out. Without a row: special, tax included."""

    __tablename__ = "invoice_setting"

    platform_id: Mapped[int] = mapped_column(ForeignKey("platform.id"), primary_key=True)
    tax_kind: Mapped[TaxInvoiceKind] = mapped_column(word(TaxInvoiceKind), default=TaxInvoiceKind.SPECIAL)
    includes_tax: Mapped[bool] = mapped_column(default=True)
    remark: Mapped[str] = mapped_column(String(120), default="")


class BuyerDetail(Model):
    """What a platform's invoices say about one firm beside its name. All of it may be empty."""

    __tablename__ = "buyer_detail"

    platform_id: Mapped[int] = mapped_column(ForeignKey("platform.id"), primary_key=True)
    organization_id: Mapped[int] = mapped_column(ForeignKey("organization.id"), primary_key=True)
    contract_no: Mapped[str] = mapped_column(SHORT, default="")
    address: Mapped[str] = mapped_column(String(100), default="")
    phone: Mapped[str] = mapped_column(String(60), default="")
    bank: Mapped[str] = mapped_column(String(100), default="")
    account: Mapped[str] = mapped_column(String(100), default="")
    email: Mapped[str] = mapped_column(String(72), default="")


class PayerAgreement(Model):
    """That ``payer_id`` bears part of what a firm owes a platform for these whole months of service.

    On any day the percents of a firm make 100 and one payer takes the remainder; the database sees to it at the end
    of the transaction.
    """

    __tablename__ = "payer_agreement"
    __table_args__ = (
        ExcludeConstraint(
            ("platform_id", "="), ("organization_id", "="), ("payer_id", "="), ("days", "&&"),
            using="gist", name="once_at_a_time",
        ),
        CheckConstraint("percent > 0 AND percent <= 100", name="bears_something"),
        CheckConstraint(
            "NOT isempty(days) AND extract(day FROM lower(days)) = 1"
            " AND (upper_inf(days) OR extract(day FROM upper(days)) = 1)",
            name="whole_months",
        ),
    )  # fmt: skip

    id: Mapped[int] = primary_key()
    platform_id: Mapped[int] = mapped_column(ForeignKey("platform.id"))
    organization_id: Mapped[int] = mapped_column(ForeignKey("organization.id"), index=True)
    payer_id: Mapped[int] = mapped_column(ForeignKey("organization.id"))
    percent: Mapped[Decimal] = mapped_column(Numeric(7, 4))
    takes_remainder: Mapped[bool] = mapped_column(default=False)
    days: Mapped[Range[date]] = mapped_column(DATERANGE)
    set_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    set_at: Mapped[datetime] = mapped_column(UtcTime)
    payer: Mapped[Organization] = relationship(foreign_keys=[payer_id])


class InvoiceShare(Model):
    """What one payer bears of an issued invoice at one VAT rate, negative on a credit note. Only added to."""

    __tablename__ = "invoice_share"
    __table_args__ = (
        CheckConstraint("net_fen + tax_fen = gross_fen", name="gross_is_net_plus_tax"),
        Index(None, "payer_id"),
    )

    invoice_id: Mapped[int] = mapped_column(ForeignKey("invoice.id"), primary_key=True)
    payer_id: Mapped[int] = mapped_column(ForeignKey("organization.id"), primary_key=True)
    tax_rate: Mapped[Decimal] = mapped_column(Numeric(5, 4), primary_key=True)
    percent: Mapped[Decimal] = mapped_column(Numeric(7, 4))
    takes_remainder: Mapped[bool]
    net_fen: Mapped[Money] = mapped_column(Fen)
    tax_fen: Mapped[Money] = mapped_column(Fen)
    gross_fen: Mapped[Money] = mapped_column(Fen)
    payer: Mapped[Organization] = relationship()


class TaxInvoice(Model):
    """The e-invoice that stands for an invoice; one live for each who pays.

    One that was recorded by mistake is withdrawn; one that a red letter took back whole, to be issued anew, is
    replaced. A mistyped number is corrected, and :class:`CorrectedNumber` keeps what stood before.
    """

    __tablename__ = "tax_invoice"
    __table_args__ = (
        CheckConstraint(TWENTY_DIGITS, name="twenty_digits"),
        CheckConstraint("(withdrawn_at IS NULL) = (withdrawn_by IS NULL)", name="withdrawn_by_somebody"),
        Index("uq_tax_invoice_number", "number", unique=True, postgresql_where=text("withdrawn_at IS NULL")),
        Index(
            "uq_tax_invoice_one_live",
            "invoice_id",
            "buyer_id",
            unique=True,
            postgresql_where=text("withdrawn_at IS NULL AND replaced_at IS NULL"),
        ),
    )

    id: Mapped[int] = primary_key()
    invoice_id: Mapped[int] = mapped_column(ForeignKey("invoice.id"))
    buyer_id: Mapped[int] = mapped_column(ForeignKey("organization.id"))
    number: Mapped[str] = mapped_column(NUMBER)
    kind: Mapped[TaxInvoiceKind] = mapped_column(word(TaxInvoiceKind))
    issued_on: Mapped[date]
    recorded_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    recorded_at: Mapped[datetime] = mapped_column(UtcTime)
    withdrawn_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    withdrawn_at: Mapped[datetime | None] = mapped_column(UtcTime)
    replaced_at: Mapped[datetime | None] = mapped_column(UtcTime)
    invoice: Mapped[Invoice] = relationship()
    buyer: Mapped[Organization] = relationship()
    corrections: Mapped[list[CorrectedNumber]] = relationship(order_by="CorrectedNumber.id")


class RedRequest(Model):
    """A wish to take back part of an invoice whose tax invoice is out. While it is open it holds its amounts.

    With ``bill_again`` what is taken back is charged anew. With ``tax_invoice_id`` the invoice is right and only that
    tax invoice is taken back, whole, to be issued anew: it has no lines and comes to no credit note.
    """

    __tablename__ = "red_request"
    __table_args__ = (
        CheckConstraint(
            "(state = 'issued' AND tax_invoice_id IS NULL) = (note_id IS NOT NULL)", name="issued_with_its_note"
        ),
        CheckConstraint("(state IN ('requested', 'confirmed')) = (closed_at IS NULL)", name="open_or_closed"),
        CheckConstraint("confirmed_at IS NULL OR confirmed_at < confirm_by", name="confirmed_in_time"),
        UniqueConstraint("note_id"),
        Index("ix_red_request_waiting", "confirm_by", postgresql_where=text("state = 'requested'")),
    )

    id: Mapped[int] = primary_key()
    invoice_id: Mapped[int] = mapped_column(ForeignKey("invoice.id"), index=True)
    reason: Mapped[RedReason] = mapped_column(word(RedReason))
    explanation: Mapped[str] = mapped_column(LINE, default="")
    bill_again: Mapped[bool] = mapped_column(default=False, server_default="false")
    tax_invoice_id: Mapped[int | None] = mapped_column(ForeignKey("tax_invoice.id"))
    state: Mapped[RedState] = mapped_column(word(RedState), default=RedState.REQUESTED)
    asked_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    asked_at: Mapped[datetime] = mapped_column(UtcTime)
    confirm_by: Mapped[datetime] = mapped_column(UtcTime)
    confirmed_at: Mapped[datetime | None] = mapped_column(UtcTime)
    closed_at: Mapped[datetime | None] = mapped_column(UtcTime)
    closed_because: Mapped[str] = mapped_column(LINE, default="")
    note_id: Mapped[int | None] = mapped_column(ForeignKey("invoice.id"))
    invoice: Mapped[Invoice] = relationship(foreign_keys=[invoice_id])
    note: Mapped[Invoice | None] = relationship(foreign_keys=[note_id])
    tax_invoice: Mapped[TaxInvoice | None] = relationship()
    lines: Mapped[list[RedRequestLine]] = relationship(order_by="RedRequestLine.invoice_line_id")
    letters: Mapped[list[RedLetter]] = relationship(order_by="RedLetter.id")


class RedRequestLine(Model):
    """How much of one line is to be taken back, tax included. Only added to."""

    __tablename__ = "red_request_line"
    __table_args__ = (CheckConstraint("gross_fen > 0", name="takes_something_back"),)

    red_request_id: Mapped[int] = mapped_column(ForeignKey("red_request.id"), primary_key=True)
    invoice_line_id: Mapped[int] = mapped_column(ForeignKey("invoice_line.id"), primary_key=True, index=True)
    gross_fen: Mapped[Money] = mapped_column(Fen)
    invoice_line: Mapped[InvoiceLine] = relationship()


class RedLetter(Model):
    """The red e-invoice against one tax invoice of a request. Only a mistyped number is ever corrected."""

    __tablename__ = "red_letter"
    __table_args__ = (
        UniqueConstraint("red_request_id", "tax_invoice_id"),
        UniqueConstraint("number"),
        CheckConstraint(TWENTY_DIGITS, name="twenty_digits"),
    )

    id: Mapped[int] = primary_key()
    red_request_id: Mapped[int] = mapped_column(ForeignKey("red_request.id"))
    tax_invoice_id: Mapped[int] = mapped_column(ForeignKey("tax_invoice.id"), index=True)
    number: Mapped[str] = mapped_column(NUMBER)
    issued_on: Mapped[date]
    recorded_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    recorded_at: Mapped[datetime] = mapped_column(UtcTime)
    tax_invoice: Mapped[TaxInvoice] = relationship()
    corrections: Mapped[list[CorrectedNumber]] = relationship(order_by="CorrectedNumber.id")


class CorrectedNumber(Model):
    """What a mistyped number was before it was corrected, and why. Only added to; no number changes without it."""

    __tablename__ = "corrected_number"
    __table_args__ = (
        CheckConstraint("num_nonnulls(tax_invoice_id, red_letter_id) = 1", name="of_one_document"),
        CheckConstraint("reason <> '' AND before <> after", name="says_why"),
    )

    id: Mapped[int] = primary_key()
    tax_invoice_id: Mapped[int | None] = mapped_column(ForeignKey("tax_invoice.id"), index=True)
    red_letter_id: Mapped[int | None] = mapped_column(ForeignKey("red_letter.id"), index=True)
    before: Mapped[str] = mapped_column(NUMBER)
    after: Mapped[str] = mapped_column(NUMBER)
    reason: Mapped[str] = mapped_column(LINE)
    corrected_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    corrected_at: Mapped[datetime] = mapped_column(UtcTime)
