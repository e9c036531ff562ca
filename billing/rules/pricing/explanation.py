"""The sentences of a bill: with one of them in hand a customer works its line out again.

Every function gives the Chinese and the English sentence.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

from app.kernel.money import Money
from billing.rules.figures import decimal_of, exact_text, percent, plain, price_text, yuan
from billing.rules.pricing.main import MainCharge
from billing.rules.pricing.minutes import Span, moment_of
from billing.rules.pricing.tariff import ChargeMode, Rounding, Terms, Unit
from billing.rules.pricing.tiers import Part, Sum
from billing.rules.tax import Taxed

Words = tuple[str, str]
UNIT_WORDS: dict[str, Words] = {
    "minute": ("分钟", "min"),
    "hour": ("小时", "h"),
    "day": ("天", "day"),
    "run": ("次", "run"),
    "batch": ("批", "batch"),
    "sample": ("个样品", "sample"),
    "kg": ("kg", "kg"),
    "m": ("m", "m"),
    "kWh": ("kWh", "kWh"),
    "booking": ("次预约", "booking"),
    "package": ("包", "package"),
}
_PLURALS = {"day": "days", "run": "runs", "batch": "batches", "sample": "samples", "booking": "bookings"}
_PER: dict[str, Words] = {
    "minute": ("h", "h"),
    "hour": ("h", "h"),
    "day": ("天", "day"),
    "run": ("次", "run"),
    "batch": ("批", "batch"),
    "sample": ("个", "sample"),
    "booking": ("次", "booking"),
}
_MODES: dict[ChargeMode, Words] = {
    ChargeMode.RESERVATION: ("按预约时间", "By reserved time"),
    ChargeMode.USAGE: ("按使用时间", "By time used"),
    ChargeMode.OVERAGE: ("按预约并计超时", "By reserved time and overrun"),
    ChargeMode.UNION: ("按预约与使用合并时间", "By time reserved or used"),
}
_ROUNDINGS: dict[Rounding, Words] = {
    Rounding.UP: ("向上取整", "rounded up"),
    Rounding.NEAREST: ("就近取整", "rounded to the nearest"),
    Rounding.NONE: ("", ""),
}
_SHOWN_SPANS = 4


def of_unit(number: str, unit: str) -> Words:
    """So many of a unit."""
    zh, en = UNIT_WORDS[unit]
    return f"{number} {zh}", f"{number} {en if number == '1' else _PLURALS.get(unit, en)}"


def both(words: Words, *more: Words) -> Words:
    """The sentences put together, language by language."""
    zh, en = words
    for also_zh, also_en in more:
        zh += also_zh
        en += also_en
    return zh, en


def main_words(main: MainCharge, terms: Terms, zone: ZoneInfo, amount: Taxed, prior: Decimal) -> Words:
    """The main line: what is charged, how it is made up, what it comes to."""
    head = _time(main, terms, zone) if main.spans else _counted(main, terms)
    if prior and terms.tiers is not None:
        before = plain(prior), "hour" if main.unit == "minute" else main.unit
        zh, en = of_unit(*before)
        head = both(
            head if head[0] else _total(exact_text(main.before), main.unit),
            (f"（此前已计 {zh}）", f" ({en} charged before)"),
        )
    colon = ("：", ": ") if head[0] else ("", "")
    return both(head, colon, _formula(main.sum, main.unit), amount_words(amount, terms))


def reserved_words(main: MainCharge, terms: Terms, price: Fraction, share: str) -> Words:
    """A share of the price of the reserved time, and how that price came about."""
    zh, en = _formula(main.sum, main.unit)
    if main.is_below(terms.minimum_charge):
        zh, en = f"{zh}，按最低收费", f"{en}, by the minimum"
    text = exact_yuan(price)
    return f"预约时段价格 {text}（{zh}） × {share}", f"price of the reserved time {text} ({en}) × {share}"


def _time(main: MainCharge, terms: Terms, zone: ZoneInfo) -> Words:
    """How the charged time came about."""
    times, mode = _spans(main.spans, zone), _MODES[main.mode]
    head = f"{mode[0]}计费 {times[0]}", f"{mode[1]}, {times[1]}"
    if (terms.lead_minutes or terms.post_minutes) and main.mode in (ChargeMode.USAGE, ChargeMode.UNION):
        free = (
            f"（已扣每次预热 {terms.lead_minutes} 分钟、收尾 {terms.post_minutes} 分钟）",
            f" (lead {terms.lead_minutes} min and post {terms.post_minutes} min of each run taken off)",
        )
        head = both(head, free)
    if main.unit == "day":
        head = both(head, ("，不满一天按一天", ", started days count whole"))
    elif main.quantity != main.before:
        how = _ROUNDINGS[terms.increment_rounding]
        step, before = terms.increment_minutes, exact_text(main.before)
        rounded = f"，共 {before} 分钟，按 {step} 分钟{how[0]}", f", {before} min, {how[1]} in steps of {step} min"
        head = both(head, rounded)
    zh, en = of_unit(exact_text(main.quantity), main.unit)
    return both(head, (f"，计费 {zh}", f", charged {en}"))


def _counted(main: MainCharge, terms: Terms) -> Words:
    """How the charged quantity came about; nothing where it is what was counted, unless packages are made of it."""
    if main.unit in ("minute", "day") or (main.quantity == main.before and main.sum.package is None):
        return "", ""
    return both(
        _total(exact_text(main.before), main.unit),
        reduced_words(terms.free_quantity, terms.quantity_step, terms.unit),
    )


def _total(number: str, unit: str) -> Words:
    zh, en = of_unit(number, unit)
    return f"共 {zh}", f"{en} in all"


def _spans(spans: tuple[Span, ...], zone: ZoneInfo) -> Words:
    texts = [_span(span, zone) for span in spans[:_SHOWN_SPANS]]
    more = len(spans) - len(texts)
    zh, en = "、".join(texts), ", ".join(texts)
    return (f"{zh} 等 {len(spans)} 段", f"{en} and {more} more") if more else (zh, en)


def _span(span: Span, zone: ZoneInfo) -> str:
    start, end = (moment_of(minute).astimezone(zone) for minute in span)
    day = "" if start.date() == end.date() else f"{end:%m-%d} "
    # Where clocks are put forward or back in between, only the distance from UTC makes the length plain.
    shift = "" if start.utcoffset() == end.utcoffset() else f" (UTC{start:%z}→UTC{end:%z})"
    return f"{start:%m-%d %H:%M}–{day}{end:%H:%M}{shift}"


def _formula(made: Sum, unit: str) -> Words:
    if made.package is not None:
        zh, en = of_unit(plain(made.package.package_size), "hour" if unit == "minute" else unit)
        price = yuan(made.package.package_price)
        return (
            f"每 {zh}一包，不足一包按一包，{made.packages} 包 × {price}",
            f"in started packages of {en}, {made.packages} × {price}",
        )
    zh, en = _parts([(part, part.rate) for part in made.parts if part.quantity or len(made.parts) == 1], unit)
    for flat in made.flats:
        zh += f" + 阶梯固定费 {yuan(flat)}"
        en += f" + fixed amount of the step {yuan(flat)}"
    return zh, en


def _parts(parts: Sequence[tuple[Part, Decimal]], unit: str) -> Words:
    """Each part at its price, added up."""
    per = _PER.get(unit, (unit, unit))
    zh: list[str] = []
    en: list[str] = []
    for part, price in parts:
        quantity = of_unit(exact_text(Fraction(part.quantity)), unit)
        text, off = price_text(price), f" × {plain(100 - part.off)} %" if part.off else ""
        zh.append(f"{quantity[0]} × ¥{text}/{per[0]}{off}")
        en.append(f"{quantity[1]} × ¥{text}/{per[1]}{off}")
    return " + ".join(zh), " + ".join(en)


def extra_words(there: Fraction, charged: Fraction, *, rate: Decimal, shown: str, reduced: Words) -> Words:
    """A further charge up to its amount. Units: ``there`` and ``charged`` as they are ``shown``."""
    per, text = _PER.get(shown, (shown, shown)), price_text(rate)
    zh, en = of_unit(exact_text(charged), shown)
    formula = f"{zh} × ¥{text}/{per[0]}", f"{en} × ¥{text}/{per[1]}"
    return formula if not reduced[0] else both(_total(exact_text(there), shown), reduced, ("：", ": "), formula)


def reduced_words(free: Decimal, step: Decimal | None, unit: Unit) -> Words:
    """That a part is free and that steps are rounded up, where it is so."""
    zh = en = ""
    if free:
        words = of_unit(plain(free), unit.value)
        zh, en = f"，免费 {words[0]}", f", {words[1]} free"
    if step:
        words = of_unit(plain(step), unit.value)
        zh, en = f"{zh}，按每 {words[0]}向上取整", f"{en}, rounded up in steps of {words[1]}"
    return zh, en


def exact_yuan(amount: Fraction) -> str:
    """An amount that is not rounded yet."""
    try:
        return f"¥{price_text(decimal_of(amount))}"
    except ValueError:
        return f"¥{amount}"


def amount_words(amount: Taxed, terms: Terms, rate: Decimal | None = None) -> Words:
    """What the line comes to, its VAT told apart. ``rate`` is that of the terms unless the line has its own."""
    rate = terms.vat_rate if rate is None else rate
    gross = yuan(amount.gross)
    if not rate:
        return f" = {gross}", f" = {gross}"
    part, tax = percent(rate), yuan(amount.tax)
    if terms.price_includes_vat:
        return f" = {gross}（含 {part} 税 {tax}）", f" = {gross} (including {part} VAT {tax})"
    net = yuan(amount.net)
    return f" = {net}，加 {part} 税 {tax}，合计 {gross}", f" = {net} plus {part} VAT {tax}, together {gross}"


def support_words(main: MainCharge, terms: Terms, support: Money) -> Words:
    """What somebody else bears of the main charge; nothing where nobody does."""
    if not support:
        return "", ""
    zh, en = _parts([(part, part.support) for part in main.sum.parts if part.support and part.quantity], main.unit)
    raised = ("", "")
    if main.is_below(terms.minimum_charge):
        ratio = f" × {yuan(terms.minimum_charge)} ÷ {exact_yuan(main.sum.exact)}"
        raised = (f"{ratio}（随最低收费同比提高）", f"{ratio} (raised with the minimum)")
    return both(
        (f"；补贴 {zh}", f"; support {en}"),
        raised,
        (f" = {yuan(support)}，由他方承担", f" = {yuan(support)}, borne by others"),
    )


def minimum_words(main: Money, minimum: Money, amount: Taxed, terms: Terms) -> Words:
    return both(
        (
            f"最低收费 {yuan(minimum)}，已计 {yuan(main)}，补差 {yuan(minimum)} − {yuan(main)}",
            f"Minimum charge {yuan(minimum)}, charged {yuan(main)}, difference {yuan(minimum)} − {yuan(main)}",
        ),
        amount_words(amount, terms),
    )


def setup_words(runs: int, terms: Terms, amount: Taxed) -> Words:
    fee = yuan(terms.setup_fee)
    return both(
        (f"开机费：{runs} 次 × {fee}", f"Start-up fee: {runs} × {fee}"),
        amount_words(amount, terms),
    )
