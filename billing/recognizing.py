"""Service revenue: one entry for each line of each issued invoice, net of tax."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, func, literal, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.identity.models import Organization
from billing.models import Invoice, InvoiceLine, RevenueEntry, UnrecognizedInvoice


def recognize_revenue(session: Session, *, at: datetime, limit: int = 500) -> int:
    """Add the entries that are missing; a credit note's are negative. Running it again adds nothing.

    At most ``limit`` invoices, the oldest first; of two at once each takes others. Set-based, O(new lines).
    Returns how many entries were added.
    """
    taken = list(
        session.scalars(
            select(UnrecognizedInvoice.invoice_id)
            .order_by(UnrecognizedInvoice.invoice_id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
    )
    if not taken:
        return 0
    entries = {
        "invoice_line_id": InvoiceLine.id,
        "platform_id": Invoice.platform_id,
        "invoiced_on": Invoice.issued_on,
        "served_on": InvoiceLine.served_on,
        "category": InvoiceLine.category,
        "relation": InvoiceLine.relation,
        "no_show_fee": InvoiceLine.no_show_fee,
        "region": Organization.region,
        "net_fen": InvoiceLine.net_fen,
        "tax_fen": InvoiceLine.tax_fen,
        "tax_rate": InvoiceLine.tax_rate,
        "recognized_at": literal(at),
    }
    found = (
        select(*entries.values())
        .select_from(InvoiceLine)
        .join(Invoice, Invoice.id == InvoiceLine.invoice_id)
        .join(Organization, Organization.id == Invoice.organization_id)
        .where(Invoice.id.in_(taken))
        .order_by(InvoiceLine.id)
    )
    added = insert(RevenueEntry).from_select(list(entries), found).on_conflict_do_nothing().returning(RevenueEntry.id)
    count = session.scalar(select(func.count()).select_from(added.cte())) or 0
    session.execute(delete(UnrecognizedInvoice).where(UnrecognizedInvoice.invoice_id.in_(taken)))
    return count
