"""P2, the operating subsidy (运行补助): a share of the annual service revenue, for three years, under one cap."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import ClassVar

from app.kernel.money import ZERO, Money, total
from billing.rules.entitlement import Entitlement
from billing.rules.facts import Facts, Platform
from billing.rules.grant import NoGrant
from billing.rules.policy import Policy, Settings
from billing.rules.revenue import Entry, Exclusion, RevenueYear, revenue_start
from billing.rules.window import Gap, Window


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatingYear(Entitlement):
    """One year of service revenue. ``holder`` is whose cap and whose three years it uses up."""

    revenue: RevenueYear
    holder: str

    nothing: ClassVar[NoGrant] = NoGrant.NO_REVENUE


@dataclass(frozen=True, slots=True)
class OperatingCase:
    """One platform's P2 facts and readings, and how they are judged year by year.

    ``entries`` are what its documents come to, ``set_back`` the years in which another programme goes before this one
    (A15).
    """

    facts: Facts
    settings: Settings
    policy: Policy
    entries: Sequence[Entry]
    set_back: frozenset[int] = frozenset()

    def judged(self) -> list[OperatingYear]:
        """Every calendar year from the first to the last that the facts touch, with its claim-back."""
        entries = self.entries
        years = {e.year for e in entries} | {_origin(e) for e in entries} | {e.year for e in self.facts.evaluations}
        if not years:
            return []
        start = revenue_start(self.facts.platform, self.settings)
        first = min([*years, start.year]) if start else min(years)
        fixed, waiting = self._placed(entries)
        windows: dict[str, Window] = {}
        judged: list[OperatingYear] = []
        too_late: list[Entry] = []
        carried = ZERO
        for year in range(first, max(years) + 1):
            holder = self._holder(year)
            window = windows.get(holder) or self._fresh_window(holder, start)
            listed = fixed[year]
            for note in waiting[year]:
                over = window.over_in(year, years=self._window_years(year)) or holder != self._holder(_origin(note))
                listed.append(note.placed(year, Exclusion.WINDOW_OVER if over else None))
                if listed[-1].excluded is Exclusion.WINDOW_OVER:
                    too_late.append(note)
            revenue = RevenueYear(year, tuple(listed), carried)
            carried = self._carried_out(revenue)
            result = self._judge(revenue, holder, window)
            windows[holder] = window.after(year, result.granted)
            judged.append(result)
        return self._with_clawback(judged, too_late)

    def _placed(self, entries: Iterable[Entry]) -> tuple[dict[int, list[Entry]], dict[int, list[Entry]]]:
        """Each entry in its year (A26), and by year of issue the notes that first need to know the window."""
        fixed: dict[int, list[Entry]] = defaultdict(list)
        waiting: dict[int, list[Entry]] = defaultdict(list)
        for entry in entries:
            if entry.origin_on is None:
                fixed[entry.year].append(entry)
                continue
            origin = entry.origin_on.year
            locked_on = self.facts.locked_on(origin)
            after_lock = locked_on is not None and entry.on > locked_on
            rule = self.settings.part("A26_credit_note", "after_lock" if after_lock else "before_lock")
            if entry.on.year <= origin or (rule == "original_year" and not after_lock):
                fixed[origin].append(entry.placed(origin))
            elif rule == "original_year":
                fixed[origin].append(entry.placed(origin, Exclusion.AFTER_LOCK))
            elif after_lock:
                waiting[entry.on.year].append(entry)
            else:
                fixed[entry.on.year].append(entry.placed(entry.on.year))
        return fixed, waiting

    def _holder(self, year: int) -> str:
        """Whose cap and whose three years: the platform's, or with A32 ``restarts`` the operator's."""
        operator = self.facts.platform.operator_of(year)
        restarts = self.settings.text("A32_operator_change") == "restarts"
        return operator.name if restarts and operator else ""

    def _fresh_window(self, holder: str, start: date | None) -> Window:
        certified_on = self.facts.platform.certified_on
        # The window of a later operator cannot begin before it came (A32).
        later = sorted(self.facts.platform.operators, key=lambda o: o.from_on)[1:]
        since = [o.from_on.year for o in later if o.name == holder]
        earliest = max([start.year, *since[:1]]) if start else 0
        begins = None
        if self.settings.text("A08_window_start") == "certification_year" and certified_on:
            begins = max([certified_on.year, *since[:1]])
        gaps: dict[str, Gap] = {"calendar": "calendar", "pause": "pause", "break": "break"}
        return Window(gaps[self.settings.text("A09_window_gap")], begins, earliest)

    def _window_years(self, year: int) -> int:
        return int(self.policy.value("P2.window_years", on=date(year, 12, 31)))

    def _carried_out(self, revenue: RevenueYear) -> Money:
        return revenue.shortfall if self.settings.text("A27_negative_year") == "carry" else ZERO

    def _raw(self, revenue: RevenueYear) -> Money:
        return revenue.base.times(self._rate(revenue.year), mode=self.settings.rounding)

    def _rate(self, year: int) -> Decimal:
        return self.policy.value("P2.rate", on=date(year, 12, 31))

    def _judge(self, revenue: RevenueYear, holder: str, window: Window) -> OperatingYear:
        year = revenue.year
        cap = Money.of(self.policy.value("P2.cap", on=date(year, 12, 31)))
        others = [g.amount for g in self.facts.other_grants if g.programme_kind == "operating" and g.year == year]
        operator = self.facts.platform.operator_of(year)
        return OperatingYear(
            programme="P2",
            year=year,
            payee=operator.name if operator else None,
            revenue=revenue,
            holder=holder,
            refused=self._refused(year, window),
            rate=self._rate(year),
            raw=self._raw(revenue),
            cap_left=max(ZERO, cap - window.used),
            higher_level=total(others),
            decided=self.facts.decided(year, "P2"),
        )

    def _refused(self, year: int, window: Window) -> NoGrant | None:
        start = revenue_start(self.facts.platform, self.settings)
        evaluation = self.facts.evaluation_of(year)
        window_years = self._window_years(year)
        if not self.policy.in_force_during(year):
            return NoGrant.NOT_IN_FORCE
        if start is None or year < start.year:
            return NoGrant.NOT_OPERATING
        if window.over_in(year, years=window_years):
            return NoGrant.WINDOW_OVER
        if not window.covers(year, years=window_years):
            return NoGrant.BEFORE_WINDOW
        if evaluation is None or not evaluation.evaluated:
            return NoGrant.NOT_EVALUATED
        if not evaluation.selected:
            return NoGrant.NOT_SELECTED
        return NoGrant.HIGHER_PROGRAMME if year in self.set_back else None

    def _with_clawback(self, judged: Sequence[OperatingYear], too_late: Iterable[Entry]) -> list[OperatingYear]:
        """The same years with what is proposed for claim-back.

        A locked year that is calculated again is compared with itself. Where notes came after the
        window, the whole window is: what one year loses, another may gain under the cap.
        """
        late: dict[int, Money] = defaultdict(lambda: ZERO)
        for note in too_late:
            late[_origin(note)] += note.amount
        before, after = self._replayed(judged, {}), self._replayed(judged, late)
        to_find = total(list(before.values())) - total(list(after.values()))
        found: list[OperatingYear] = []
        for result in judged:
            lost = min(to_find, max(ZERO, before[result.year] - after[result.year]))
            to_find -= lost
            found.append(replace(result, clawback=lost + self._excess(result)))
        return found

    def _replayed(self, judged: Iterable[OperatingYear], lowered: Mapping[int, Money]) -> dict[int, Money]:
        """Payable per year had some years' revenue been lower, with the same years open to a grant.

        Nothing that was decided is looked at: what one year loses, another would have gained.
        """
        used: dict[str, Money] = defaultdict(lambda: ZERO)
        payable: dict[int, Money] = {}
        carried = ZERO
        for result in judged:
            revenue = replace(result.revenue, carried_in=carried + lowered.get(result.year, ZERO))
            carried = self._carried_out(revenue)
            cap = Money.of(self.policy.value("P2.cap", on=date(result.year, 12, 31)))
            again = replace(result, revenue=revenue, raw=self._raw(revenue), cap_left=cap - used[result.holder])
            payable[result.year] = again.payable
            used[result.holder] += again.payable
        return payable

    def _excess(self, result: OperatingYear) -> Money:
        """What a locked year was granted too much, seen with the notes that came after its lock."""
        late = result.revenue.excluded.get(Exclusion.AFTER_LOCK, ZERO)
        if not late:
            return ZERO
        revenue = replace(result.revenue, carried_in=result.revenue.carried_in + late)
        again = replace(result, revenue=revenue, raw=self._raw(revenue))
        return max(ZERO, result.payable - again.payable)


def _origin(note: Entry) -> int:
    return (note.origin_on or note.on).year


def as_if_certified(platform: Platform) -> Platform:
    """The platform itself, or, for an estimate, as it would be with a certification from its first day."""
    if platform.certification_document is not None:
        return platform
    return replace(platform, certified_on=platform.operating_since)


def operating_years(
    facts: Facts, entries: Sequence[Entry], settings: Settings, policy: Policy, set_back: frozenset[int]
) -> list[OperatingYear]:
    """The P2 years that the facts touch, ascending. ``entries`` are what their documents come to."""
    case = OperatingCase(facts, settings, policy, entries, set_back)
    return [result for result in case.judged() if result.revenue.entries or facts.evaluation_of(result.year)]
