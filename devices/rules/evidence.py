"""How use is known, and which way a meter speaks."""

from __future__ import annotations

from enum import StrEnum


class Evidence(StrEnum):
    """How a usage session is known."""

    METERED = "metered"
    BOOKED = "booked"
    ENTERED = "entered"


class Dialect(StrEnum):
    NATIVE = "native"
    TASMOTA = "tasmota"
