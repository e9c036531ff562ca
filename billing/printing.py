"""Statements are made once and kept: whoever asks later is given the same bytes."""

from __future__ import annotations

import hashlib
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, joinedload, selectinload

from app.identity.models import Person
from app.identity.rules.notice import msgid
from app.kernel.long_work import LongWork
from billing.documents import Around, PayerShare, printed, told
from billing.models import (
    BuyerDetail,
    Charge,
    Invoice,
    InvoiceDocument,
    InvoiceLine,
)
from billing.money_settings import settings_of
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
    """What the statement says beside the invoice, as far as it is known."""
    detail = session.get(BuyerDetail, (invoice.platform_id, invoice.organization_id))
    return Around(
        contract_no=detail.contract_no if detail is not None else "",
        dispute_until=_dispute_until(session, invoice),
        preparer=_name(session, invoice.issued_by),
        reviewers=_reviewers(session, invoice),
        shares=[
            PayerShare(one.payer.name, one.payer.uscc or "", one.percent, one.net, one.tax, one.gross)
            for one in shares_of(session, invoice.id)
        ],
    )


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


def _dispute_until(session: Session, invoice: Invoice) -> date | None:
    """The last day to object. A credit note asks for no objection."""
    if invoice.kind is not InvoiceKind.INVOICE or invoice.issued_on is None:
        return None
    return invoice.issued_on + timedelta(days=settings_of(session, invoice.platform_id).dispute_days)


def _name(session: Session, person_id: int | None) -> str:
    person = session.get(Person, person_id) if person_id is not None else None
    return person.name if person is not None else ""


def _reviewers(session: Session, invoice: Invoice) -> list[str]:
    """Who approved the charges that it takes."""
    return list(
        session.scalars(
            select(Person.name)
            .join(Charge, Charge.approved_by == Person.id)
            .join(InvoiceLine, InvoiceLine.charge_id == Charge.id)
            .where(InvoiceLine.invoice_id == invoice.id)
            .group_by(Person.id, Person.name)
            .order_by(Person.id)
        )
    )
