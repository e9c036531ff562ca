"""A platform's month as accounting sees it, and how far back what was late may still be billed."""

from __future__ import annotations

from datetime import date
from enum import StrEnum

LOOK_BACK_MONTHS = 2
"""Late service of a closed month goes on the next invoice by itself if it is no more months back than this."""


class PeriodState(StrEnum):
    OPEN = "open"
    CLOSING = "closing"
    CLOSED = "closed"


def month_back(month: date, months: int) -> date:
    """The first day of the month so many months before that of ``month``."""
    whole = month.year * 12 + month.month - 1 - months
    return date(whole // 12, whole % 12 + 1, 1)


def next_month(month: date) -> date:
    return month_back(month, -1)


def earliest_late(month: date) -> date:
    """The first day whose late service an invoice of ``month`` takes without being asked."""
    return month_back(month, LOOK_BACK_MONTHS)
