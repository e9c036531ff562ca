"""The lines of one bill, each rounded once."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

from app.kernel.money import ZERO, Money
from billing.rules.figures import decimal_of, plain, yuan
from billing.rules.pricing import explanation
from billing.rules.pricing.facts import Run, UseFacts
from billing.rules.pricing.main import KIND_OF, MainCharge, charged_quantity, counted
from billing.rules.pricing.outcome import LineKind, PricedLine
from billing.rules.pricing.tariff import ChargeMode, Extra, ExtraKind, Terms, Unit
from billing.rules.tax import Taxed

ONE = Decimal(1)


def line_amount(exact_yuan: Fraction | Money, rate: Decimal, *, includes_vat: bool) -> Taxed:
    """Round an exact amount once and split off, or add, its VAT."""
    rounded = exact_yuan if isinstance(exact_yuan, Money) else Money.rounded(exact_yuan)
    if not rate:
        return Taxed(rounded, ZERO, rounded)
    part, whole = rate.as_integer_ratio()
    if includes_vat:
        net = Money.rounded(Fraction(rounded.fen * whole, 100 * (whole + part)))
        return Taxed(net, rounded - net, rounded)
    tax = Money.rounded(Fraction(rounded.fen * part, 100 * whole))
    return Taxed(rounded, tax, rounded + tax)


def use_lines(facts: UseFacts, main: MainCharge, runs: Sequence[Run], support: Money) -> list[PricedLine]:
    """All lines of a use, those of nothing left out."""
    terms = facts.terms
    rounded = Money.rounded(main.sum.exact)
    lines: list[PricedLine | None] = [_main(facts, main, rounded, support)]
    if rounded < terms.minimum_charge:
        lines.append(_top_up(terms, main, rounded, support))
    set_up = 1 if main.mode is ChargeMode.RESERVATION else len(runs)
    lines.append(_set_up(terms, set_up))
    if facts.reservation is not None:
        lines.append(_urgent(facts, max(rounded, terms.minimum_charge)))
    lines += [_extra(extra, terms, runs, booked=facts.reservation is not None) for extra in terms.extras]
    return [line for line in lines if line is not None and line.amount.gross]


def _main(facts: UseFacts, main: MainCharge, rounded: Money, support: Money) -> PricedLine:
    terms = facts.terms
    amount = line_amount(rounded, terms.vat_rate, includes_vat=terms.price_includes_vat)
    zh, en = explanation.both(
        explanation.main_words(main, terms, facts.zone, amount, facts.prior_quantity),
        explanation.support_words(main, terms, support),
    )
    packages = main.sum.packages
    quantity, unit = (decimal_of(main.quantity), main.unit) if packages is None else (Decimal(packages), "package")
    return PricedLine(KIND_OF[terms.unit], quantity, unit, main.sum.one_rate, amount, terms.vat_rate, zh, en)


def _top_up(terms: Terms, main: MainCharge, rounded: Money, support: Money) -> PricedLine:
    amount = line_amount(terms.minimum_charge - rounded, terms.vat_rate, includes_vat=terms.price_includes_vat)
    zh, en = explanation.minimum_words(rounded, terms.minimum_charge, amount, terms)
    if not rounded:
        # Without a main line there is no other place to say what is borne by others.
        zh, en = explanation.both((zh, en), explanation.support_words(main, terms, support))
    return PricedLine(LineKind.MINIMUM_TOP_UP, ONE, "item", None, amount, terms.vat_rate, zh, en)


def _set_up(terms: Terms, runs: int) -> PricedLine | None:
    if not runs or not terms.setup_fee:
        return None
    fee = Money(terms.setup_fee.fen * runs)
    amount = line_amount(fee, terms.vat_rate, includes_vat=terms.price_includes_vat)
    zh, en = explanation.setup_words(runs, terms, amount)
    return PricedLine(LineKind.SETUP, Decimal(runs), "run", terms.setup_fee.yuan, amount, terms.vat_rate, zh, en)


def _urgent(facts: UseFacts, main: Money) -> PricedLine | None:
    """The surcharge of one who booked at short notice, on the main charge as it is printed."""
    terms, booked = facts.terms, facts.reservation
    if terms.urgent is None or booked is None or booked.booked_at is None:
        return None
    notice = booked.when.start - booked.booked_at
    if notice.total_seconds() >= terms.urgent.notice_minutes * 60:
        return None
    share = f"{plain(terms.urgent.percent)} %"
    amount = line_amount(
        Fraction(main.fen, 10000) * Fraction(terms.urgent.percent),
        terms.vat_rate,
        includes_vat=terms.price_includes_vat,
    )
    zh, en = explanation.both(
        (
            f"加急费：预约早于开始不足 {terms.urgent.notice_minutes} 分钟，{yuan(main)} × {share}",
            f"Urgent: booked less than {terms.urgent.notice_minutes} min ahead, {yuan(main)} × {share}",
        ),
        explanation.amount_words(amount, terms),
    )
    return PricedLine(LineKind.URGENT, ONE, "item", None, amount, terms.vat_rate, zh, en)


def _extra(extra: Extra, terms: Terms, runs: Sequence[Run], *, booked: bool) -> PricedLine:
    there = counted(extra.unit, runs, booked=booked)
    quantity = charged_quantity(there, extra.free_quantity, extra.quantity_step)
    amount = line_amount(quantity * Fraction(extra.rate), extra.vat_rate, includes_vat=terms.price_includes_vat)
    # Hours of labour are shown in minutes, as time is: a third of an hour has no last decimal.
    shown, factor = ("minute", 60) if extra.unit is Unit.HOUR else (extra.unit.value, 1)
    zh, en = explanation.both(
        explanation.extra_words(
            there * factor,
            quantity * factor,
            rate=extra.rate,
            shown=shown,
            reduced=explanation.reduced_words(extra.free_quantity, extra.quantity_step, extra.unit),
        ),
        explanation.amount_words(amount, terms, extra.vat_rate),
    )
    default = EXTRA_NAMES[extra.kind]
    name_zh, name_en = extra.name_zh or default[0], extra.name_en or extra.name_zh or default[1]
    return PricedLine(
        LineKind(extra.kind.value),
        decimal_of(quantity * factor),
        shown,
        extra.rate,
        amount,
        extra.vat_rate,
        f"{name_zh}：{zh}",
        f"{name_en}: {en}",
        extra.name_zh,
        extra.name_en,
    )


EXTRA_NAMES = {
    ExtraKind.SAMPLE: ("样品", "Samples"),
    ExtraKind.BATCH: ("批次", "Batches"),
    ExtraKind.MASS: ("质量", "Mass"),
    ExtraKind.LENGTH: ("长度", "Length"),
    ExtraKind.ENERGY: ("电费", "Energy"),
    ExtraKind.MATERIAL: ("材料", "Material"),
    ExtraKind.BOOKING: ("预约费", "Booking fee"),
    ExtraKind.LABOUR: ("人工", "Labour"),
}
