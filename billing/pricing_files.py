"""Pricing scenarios as files: read, and refused with the place and the remedy before anything is calculated."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, ValidationError
from jsonschema.exceptions import best_match

from app.kernel.errors import InvalidInput
from app.kernel.money import Money
from billing.rules.pricing.bill import FixedCharge
from billing.rules.pricing.outcome import Refused
from billing.rules.pricing.told import read_facts

Json = dict[str, Any]
_USE = ("tariff", "reservation", "usage")
_ONLY_USE = (*_USE, "customer_class", "other_reservations", "other_usage", "prior_quantity", "now")


def read_scenarios(path: Path) -> list[Json]:
    """The scenarios of a file, every one of them checked.

    Errors: ``InvalidInput`` naming the scenario, the key and the remedy, for the first thing that is wrong.
    """
    try:
        # A number with a fraction becomes a Decimal, which the schema takes for no number and no text: refused.
        content = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_without_repeats, parse_float=Decimal)
    except (OSError, ValueError, RecursionError) as error:
        raise refusal(path.name, "-", str(error)) from error
    return checked_scenarios(content)


def checked_scenarios(content: Any) -> list[Json]:
    """The scenarios of a file's content. Errors: as ``read_scenarios``."""
    error = best_match(_validator().iter_errors(content))
    if error is not None:
        raise _schema_refusal(content, error)
    seen: set[str] = set()
    scenarios: list[Json] = content["scenarios"]
    for scenario in scenarios:
        if scenario["id"] in seen:
            raise refusal(scenario["id"], "id", "编号重复，请改其一 / occurs twice, change one")
        seen.add(scenario["id"])
        try:
            contradiction = next(_contradictions(scenario), None)
        except InvalidInput as wrong:
            raise refusal(scenario["id"], wrong.field or "-", str(wrong)) from wrong
        if contradiction is not None:
            raise refusal(scenario["id"], *contradiction)
    return scenarios


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


@cache
def _validator() -> Draft202012Validator:
    schema = json.loads(Path(__file__).with_name("pricing_scenario_schema.json").read_text(encoding="utf-8"))
    return Draft202012Validator(schema)


def _without_repeats(pairs: list[tuple[str, Any]]) -> Json:
    """JSON lets a key stand twice and keeps the last silently; here that is an error."""
    result = dict(pairs)
    if len(result) != len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"键重复 / repeated key: {next(n for n in names if names.count(n) > 1)}")
    return result


def refusal(scenario: str, key: str, reason: str) -> InvalidInput:
    return InvalidInput(
        "情形 %(scenario)s 的 %(key)s 无法读取：%(reason)s", field=key, scenario=scenario, key=key, reason=reason
    )


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


def _schema_refusal(content: Any, error: ValidationError) -> InvalidInput:
    path = list(error.absolute_path)
    scenario = "文件 / file"
    if path[:1] == ["scenarios"] and len(path) > 1:
        raw = content["scenarios"][path[1]]
        scenario = str(raw.get("id", f"#{int(path[1]) + 1}")) if isinstance(raw, dict) else f"#{int(path[1]) + 1}"
        path = path[2:]
    schema = error.schema if isinstance(error.schema, dict) else {}
    if error.validator == "additionalProperties" and isinstance(error.instance, dict):
        path.append(next(key for key in error.instance if key not in schema.get("properties", {})))
        return refusal(scenario, _dotted(path), "未知的键，请改正拼写或删去 / unknown key, correct or remove it")
    if error.validator == "required" and isinstance(error.instance, dict):
        path.append(next(key for key in error.validator_value if key not in error.instance))
        return refusal(scenario, _dotted(path), "缺少，请补上 / missing, add it")
    if error.validator == "enum":
        choices = ", ".join(map(str, error.validator_value))
        return refusal(scenario, _dotted(path) or "-", f"只能是其中之一 / one of: {choices}")
    return refusal(scenario, _dotted(path) or "-", schema.get("description", error.message))


def _dotted(path: Iterable[str | int]) -> str:
    """``["usage", 0, "end"]`` as ``usage.0.end``."""
    return ".".join(map(str, path))
