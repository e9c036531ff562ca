"""What a platform may expect: the same rules, asked about revenue that is not there yet."""

from __future__ import annotations

from calendar import isleap
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from app.kernel.money import ZERO, Money, total
from billing.rules.facts import Document, Evaluation, Facts, Line, Payment
from billing.rules.policy import Policy, Settings
from billing.rules.subsidy import Assessment, assess
from billing.rules.words import RevenueCategory

ASSUMED = "（测算）"
"""Stands where a document will have its number."""


@dataclass(frozen=True, slots=True)
class ForecastYear:
    """One year: what counts by now, what it may come to by its end, and what would then be payable."""

    year: int
    so_far: Money
    base: Money
    payable: Money


@dataclass(frozen=True, slots=True)
class Forecast:
    """``years`` are this one and those that follow it, ``more_brings`` is what ``more`` without tax adds to them."""

    years: tuple[ForecastYear, ...]
    more: Money
    more_brings: Money
    cap_left: Money


def forecast(facts: Facts, settings: Settings, policy: Policy, *, on: date, more: Money) -> Forecast:
    """Assume that every year still open is evaluated and selected, that the rest of this year earns at the pace of the
    year so far, and each later one as much as this. O(assessments of the facts, three times).
    """
    length = int(policy.value("P2.window_years", on=on))
    years = range(on.year, on.year + length)
    selected = replace(facts, evaluations=_selected(facts, years))
    now = assess(selected, settings, policy)
    so_far = _bases(now)
    this_year = _by_the_end(so_far.get(on.year, ZERO), on)
    missing = {year: (this_year - so_far.get(year, ZERO)) for year in years}
    expected = replace(
        selected, documents=(*facts.documents, *(_earned(year, amount) for year, amount in missing.items()))
    )
    then = assess(expected, settings, policy)
    with_more = assess(replace(selected, documents=(*facts.documents, _on(on, more))), settings, policy)
    bases, payable = _bases(then), _payable(then)
    return Forecast(
        years=tuple(
            ForecastYear(year, so_far.get(year, ZERO), bases.get(year, ZERO), payable.get(year, ZERO)) for year in years
        ),
        more=more,
        more_brings=total(list(_payable(with_more).values())) - total(list(_payable(now).values())),
        cap_left=max(ZERO, Money.of(policy.value("P2.cap", on=on)) - total(list(_payable(now).values()))),
    )


def _selected(facts: Facts, years: Iterable[int]) -> tuple[Evaluation, ...]:
    """What was decided stands; what is open is assumed to go well."""
    decided = {one.year for one in facts.evaluations}
    return (*facts.evaluations, *(Evaluation(year, True, True, ASSUMED) for year in years if year not in decided))


def _by_the_end(so_far: Money, on: date) -> Money:
    """The year's revenue at the pace until ``on``, that day included."""
    days = 366 if isleap(on.year) else 365
    return Money.rounded(so_far.yuan * days / on.timetuple().tm_yday)


def _earned(year: int, amount: Money) -> Document:
    return _on(date(year, 12, 31), amount)


def _on(day: date, amount: Money) -> Document:
    """Service revenue of ``amount``, invoiced, given and paid on one day, so that every reading places it there."""
    line = Line(
        RevenueCategory.PERFORMANCE_TEST,
        amount,
        Decimal(0),
        amount_includes_tax=False,
        without_tax=amount,
        service_on=day,
    )
    return Document(f"{ASSUMED}{day}", day, day, (line,), paid=(Payment(day, amount),))


def _bases(judged: Assessment) -> dict[int, Money]:
    return {one.year: one.base for one in judged.revenue_years}


def _payable(judged: Assessment) -> dict[int, Money]:
    """The operating subsidy by year; the estimate where there is no certification yet."""
    return {
        one.year: one.payable.amount if one.estimate is None else one.estimate
        for one in judged.grants
        if one.programme == "P2"
    }
