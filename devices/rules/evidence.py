"""How use is known, what may be doubted about it, and which way a meter speaks."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum


class Evidence(StrEnum):
    """How a usage session is known."""

    METERED = "metered"
    BOOKED = "booked"
    ENTERED = "entered"


class Flag(StrEnum):
    """What a person should know about a session before it is paid for."""

    GAP = "gap"  # the meter fell silent during it
    ENERGY_ESTIMATED = "energy_estimated"  # the counter was reset, or jumped
    CUT = "cut"  # one run across two reservations, cut at the boundary
    NEXT_WAS_THERE = "next_was_there"  # it went on into the time of the next reservation
    UNPAIRED_NUMBERS = "unpaired_numbers"  # numbers between its readings are missing
    SILENT_METER = "silent_meter"  # booked and perhaps used, but the meter said nothing
    CLOCK_UNSURE = "clock_unsure"  # the meter's clock was away from ours


DOUBTFUL = frozenset({Flag.GAP, Flag.ENERGY_ESTIMATED, Flag.UNPAIRED_NUMBERS, Flag.SILENT_METER})
"""Flags that a person has to look at. The others only tell what happened."""


def needs_review(evidence: Evidence, flags: Iterable[Flag]) -> bool:
    """Whether a person has to accept such a session before it is charged."""
    return evidence is not Evidence.METERED or not DOUBTFUL.isdisjoint(flags)


class LateCause(StrEnum):
    """Why a session behind an issued invoice would be another one now."""

    LATE_READINGS = "late_readings"
    NEW_PROFILE = "new_profile"
    OTHER_RESERVATION = "other_reservation"


class Dialect(StrEnum):
    NATIVE = "native"
    TASMOTA = "tasmota"
    SHELLY = "shelly"
    ZIGBEE2MQTT = "zigbee2mqtt"
    SPARKPLUG = "sparkplug"
