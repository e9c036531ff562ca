"""Which open invoices a sum at the bank may be meant for, and why."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate, combinations

from app.kernel.money import Money, total
from billing.rules.ageing import OpenInvoice

MOST_SUGGESTED = 3
MOST_COMBINED = 12
_NUMBER = re.compile(r"(?<!\d)(\d{4})-?(\d{6})(?!\d)")
_DEPOSIT = re.compile("预存|预付|押金|充值")


class Reason(StrEnum):
    NUMBER_IN_REMARK = "number_in_remark"
    EXACT_AMOUNT = "exact_amount"
    SAME_NAME = "same_name"
    SIMILAR_NAME = "similar_name"
    SUM_OF_SEVERAL = "sum_of_several"
    PART_PAYMENT = "part_payment"
    MORE_THAN_DUE = "more_than_due"
    SAYS_DEPOSIT = "says_deposit"


_WEIGHTS = {
    Reason.NUMBER_IN_REMARK: 50,
    Reason.EXACT_AMOUNT: 30,
    Reason.SAME_NAME: 25,
    Reason.SAYS_DEPOSIT: 25,
    Reason.SUM_OF_SEVERAL: 20,
    Reason.SIMILAR_NAME: 10,
    Reason.PART_PAYMENT: -2,
    Reason.MORE_THAN_DUE: -5,
}


@dataclass(frozen=True, slots=True)
class Line:
    """What a bank line says that helps to find its invoice."""

    line_id: int
    amount: Money
    payer_name: str
    remark: str


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Use the line for ``invoices`` in this order, or without any as the firm's deposit.

    ``certain`` suggestions may be confirmed all at once.
    """

    organization_id: int
    firm: str
    invoices: tuple[OpenInvoice, ...]
    reasons: tuple[Reason, ...]
    certain: bool = False

    @property
    def weight(self) -> int:
        return sum(_WEIGHTS[reason] for reason in self.reasons)


class Matcher:
    """Open invoices of one platform and its firms, indexed once for many lines."""

    def __init__(self, invoices: Iterable[OpenInvoice], firms: Mapping[int, str]) -> None:
        self._by_number: dict[str, list[OpenInvoice]] = defaultdict(list)
        self._by_amount: dict[Money, list[OpenInvoice]] = defaultdict(list)
        self._by_firm: dict[int, list[OpenInvoice]] = defaultdict(list)
        self._firms = dict(firms)
        for invoice in invoices:
            self._by_number["".join(invoice.label.rsplit("-", 2)[1:])].append(invoice)
            self._by_amount[invoice.due].append(invoice)
            self._by_firm[invoice.organization_id].append(invoice)
            self._firms.setdefault(invoice.organization_id, invoice.firm)
        self._sums: dict[int, _Sums] = {}
        self._names = {plain_name(name): number for number, name in self._firms.items()}
        self._brands = {brand_of(name): number for number, name in self._firms.items() if len(brand_of(name)) >= 2}

    def suggestions(self, line: Line) -> list[Suggestion]:
        """At most three, best first; the first may be certain."""
        owner = self._names.get(plain_name(line.payer_name))
        near = None if owner is not None else self._alike(line.payer_name)
        found = [
            *self._numbered(line, owner),
            *self._named(line, owner, Reason.SAME_NAME),
            *self._named(line, near, Reason.SIMILAR_NAME),
            *self._as_deposit(line, owner),
            *(self._of(line, [one], owner) for one in self._by_amount.get(line.amount, ())),
        ]
        best: dict[tuple[int, ...], Suggestion] = {}
        for one in found:
            key = (one.organization_id, *(invoice.invoice_id for invoice in one.invoices))
            if key not in best or best[key].weight < one.weight:
                best[key] = one
        ranked = sorted(best.values(), key=lambda one: (-one.weight, [each.due_on for each in one.invoices]))
        ranked = [one for one in ranked if one.weight > 0][:MOST_SUGGESTED]
        if ranked and self._is_certain(line, ranked, owner):
            ranked[0] = Suggestion(
                ranked[0].organization_id, ranked[0].firm, ranked[0].invoices, ranked[0].reasons, certain=True
            )
        return ranked

    def may_be_certain(self, line: Line) -> bool:
        """Whether it is worth looking: no other line can have a certain suggestion."""
        return line.amount in self._by_amount or _NUMBER.search(line.remark) is not None

    def _is_certain(self, line: Line, ranked: Sequence[Suggestion], owner: int | None) -> bool:
        first = ranked[0]
        if total([one.due for one in first.invoices]) != line.amount or not first.invoices:
            return False
        if Reason.NUMBER_IN_REMARK in first.reasons:
            return owner == first.organization_id or not line.payer_name
        twins = [one for one in self._by_amount.get(line.amount, ()) if one.organization_id == first.organization_id]
        return Reason.SAME_NAME in first.reasons and len(first.invoices) == 1 and len(twins) == 1

    def _numbered(self, line: Line, owner: int | None) -> list[Suggestion]:
        said = re.sub(r"\s", "", line.remark.upper())
        named: dict[int, list[OpenInvoice]] = defaultdict(list)
        for year, number in dict.fromkeys(_NUMBER.findall(said)):
            for invoice in self._by_number.get(year + number, ()):
                if invoice.label.upper() in said or owner == invoice.organization_id:
                    named[invoice.organization_id].append(invoice)
        return [self._of(line, own, owner, Reason.NUMBER_IN_REMARK) for own in named.values()]

    def _named(self, line: Line, owner: int | None, how: Reason) -> list[Suggestion]:
        if owner is None or not (own := self._by_firm.get(owner)):
            return []
        if owner not in self._sums:
            self._sums[owner] = _Sums(own)
        sums = self._sums[owner]
        fitting = sums.exact.get(line.amount.fen) or [sums.oldest_first(line.amount)]
        return [self._of(line, some, owner, how) for some in fitting]

    def _as_deposit(self, line: Line, owner: int | None) -> list[Suggestion]:
        if owner is None:
            return []
        said = (Reason.SAYS_DEPOSIT,) if _DEPOSIT.search(line.remark) else ()
        if not said and self._by_firm.get(owner):
            return []
        return [Suggestion(owner, self._firms[owner], (), (*said, Reason.SAME_NAME))]

    def _of(self, line: Line, invoices: Sequence[OpenInvoice], owner: int | None, *reasons: Reason) -> Suggestion:
        due = total([one.due for one in invoices])
        why = list(reasons)
        if due == line.amount:
            why.append(Reason.EXACT_AMOUNT if len(invoices) == 1 else Reason.SUM_OF_SEVERAL)
        else:
            why.append(Reason.PART_PAYMENT if line.amount < due else Reason.MORE_THAN_DUE)
        if owner == invoices[0].organization_id and not {Reason.SAME_NAME, Reason.SIMILAR_NAME} & set(why):
            why.append(Reason.SAME_NAME)
        return Suggestion(invoices[0].organization_id, invoices[0].firm, tuple(invoices), tuple(why))

    def _alike(self, name: str) -> int | None:
        brand = brand_of(name)
        return self._brands.get(brand) if len(brand) >= 2 else None


