"""Terms from JSON and back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields
from decimal import Decimal
from enum import Enum
from typing import Any

from app.kernel.errors import InvalidInput
from app.kernel.money import ZERO, Money
from billing.rules.figures import plain, price_text
from billing.rules.pricing.given import Given, decimal
from billing.rules.pricing.tariff import (
    DAYS,
    NOTHING,
    Band,
    CancellationTerms,
    ChargeMode,
    Extra,
    ExtraKind,
    NoShowTerms,
    Rounding,
    Step,
    Terms,
    TierKind,
    Tiers,
    Unit,
    Urgent,
)

_WORD = re.compile(r"[a-z][a-z0-9_]*")
_MAIN_UNITS = [unit for unit in Unit if unit is not Unit.BOOKING]
_EXTRA_UNITS = [unit for unit in Unit if unit is not Unit.DAY]


def terms_of(given: Mapping[str, Any]) -> Terms:
    """The terms of a tariff's JSON object.

    Errors: ``InvalidInput`` whose field is a path such as ``bands.0.from``; unknown keys and overlapping
    bands are errors.
    """
    terms = read_terms(given)
    if terms.bands_overlap:
        raise InvalidInput("两个时段折扣重叠，同一分钟只能有一个折扣，请改时段。", field="bands")
    return terms


def read_terms(given: Any, path: str = "") -> Terms:
    """As ``terms_of``, but overlapping bands pass: facts with such terms have a refusal of their own."""
    g = Given(given, path)
    cancellation, no_show, urgent = g.object("cancellation"), g.object("no_show"), g.object("urgent")
    tiers = g.object("tiers")
    terms = Terms(
        charge_mode=g.word("charge_mode", ChargeMode),
        unit=g.word("unit", Unit, only=_MAIN_UNITS),
        rate=g.decimal("rate") if g.has("rate") else None,
        customer_class_rates=_class_rates(g.object("customer_class_rates")),
        bands=tuple(_band(band) for band in g.objects("bands")),
        tiers=_tiers(tiers) if tiers else None,
        free_quantity=g.decimal("free_quantity", NOTHING),
        quantity_step=g.step("quantity_step"),
        minimum_charge=g.money("minimum_charge", ZERO),
        setup_fee=g.money("setup_fee", ZERO),
        extras=tuple(_extra(extra) for extra in g.objects("extras")),
        increment_minutes=g.minutes("increment_minutes", 1, least=1),
        increment_rounding=g.word("increment_rounding", Rounding) if g.has("increment_rounding") else Rounding.NONE,
        lead_minutes=g.minutes("lead_minutes", 0),
        post_minutes=g.minutes("post_minutes", 0),
        cancellation=_cancellation(cancellation) if cancellation else None,
        no_show=_no_show(no_show) if no_show else None,
        support_per_unit=g.decimal("support_per_unit", NOTHING),
        vat_rate=g.vat_rate(),
        price_includes_vat=g.flag("price_includes_vat"),
        urgent=_urgent(urgent) if urgent else None,
    )
    g.finish()
    _refuse_contradictions(terms, g)
    return terms


def _refuse_contradictions(terms: Terms, g: Given) -> None:
    """What belongs together and what excludes each other."""
    if (terms.rate is None) == (terms.tiers is None):
        raise InvalidInput("rate 与 tiers 须给出且只给出一个。", field=g.at("rate"))
    if terms.unit is not Unit.HOUR:
        for key in ("bands", "increment_minutes", "increment_rounding"):
            if g.has(key):
                raise InvalidInput("%(where)s 只用于按小时计费，请删去。", field=g.at(key), where=g.at(key))
    if g.has("increment_minutes") != g.has("increment_rounding"):
        raise InvalidInput("increment_minutes 与 increment_rounding 须一起给出。", field=g.at("increment_minutes"))
    if terms.unit in (Unit.HOUR, Unit.DAY):
        for key in ("free_quantity", "quantity_step"):
            if g.has(key):
                raise InvalidInput("%(where)s 只用于按数量计费，请删去。", field=g.at(key), where=g.at(key))
    if terms.mode not in (ChargeMode.USAGE, ChargeMode.UNION):
        for key in ("lead_minutes", "post_minutes"):
            if g.has(key):
                raise InvalidInput(
                    "%(where)s 只用于按使用（usage）或预约加使用（union）计费，请删去。",
                    field=g.at(key),
                    where=g.at(key),
                )


def _class_rates(g: Given | None) -> dict[str, Decimal | None]:
    rates: dict[str, Decimal | None] = {}
    if g is None:
        return rates
    for name in g.names():
        if not _WORD.fullmatch(name):
            raise InvalidInput("%(where)s 应由小写字母、数字和下划线组成。", field=g.at(name), where=g.at(name))
        value = g.take(name)
        rates[name] = None if value is None else decimal(value, g.at(name))
    return rates


def _band(g: Given) -> Band:
    days: list[int] = []
    for day in g.items("days"):
        if day not in DAYS or DAYS.index(day) in days:
            raise InvalidInput(
                "%(where)s 应列出星期（mon 至 sun），每天至多一次。", field=g.at("days"), where=g.at("days")
            )
        days.append(DAYS.index(day))
    if not days:
        raise InvalidInput("%(where)s 至少要有一天。", field=g.at("days"), where=g.at("days"))
    start, end = g.clock("from"), g.clock("to")
    if end <= start:
        raise InvalidInput(
            "%(where)s 应晚于 from；跨夜的时段请分成两段，前一段到 24:00。", field=g.at("to"), where=g.at("to")
        )
    band = Band(days=tuple(days), start=start, end=end, percent_off=g.percent_of_whole("percent_off"))
    g.finish()
    return band


def _tiers(g: Given) -> Tiers:
    kind = g.word("kind", TierKind)
    if kind is TierKind.PACKAGE:
        tiers = Tiers(kind=kind, package_size=g.positive("package_size"), package_price=g.money("package_price"))
        g.finish()
        return tiers
    steps: list[Step] = []
    for step in g.objects("steps"):
        if steps and steps[-1].up_to is None:
            raise InvalidInput("只有最后一级阶梯可以没有上限。", field=step.at("up_to"))
        up_to = None if step.take("up_to") is None else step.positive("up_to")
        if steps and up_to is not None and up_to <= (steps[-1].up_to or NOTHING):
            raise InvalidInput("%(where)s 应大于前一级的上限。", field=step.at("up_to"), where=step.at("up_to"))
        support = step.decimal("support_per_unit") if step.has("support_per_unit") else None
        steps.append(
            Step(
                up_to=up_to,
                rate=step.decimal("rate", NOTHING),
                flat=step.money("flat", ZERO),
                support_per_unit=support,
            )
        )
        step.finish()
    if not steps:
        raise InvalidInput("%(where)s 至少要有一级阶梯。", field=g.at("steps"), where=g.at("steps"))
    g.finish()
    return Tiers(kind=kind, steps=tuple(steps))


def _extra(g: Given) -> Extra:
    kind = g.word("kind", ExtraKind)
    extra = Extra(
        kind=kind,
        unit=g.word("unit", Unit, only=_EXTRA_UNITS),
        rate=g.decimal("rate"),
        free_quantity=g.decimal("free_quantity", NOTHING),
        quantity_step=g.step("quantity_step"),
        vat_rate=g.vat_rate(),
        name_zh=g.text("name_zh"),
        name_en=g.text("name_en"),
    )
    if extra.unit is Unit.HOUR and kind is not ExtraKind.LABOUR:
        raise InvalidInput("只有人工（labour）附加费可以按小时计。", field=g.at("unit"))
    g.finish()
    return extra


def _cancellation(g: Given) -> CancellationTerms:
    rule = CancellationTerms(
        free_until_minutes_before=g.minutes("free_until_minutes_before"),
        fee=g.money("fee", ZERO),
        percent_of_price=g.decimal("percent_of_price", NOTHING),
        vat_rate=g.vat_rate(),
    )
    g.finish()
    return rule


def _no_show(g: Given) -> NoShowTerms:
    rule = NoShowTerms(
        grace_minutes=g.minutes("grace_minutes"),
        fee=g.money("fee", ZERO),
        percent_of_price=g.decimal("percent_of_price", NOTHING),
        waive_if_slot_reused=g.flag("waive_if_slot_reused"),
        vat_rate=g.vat_rate(),
    )
    g.finish()
    return rule


def _urgent(g: Given) -> Urgent:
    urgent = Urgent(notice_minutes=g.minutes("notice_minutes", least=1), percent=g.decimal("percent"))
    g.finish()
    return urgent


def terms_told(terms: Terms) -> dict[str, Any]:
    """The terms as JSON again, defaults left out; ``terms_of(terms_told(terms)) == terms``."""
    told = _told(terms, skip=("bands", "customer_class_rates"))
    if terms.customer_class_rates:
        told["customer_class_rates"] = {
            name: None if rate is None else plain(rate) for name, rate in terms.customer_class_rates.items()
        }
    if terms.bands:
        told["bands"] = [
            {
                "days": [DAYS[day] for day in band.days],
                "from": _clock(band.start),
                "to": _clock(band.end),
                "percent_off": plain(band.percent_off),
            }
            for band in terms.bands
        ]
    if "increment_minutes" in told or "increment_rounding" in told:
        told |= {"increment_minutes": terms.increment_minutes, "increment_rounding": terms.increment_rounding.value}
    return told


def _told(rule: Any, *, skip: tuple[str, ...] = ()) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for each in fields(rule):
        value = getattr(rule, each.name)
        if not each.init or each.name in skip or (value == each.default and each.name != "up_to"):
            continue
        if value is None and each.name != "up_to":
            continue
        told[each.name] = _value(each.name, value)
    return told


def _value(name: str, value: Any) -> Any:
    if isinstance(value, Tiers) and value.kind is TierKind.PACKAGE:
        size, price = plain(value.package_size), str(value.package_price)
        return {"kind": value.kind.value, "package_size": size, "package_price": price}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Money):
        return str(value)
    if isinstance(value, Decimal):
        return price_text(value) if name == "vat_rate" else plain(value)
    if isinstance(value, tuple):
        return [_told(item) for item in value]
    return value if value is None or isinstance(value, (int, str)) else _told(value)


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02d}:{minutes % 60:02d}"
