"""From charges to invoice lines, and from these to the facts that the subsidy follows from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from app.kernel.money import ZERO, Money, total
from billing.rules.dossier.cases import Basis, Charged
from billing.rules.dossier.credits import Credits
from billing.rules.dossier.wrong import DoesNotHold, insist
from billing.rules.facts import Document, Facts, Line
from billing.rules.revenue import RevenueYear

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


def counted_of(year: RevenueYear | None) -> dict[str, Money]:
    """What each line adds to the base of the year, by its id."""
    found: dict[str, Money] = {}
    for entry in () if year is None else year.entries:
        if entry.excluded is None and entry.line_ref is not None:
            found[entry.line_ref] = found.get(entry.line_ref, ZERO) + entry.amount
    return found


def follow(
    name: str,
    told: Iterable[Mapping[str, Any]],
    facts: Facts,
    charged: Mapping[int, Charged],
    year: RevenueYear | None,
) -> Tally:
    """Every line is one of the facts and the other way round; what counts is what was charged, and once.

    Errors: ``DoesNotHold`` naming the line.
    """
    stated = _stated(facts)
    counted = counted_of(year)
    tally = Tally()
    notes = Credits(name)
    seen: set[str] = set()
    used: set[int] = set()
    for one in told:
        ref = str(one["line"])
        which = f"line {ref} ({one['no']}, position {one['position']})"
        if ref not in stated or ref in seen:
            raise DoesNotHold(name, which, expected="one line of facts.json", found="none, or it came before")
        seen.add(ref)
        _insist_stated(name, which, one, *stated[ref])
        origin, number = one["origin"], one["charge"]
        if origin not in ("use", *ORIGINS) or (number is None) != (origin == "credit"):
            raise DoesNotHold(name, which, expected="use, service or fee with its charge, or a credit", found=origin)
        if number in used:
            raise DoesNotHold(name, which, expected="a charge of its own", found=f"charge {number} again")
        used |= {number} - {None}
        notes.take(which, one)
        if ref not in counted:
            tally.others += 1
            continue
        basis = ORIGINS.get(origin)
        if basis is None:
            charge = charged.get(number)
            if charge is None:
                raise DoesNotHold(name, which, expected=f"charge {number} among the cases", found="none")
            _insist_charged(name, which, one, charge)
            basis = charge.basis
        tally.add(basis, counted[ref])
    if missing := sorted(set(stated) - seen, key=str):
        raise DoesNotHold("facts.json", f"line {missing[0]}", expected=f"one line of {name}", found="none")
    notes.close()
    own = ZERO if year is None else year.own
    insist(name, "what counts in the year, together", expected=own, found=total(list(tally.amounts.values())))
    return tally


def _stated(facts: Facts) -> dict[str, tuple[Document, Line]]:
    """The lines of the facts by their ids. Errors: ``DoesNotHold`` for one without an id, or what is there twice."""
    found: dict[str, tuple[Document, Line]] = {}
    numbers: set[str] = set()
    for document in facts.documents:
        if document.no in numbers:
            raise DoesNotHold("facts.json", f"document {document.no}", expected="once", found="more than once")
        numbers.add(document.no)
        for line in document.lines:
            if not isinstance(line.ref, str) or line.ref in found:
                expected = "a ref of its own"
                raise DoesNotHold("facts.json", f"a line of {document.no}", expected=expected, found=line.ref)
            found[line.ref] = document, line
    return found


def _insist_stated(name: str, which: str, told: Mapping[str, Any], document: Document, line: Line) -> None:
    net, tax, rate = Money.of(told["net"]), Money.of(told["tax"]), Decimal(told["rate"])
    pairs = (
        ("amount", str(line.amount), str(net + tax)),
        ("amount without tax", str(line.without_tax), str(net)),
        ("tax rate", line.tax_rate, rate),
        ("category", line.category.value, told["category"]),
        ("relation", line.customer_relation.value, told["relation"]),
        ("no-show fee", line.no_show_fee, told["no_show_fee"]),
        ("day of service", line.service_on, date.fromisoformat(told["served_on"])),
        ("document", document.no, told["no"]),
        ("issued on", document.issued_on.isoformat(), told["issued_on"]),
        ("credits", document.credit_note_of, told["credits_no"]),
    )
    for what, expected, found in pairs:
        insist(name, f"{which}, {what} as in facts.json", expected=expected, found=found)


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
