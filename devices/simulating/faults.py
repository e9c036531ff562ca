"""What goes wrong with simulated meters, planned by a seed so that a run can be repeated."""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from app.kernel.interval import Interval


class Fault(StrEnum):
    """``DUPLICATE`` and ``REORDER`` are about messages, ``GARBAGE`` adds one; the rest happens to the device."""

    DUPLICATE = "duplicate"
    REORDER = "reorder"
    GARBAGE = "garbage"
    REBOOT = "reboot"
    RESET = "reset"  # the counter starts at zero again, with a boot
    DRIFT = "drift"  # the clock runs away, up to a minute and a half
    OUTAGE = "outage"  # no network: who has a buffer sends later what it took, the others lose it


LASTING = frozenset({Fault.DUPLICATE, Fault.REORDER, Fault.GARBAGE, Fault.DRIFT, Fault.OUTAGE})
MOST_DRIFT = timedelta(seconds=90)


@dataclass(frozen=True, slots=True)
class Mishap:
    fault: Fault
    when: Interval
    drift: timedelta = timedelta()


def planned(
    seed: str, within: Interval, *, each: timedelta = timedelta(hours=2), of: Collection[Fault] = tuple(Fault)
) -> list[Mishap]:
    """Mishaps of one meter within a stretch, about one in ``each``, by start."""
    chance = random.Random(seed)  # noqa: S311 (to be repeated, not to be secret)
    found: list[Mishap] = []
    moment = within.start
    kinds = sorted(of)
    while kinds:
        moment += each * chance.uniform(0.3, 1.7)
        if moment >= within.end:
            break
        fault = chance.choice(kinds)
        length = timedelta(minutes=chance.uniform(2, 20)) if fault in LASTING else timedelta(seconds=1)
        drift = MOST_DRIFT * chance.uniform(-1, 1) if fault is Fault.DRIFT else timedelta()
        found.append(Mishap(fault, Interval(moment, moment + length), drift))
        moment += length
    return found


def now_on(mishaps: Sequence[Mishap], moment: datetime) -> dict[Fault, Mishap]:
    return {one.fault: one for one in mishaps if one.when.contains(moment)}
