"""Money that firms paid for their invoices."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.kernel import audit
from app.kernel.errors import Conflict, InvalidInput
from app.kernel.money import ZERO, Money
from billing.invoicing import invoice_or_refuse
from billing.models import Invoice, Payment
from billing.rules.words import InvoiceKind, InvoiceState


def record_payment(
    session: Session, invoice_id: int, *, paid_on: date, amount: Money, reference: str, by: int, at: datetime
) -> Payment:
    """Note money received for an invoice, tax included; in part, or all that is due.

    Errors: ``InvalidInput`` for nothing or more than is due.
    """
    invoice = invoice_or_refuse(session, invoice_id)
    if invoice.kind is not InvoiceKind.INVOICE or invoice.state is InvoiceState.DRAFT:
        raise Conflict("只能为已开具的结算单登记收款。")
    due = amount_due(session, invoice)
    if not ZERO < amount <= due:
        raise InvalidInput("收款金额应大于 0 且不超过未收 ¥%(due)s。", field="amount", due=str(due))
    payment = Payment(
        invoice_id=invoice.id,
        paid_on=paid_on,
        amount_fen=amount,
        reference=reference.strip(),
        recorded_by=by,
        recorded_at=at,
    )
    session.add(payment)
    if amount == due:
        invoice.state = InvoiceState.PAID
    session.flush()
    audit.record(session, at=at, by=by, deed="paid", subject="invoice", subject_id=invoice.id, amount=str(amount))
    return payment


def amount_due(session: Session, invoice: Invoice) -> Money:
    """What is still to pay: the invoice with its credit notes, less what came in."""
    credited = session.scalar(select(func.sum(Invoice.gross_fen)).where(Invoice.credits_id == invoice.id)) or ZERO
    received = session.scalar(select(func.sum(Payment.amount_fen)).where(Payment.invoice_id == invoice.id)) or ZERO
    return invoice.gross_fen + credited - received
