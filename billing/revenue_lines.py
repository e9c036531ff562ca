"""The invoice lines behind a year's revenue, a page at a time: which are meant is judged from sums, then looked up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.kernel.money import Money
from billing.assessing import by_cash
from billing.claims.record import Basis
from billing.rules.revenue import Entry, Exclusion
from billing.rules.words import RevenueCategory

# What decides how a line is judged, as ``billing.rules.summing`` names it, and how each of these is judged.
ALIKE = """
    SELECT * FROM unnest(
        CAST(:issued AS date[]), CAST(:credits AS date[]), CAST(:served AS date[]), CAST(:categories AS text[]),
        CAST(:relations AS text[]), CAST(:fees AS boolean[]), CAST(:rates AS numeric[]), CAST(:days AS date[]),
        CAST(:reasons AS text[])
    ) AS alike (issued_on, credits_of, served_on, category, relation, fee, rate, on_day, excluded)
"""
FOUND = f"""
    FROM revenue_entry JOIN invoice_line ON invoice_line.id = revenue_entry.invoice_line_id
    JOIN invoice ON invoice.id = invoice_line.invoice_id JOIN platform ON platform.id = invoice.platform_id
    LEFT JOIN invoice AS original ON original.id = invoice.credits_id
    JOIN ({ALIKE}) AS alike ON alike.issued_on = revenue_entry.invoiced_on
        AND alike.credits_of IS NOT DISTINCT FROM original.issued_on AND alike.served_on = revenue_entry.served_on
        AND alike.category = revenue_entry.category AND alike.relation = revenue_entry.relation
        AND alike.fee = revenue_entry.no_show_fee AND alike.rate = revenue_entry.tax_rate
    WHERE revenue_entry.platform_id = :platform
        AND (CAST(:until AS timestamptz) IS NULL OR revenue_entry.recognized_at <= :until)
"""
COUNTED = text(f"SELECT count(*) {FOUND}")
LINES = text(
    "SELECT upper(platform.code) || '-' || invoice.year || '-' || to_char(invoice.number, 'FM000000') AS document_no,"
    " invoice_line.position, invoice_line.id, alike.on_day, revenue_entry.category,"
    f" revenue_entry.net_fen, revenue_entry.tax_fen, alike.excluded {FOUND}"
    " ORDER BY alike.on_day, revenue_entry.invoice_line_id LIMIT :limit OFFSET :offset"
)
PLACED = (
    "SELECT revenue_entry.invoice_line_id,"
    f" row_number() OVER (ORDER BY alike.on_day, revenue_entry.invoice_line_id) - 1 AS place {FOUND}"
)
PLACE = text(f"WITH placed AS ({PLACED}) SELECT place FROM placed WHERE invoice_line_id = :line")  # noqa: S608


@dataclass(frozen=True, slots=True)
class YearLines:
    """The lines of some of a year's ``entries``, as they follow from ``basis``."""

    platform_id: int
    year: int
    basis: Basis
    entries: Sequence[Entry]

    def count(self, session: Session) -> int:
        """O(issued lines), in SQL."""
        if by_cash(self.basis.settings):
            return len(self.entries)
        return session.scalar(COUNTED, self._given()) or 0

    def rows(self, session: Session, *, limit: int | None = None, offset: int = 0) -> Iterator[Entry]:
        """By day. O(issued lines), in SQL; what is read by cash was judged line by line and is there already."""
        if by_cash(self.basis.settings):
            yield from self.entries[offset : None if limit is None else offset + limit]
            return
        net = self.basis.settings.text("A03_revenue_tax") == "net"
        for one in session.execute(LINES, {**self._given(), "limit": limit, "offset": offset}):
            with_tax = Money(one.net_fen + one.tax_fen)
            yield Entry(
                year=self.year,
                on=one.on_day,
                document_no=one.document_no,
                line_no=one.position,
                category=RevenueCategory(one.category),
                with_tax=with_tax,
                amount=Money(one.net_fen) if net else with_tax,
                excluded=Exclusion(one.excluded) if one.excluded else None,
                line_ref=str(one.id),
            )

    def place(self, session: Session, line_id: int) -> int:
        """Which of the rows is this invoice line, counted from zero; zero where it is none of them. O(issued lines)."""
        if by_cash(self.basis.settings):
            return next((at for at, one in enumerate(self.entries) if one.line_ref == str(line_id)), 0)
        return session.scalar(PLACE, {**self._given(), "line": line_id}) or 0

    def _given(self) -> dict[str, object]:
        documents = {one.no: one for one in self.basis.facts.documents}
        told = []
        for entry in self.entries:
            document = documents[entry.document_no]
            line = document.lines[entry.line_no - 1]
            of = documents[document.credit_note_of].issued_on if document.credit_note_of else None
            told.append(
                (
                    document.issued_on, of, line.service_on, line.category.value, line.customer_relation.value,
                    line.no_show_fee, line.tax_rate, entry.on, entry.excluded.value if entry.excluded else None,
                )
            )  # fmt: skip
        names = ("issued", "credits", "served", "categories", "relations", "fees", "rates", "days", "reasons")
        columns = [list(column) for column in zip(*told, strict=True)] if told else [[] for _ in names]
        return {"platform": self.platform_id, "until": self.basis.locked_at, **dict(zip(names, columns, strict=True))}
