"""What follows from the facts of a dossier, read sale by sale: as often as they are needed, one in memory at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from billing.rules.dossier.lines import Counting
from billing.rules.dossier.sales import NAME, sales_told
from billing.rules.dossier.wrong import DoesNotHold
from billing.rules.operating import as_if_certified
from billing.rules.policy import Policy
from billing.rules.revenue import Sale, revenue_start
from billing.rules.scenario import scenario_facts
from billing.rules.subsidy import assess
from billing.rules.summing import earned_of

Documents = Callable[[], Iterable[Mapping[str, Any]]]
"""Those of ``documents.jsonl``, from the first on each time."""


class Judged:
    """A scenario without its invoices, these beside it, and what a policy makes of both. O(lines) for each method.

    Errors: ``DoesNotHold`` where invoices are among the facts, or a credit note is not behind its invoice.
    """

    def __init__(self, scenario: Mapping[str, Any], policy: Policy, documents: Documents) -> None:
        if "invoices" in scenario:
            raise DoesNotHold("facts.json", "invoices", expected=f"those of {NAME} only", found="others here")
        self._documents = documents
        self.facts, self.policy = scenario_facts(scenario), policy
        self.settings = policy.settings_with(scenario["settings"])
        self._start = revenue_start(as_if_certified(self.facts.platform), self.settings)
        earned = earned_of(self.sales(), self.settings, start=self._start)
        self.assessment = assess(self.facts, self.settings, policy, earned)

    def sales(self) -> Iterator[Sale]:
        return sales_told(self._documents())

    def counting(self, year: int) -> Counting:
        """Which lines count in a year."""
        revenue = next((one for one in self.assessment.revenue_years if one.year == year), None)
        return Counting(revenue, self.settings, start=self._start)

    def lines(self, *, counted_in: int | None = None) -> Iterator[int]:
        """The ids of all lines, or of those that count in a year, in the order of the documents."""
        counting = None if counted_in is None else self.counting(counted_in)
        for sale in self.sales():
            counted = None if counting is None else counting.of(sale)
            for document in sale.documents:
                for place, line in enumerate(document.lines, start=1):
                    if line.ref is not None and (counted is None or (document.no, place) in counted):
                        yield int(line.ref)
