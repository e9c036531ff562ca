"""The main charge: how much is charged, and what it costs before it is rounded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from app.kernel.money import Money
from billing.rules.pricing.bands import Segment, segments
from billing.rules.pricing.facts import Run, UseFacts
from billing.rules.pricing.minutes import (
    Span,
    charged_spans,
    length,
    merged,
    rounded_minutes,
    span_of,
    started_days,
)
from billing.rules.pricing.outcome import LineKind
from billing.rules.pricing.tariff import COUNTED_BY_HAND, NOTHING, ChargeMode, Terms, Tiers, Unit
from billing.rules.pricing.tiers import Sum, priced

KIND_OF = {
    Unit.HOUR: LineKind.TIME,
    Unit.DAY: LineKind.TIME,
    Unit.RUN: LineKind.RUN,
    Unit.BATCH: LineKind.BATCH,
    Unit.SAMPLE: LineKind.SAMPLE,
    Unit.KG: LineKind.MASS,
    Unit.M: LineKind.LENGTH,
    Unit.KWH: LineKind.ENERGY,
}


@dataclass(frozen=True, slots=True)
class MainCharge:
    """``quantity`` is what is charged, in ``unit``; ``before`` what there was before rounding and free quantity.

    Units: minutes for an hourly price, else the unit of the terms.
    """

    mode: ChargeMode
    unit: str
    quantity: Fraction
    before: Fraction
    spans: tuple[Span, ...]
    sum: Sum

    def exact_with_minimum(self, minimum: Money) -> Fraction:
        """The price before it is rounded; the minimum where the rounded one is below it."""
        return Fraction(minimum.fen, 100) if self.is_below(minimum) else self.sum.exact

    def support_with_minimum(self, minimum: Money) -> Fraction:
        """The support, raised in the same proportion as the price where that is raised to the minimum."""
        if not self.is_below(minimum):
            return self.sum.support
        return self.sum.support * Fraction(minimum.fen, 100) / self.sum.exact if self.sum.exact else Fraction(0)

    def is_below(self, minimum: Money) -> bool:
        return Money.rounded(self.sum.exact) < minimum


def price_for(terms: Terms, customer_class: str) -> Decimal | Tiers | None:
    """What the class pays; a rate of its own takes the place of rate and tiers. ``None``: it may not buy."""
    if customer_class in terms.customer_class_rates:
        return terms.customer_class_rates[customer_class]
    return terms.rate if terms.tiers is None else terms.tiers


def main_charge(facts: UseFacts, mode: ChargeMode, runs: Sequence[Run]) -> MainCharge:
    """Shape: runs that have ended and tell what the terms charge; a class that may buy."""
    terms = facts.terms
    price = price_for(terms, facts.customer_class) or NOTHING
    prior = Fraction(facts.prior_quantity)
    if terms.unit not in (Unit.HOUR, Unit.DAY):
        there = counted(terms.unit, runs, booked=False)
        quantity = charged_quantity(there, terms.free_quantity, terms.quantity_step)
        result = priced(price, [(quantity, NOTHING)], added=0, prior=prior, per=1, support=terms.support_per_unit)
        return MainCharge(mode, terms.unit.value, quantity, there, (), result)
    spans = charged_spans(facts, mode, sorted(span_of(run.start, run.end) for run in runs if run.end is not None))
    if terms.unit is Unit.DAY:
        days = started_days(spans, facts.zone)
        result = priced(price, [(days, NOTHING)], added=0, prior=prior, per=1, support=terms.support_per_unit)
        return MainCharge(mode, terms.unit.value, Fraction(days), Fraction(length(spans)), tuple(spans), result)
    minutes = length(spans)
    charged = rounded_minutes(minutes, terms)
    cut = segments(spans, terms.schedule, facts.zone)
    if charged < minutes:
        cut = _shortened(cut, charged)
    result = priced(
        price, cut, added=max(charged - minutes, 0), prior=round(prior * 60, 4), per=60, support=terms.support_per_unit
    )  # a decimal of hours does not hold every minute
    return MainCharge(mode, "minute", Fraction(charged), Fraction(minutes), tuple(spans), result)


def _shortened(cut: Sequence[Segment], minutes: int) -> list[Segment]:
    """The first ``minutes`` of the charged time."""
    kept: list[Segment] = []
    for length_, off in cut:
        if minutes <= 0:
            break
        kept.append((min(length_, minutes), off))
        minutes -= length_
    return kept


def counted(unit: Unit, runs: Sequence[Run], *, booked: bool) -> Fraction:
    """How much there was of ``unit``. Shape: no run lacks it; ``HOUR`` is for labour, the time of the runs once."""
    if unit is Unit.RUN:
        return Fraction(len(runs))
    if unit is Unit.BOOKING:
        return Fraction(int(booked))
    if unit is Unit.KWH:
        return sum((Fraction(run.energy_wh or 0) for run in runs), Fraction(0)) / 1000
    if unit is Unit.HOUR:
        return Fraction(length(merged(span_of(run.start, run.end) for run in runs if run.end is not None)), 60)
    return sum((Fraction(run.counts[unit]) for run in runs), Fraction(0))


def charged_quantity(there: Fraction, free: Decimal, step: Decimal | None) -> Fraction:
    """What is left of a quantity after the free part, rounded up to a whole multiple of the step."""
    left = max(there - Fraction(free), Fraction(0))
    return left if step is None else -(-left // Fraction(step)) * Fraction(step)


def what_is_missing(terms: Terms, runs: Sequence[Run]) -> str | None:
    """The reason for which what the terms count cannot be priced."""
    units = {terms.unit, *(extra.unit for extra in terms.extras)}
    if any(unit not in run.counts for unit in units & COUNTED_BY_HAND for run in runs):
        return "count_unknown"
    if Unit.KWH in units and any(run.energy_wh is None for run in runs):
        return "energy_unknown"
    return None
