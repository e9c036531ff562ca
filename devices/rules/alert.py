"""What operators are told about meters."""

from __future__ import annotations

from enum import StrEnum


class AlertKind(StrEnum):
    SILENT = "silent"
    GAP = "gap"
    CLOCK_DRIFT = "clock_drift"
    UNREADABLE = "unreadable"
    FORGED = "forged"  # another meter's topic, a wrong signature, an unknown or expired key
    DISPUTE = "dispute"
    COUNTER = "counter"  # a reset without a boot, or a jump that was put aside
    DOUBTFUL_SESSION = "doubtful_session"
    LATE_CHANGE = "late_change"
    UNCONFIRMED_COMMAND = "unconfirmed_command"


class AlertState(StrEnum):
    OPEN = "open"
    CLEARED = "cleared"
    RESOLVED = "resolved"
    WAIVED = "waived"


class Verdict(StrEnum):
    """Which of two contradicting readings is right. The first stands in any case: a reading never changes."""

    FIRST = "first"
    OTHER = "other"
