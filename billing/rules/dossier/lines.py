"""From charges to invoice lines, and from these to the facts that the subsidy follows from."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from app.kernel.money import ZERO, Money, total
from billing.rules.dossier.cases import Basis, Charged, charged_of
from billing.rules.dossier.credits import Credits
from billing.rules.dossier.register import Register, number_of
from billing.rules.dossier.sales import NAME as SALES
from billing.rules.dossier.sales import Numbers
from billing.rules.dossier.wrong import DoesNotHold, insist
from billing.rules.facts import Document, Line
from billing.rules.policy import Settings
from billing.rules.revenue import RevenueYear, Sale, entries_of
from billing.rules.words import InvoiceKind

ORIGINS = {"service": Basis.SERVICE, "fee": Basis.FEE, "credit": Basis.CREDIT}


@dataclass(slots=True)
class Tally:
    """What counts in the year, by what it rests on: lines and amounts."""

    lines: dict[Basis, int] = field(default_factory=dict)
    amounts: dict[Basis, Money] = field(default_factory=dict)
    others: int = 0

    def add(self, basis: Basis, amount: Money) -> None:
        self.lines[basis] = self.lines.get(basis, 0) + 1
        self.amounts[basis] = self.amounts.get(basis, ZERO) + amount

    @property
    def stated(self) -> Money:
        """What nothing but a statement of the house stands behind."""
        return total([amount for basis, amount in self.amounts.items() if basis not in (Basis.METERED, Basis.CREDIT)])


class Counting:
    """Which lines count in a year, and with how much, as the same facts that were added up say."""

    def __init__(self, year: RevenueYear | None, settings: Settings, *, start: date | None) -> None:
        self.own = ZERO if year is None else year.own
        self._settings, self._start = settings, start
        entries = () if year is None else year.entries
        self._days = {(one.on, one.origin_on) for one in entries if one.excluded is None}

    def of(self, sale: Sale) -> dict[tuple[str, int], Money]:
        """What each line that counts adds to the year, by its document and its place there. O(lines of the sale).

        When an entry counts follows from its days alone, once nothing excludes it.
        """
        found: dict[tuple[str, int], Money] = {}
        for one in entries_of(sale, self._settings, start=self._start):
            if one.excluded is None and (one.on, one.origin_on) in self._days:
                key = one.document_no, one.line_no
                found[key] = found.get(key, ZERO) + one.amount
        return found


@dataclass(slots=True)
class Following:
    """Every line is one of the documents and the other way round; what counts is what was charged, and once.

    ``name`` is the member whose lines are followed, in the order of the documents. One sale is in memory at a time.
    """

    name: str
    register: Register
    counting: Counting
    numbers: Numbers

    def follow(self, told: Iterable[Mapping[str, Any]], sales: Iterable[Sale]) -> Tally:
        """O(log n) for each line. Errors: ``DoesNotHold`` naming the line."""
        tally = Tally()
        lines = iter(told)
        for sale in sales:
            counted = self.counting.of(sale)
            credits = Credits(self.name)
            for document in sale.documents:
                self.numbers.take(document)
                for place, line in enumerate(document.lines, start=1):
                    one = next(lines, None)
                    if one is None:
                        expected = f"one line of {self.name}"
                        raise DoesNotHold(SALES, f"line {line.ref}", expected=expected, found="none")
                    basis = self._line(one, document, line, counted=(document.no, place) in counted)
                    credits.take(_which(one), one)
                    if basis is None:
                        tally.others += 1
                    else:
                        tally.add(basis, counted[document.no, place])
            credits.close()
        for one in lines:
            raise DoesNotHold(self.name, _which(one), expected=f"one line of {SALES}", found="none")
        found = total(list(tally.amounts.values()))
        insist(self.name, "what counts in the year, together", expected=self.counting.own, found=found)
        return tally

    def _line(self, told: Mapping[str, Any], document: Document, line: Line, *, counted: bool) -> Basis | None:
        """What it rests on, where it counts."""
        name, which = self.name, _which(told)
        number_of(name, f"{which}, its id", told["line"])
        if told["credits_line"] is not None:
            number_of(name, f"{which}, what it credits", told["credits_line"])
        insist(name, f"{which}, its place", expected=f"line {line.ref} of {document.no}", found=_place(told))
        _insist_stated(name, which, told, document, line)
        origin = told["origin"]
        if origin not in ("use", *ORIGINS) or (told["charge"] is None) != (origin == "credit"):
            raise DoesNotHold(name, which, expected="use, service or fee with its charge, or a credit", found=origin)
        if origin == "credit":
            return Basis.CREDIT if counted else None
        number = number_of(name, f"{which}, its charge", told["charge"])
        if self.register.add("billed", f"{number}", which):
            raise DoesNotHold(name, which, expected="a charge of its own", found=f"charge {number} again")
        if not counted or origin != "use":
            return ORIGINS[origin] if counted else None
        charged = self.register.get("charge", f"{number}")
        if charged is None:
            raise DoesNotHold(name, which, expected=f"charge {number} among the cases", found="none")
        charge = charged_of(json.loads(charged))
        _insist_charged(name, which, told, charge)
        return charge.basis


def _which(told: Mapping[str, Any]) -> str:
    return f"line {told['line']} ({told['no']}, position {told['position']})"


def _place(told: Mapping[str, Any]) -> str:
    return f"line {told['line']} of {told['no']}"


def _insist_stated(name: str, which: str, told: Mapping[str, Any], document: Document, line: Line) -> None:
    net, tax, rate = Money.of(told["net"]), Money.of(told["tax"]), Decimal(told["rate"])
    pairs = (
        ("amount", str(line.amount), str(net + tax)),
        ("tax in the amount", line.amount_includes_tax, True),
        ("subcontracted", line.subcontracted, False),
        ("amount without tax", str(line.without_tax), str(net)),
        ("tax rate", line.tax_rate, rate),
        ("category", line.category.value, told["category"]),
        ("relation", line.customer_relation.value, told["relation"]),
        ("no-show fee", line.no_show_fee, told["no_show_fee"]),
        ("day of service", line.service_on, date.fromisoformat(told["served_on"])),
        ("document", document.no, told["no"]),
        ("issued on", document.issued_on.isoformat(), told["issued_on"]),
        ("kind", InvoiceKind.CREDIT_NOTE if document.credit_note_of else InvoiceKind.INVOICE, told["kind"]),
        ("credits", document.credit_note_of, told["credits_no"]),
    )
    for what, expected, found in pairs:
        insist(name, f"{which}, {what} as in documents.jsonl", expected=expected, found=found)
    insist(name, f"{which}, gross", expected=net + tax, found=Money.of(told["gross"]))


def _insist_charged(name: str, which: str, told: Mapping[str, Any], charge: Charged) -> None:
    pairs = (
        ("net", charge.net, Money.of(told["net"])),
        ("tax", charge.tax, Money.of(told["tax"])),
        ("tax rate", charge.rate, Decimal(told["rate"])),
        ("category", charge.category, told["category"]),
        ("relation", charge.relation, told["relation"]),
        ("case", charge.case, told["case"]),
        ("equipment", charge.equipment, told["equipment"]),
        ("day of service", charge.served_on, date.fromisoformat(told["served_on"])),
    )
    for what, expected, found in pairs:
        insist(name, f"{which}, {what} as charged", expected=expected, found=found)
