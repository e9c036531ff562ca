"""The price of one use. The order of decisions is that of docs/pricing.md; the first that applies ends it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from zoneinfo import ZoneInfo

from app.kernel.interval import Interval
from app.kernel.money import Money
from billing.rules.pricing.facts import Booked, Run, UseFacts
from billing.rules.pricing.fees import cancelled, in_time, month_of, no_show
from billing.rules.pricing.lines import use_lines
from billing.rules.pricing.main import main_charge, price_for, what_is_missing
from billing.rules.pricing.minutes import end_of_charged_time, moment_of, run_spans
from billing.rules.pricing.outcome import Free, LineKind, NeedsReview, Outcome, Priced, Refused
from billing.rules.pricing.tariff import COUNTED_BY_HAND, ChargeMode, Terms, Unit


def price_use(facts: UseFacts) -> Outcome:
    """What one use costs, or why no price can be named.

    The order of the runs does not matter. No money is lost: each line is rounded once, totals are sums of lines.
    """
    if price_for(facts.terms, facts.customer_class) is None:
        return Refused("class_not_admitted")
    if facts.terms.bands_overlap:
        return Refused("bands_overlap")
    if facts.runs and (wrong := _what_is_wrong(facts, facts.runs)):
        return NeedsReview(wrong)
    booked = facts.reservation
    if booked is not None and booked.cancelled_at is not None:
        return cancelled(facts, booked, booked.cancelled_at)
    if (missed := no_show(facts)) is not None:
        return missed
    if booked is not None and facts.now is not None and facts.now < booked.when.end:
        return Refused("not_finished")
    if facts.runs is None and not _needs_no_meter(facts):
        return NeedsReview("usage_unknown")
    mode, runs = facts.terms.mode, facts.runs or ()
    if facts.runs == () and (mode is ChargeMode.USAGE or booked is None):
        return Free("no_use")
    if booked is None and mode in (ChargeMode.RESERVATION, ChargeMode.OVERAGE):
        return NeedsReview("no_reservation")
    if missing := what_is_missing(facts.terms, runs):
        return NeedsReview(missing)
    return _priced(facts, mode, runs)


def _priced(facts: UseFacts, mode: ChargeMode, runs: Sequence[Run]) -> Priced | Free:
    main = main_charge(facts, mode, runs)
    support = Money.rounded(main.support_with_minimum(facts.terms.minimum_charge))
    lines = use_lines(facts, main, runs, support)
    if not lines:
        return Free("zero_price")
    last_minute = end_of_charged_time(facts, mode, run_spans(facts)) - 1
    return Priced(tuple(lines), support, month_of(moment_of(last_minute), facts))


def _what_is_wrong(facts: UseFacts, runs: Sequence[Run]) -> str | None:
    """Why a person has to look at the runs first."""
    ended = [(run.start, run.end) for run in runs if run.end is not None]
    if len(ended) < len(runs):
        return "usage_not_ended"
    if any(end <= start for start, end in ended):
        return "usage_not_positive"
    if facts.now is not None and any(end > facts.now for _, end in ended):
        return "usage_in_future"
    spans = sorted(ended)
    if any(left[1] > right[0] for left, right in pairwise(spans)):
        return "usage_overlap"
    if any(start < other.end and other.start < end for other in facts.other_usage for start, end in spans):
        return "usage_overlap"
    return None


def _needs_no_meter(facts: UseFacts) -> bool:
    """Whether nothing in the price depends on what was used."""
    terms, booked = facts.terms, facts.reservation
    if terms.mode is not ChargeMode.RESERVATION or any(extra.unit is not Unit.BOOKING for extra in terms.extras):
        return False
    return terms.no_show is None or (booked is not None and in_time(booked, terms.no_show))


def price_booked(
    terms: Terms, when: Interval, *, zone: ZoneInfo, customer_class: str = "other", booked_at: datetime | None = None
) -> Outcome:
    """The estimate at booking: as if ``when`` were used exactly as reserved, in one run.

    Extras that are counted or metered are not in it, because nobody knows them yet; where the main charge is
    counted the outcome is a question for the same reason.
    """
    known = tuple(e for e in terms.extras if e.unit not in COUNTED_BY_HAND and e.unit is not Unit.KWH)
    return price_use(
        UseFacts(
            terms if known == terms.extras else replace(terms, extras=known),
            zone,
            customer_class,
            Booked(when, booked_at=booked_at),
            (Run(when.start, when.end),),
        )
    )


def counted_use(facts: UseFacts, outcome: Outcome) -> Decimal:
    """What a use adds to the count that the steps of its price go by, in the unit of the terms. Fees add nothing.

    Free use counts as well: otherwise a free first step would have no end.
    """
    match outcome:
        case Priced(lines=lines):
            used = all(line.kind not in (LineKind.CANCELLATION, LineKind.NO_SHOW) for line in lines)
        case Free(reason=reason):
            used = reason == "zero_price"
        case _:
            used = False
    if not used:
        return Decimal()
    main = main_charge(facts, facts.terms.mode, facts.runs or ())
    quantity = main.quantity / 60 if main.unit == "minute" else main.quantity
    return Decimal(quantity.numerator) / quantity.denominator
