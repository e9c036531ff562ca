"""The numbers that the tax bureau gave: which tax invoice stands for which statement."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import exists, or_, select
from sqlalchemy.orm import Session, joinedload, selectinload

from app.identity.models import Organization
from app.kernel import audit, clock
from app.kernel.errors import Conflict, InvalidInput, NotFound
from billing.correcting import creditable, stands
from billing.models import CorrectedNumber, Invoice, InvoiceShare, RedLetter, RedRequest, TaxInvoice
from billing.rules.red_letter import OPEN, RedState
from billing.rules.tax_invoice import TaxInvoiceKind, e_invoice_number


def record_tax_invoice(
    session: Session,
    invoice_id: int,
    *,
    buyer_id: int,
    number: str,
    kind: TaxInvoiceKind,
    issued_on: date,
    by: int,
    at: datetime,
) -> TaxInvoice:
    """Record the e-invoice made out to one who pays the invoice. From then on only red letters take back from it.

    Errors: ``InvalidInput`` for a number that is none or is known, or a day to come; ``Conflict`` if that buyer
    has one or pays nothing of it.
    """
    invoice = creditable(session, invoice_id)
    digits = e_invoice_number(number)
    if number_is_known(session, digits):
        raise InvalidInput("这个号码已经登记过，请核对。", field="number")
    if issued_on > clock.local_date(at):
        raise InvalidInput("发票的开具日期不能晚于今天。", field="issued_on")
    if buyer_id not in {one.id for one in buyers_of(session, invoice)}:
        raise Conflict("这张结算单不由该单位付款，请选择付款方。")
    if any(one.buyer_id == buyer_id for one in live_tax_invoices(session, invoice_id)):
        raise Conflict("已登记过这个付款方的数电票；号码填错请更正，要重开请先整张红冲。")
    row = TaxInvoice(
        invoice_id=invoice_id,
        buyer_id=buyer_id,
        number=digits,
        kind=kind,
        issued_on=issued_on,
        recorded_by=by,
        recorded_at=at,
    )
    session.add(row)
    session.flush()
    audit.record(
        session, at=at, by=by, deed="tax_invoice_recorded", subject="invoice", subject_id=invoice_id, number=digits
    )
    return row


def withdraw_tax_invoice(session: Session, tax_invoice_id: int, *, reason: str, by: int, at: datetime) -> TaxInvoice:
    """Take back what was recorded by mistake; the row stays with its number.

    Errors: ``InvalidInput`` without a reason; ``Conflict`` once a red letter stands against it or is asked for.
    """
    if not reason.strip():
        raise InvalidInput("请填写撤销登记的原因。", field="withdraw_reason")
    row = session.get(TaxInvoice, tax_invoice_id)
    if row is None:
        raise NotFound("没有这张数电票。")
    creditable(session, row.invoice_id)
    session.refresh(row)
    if row.withdrawn_at is not None:
        raise Conflict("这条登记已经撤销。")
    bound = select(
        exists().where(
            RedRequest.invoice_id == row.invoice_id,
            or_(RedRequest.tax_invoice_id.is_(None), RedRequest.tax_invoice_id == row.id),
            or_(RedRequest.state.in_(OPEN), RedRequest.state == RedState.ISSUED),
        )
    )
    if session.scalar(bound):
        raise Conflict("这张结算单有红字申请或红字发票，不能再撤销号码登记。")
    row.withdrawn_by, row.withdrawn_at = by, at
    session.flush()
    audit.record(
        session, at=at, by=by, deed="tax_invoice_withdrawn", subject="invoice", subject_id=row.invoice_id,
        number=row.number, reason=reason.strip(),
    )  # fmt: skip
    return row


def correct_number(
    session: Session, document: TaxInvoice | RedLetter, *, number: str, reason: str, by: int, at: datetime
) -> None:
    """Correct a mistyped number of a tax invoice or red letter; what stood before is kept with the reason.

    Errors: ``InvalidInput`` for a number that is none or is known, or no reason; ``Conflict`` for one withdrawn.
    """
    red = isinstance(document, RedLetter)
    invoice_id = document.tax_invoice.invoice_id if isinstance(document, RedLetter) else document.invoice_id
    creditable(session, invoice_id)
    session.refresh(document)
    if isinstance(document, TaxInvoice) and document.withdrawn_at is not None:
        raise Conflict("这条登记已经撤销。")
    digits = e_invoice_number(number, field="corrected_number")
    if number_is_known(session, digits):
        raise InvalidInput("这个号码已经登记过，请核对。", field="corrected_number")
    if not reason.strip():
        raise InvalidInput("请填写更正原因。", field="correction_reason")
    before = document.number
    session.add(
        CorrectedNumber(
            red_letter_id=document.id if red else None, tax_invoice_id=None if red else document.id, before=before,
            after=digits, reason=reason.strip()[:300], corrected_by=by, corrected_at=at,
        )
    )  # fmt: skip
    session.flush()
    document.number = digits
    session.flush()
    session.expire(document, ["corrections"])
    audit.record(
        session, at=at, by=by, deed="number_corrected", subject="invoice", subject_id=invoice_id, before=before,
        after=digits, reason=reason.strip(),
    )  # fmt: skip


def live_tax_invoices(session: Session, invoice_id: int) -> list[TaxInvoice]:
    """The tax invoices that stand for an invoice, in the order of recording."""
    return list(
        session.scalars(
            select(TaxInvoice)
            .where(TaxInvoice.invoice_id == invoice_id, *stands())
            .options(joinedload(TaxInvoice.buyer), selectinload(TaxInvoice.corrections))
            .order_by(TaxInvoice.id)
        )
    )


def buyers_of(session: Session, invoice: Invoice) -> list[Organization]:
    """To whom tax invoices are made out: who bears a share, else the firm."""
    sharing = session.scalars(
        select(Organization)
        .join(InvoiceShare, InvoiceShare.payer_id == Organization.id)
        .where(InvoiceShare.invoice_id == invoice.id)
        .distinct()
        .order_by(Organization.id)
    ).all()
    return list(sharing) or [invoice.organization]


def number_is_known(session: Session, number: str) -> bool:
    """Whether a live tax invoice or a red letter has that number."""
    query = select(
        or_(
            exists().where(TaxInvoice.number == number, TaxInvoice.withdrawn_at.is_(None)),
            exists().where(RedLetter.number == number),
        )
    )
    return bool(session.scalar(query))
