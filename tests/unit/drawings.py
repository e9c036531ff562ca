"""One meter's samples, drawn: each character is one minute."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from app.booking.rules.slot import BookedSlot
from app.kernel.interval import Interval
from devices.rules.sample import Sample
from devices.rules.span import Profile

START = datetime(2026, 3, 2, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
LATER = START + timedelta(days=2)
WATTS = {"#": 500, "-": 60, ".": 5}
PROFILE = Profile(run_on_w=100, run_off_w=40, min_on=MINUTE, min_off=10 * MINUTE, max_gap=5 * MINUTE, rated_w=2000)


def samples(drawing: str, *, step: timedelta = MINUTE) -> list[Sample]:
    """``#`` busy, ``-`` between the thresholds, ``.`` quiet, a blank is silence. The counter counts along."""
    found, energy = [], 0
    for number, mark in enumerate(drawing):
        energy += WATTS.get(mark, 0) * 1000 // 60
        if mark != " ":
            power_mw, taken_at = WATTS[mark] * 1000, START + number * step
            found.append(Sample(taken_at, 1, number + 1, power_mw, energy, None, number.to_bytes(4)))
    return found


def between(first: int, last: int) -> Interval:
    """From one minute of the drawing to another."""
    return Interval(START + first * MINUTE, START + last * MINUTE)


def minutes(when: Interval) -> tuple[int, int]:
    return (when.start - START) // MINUTE, (when.end - START) // MINUTE


def slot(number: int, first: int, last: int) -> BookedSlot:
    return BookedSlot(reservation_id=number, equipment_id=1, organization_id=number + 70, during=between(first, last))
