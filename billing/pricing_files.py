"""What a pricing scenario file says, beyond its schema."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from app.kernel.errors import InvalidInput
from app.kernel.money import Money
from billing.rules.pricing.bill import FixedCharge
from billing.rules.pricing.outcome import Refused
from billing.rules.pricing.told import read_facts
from billing.scenario_files import Json, ScenarioFormat

_USE = ("tariff", "reservation", "usage")
_ONLY_USE = (*_USE, "customer_class", "other_reservations", "other_usage", "prior_quantity", "now")


def fixed_charge(given: Mapping[str, Any], i: int) -> FixedCharge:
    """The ``i``-th fixed charge of a scenario. Errors: ``InvalidInput`` for days that do not exist or run backwards."""
    days: dict[str, tuple[date, date]] = {}
    for key in ("period", "covered"):
        if key not in given:
            continue
        where = f"fixed_charges.{i}.{key}"
        first, after = (_day(given[key][edge], f"{where}.{edge}") for edge in ("first_day", "day_after"))
        if after < first or (key == "period" and after == first):
            raise InvalidInput("%(where)s 应晚于 first_day。", field=f"{where}.day_after", where=f"{where}.day_after")
        days[key] = first, after
    return FixedCharge(
        price=Money.of(given["price"]),
        is_credit=given.get("direction", "charge") == "credit",
        vat_rate=Decimal(given.get("vat_rate", "0.00")),
        includes_vat=given.get("price_includes_vat", False),
        **days,
    )


def _day(text: str, where: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise InvalidInput("%(where)s 不是存在的日期，请写成 2026-06-16。", field=where, where=where) from error


def _contradictions(scenario: Json) -> Iterator[tuple[str, str]]:
    """What no schema says well: which keys go together, and facts that contradict each other, as (key, remedy)."""
    if "fixed_charges" in scenario:
        for key in _ONLY_USE:
            if key in scenario:
                yield key, "与 fixed_charges 不能并存，请删去其一 / not beside fixed_charges, remove one"
        for i, charge in enumerate(scenario["fixed_charges"]):
            fixed_charge(charge, i)
        return
    for key in _USE:
        if key not in scenario:
            yield (
                key,
                "缺少，请补上：要么 tariff、reservation、usage 三项，要么 fixed_charges"
                " / missing: either tariff, reservation and usage, or fixed_charges",
            )
    # Everything is read once here, so that a file is refused before anything of it is calculated.
    facts = read_facts(scenario)
    booked = scenario["reservation"]
    if booked is None:
        return
    for key in ("start", "end"):
        if booked[key][17:19] != "00":
            yield f"reservation.{key}", "应是整分钟，秒请写 00 / whole minutes, write 00 seconds"
    if isinstance(facts, Refused) or facts.reservation is None or facts.reservation.cancelled_at is None:
        return
    if facts.reservation.cancelled_at > facts.reservation.when.start:
        yield "reservation.cancelled_at", "应不晚于预约开始，请改时间 / not after the start, change the time"


FORMAT = ScenarioFormat("pricing_scenario_schema.json", _contradictions)
