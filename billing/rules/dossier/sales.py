"""Sales as a dossier tells them, one document a line: an invoice, then the credit notes on it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from billing.rules.dossier.register import Register
from billing.rules.dossier.wrong import DoesNotHold
from billing.rules.facts import Document
from billing.rules.revenue import Sale
from billing.rules.scenario import document_of

NAME = "documents.jsonl"
MOST_DIGITS = 9


def sales_told(told: Iterable[Mapping[str, Any]]) -> Iterator[Sale]:
    """One sale in memory at a time. Errors: ``DoesNotHold`` for a credit note that stands elsewhere."""
    invoice: Document | None = None
    notes: list[Document] = []
    for one in told:
        document = document_of(one)
        if document.credit_note_of is None:
            if invoice is not None:
                yield Sale(invoice, tuple(notes))
            invoice, notes = document, []
        elif invoice is None or document.credit_note_of != invoice.no:
            expected = f"behind {document.credit_note_of}, which it credits"
            found = f"behind {invoice.no}" if invoice is not None else "nothing before it"
            raise DoesNotHold(NAME, f"document {document.no}", expected=expected, found=found)
        else:
            notes.append(document)
    if invoice is not None:
        yield Sale(invoice, tuple(notes))


class Numbers:
    """Gathers documents: each is there once, each line by an id of its own, and no number before the last is missing.

    Shape of a number: ``CODE-2026-000012``, from 1 on in each year of issue. Errors of its methods: ``DoesNotHold``.
    O(log n) for each line.
    """

    def __init__(self, register: Register, *, code: str) -> None:
        self._register, self._code = register, code
        self._counts: dict[str, int] = {}
        self._last: dict[str, tuple[int, str]] = {}

    def take(self, one: Document) -> None:
        begins, _, number = one.no.rpartition("-")
        own = f"{self._code.upper()}-{one.issued_on.year}"
        if begins != own or len(number) > MOST_DIGITS or not (number.isascii() and number.isdecimal() and int(number)):
            raise DoesNotHold(NAME, f"document {one.no}", expected=f"{own}-NUMBER", found=one.no)
        if self._register.add("document", f"{own} {int(number)}", one.no):
            raise DoesNotHold(NAME, f"document {one.no}", expected="once", found="more than once")
        if not one.lines:
            raise DoesNotHold(NAME, f"document {one.no}", expected="lines", found="none")
        self._counts[own] = self._counts.get(own, 0) + 1
        self._last[own] = max(self._last.get(own, (0, "")), (int(number), one.no))
        for line in one.lines:
            if not isinstance(line.ref, str) or self._register.add("line", line.ref, one.no):
                raise DoesNotHold(NAME, f"a line of {one.no}", expected="a ref of its own", found=line.ref)

    def last(self) -> list[str]:
        """The last document of each year."""
        for own, (number, no) in self._last.items():
            if self._counts[own] < number:
                missing = next(
                    one for one in range(1, number) if self._register.get("document", f"{own} {one}") is None
                )
                expected = f"every number up to {no}"
                raise DoesNotHold(NAME, f"document {own}-{missing:06d}", expected=expected, found="none")
        return [no for _, (_, no) in sorted(self._last.items())]
