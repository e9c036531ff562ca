"""What a price says, in words: for lists, equipment pages and the tariff editor."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

from flask_babel import gettext

from app.kernel.money import Money
from app.web.formats import is_english, money, percent, price, quantity
from billing.models import Tariff
from billing.rules.pricing.terms import ChargeMode, Rounding, Terms, TierKind, Tiers, Unit, terms_of


def headline(tariff: Tariff | None) -> str:
    """``¥600.00 / h``, or what else is said where one looks for the price; empty without one."""
    if tariff is None:
        return ""
    terms = terms_of(tariff.terms)
    if terms.rate is None:
        return gettext("阶梯价")
    return f"{price(terms.rate)} / {unit_word(terms.unit)}"


def unit_word(unit: Unit) -> str:
    words = {
        Unit.HOUR: "h",
        Unit.DAY: gettext("天"),
        Unit.RUN: gettext("次"),
        Unit.BATCH: gettext("批"),
        Unit.SAMPLE: gettext("样"),
        Unit.BOOKING: gettext("预约"),
        Unit.KG: "kg",
        Unit.M: "m",
        Unit.KWH: "kWh",
    }
    return words[unit]


def mode_word(mode: ChargeMode) -> str:
    words = {
        ChargeMode.RESERVATION: gettext("按预约时间"),
        ChargeMode.USAGE: gettext("按实际使用"),
        ChargeMode.OVERAGE: gettext("按预约加超时"),
        ChargeMode.UNION: gettext("按预约与使用的合并时间"),
    }
    return words[mode]


def facts_of_price(tariff: Tariff) -> list[tuple[str, str]]:
    """Everything that a price says, as (what, how much), the important first."""
    return facts_of_terms(terms_of(tariff.terms))


def facts_of_terms(terms: Terms) -> list[tuple[str, str]]:
    return list(_facts(terms))


def _facts(terms: Terms) -> Iterator[tuple[str, str]]:
    unit = unit_word(terms.unit)
    yield gettext("计费方式"), mode_word(terms.charge_mode)
    if terms.rate is not None:
        yield gettext("单价"), f"{price(terms.rate)} / {unit}"
    if terms.tiers is not None:
        yield gettext("阶梯价"), _tiers(terms.tiers, unit)
    for band in terms.bands:
        yield (
            gettext("时段优惠"),
            f"{_weekdays(band.days)} {_clock(band.start)}–{_clock(band.end)} −{quantity(band.percent_off)} %",
        )
    if terms.setup_fee:
        yield gettext("开机费"), gettext("每次 %(amount)s", amount=money(terms.setup_fee))
    if terms.minimum_charge:
        yield gettext("最低收费"), money(terms.minimum_charge)
    if terms.free_quantity:
        yield gettext("免费数量"), f"{quantity(terms.free_quantity)} {unit}"
    if terms.increment_rounding is not Rounding.NONE:
        rounding = gettext("不足按一步计") if terms.increment_rounding is Rounding.UP else gettext("四舍五入到整步")
        step = gettext("%(minutes)s 分钟，%(rounding)s", minutes=terms.increment_minutes, rounding=rounding)
        yield gettext("计费步长"), step
    if terms.lead_minutes or terms.post_minutes:
        yield (
            gettext("不计费的准备与收尾"),
            gettext("前 %(lead)s 分钟，后 %(post)s 分钟", lead=terms.lead_minutes, post=terms.post_minutes),
        )
    for extra in terms.extras:
        name = (extra.name_en if is_english() else extra.name_zh) or gettext("附加费")
        yield name, f"{price(extra.rate)} / {unit_word(extra.unit)}"
    if terms.urgent is not None:
        yield (
            gettext("加急费"),
            gettext(
                "开始前不足 %(hours)s 小时预约，加收 %(percent)s %%",
                hours=quantity(Decimal(terms.urgent.notice_minutes) / 60),
                percent=quantity(terms.urgent.percent),
            ),
        )
    if terms.cancellation is not None:
        yield gettext("取消"), _fee(terms.cancellation.fee, terms.cancellation.percent_of_price)
    if terms.no_show is not None:
        yield gettext("爽约"), _fee(terms.no_show.fee, terms.no_show.percent_of_price)
    included = gettext("已含") if terms.price_includes_vat else gettext("另计")
    yield gettext("增值税"), f"{percent(terms.vat_rate)} {included}"


def _fee(fee: Money, percent_of_price: Decimal) -> str:
    parts = [money(fee)] if fee else []
    if percent_of_price:
        parts.append(gettext("预约价的 %(percent)s %%", percent=quantity(percent_of_price)))
    return " + ".join(parts) or money(Money(0))


def _tiers(tiers: Tiers, unit: str) -> str:
    if tiers.kind is TierKind.PACKAGE:
        return f"{money(tiers.package_price)} / {quantity(tiers.package_size)} {unit}"
    steps = []
    for step in tiers.steps:
        bound = gettext("以上") if step.up_to is None else f"≤ {quantity(step.up_to)}"
        flat = f" + {money(step.flat)}" if step.flat else ""
        steps.append(f"{bound} {unit}: {price(step.rate)}{flat}")
    return "; ".join(steps)


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def weekday_words() -> list[str]:
    return [
        gettext("周一"),
        gettext("周二"),
        gettext("周三"),
        gettext("周四"),
        gettext("周五"),
        gettext("周六"),
        gettext("周日"),
    ]


def _weekdays(days: Sequence[int]) -> str:
    names = weekday_words()
    return gettext("每天") if len(days) == len(names) else "、".join(names[day] for day in days)
