"""就高不重复: which programme is paid where two would pay for the same (A15)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from billing.rules.entitlement import Entitlement
from billing.rules.equipment import EquipmentCase, EquipmentYear
from billing.rules.facts import EquipmentProgramme, Facts, Programme
from billing.rules.operating import OperatingYear, operating_years
from billing.rules.policy import Policy, Settings
from billing.rules.recognition import award_years
from billing.rules.revenue import Entry

OTHER: dict[EquipmentProgramme, EquipmentProgramme] = {"P1": "P4", "P4": "P1"}


class Choice:
    """What each programme yields once the lower ones have been set back.

    Years are settled in order, since what one year pays lowers what the cap leaves to the next. O(years × facts) where
    something is set back, else O(facts).
    """

    def __init__(self, facts: Facts, entries: Sequence[Entry], settings: Settings, policy: Policy) -> None:
        self._given = facts, settings, policy
        self._entries = entries
        self._settings = settings
        self._set_back: dict[Programme, set[int]] = defaultdict(set)
        self._taken: dict[EquipmentProgramme, dict[str, int]] = {"P1": {}, "P4": {}}
        self._found: dict[Programme, Sequence[Entitlement]] = {}
        for programme in ("P1", "P2", "P3", "P4"):
            self._judge(programme)
        self._settle()

    @property
    def operating(self) -> list[OperatingYear]:
        return [one for one in self._found["P2"] if isinstance(one, OperatingYear)]

    def __iter__(self) -> Iterator[Entitlement]:
        """All of them by year, and within a year by programme."""
        everything = [one for found in self._found.values() for one in found]
        return iter(sorted(everything, key=lambda one: (one.year, one.programme)))

    def _settle(self) -> None:
        years = sorted({one.year for one in self})
        for year in years:
            for loser in self._losers(year):
                self._set_back[loser.programme].add(year)
                self._judge(loser.programme)
            for programme, other in OTHER.items():
                for one in self._in(year):
                    if one.programme == programme and isinstance(one, EquipmentYear) and one.granted:
                        self._taken[other] |= dict.fromkeys(one.numbers, year)
                        self._judge(other)

    def _losers(self, year: int) -> list[Entitlement]:
        """Those that would be paid in this year, but for one that pays more; the first of equals is kept."""
        paid = [one for one in self._in(year) if one.granted]
        if self._settings.text("A15_no_dup_scope") == "by_kind_and_object":
            bought = [one for one in paid if isinstance(one, EquipmentYear)]
            same = len(bought) > 1 and not bought[0].numbers.isdisjoint(bought[1].numbers)
            paid = list(bought) if same else []
        highest = max(paid, key=lambda one: one.granted, default=None)
        return [one for one in paid if one is not highest]

    def _in(self, year: int) -> list[Entitlement]:
        return [one for one in self if one.year == year]

    def _judge(self, programme: Programme) -> None:
        facts, settings, policy = self._given
        set_back = frozenset(self._set_back[programme])
        if programme == "P2":
            self._found[programme] = operating_years(facts, self._entries, settings, policy, set_back)
        elif programme == "P3":
            self._found[programme] = award_years(facts, settings, policy, set_back)
        else:
            case = EquipmentCase(facts, settings, policy, programme, set_back, self._taken[programme])
            self._found[programme] = case.judged()
