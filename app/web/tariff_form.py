"""The tariff editor: what its fields say as terms, terms as fields, and made-up cases to price."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from flask_babel import gettext

from app.kernel import clock
from app.kernel.interval import Interval
from billing.rules.figures import plain
from billing.rules.pricing.facts import Booked, Run, UseFacts
from billing.rules.pricing.tariff import DAYS
from billing.rules.pricing.terms import Terms, Unit

BANDS, STEPS, EXTRAS = 4, 6, 4
SIMPLE = ("charge_mode", "unit")
DECIMALS = ("rate", "free_quantity", "quantity_step")
AMOUNTS = ("setup_fee", "minimum_charge")
MINUTES = ("lead_minutes", "post_minutes")


def terms_in(form: Mapping[str, str], days_of: Mapping[int, list[str]]) -> dict[str, Any]:
    """The fields as a tariff's JSON object; empty ones are left out. Whether it holds is for ``terms_of``."""
    given: dict[str, Any] = {name: form.get(name, "") for name in SIMPLE}
    given |= {name: _decimal(text) for name in DECIMALS if (text := form.get(name, "").strip())}
    given |= {name: _amount(text) for name in AMOUNTS if (text := form.get(name, "").strip())}
    given |= {name: _minutes(text) for name in MINUTES if (text := form.get(name, "").strip()) not in ("", "0")}
    if given["unit"] == "hour" and (step := form.get("increment_minutes", "").strip()):
        given |= {"increment_minutes": _minutes(step), "increment_rounding": form.get("increment_rounding", "up")}
    if (tiers := _tiers(form)) is not None:
        given["tiers"] = tiers
        if not form.get("rate", "").strip():
            given.pop("rate", None)
    given["bands"] = [_band(form, row, days_of.get(row, [])) for row in _used(form, "band")]
    given["extras"] = [_extra(form, row) for row in _used(form, "extra")]
    for name, rule in (("urgent", _urgent(form)), ("cancellation", _cancellation(form)), ("no_show", _no_show(form))):
        if rule is not None:
            given[name] = rule
    given["vat_rate"] = _share(form.get("vat_percent", ""))
    given["price_includes_vat"] = form.get("price_includes_vat") == "1"
    return {name: value for name, value in given.items() if value != []}


def fields_of(terms: Mapping[str, Any]) -> dict[str, Any]:
    """A tariff's JSON object as the fields of the form."""
    told: dict[str, Any] = {
        name: terms.get(name, "") for name in (*SIMPLE, *DECIMALS, *AMOUNTS, *MINUTES, "increment_minutes")
    }
    told["increment_rounding"] = terms.get("increment_rounding", "up")
    told["vat_percent"] = _percent(terms.get("vat_rate", "0"))
    told["price_includes_vat"] = "1" if terms.get("price_includes_vat") else "0"
    for number, band in enumerate(terms.get("bands", [])):
        told |= {f"band_{number}_{name}": band[name] for name in ("days", "from", "to", "percent_off")}
    if tiers := terms.get("tiers"):
        told["tiers_kind"] = tiers["kind"]
        told |= {name: tiers.get(name, "") for name in ("package_size", "package_price")}
        for number, step in enumerate(tiers.get("steps", [])):
            told |= {f"step_{number}_{name}": step.get(name) or "" for name in ("up_to", "rate", "flat")}
            told[f"step_{number}_used"] = "1"
    for number, extra in enumerate(terms.get("extras", [])):
        told |= {f"extra_{number}_{name}": extra.get(name, "") for name in ("kind", "unit", "rate", "free_quantity")}
        told |= {f"extra_{number}_{name}": extra.get(name, "") for name in ("name_zh", "name_en")}
        told[f"extra_{number}_vat_percent"] = _percent(extra.get("vat_rate", "0"))
    if urgent := terms.get("urgent"):
        told |= {"urgent_hours": _hours(urgent["notice_minutes"]), "urgent_percent": urgent["percent"]}
    if rule := terms.get("cancellation"):
        told |= {"cancel_hours": _hours(rule["free_until_minutes_before"]), **_fee_fields("cancel", rule)}
    if rule := terms.get("no_show"):
        told |= {"no_show_minutes": rule["grace_minutes"], **_fee_fields("no_show", rule)}
        told["no_show_waive"] = "1" if rule.get("waive_if_slot_reused") else ""
    return told


