"""The words of switching power."""

from __future__ import annotations

from enum import StrEnum


class FailSafe(StrEnum):
    """What a relay does where no command reaches it."""

    STAY = "stay"
    ON = "on"
    OFF = "off"


class PowerCause(StrEnum):
    """Why a relay is to switch."""

    CHECKED_IN = "checked_in"
    RUN_ENDED = "run_ended"
    OVERRIDE = "override"
    FAIL_SAFE = "fail_safe"
