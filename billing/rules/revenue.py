"""Which income counts as service revenue, with which amount and on which day."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from itertools import pairwise

from app.catalogue.rules.customer import CustomerRelation
from app.kernel.money import ZERO, Money, total
from billing.rules.facts import Document, Facts, Line, Payment, Platform
from billing.rules.policy import Settings
from billing.rules.words import RevenueCategory


class Exclusion(StrEnum):
    """Why an amount does not count in the year in which it is listed."""

    OWN_USE = "own_use"
    RELATED_PARTY = "related_party"
    CATEGORY = "category"
    CATEGORY_UNDER_REVIEW = "category_under_review"
    SUBCONTRACTED = "subcontracted"
    NO_SHOW_FEE = "no_show_fee"
    NOT_OPERATING = "not_operating"
    BEFORE_START = "before_start"
    # Credit notes that come too late to lower a year; they may lead to a claim-back instead.
    AFTER_LOCK = "after_lock"
    WINDOW_OVER = "window_over"


@dataclass(frozen=True, slots=True)
class Entry:
    """What one line of a document adds to a year, or would add were it not excluded.

    ``amount`` is without or with tax as A03 says. ``on`` is the day that A02 asks for; on a credit
    note the day it was issued, or with A02 ``cash_date`` the day the money went back, while
    ``origin_on`` is then the day of the revenue that it takes back.
    """

    year: int
    on: date
    document_no: str
    line_no: int
    category: RevenueCategory
    with_tax: Money
    amount: Money
    excluded: Exclusion | None = None
    origin_on: date | None = None
    document_ref: str | None = None
    line_ref: str | None = None

    @property
    def counted(self) -> Money:
        return ZERO if self.excluded else self.amount

    def placed(self, year: int, excluded: Exclusion | None = None) -> Entry:
        """The same amount listed in ``year``. An exclusion it already has stays."""
        return replace(self, year=year, excluded=self.excluded or excluded)


@dataclass(frozen=True, slots=True)
class RevenueYear:
    """One year's entries and what becomes of them.

    ``with_tax − tax − Σ excluded = own``, and ``base`` is ``own + carried_in`` or zero.
    ``carried_in`` is what an earlier negative year takes away (A27), zero or below.
    """

    year: int
    entries: tuple[Entry, ...] = ()
    carried_in: Money = ZERO

    @property
    def with_tax(self) -> Money:
        return total([e.with_tax for e in self.entries])

    @property
    def tax(self) -> Money:
        return self.with_tax - total([e.amount for e in self.entries])

    @property
    def excluded(self) -> Mapping[Exclusion, Money]:
        reasons = [reason for reason in Exclusion if any(e.excluded is reason for e in self.entries)]
        return {r: total([e.amount for e in self.entries if e.excluded is r]) for r in reasons}

    @property
    def own(self) -> Money:
        return total([e.counted for e in self.entries])

    @property
    def base(self) -> Money:
        return max(ZERO, self.own + self.carried_in)

    @property
    def shortfall(self) -> Money:
        """How far the year is below zero: zero or negative."""
        return min(ZERO, self.own + self.carried_in)


@dataclass(frozen=True, slots=True)
class Sale:
    """An invoice with the credit notes on it: what has to be looked at together."""

    invoice: Document
    notes: tuple[Document, ...] = ()

    @property
    def documents(self) -> tuple[Document, ...]:
        return (self.invoice, *self.notes)


@dataclass(frozen=True, slots=True)
class Earned:
    """What all sales come to. ``unpaid`` says that an invoice states no payment."""

    entries: Sequence[Entry]
    unpaid: bool


def sales_of(documents: Iterable[Document]) -> Iterator[Sale]:
    """Documents in any order, each credit note with its invoice. Errors: ``ValueError`` for a note on none."""
    invoices: list[Document] = []
    notes_on: dict[str, list[Document]] = defaultdict(list)
    for one in documents:
        (invoices if one.credit_note_of is None else notes_on[one.credit_note_of]).append(one)
    for invoice in invoices:
        yield Sale(invoice, tuple(notes_on.pop(invoice.no, ())))
    for some in notes_on.values():
        raise ValueError(f"{some[0].no} is no credit note of an invoice among these")


def revenue_start(platform: Platform, settings: Settings) -> date | None:
    """The first day whose revenue counts (A06); ``None`` while there is no certification or operation."""
    if platform.certified_on is None or platform.operating_since is None:
        return None
    later = max(platform.certified_on, platform.operating_since)
    whole_year = settings.text("A06_revenue_from") == "calendar_year"
    return date(later.year, 1, 1) if whole_year else later


def revenue_entries(facts: Facts, settings: Settings) -> list[Entry]:
    """Every line of every document on its day, in an order that does not depend on the input's.

    Credit notes are listed in the year of their issue; the subsidy decides which year they lower.
    """
    start = revenue_start(facts.platform, settings)
    entries = [entry for sale in sales_of(facts.documents) for entry in entries_of(sale, settings, start=start)]
    return sorted(entries, key=lambda e: (e.on, e.document_no, e.line_no, e.amount))


def entries_of(sale: Sale, settings: Settings, *, start: date | None) -> Iterator[Entry]:
    """The lines of one invoice and of its credit notes; ``start`` is the first day that counts."""
    by_cash = settings.text("A02_revenue_basis") == "cash_date"
    for document in sale.documents:
        invoice = None if document is sale.invoice else sale.invoice
        if by_cash:
            found = _by_cash(document, invoice, sale.notes, settings)
        else:
            found = _by_document(document, invoice, settings)
        for entry in found:
            yield _from_start(entry, start)


def line_with_tax(line: Line) -> Money:
    return line.amount if line.amount_includes_tax else line.amount.times(1 + line.tax_rate)


def line_without_tax(line: Line) -> Money:
    if line.without_tax is not None:
        return line.without_tax
    return Money.rounded(line.amount.yuan / (1 + line.tax_rate)) if line.amount_includes_tax else line.amount


def line_exclusion(line: Line, settings: Settings) -> Exclusion | None:
    """Why a line never counts, whatever its date."""
    counts = settings.part("A05_revenue_categories", line.category)
    if line.customer_relation == CustomerRelation.OWN_USE:
        return Exclusion.OWN_USE
    if line.customer_relation == CustomerRelation.RELATED_PARTY and settings.text("A04_related_party") == "exclude":
        return Exclusion.RELATED_PARTY
    if counts == "review":
        return Exclusion.CATEGORY_UNDER_REVIEW
    if not counts:
        return Exclusion.CATEGORY
    if line.subcontracted and settings.text("A35_subcontracted") == "exclude":
        return Exclusion.SUBCONTRACTED
    if line.no_show_fee and not settings.flag("A29_no_show_fee_in_revenue"):
        return Exclusion.NO_SHOW_FEE
    return None


def _amount(line: Line, settings: Settings) -> Money:
    return line_without_tax(line) if settings.text("A03_revenue_tax") == "net" else line_with_tax(line)


def _entry(document: Document, line_no: int, *, on: date, amount: Money, with_tax: Money, settings: Settings) -> Entry:
    line = document.lines[line_no - 1]
    return Entry(
        year=on.year,
        on=on,
        document_no=document.no,
        line_no=line_no,
        category=line.category,
        with_tax=with_tax,
        amount=amount,
        excluded=line_exclusion(line, settings),
        document_ref=document.ref,
        line_ref=line.ref,
    )


def _from_start(entry: Entry, start: date | None) -> Entry:
    """Excluded where its revenue, or the revenue it takes back, lies before the first day that counts."""
    if start is None:
        return entry.placed(entry.year, Exclusion.NOT_OPERATING)
    return entry.placed(entry.year, Exclusion.BEFORE_START if (entry.origin_on or entry.on) < start else None)


def _by_document(document: Document, invoice: Document | None, settings: Settings) -> Iterator[Entry]:
    by_service = settings.text("A02_revenue_basis") == "service_date"
    source = invoice or document
    for line_no, line in enumerate(document.lines, start=1):
        earned_on = (line.service_on or source.service_on) if by_service else source.issued_on
        entry = _entry(
            document,
            line_no,
            on=document.issued_on if invoice else earned_on,
            amount=_amount(line, settings),
            with_tax=line_with_tax(line),
            settings=settings,
        )
        yield replace(entry, origin_on=earned_on) if invoice else entry


def _by_cash(
    document: Document, invoice: Document | None, notes: Sequence[Document], settings: Settings
) -> Iterator[Entry]:
    """What was received for an invoice, or given back on a credit note.

    The counted part of a payment is payment × counted revenue ÷ total with tax. Running totals are
    rounded, not payments, so that a document paid in full counts in full. Money beyond the
    document's total is the customer's.
    """
    payments = _refunds(document, invoice, notes) if invoice else sorted(document.paid, key=lambda p: p.on)
    whole = abs(_with_tax(document).fen)
    with_tax = [line_with_tax(line) for line in document.lines]
    amounts = [_amount(line, settings) for line in document.lines]
    counts = [line_exclusion(line, settings) is None for line in document.lines]
    counted = [amount if yes else ZERO for amount, yes in zip(amounts, counts, strict=True)]
    others = [ZERO if yes else amount for amount, yes in zip(amounts, counts, strict=True)]
    before = [(ZERO, ZERO)] * len(document.lines)
    came_in = 0
    for payment in payments:
        came_in += payment.amount.fen  # less what was given back
        received = max(0, min(whole, came_in))
        parts = [_portion(each, of=received, whole=whole) for each in (counted, others, with_tax)]
        now = [(a + b, gross) for a, b, gross in zip(*parts, strict=True)]
        for line_no, (new, old) in enumerate(zip(now, before, strict=True), start=1):
            entry = _entry(
                document, line_no, on=payment.on, amount=new[0] - old[0], with_tax=new[1] - old[1], settings=settings
            )
            origin_on = max((p.on for p in invoice.paid), default=invoice.issued_on) if invoice else None
            yield replace(entry, origin_on=origin_on)
        before = now


def _portion(amounts: Sequence[Money], *, of: int, whole: int) -> list[Money]:
    """``of ÷ whole`` of each amount, so that together they are the rounded part of the sum."""
    rounded = [ZERO]
    running = ZERO
    for amount in amounts:
        running += amount
        rounded.append(Money.rounded(running.yuan * of / whole) if whole else ZERO)
    return [after - before for before, after in pairwise(rounded)]


def _with_tax(document: Document) -> Money:
    return total([line_with_tax(line) for line in document.lines])


def _received(payments: Iterable[Payment]) -> Money:
    return total([p.amount for p in payments])


def _refunds(note: Document, invoice: Document, notes: Sequence[Document]) -> Sequence[Payment]:
    """The money given back on ``note``; where none is stated, what the invoice was paid beyond its new total.

    A credit note on an invoice that was not paid takes back nothing that was counted.
    """
    if note.paid:
        return sorted(note.paid, key=lambda p: p.on)
    due = _with_tax(invoice)
    held = min(due, _received(invoice.paid))
    for earlier in sorted(notes, key=lambda d: (d.issued_on, d.no)):
        due += _with_tax(earlier)
        back = _received(earlier.paid) if earlier.paid else max(ZERO, held - due)
        held -= back
        if earlier.no == note.no:
            return [Payment(note.issued_on, back)] if back else []
    raise ValueError(f"{note.no} is no credit note of {invoice.no}")
