"""How the lines of a price are called once they are charges."""

from __future__ import annotations

from billing.rules.pricing.outcome import LineKind
from billing.rules.words import ChargeKind

LINE_KINDS: dict[LineKind, ChargeKind] = {
    LineKind.TIME: ChargeKind.HOURS,
    LineKind.RUN: ChargeKind.RUN,
    LineKind.BATCH: ChargeKind.BATCH,
    LineKind.SAMPLE: ChargeKind.SAMPLE,
    LineKind.MASS: ChargeKind.MASS,
    LineKind.LENGTH: ChargeKind.LENGTH,
    LineKind.ENERGY: ChargeKind.ENERGY,
    LineKind.SETUP: ChargeKind.SETUP,
    LineKind.MATERIAL: ChargeKind.MATERIAL,
    LineKind.LABOUR: ChargeKind.LABOUR,
    LineKind.BOOKING: ChargeKind.BOOKING,
    LineKind.URGENT: ChargeKind.URGENT,
    LineKind.MINIMUM_TOP_UP: ChargeKind.MINIMUM_TOP_UP,
    LineKind.CANCELLATION: ChargeKind.CANCELLATION,
    LineKind.NO_SHOW: ChargeKind.NO_SHOW,
}

UNIT_WORDS = {
    "hour": "h",
    "minute": "分钟",
    "day": "天",
    "run": "次",
    "booking": "次",
    "batch": "批",
    "sample": "样",
    "kg": "kg",
    "m": "m",
    "kWh": "kWh",
    "package": "包",
    "item": "项",
}
"""Units as they stand on a statement."""
