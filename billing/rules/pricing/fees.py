"""Fees for time that was reserved and not used: late cancellation and no-show."""

from __future__ import annotations

from datetime import date, datetime
from fractions import Fraction

from app.kernel.money import ZERO, Money
from billing.rules.figures import plain, yuan
from billing.rules.pricing import explanation
from billing.rules.pricing.facts import Booked, UseFacts
from billing.rules.pricing.lines import ONE, line_amount
from billing.rules.pricing.main import main_charge
from billing.rules.pricing.minutes import MINUTE, covers
from billing.rules.pricing.outcome import Free, LineKind, NeedsReview, Outcome, Priced, PricedLine, Refused
from billing.rules.pricing.tariff import CancellationTerms, ChargeMode, NoShowTerms

NAMES = {
    LineKind.CANCELLATION: ("取消费", "Cancellation fee"),
    LineKind.NO_SHOW: ("爽约费", "No-show fee"),
}


def cancelled(facts: UseFacts, booked: Booked, cancelled_at: datetime) -> Outcome:
    """What a cancelled reservation costs. On the edge of the window (以上含本数) it is still free."""
    rule = facts.terms.cancellation
    if facts.runs:
        return NeedsReview("used_after_cancellation")
    if booked.cancelled_by_operator:
        return Free("cancelled_by_operator")
    line, support = _fee(facts, rule, LineKind.CANCELLATION) if rule else (None, ZERO)
    if rule is None or line is None:
        return Free("no_cancellation_fee")
    if booked.when.start - cancelled_at >= rule.free_until_minutes_before * MINUTE:
        return Free("cancelled_in_time")
    return Priced((line,), support, month_of(cancelled_at, facts))


def in_time(booked: Booked, rule: NoShowTerms) -> bool:
    """Whether the customer checked in before the grace time was over, its last moment included."""
    return booked.checked_in_at is not None and booked.checked_in_at <= booked.when.start + rule.grace_minutes * MINUTE


def no_show(facts: UseFacts) -> Outcome | None:
    """What a no-show costs; ``None`` where there is none."""
    booked, rule = facts.reservation, facts.terms.no_show
    if booked is None or rule is None or facts.runs is None or facts.runs or in_time(booked, rule):
        return None
    graced = booked.when.start + rule.grace_minutes * MINUTE
    if facts.now is not None and facts.now <= graced:
        return None
    if covers(facts.other_usage, booked.when.start, graced):
        return Free("slot_taken")
    if rule.waive_if_slot_reused:
        if facts.now is not None and facts.now < booked.when.end:
            return Refused("not_finished")
        if covers((*facts.other_reservations, *facts.other_usage), graced, booked.when.end):
            return Free("slot_reused")
    line, support = _fee(facts, rule, LineKind.NO_SHOW)
    return Priced((line,), support, month_of(graced, facts)) if line else Free("no_show_free")


def _fee(
    facts: UseFacts, rule: CancellationTerms | NoShowTerms, kind: LineKind
) -> tuple[PricedLine, Money] | tuple[None, Money]:
    """The fee as one line, rounded once, and the support in it; no line where it is zero."""
    terms, part = facts.terms, Fraction(rule.percent_of_price) / 100
    main = main_charge(facts, ChargeMode.RESERVATION, ())
    price = main.exact_with_minimum(terms.minimum_charge)
    support = main.support_with_minimum(terms.minimum_charge)
    amount = line_amount(
        Fraction(rule.fee.fen, 100) + price * part, rule.vat_rate, includes_vat=terms.price_includes_vat
    )
    if not amount.gross:
        return None, ZERO
    borne = Money.rounded(support * part)
    parts_zh, parts_en = [], []
    if rule.fee:
        parts_zh.append(yuan(rule.fee))
        parts_en.append(yuan(rule.fee))
    if part:
        share = f"{plain(rule.percent_of_price)} %"
        zh, en = explanation.reserved_words(main, terms, price, share)
        parts_zh.append(zh)
        parts_en.append(en)
    names = NAMES[kind]
    zh, en = explanation.both(
        (f"{names[0]}：{' + '.join(parts_zh)}", f"{names[1]}: {' + '.join(parts_en)}"),
        explanation.amount_words(amount, terms, rule.vat_rate),
        (f"；补贴 {yuan(borne)}，由他方承担", f"; support {yuan(borne)}, borne by others") if borne else ("", ""),
    )
    return PricedLine(kind, ONE, "item", None, amount, rule.vat_rate, zh, en), borne


def month_of(moment: datetime, facts: UseFacts) -> date:
    """The first day of the month in which ``moment`` lies by the wall clock."""
    return moment.astimezone(facts.zone).date().replace(day=1)
