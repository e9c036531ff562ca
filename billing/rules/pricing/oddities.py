"""What in terms is allowed and yet odd, so that whoever edits them is told."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

from billing.rules.pricing.tariff import ChargeMode, Rounding, Step, Terms, TierKind, Tiers, Unit

LONGER_COSTS_LESS = "longer_costs_less"
SUPPORT_EXCEEDS_PRICE = "support_exceeds_price"
LAST_STEP_BOUNDED = "last_step_bounded"
COUNTED_IS_USAGE = "counted_is_usage"


def warnings_of(terms: Terms) -> list[str]:
    """Words for what is allowed but odd; empty for most terms.

    ``longer_costs_less``: some longer use, or larger quantity, may cost less than a shorter one.
    ``support_exceeds_price``: somewhere the support of a unit is above its price, so that payable falls below zero.
    ``last_step_bounded``: the last step of the tiers has an end; its price goes on above it.
    ``counted_is_usage``: what is counted is charged by use, whatever ``charge_mode`` says.
    """
    found = {
        LONGER_COSTS_LESS: _longer_may_cost_less(terms),
        SUPPORT_EXCEEDS_PRICE: _support_may_exceed(terms),
        LAST_STEP_BOUNDED: bool(terms.tiers and terms.tiers.steps and terms.tiers.steps[-1].up_to is not None),
        COUNTED_IS_USAGE: terms.mode is not terms.charge_mode,
    }
    return [word for word, is_so in found.items() if is_so]


def _longer_may_cost_less(terms: Terms) -> bool:
    discounted = any(band.percent_off for band in terms.bands)
    falling = _rates_fall(terms.tiers)
    rounds = terms.unit is Unit.HOUR and terms.increment_rounding is not Rounding.NONE and terms.increment_minutes > 1
    return (
        _volume_falls(terms.tiers)
        # Added minutes cost what the last charged one costs, so an end in a cheaper minute is cheaper for all of them.
        or (rounds and (discounted or falling))
        # A longer first run pushes the later ones into a cheaper step.
        or (discounted and falling)
        # Lead and post minutes are taken off the reserved time: the longer the run, the more of them it has.
        or (terms.mode is ChargeMode.UNION and bool(terms.lead_minutes or terms.post_minutes))
    )


def _rates_fall(tiers: Tiers | None) -> bool:
    if tiers is None or tiers.kind is not TierKind.GRADUATED:
        return False
    return any(left.rate > right.rate for left, right in pairwise(tiers.steps))


def _volume_falls(tiers: Tiers | None) -> bool:
    if tiers is None or tiers.kind is not TierKind.VOLUME:
        return False
    return any(_falls(left, right) for left, right in pairwise(tiers.steps))


def _falls(left: Step, right: Step) -> bool:
    edge = Fraction(left.up_to or 0)
    before, after = (edge * Fraction(step.rate) + Fraction(step.flat.fen, 100) for step in (left, right))
    return before > after or left.flat > right.flat


def _support_may_exceed(terms: Terms) -> bool:
    support = terms.support_per_unit
    rates = [rate for rate in terms.customer_class_rates.values() if rate is not None]
    if terms.rate is not None:
        rates.append(terms.rate)
    for step in terms.tiers.steps if terms.tiers else ():
        own = support if step.support_per_unit is None else step.support_per_unit
        if own > step.rate and not step.flat:
            return True
    return any(support > rate for rate in rates)
