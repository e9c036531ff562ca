"""What is open, since when, and whether a firm may go on booking."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Date, Select, Text, cast, func, select, text, type_coerce
from sqlalchemy.orm import Session

from app.catalogue.models import Platform
from app.identity.models import Organization
from app.kernel.clock import local_date
from app.kernel.money import ZERO
from billing.models import Invoice, PaymentTerm
from billing.money_settings import PAYMENT_DAYS, settings_of
from billing.paying import due_column
from billing.rules.ageing import OpenInvoice
from billing.rules.words import InvoiceKind, InvoiceState


@dataclass(frozen=True, slots=True)
class Overdue:
    """The oldest invoice that keeps a firm from booking, and how to pay it."""

    invoice: OpenInvoice
    days: int
    pay_to: str


def due_on_column() -> ColumnElement[date]:
    """The day on which an invoice is due, by the payment days of its issue, as a column."""
    days = (
        select(PaymentTerm.days)
        .where(PaymentTerm.platform_id == Invoice.platform_id, PaymentTerm.since <= Invoice.issued_on)
        .order_by(PaymentTerm.since.desc())
        .limit(1)
        .scalar_subquery()
    )
    return type_coerce(Invoice.issued_on + func.coalesce(days, PAYMENT_DAYS), Date)


def due_on(session: Session, invoice: Invoice) -> date | None:
    """The day on which an invoice is due; ``None`` for a draft."""
    return session.scalar(select(due_on_column()).where(Invoice.id == invoice.id))


def open_invoices(
    session: Session,
    *,
    platform_ids: Collection[int] | None = None,
    organization_ids: Collection[int] | None = None,
) -> list[OpenInvoice]:
    """Invoices with something left to pay, by their due date. ``None`` leaves that side open."""
    query = open_invoice_rows()
    if platform_ids is not None:
        query = query.where(Invoice.platform_id.in_(platform_ids))
    if organization_ids is not None:
        query = query.where(Invoice.organization_id.in_(organization_ids))
    return [open_invoice(row) for row in session.execute(query)]


def overdue_of(session: Session, platform_id: int, organization_id: int, at: datetime) -> Overdue | None:
    """What keeps this firm from booking here now, or ``None`` (always, where the platform blocks nobody)."""
    settings = settings_of(session, platform_id)
    if settings.block_overdue_days is None:
        return None
    on = local_date(at)
    own = open_invoices(session, platform_ids=[platform_id], organization_ids=[organization_id])
    late = [one for one in own if (on - one.due_on).days > settings.block_overdue_days]
    return Overdue(late[0], (on - late[0].due_on).days, settings.pay_to) if late else None


def open_invoice_rows() -> Select[*tuple[Any, ...]]:
    """Open invoices as a query by due date, to be narrowed down; :func:`open_invoice` reads its rows."""
    due = due_column()
    label = func.concat(
        func.upper(Platform.code), "-", Invoice.year, "-", func.lpad(cast(Invoice.number, Text), 6, "0")
    )
    return (
        select(
            Invoice.id,
            label,
            Invoice.platform_id,
            Invoice.organization_id,
            Organization.name,
            Invoice.issued_on,
            due_on_column().label("due_on"),
            due.label("due"),
        )
        .join(Organization, Organization.id == Invoice.organization_id)
        .join(Platform, Platform.id == Invoice.platform_id)
        .where(Invoice.state == InvoiceState.ISSUED, Invoice.kind == InvoiceKind.INVOICE, due > ZERO)
        .order_by(text("due_on"), Invoice.id)
    )


def open_invoice(row: Any) -> OpenInvoice:
    """One row of :func:`open_invoice_rows` as a value."""
    return OpenInvoice(*row[: len(OpenInvoice.__slots__)])
