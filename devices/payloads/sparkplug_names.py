"""Which metrics of a Sparkplug node are read, and in which unit: by their names, or the unit in their properties.

Case and ``_ - / . ( )`` and blanks do not matter: ``Active Power (W)`` is ``active_power_w``. Power without a
unit is in watts; energy without one is refused, as half of all meters mean kilowatt-hours.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

QUANTITIES = {
    "power": "power",
    "activepower": "power",
    "totalactivepower": "power",
    "energy": "energy",
    "energytotal": "energy",
    "totalenergy": "energy",
    "activeenergy": "energy",
    "activeenergyimport": "energy",
    "running": "running",
    "count": "count",
    "runcount": "count",
}
UNITS: dict[str, tuple[str, int | None]] = {
    "w": ("power", 1),
    "kw": ("power", 1000),
    "mw": ("power", None),  # milli or mega? Case is not to be trusted
    "wh": ("energy", 1),
    "kwh": ("energy", 1000),
    "mwh": ("energy", None),
}
UNIT_PROPERTIES = frozenset({"engunit", "engunits", "engineeringunits", "unit", "units"})
_SEPARATORS = re.compile(r"[ _\-/.()]+")


class Meaning(NamedTuple):
    """What a metric tells, and by what its number is multiplied to be watts or watt-hours."""

    quantity: str
    factor: int


class Unclear(NamedTuple):
    why: str


def spelled(name: bytes) -> str:
    """A name without what does not matter in it."""
    return _SEPARATORS.sub("", name.decode(errors="replace")).lower()


def meaning_of(metric: Any) -> Meaning | Unclear | None:
    """By its own name and properties. ``None`` for a metric that is not about use."""
    name = spelled(metric.name)
    quantity, units = QUANTITIES.get(name), set()
    for unit, (of_quantity, _) in UNITS.items():
        if quantity is None and QUANTITIES.get(name.removesuffix(unit)) == of_quantity:
            quantity, units = of_quantity, {unit}
            break
    if quantity not in ("power", "energy"):
        return None if quantity is None else Meaning(quantity, 1)
    units |= {unit for unit in [_unit_property(metric)] if unit}
    if not units and quantity == "power":
        return Meaning(quantity, 1)
    of_quantity, factor = UNITS.get(next(iter(units)), ("", None)) if len(units) == 1 else ("", None)
    if factor is None or of_quantity != quantity:
        told = f"is said to be in {' and '.join(sorted(units))}" if units else "has no unit"
        return Unclear(f"{name[:60]} {told[:60]}: name it power_w, energy_wh or energy_kwh")
    return Meaning(quantity, factor)


def _unit_property(metric: Any) -> str:
    for key, value in zip(metric.properties.keys, metric.properties.values, strict=False):
        if spelled(key) in UNIT_PROPERTIES and not value.is_null:
            return str(value.string_value.decode(errors="replace")).strip().lower()
    return ""
