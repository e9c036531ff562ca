"""What is judged alike, added up: the same grants follow from far fewer lines, or entries."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from app.catalogue.rules.customer import CustomerRelation
from app.kernel.money import Money
from billing.rules.facts import Document, Facts, Line
from billing.rules.policy import Settings
from billing.rules.revenue import Earned, Entry, Exclusion, Sale, entries_of, line_with_tax, line_without_tax
from billing.rules.words import RevenueCategory


@dataclass(frozen=True, slots=True)
class Alike:
    """What decides how a line is judged, besides its amount. ``credits_of`` is the day of the invoice a note is on."""

    issued_on: date
    credits_of: date | None
    service_on: date
    category: RevenueCategory
    relation: CustomerRelation
    subcontracted: bool
    no_show_fee: bool
    tax_rate: Decimal


def summed(facts: Facts) -> Facts:
    """The same facts with one document for each day of issue. O(lines).

    However they are read, the same grants follow, but for revenue by cash (A02), which looks at each payment.
    """
    invoices = {one.no: one for one in facts.documents if one.credit_note_of is None}
    with_tax: dict[Alike, int] = {}
    without: dict[Alike, int] = {}
    for document in facts.documents:
        of = invoices[document.credit_note_of] if document.credit_note_of else None
        for line in document.lines:
            key = Alike(
                document.issued_on,
                of.issued_on if of else None,
                line.service_on or (of or document).service_on,
                line.category,
                line.customer_relation,
                line.subcontracted,
                line.no_show_fee,
                line.tax_rate,
            )
            with_tax[key] = with_tax.get(key, 0) + line_with_tax(line).fen
            without[key] = without.get(key, 0) + line_without_tax(line).fen
    return replace(facts, documents=documents_of((key, fen, without[key]) for key, fen in with_tax.items()))


def earned_of(sales: Iterable[Sale], settings: Settings, *, start: date | None) -> Earned:
    """What sales come to, however they are read, with one entry for all that are judged alike.

    O(lines), and no more in memory than one sale and the sums: as many as there are days, not lines.
    """
    sums: dict[tuple[date, date | None, RevenueCategory, Exclusion | None], list[int]] = {}
    unpaid = False
    for sale in sales:
        unpaid = unpaid or not sale.invoice.paid
        for one in entries_of(sale, settings, start=start):
            fen = sums.setdefault((one.on, one.origin_on, one.category, one.excluded), [0, 0])
            fen[0] += one.with_tax.fen
            fen[1] += one.amount.fen
    entries = [
        Entry(on.year, on, "", 0, category, Money(with_tax), Money(amount), excluded, origin_on)
        for (on, origin_on, category, excluded), (with_tax, amount) in sums.items()
    ]
    return Earned(sorted(entries, key=lambda one: one.on), unpaid)


def documents_of(sums: Iterable[tuple[Alike, int, int]]) -> tuple[Document, ...]:
    """Sums as documents, a day each: what is alike, its fen with tax and its fen without."""
    lines: dict[tuple[date, date | None], list[Line]] = {}
    for key, with_tax, without in sorted(sums, key=lambda one: _order(one[0])):
        lines.setdefault((key.issued_on, key.credits_of), []).append(
            Line(
                key.category, Money(with_tax), key.tax_rate, True, key.relation, key.subcontracted, key.no_show_fee,
                Money(without), key.service_on,
            )
        )  # fmt: skip
    originals = {of for _, of in lines if of is not None} - {on for on, of in lines if of is None}
    empty = [Document(_name(on), on, on, ()) for on in sorted(originals)]
    made = [
        Document(
            _name(on, of), on, on if of is None else of, tuple(these), credit_note_of=None if of is None else _name(of)
        )
        for (on, of), these in lines.items()
    ]
    return (*empty, *made)


def _order(key: Alike) -> tuple[object, ...]:
    return (
        key.issued_on, key.credits_of or date.min, key.service_on, key.category.value, key.relation.value,
        key.subcontracted, key.no_show_fee, key.tax_rate,
    )  # fmt: skip


def _name(on: date, of: date | None = None) -> str:
    return f"D-{on:%Y%m%d}" if of is None else f"R-{on:%Y%m%d}-{of:%Y%m%d}"