ROWS = {
    "band": (BANDS, ("from", "to", "percent_off")),
    "step": (STEPS, ("up_to", "rate", "flat")),
    "extra": (EXTRAS, ("rate", "name_zh")),
}
"""How many rows of a kind the form has, and which of their fields say that a row is used."""


def _used(form: Mapping[str, str], kind: str) -> list[int]:
    count, names = ROWS[kind]
    return [row for row in range(count) if any(form.get(f"{kind}_{row}_{name}", "").strip() for name in names)]


def field_of(path: str, form: Mapping[str, str]) -> str:
    """Which field of this form a path such as ``bands.0.from`` stands in; rows that are left empty have no path."""

    def row(kind: str, number: str) -> int:
        return _used(form, kind)[int(number)]

    known = {
        "vat_rate": "vat_percent",
        "tiers": "tiers_kind",
        "urgent.notice_minutes": "urgent_hours",
        "urgent.percent": "urgent_percent",
        "cancellation.free_until_minutes_before": "cancel_hours",
        "cancellation.fee": "cancel_fee",
        "cancellation.percent_of_price": "cancel_percent",
        "no_show.grace_minutes": "no_show_minutes",
        "no_show.fee": "no_show_fee",
        "no_show.percent_of_price": "no_show_percent",
        "bands": "band_0_days",
    }
    if path in known:
        return known[path]
    parts = path.split(".")
    match parts:
        case ["bands", number, name]:
            return f"band_{row('band', number)}_{name}"
        case ["tiers", "steps", number, name]:
            return f"step_{row('step', number)}_{name}"
        case ["tiers", name]:
            return name if name.startswith("package") else "tiers_kind"
        case ["extras", number, name]:
            return f"extra_{row('extra', number)}_{'vat_percent' if name == 'vat_rate' else name}"
    return path


def made_up_cases(terms: Terms, *, today: date) -> list[tuple[str, UseFacts]]:
    """A few cases that people ask about: short, as booked, over time, at night, at the weekend, not used."""
    monday = today - timedelta(days=today.weekday()) + timedelta(days=7)
    saturday = monday + timedelta(days=5)

    def at(day: date, text: str) -> datetime:
        return clock.local_midnight(day) + timedelta(hours=int(text[:2]), minutes=int(text[3:]))

    def case(day: date, booked: str, *used: str) -> UseFacts:
        start, end = booked.split("-")
        runs = tuple(_run(terms, *(at(day, part) for part in run.split("-"))) for run in used)
        when = Interval(at(day, start), at(day, end))
        slot = Booked(when, checked_in_at=when.start if runs else None, booked_at=when.start - timedelta(days=7))
        return UseFacts(terms=terms, zone=clock.FACILITY_ZONE, reservation=slot, runs=runs)

    return [
        (gettext("周一 09:00–10:00 预约，用满"), case(monday, "09:00-10:00", "09:00-10:00")),
        (gettext("周一 09:00–13:00 预约，用 3 小时 10 分"), case(monday, "09:00-13:00", "09:20-12:30")),
        (gettext("周一 14:00–16:00 预约，超时 30 分钟"), case(monday, "14:00-16:00", "14:05-16:30")),
        (gettext("周一 14:00–18:00 预约，开机两次"), case(monday, "14:00-18:00", "14:00-15:00", "16:00-17:30")),
        (gettext("周一 18:00–22:00 预约，用满"), case(monday, "18:00-22:00", "18:00-22:00")),
        (gettext("周六 09:00–17:00 预约，用满"), case(saturday, "09:00-17:00", "09:00-17:00")),
        (gettext("周一 09:00–12:00 预约，没有使用"), case(monday, "09:00-12:00")),
    ]


