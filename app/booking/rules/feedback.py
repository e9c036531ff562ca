"""What a firm may say of a use and until when, and how bad an incident is."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum

from app.booking.rules.reservation import AGREED, ReservationState
from app.kernel.errors import Conflict, InvalidInput
from app.kernel.interval import Interval

STARS = range(1, 6)
MOST_WORDS = 1000
CHANGED_WITHIN = timedelta(days=7)
ASKED_WITHIN = timedelta(days=30)
"""So long after a use the firm is asked; it may answer later too."""


class Severity(StrEnum):
    """``MINOR`` cost nothing but time, ``SERIOUS`` damaged something, ``MAJOR`` hurt somebody or stopped work."""

    MINOR = "minor"
    SERIOUS = "serious"
    MAJOR = "major"


POINTS: Mapping[Severity, int] = {Severity.MINOR: 1, Severity.SERIOUS: 3, Severity.MAJOR: 10}
"""What an incident weighs beside others."""


def insist_on_finished(
    state: ReservationState, during: Interval, *, released_at: datetime | None, used: bool, at: datetime
) -> None:
    """Errors: ``Conflict`` for a reservation that is not over, was given up, or was not used."""
    if state not in AGREED or (state is not ReservationState.FINISHED and released_at is None and at < during.end):
        raise Conflict("只有已结束的使用才能评价。请在使用结束后再来。")
    if not used:
        raise Conflict("这次预约没有使用记录，不用评价。")


def insist_on_opinion(stars: int, words: str) -> None:
    """Errors: ``InvalidInput`` for no stars between one and five, or too many words."""
    if stars not in STARS:
        raise InvalidInput("请选择 1 至 5 星。", field="stars")
    if len(words) > MOST_WORDS:
        raise InvalidInput("意见最多 %(most)s 字，请缩短。", field="words", most=MOST_WORDS)


def insist_on_still_open(given_at: datetime, at: datetime) -> None:
    """Errors: ``Conflict`` once an opinion is older than it may be changed."""
    if at - given_at > CHANGED_WITHIN:
        raise Conflict("评价 %(days)s 天后不能再修改。", days=CHANGED_WITHIN.days)
