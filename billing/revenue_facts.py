"""Recognized revenue as the facts that a subsidy follows from: line by line, or what is judged alike added up."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.catalogue.rules.customer import CustomerRelation
from app.kernel.money import Money
from billing.rules import facts as told
from billing.rules.summing import Alike, documents_of
from billing.rules.words import RevenueCategory

# A label is put together as ``Invoice.label`` does it.
_LABEL = "upper(platform.code) || '-' || {0}.year || '-' || to_char({0}.number, 'FM000000')"
AT_ONCE = 5000
"""About so many lines are read at a time, or those of the largest invoice."""
INVOICES = text(
    "SELECT coalesce(invoice.credits_id, invoice.id) AS sale_id, invoice.id, count(*) AS lines FROM revenue_entry"
    " JOIN invoice_line ON invoice_line.id = revenue_entry.invoice_line_id"
    " JOIN invoice ON invoice.id = invoice_line.invoice_id WHERE revenue_entry.platform_id = :platform"
    " GROUP BY 1, 2 ORDER BY 1, 2"
)
RECOGNIZED = text(
    "SELECT revenue_entry.invoice_line_id, invoice_line.invoice_id, revenue_entry.invoiced_on,"  # noqa: S608
    " revenue_entry.served_on, revenue_entry.category, revenue_entry.relation, revenue_entry.no_show_fee,"
    " revenue_entry.net_fen, revenue_entry.tax_fen, revenue_entry.tax_rate,"
    f" {_LABEL.format('invoice')} AS label, {_LABEL.format('original')} AS credited_label"
    " FROM revenue_entry JOIN invoice_line ON invoice_line.id = revenue_entry.invoice_line_id"
    " JOIN invoice ON invoice.id = invoice_line.invoice_id JOIN platform ON platform.id = invoice.platform_id"
    " LEFT JOIN invoice AS original ON original.id = invoice.credits_id"
    " WHERE invoice_line.invoice_id = ANY(:invoices) ORDER BY revenue_entry.invoice_line_id"
)
SUMMED = text(
    "SELECT revenue_entry.invoiced_on, original.issued_on AS credits_of, revenue_entry.served_on,"
    " revenue_entry.category, revenue_entry.relation, revenue_entry.no_show_fee, revenue_entry.tax_rate,"
    " sum(revenue_entry.net_fen + revenue_entry.tax_fen) AS with_tax, sum(revenue_entry.net_fen) AS without_tax"
    " FROM revenue_entry JOIN invoice_line ON invoice_line.id = revenue_entry.invoice_line_id"
    " JOIN invoice ON invoice.id = invoice_line.invoice_id"
    " LEFT JOIN invoice AS original ON original.id = invoice.credits_id"
    " WHERE revenue_entry.platform_id = :platform GROUP BY 1, 2, 3, 4, 5, 6, 7"
)
PAID = text(
    "SELECT invoice_id, paid_on, amount_fen FROM payment WHERE invoice_id = ANY(:invoices) ORDER BY paid_on, id"
)


def summed_documents(session: Session, platform_id: int) -> tuple[told.Document, ...]:
    """Recognized revenue by what decides how it is judged. One query, an aggregate of the issued lines."""
    return documents_of(
        (
            Alike(
                one.invoiced_on, one.credits_of, one.served_on, RevenueCategory(one.category),
                CustomerRelation(one.relation), False, one.no_show_fee, one.tax_rate,
            ),
            int(one.with_tax),
            int(one.without_tax),
        )
        for one in session.execute(SUMMED, {"platform": platform_id})
    )  # fmt: skip


def documents(session: Session, platform_id: int) -> Iterator[told.Document]:
    """Invoices whose revenue is recognized, in the order of their issue, each with the credit notes on it behind.

    Some are in memory at a time; two queries for these.
    """
    ids: list[int] = []
    lines = 0
    for one in session.execute(INVOICES, {"platform": platform_id}, execution_options={"yield_per": AT_ONCE}):
        if ids and lines + one.lines > AT_ONCE:
            yield from _documents(session, ids)
            ids, lines = [], 0
        ids.append(one.id)
        lines += one.lines
    if ids:
        yield from _documents(session, ids)


def _documents(session: Session, ids: list[int]) -> Iterator[told.Document]:
    given = {"invoices": ids}
    paid: dict[int, list[told.Payment]] = {}
    for one in session.execute(PAID, given):
        paid.setdefault(one.invoice_id, []).append(told.Payment(one.paid_on, Money(one.amount_fen)))
    categories = {one.value: one for one in RevenueCategory}
    relations = {one.value: one for one in CustomerRelation}
    lines: dict[int, list[told.Line]] = {}
    heads: dict[int, Any] = {}
    for one in session.execute(RECOGNIZED, given):
        heads.setdefault(one.invoice_id, one)
        lines.setdefault(one.invoice_id, []).append(
            told.Line(
                category=categories[one.category],
                amount=Money(one.net_fen + one.tax_fen),
                tax_rate=one.tax_rate,
                amount_includes_tax=True,
                customer_relation=relations[one.relation],
                no_show_fee=one.no_show_fee,
                without_tax=Money(one.net_fen),
                service_on=one.served_on,
                ref=str(one.invoice_line_id),
            )
        )
    for invoice_id in ids:
        one = heads[invoice_id]
        yield told.Document(
            no=one.label,
            issued_on=one.invoiced_on,
            service_on=min(line.service_on for line in lines[invoice_id] if line.service_on is not None),
            lines=tuple(lines[invoice_id]),
            paid=tuple(paid.get(invoice_id, ())),
            credit_note_of=one.credited_label,
            ref=str(invoice_id),
        )
