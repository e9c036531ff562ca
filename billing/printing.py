"""Statements are made once and kept: whoever asks later is given the same bytes."""

from __future__ import annotations

import hashlib
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, joinedload, selectinload

from app.identity.rules.notice import msgid
from app.kernel.long_work import LongWork
from billing.documents import Around, PayerShare, printed, told
from billing.invoice_words import words_of
from billing.models import Charge, Invoice, InvoiceDocument, InvoiceLine
from billing.payers import shares_of
from billing.rules.words import InvoiceKind, InvoiceState

PORTION = 20
"""So many documents are made in one transaction: some seconds at most."""


def kept_pdf(session: Session, invoice: Invoice, *, at: datetime) -> bytes:
    """The document of an issued invoice, made and kept now if nobody asked before.

    Two who ask first at the same time are both given what was kept.
    """
    row = session.get(InvoiceDocument, invoice.id)
    if row is None:
        _keep(session, invoice, at=at)
        row = session.get_one(InvoiceDocument, invoice.id)
    return row.pdf


def around(session: Session, invoice: Invoice) -> Around:
    """What the statement of an issued invoice says beside it, as it was known then."""
    words = words_of(session, invoice.id)
    return Around(
        words=words,
        contract_no=words["contract_no"],
        dispute_until=_dispute_until(invoice, words["dispute_days"]),
        preparer=words["preparer"],
        reviewers=words["reviewers"],
        shares=[
            PayerShare(
                words["payers"][str(one.payer.id)]["name"], words["payers"][str(one.payer.id)]["uscc"], one.percent,
                one.net, one.tax, one.gross,
            )
            for one in shares_of(session, invoice.id)
        ],
    )  # fmt: skip


def documents_of_month(*, platform_id: int, month: date) -> Select[Any]:
    """The ids of a platform's invoices and credit notes of a month of service, by number."""
    return (
        select(Invoice.id)
        .where(
            Invoice.platform_id == platform_id,
            Invoice.month == month.replace(day=1),
            Invoice.state != InvoiceState.DRAFT,
        )
        .order_by(Invoice.year, Invoice.number)
    )


def print_month(session: Session, work: LongWork, at: datetime) -> None:
    """A portion of long work: make the documents of ``arguments["month"]`` that are not kept yet."""
    month = date.fromisoformat(work.arguments["month"])
    wanted = session.scalars(documents_of_month(platform_id=work.platform_id or 0, month=month)).all()
    kept = set(session.scalars(select(InvoiceDocument.invoice_id).where(InvoiceDocument.invoice_id.in_(wanted))).all())
    missing = [one for one in wanted if one not in kept]
    for invoice in session.scalars(
        select(Invoice).where(Invoice.id.in_(missing[:PORTION])).options(*_all_of_it()).order_by(Invoice.id)
    ):
        _keep(session, invoice, at=at)
    work.progressed(len(wanted) - len(missing[PORTION:]), total=len(wanted))
    if len(missing) <= PORTION:
        work.finish(msgid("%(count)s 份结算单已备好，可以下载。"), at=at, count=len(wanted))


def _all_of_it() -> tuple[Any, ...]:
    return (
        joinedload(Invoice.platform),
        joinedload(Invoice.seller),
        joinedload(Invoice.organization),
        selectinload(Invoice.lines).joinedload(InvoiceLine.charge).joinedload(Charge.equipment),
    )


def _keep(session: Session, invoice: Invoice, *, at: datetime) -> None:
    said = told(invoice, around(session, invoice))
    pdf = printed(said)
    session.execute(
        insert(InvoiceDocument)
        .values(invoice_id=invoice.id, sha256=hashlib.sha256(pdf).hexdigest(), told=said, pdf=pdf, made_at=at)
        .on_conflict_do_nothing()
    )


def is_as_kept(row: InvoiceDocument) -> bool:
    """Whether the kept document still is what its inputs make, to the byte."""
    return hashlib.sha256(row.pdf).hexdigest() == row.sha256 and printed(row.told) == row.pdf


def _dispute_until(invoice: Invoice, days: int) -> date | None:
    """The last day to object. A credit note asks for no objection."""
    if invoice.kind is not InvoiceKind.INVOICE or invoice.issued_on is None:
        return None
    return invoice.issued_on + timedelta(days=days)
