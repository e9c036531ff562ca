"""Service revenue: one entry for each line of each issued invoice, net of tax."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from billing.models import Invoice, InvoiceLine, RevenueEntry
from billing.rules.words import InvoiceState


def recognize_revenue(session: Session, *, at: datetime, limit: int = 500) -> int:
    """Add the entries that are missing; a credit note's are negative. Running it again adds nothing."""
    lines = session.scalars(
        select(InvoiceLine)
        .join(Invoice, Invoice.id == InvoiceLine.invoice_id)
        .outerjoin(RevenueEntry, RevenueEntry.invoice_line_id == InvoiceLine.id)
        .where(Invoice.state != InvoiceState.DRAFT, RevenueEntry.id.is_(None))
        .options(joinedload(InvoiceLine.invoice).joinedload(Invoice.organization))
        .order_by(InvoiceLine.id)
        .limit(limit)
    ).all()
    for line in lines:
        session.add(
            RevenueEntry(
                invoice_line_id=line.id,
                platform_id=line.invoice.platform_id,
                invoiced_on=line.invoice.issued_on,
                served_on=line.served_on,
                category=line.category,
                relation=line.relation,
                no_show_fee=line.no_show_fee,
                region=line.invoice.organization.region,
                net_fen=line.net_fen,
                tax_fen=line.tax_fen,
                tax_rate=line.tax_rate,
                recognized_at=at,
            )
        )
    session.flush()
    return len(lines)