def _run(terms: Terms, start: datetime, end: datetime) -> Run:
    """A run of ten pieces and of 2 kWh an hour, so that every unit has something to count."""
    hours = Decimal((end - start) // timedelta(minutes=1)) / 60
    counts = dict.fromkeys((Unit.BATCH, Unit.SAMPLE, Unit.KG, Unit.M), Decimal(10))
    return Run(start, end, Decimal(round(hours * 2000)), counts)


def _tiers(form: Mapping[str, str]) -> dict[str, Any] | None:
    kind = form.get("tiers_kind", "")
    if not kind:
        return None
    if kind == "package":
        return {
            "kind": kind,
            "package_size": _decimal(form.get("package_size", "")),
            "package_price": _amount(form.get("package_price", "")),
        }
    return {"kind": kind, "steps": list(_steps(form))}


def _steps(form: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    for number in _used(form, "step"):
        up_to, rate, flat = (form.get(f"step_{number}_{name}", "").strip() for name in ("up_to", "rate", "flat"))
        step: dict[str, Any] = {"up_to": _decimal(up_to) if up_to else None}
        if rate:
            step["rate"] = _decimal(rate)
        if flat:
            step["flat"] = _amount(flat)
        yield step


def _band(form: Mapping[str, str], number: int, days: list[str]) -> dict[str, Any]:
    start, end, off = (form.get(f"band_{number}_{name}", "").strip() for name in ("from", "to", "percent_off"))
    return {"days": [day for day in DAYS if day in days], "from": start, "to": end, "percent_off": _decimal(off)}


def _extra(form: Mapping[str, str], number: int) -> dict[str, Any]:
    def of(name: str) -> str:
        return form.get(f"extra_{number}_{name}", "").strip()

    extra: dict[str, Any] = {"kind": of("kind"), "unit": of("unit"), "rate": _decimal(of("rate"))}
    if of("free_quantity") not in ("", "0"):
        extra["free_quantity"] = _decimal(of("free_quantity"))
    extra["vat_rate"] = _share(of("vat_percent"))
    extra |= {name: of(name) for name in ("name_zh", "name_en") if of(name)}
    return extra


def _urgent(form: Mapping[str, str]) -> dict[str, Any] | None:
    hours, percent = form.get("urgent_hours", "").strip(), form.get("urgent_percent", "").strip()
    if not percent:
        return None
    return {"notice_minutes": _from_hours(hours), "percent": _decimal(percent)}


def _cancellation(form: Mapping[str, str]) -> dict[str, Any] | None:
    if (fees := _fees(form, "cancel")) is None:
        return None
    return {"free_until_minutes_before": _from_hours(form.get("cancel_hours", "")), **fees}


def _no_show(form: Mapping[str, str]) -> dict[str, Any] | None:
    if (fees := _fees(form, "no_show")) is None:
        return None
    rule: dict[str, Any] = {"grace_minutes": _minutes(form.get("no_show_minutes", "")), **fees}
    if form.get("no_show_waive") == "1":
        rule["waive_if_slot_reused"] = True
    return rule


def _fees(form: Mapping[str, str], name: str) -> dict[str, Any] | None:
    fee, percent = form.get(f"{name}_fee", "").strip(), form.get(f"{name}_percent", "").strip()
    if not (fee or percent):
        return None
    found: dict[str, Any] = {"vat_rate": _share(form.get(f"{name}_vat_percent", ""))}
    if fee:
        found["fee"] = _amount(fee)
    if percent:
        found["percent_of_price"] = _decimal(percent)
    return found


def _fee_fields(name: str, rule: Mapping[str, Any]) -> dict[str, Any]:
    return {
        f"{name}_fee": rule.get("fee", ""),
        f"{name}_percent": rule.get("percent_of_price", ""),
        f"{name}_vat_percent": _percent(rule.get("vat_rate", "0")),
    }


def _number(text: str) -> Decimal | None:
    try:
        return Decimal(text.strip().replace(",", "").lstrip("¥"))
    except InvalidOperation:
        return None


def _decimal(text: str) -> str:
    """As the terms write it; what is no number stays as it was typed, to be refused with its field."""
    number = _number(text)
    return text if number is None or not number.is_finite() else plain(number)


def _amount(text: str) -> str:
    number = _number(text)
    if number is None or not number.is_finite() or number != round(number, 2):
        return text
    return f"{number:.2f}"


def _minutes(text: str) -> int | str:
    return int(text) if text.strip().isdecimal() else text


def _from_hours(text: str) -> int | str:
    number = _number(text)
    return text if number is None or not number.is_finite() else int(number * 60)


def _hours(minutes: int) -> str:
    return plain(Decimal(minutes) / 60)


def _share(text: str) -> str:
    number = _number(text or "0")
    return text if number is None or not number.is_finite() else f"{number / 100:.4f}".rstrip("0").ljust(4, "0")


def _percent(rate: str) -> str:
    return plain(Decimal(rate) * 100)