def certain_ones(lines: Sequence[Line], suggested: Mapping[int, Sequence[Suggestion]]) -> dict[int, Suggestion]:
    """The certain suggestion of each line that has one; where two lines want one invoice, neither is certain."""
    first = {
        line.line_id: suggested[line.line_id][0]
        for line in lines
        if suggested.get(line.line_id) and suggested[line.line_id][0].certain
    }
    wanted = Counter(invoice.invoice_id for one in first.values() for invoice in one.invoices)
    return {
        line_id: one
        for line_id, one in first.items()
        if all(wanted[invoice.invoice_id] == 1 for invoice in one.invoices)
    }


def plain_name(name: str) -> str:
    """A firm's name without what banks write differently: spaces, widths of brackets, case."""
    return re.sub(r"\s", "", name).replace("（", "(").replace("）", ")").upper()


def brand_of(name: str) -> str:
    """What is left of a firm's name without place and legal form."""
    plain = re.sub(r"\(.*?\)", "", plain_name(name))
    plain = re.sub(r"(股份有限公司|有限责任公司|有限公司|公司|厂)$", "", plain)
    return re.sub(r"^(福建省?|泉州市?|晋江市?|石狮市?|南安市?)+", "", plain)


class _Sums:
    """What a firm's open invoices come to together, reckoned once for all lines.

    ``exact`` has each invoice alone, the oldest in a row, and any two or three of a short list.
    """

    def __init__(self, own: Sequence[OpenInvoice]) -> None:
        self._oldest = sorted(own, key=lambda one: (one.due_on, one.invoice_id))
        self._running = list(accumulate(one.due.fen for one in self._oldest))
        self.exact: dict[int, list[list[OpenInvoice]]] = defaultdict(list)
        for count, whole in enumerate(self._running[1:], start=2):
            self.exact[whole].append(self._oldest[:count])
        for count in (2, 3):
            for several in combinations(self._oldest[:MOST_COMBINED], count):
                self.exact[sum(one.due.fen for one in several)].append(list(several))
        for one in self._oldest:
            self.exact[one.due.fen].append([one])

    def oldest_first(self, amount: Money) -> list[OpenInvoice]:
        """As many of the oldest as the amount reaches; at least one."""
        return self._oldest[: bisect_left(self._running, amount.fen) + 1]
