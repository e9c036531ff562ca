"""How equipment draws power: shapes of our own, made of a seed, so that everything can be repeated."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import blake2b

from app.kernel.interval import Interval

SECOND = timedelta(seconds=1)
STARTS_LATE, ENDS_EARLY = timedelta(seconds=10), timedelta(seconds=30)
WARM_UP = 0.15  # the first part of a run, in which the load climbs
CYCLE_S, HEATING = 600, 0.6  # of a furnace or a freezer, and how much of it the heater or compressor is on
BURST_S, PRESSING = 45, 0.4  # of a press or a mixer
LEAST = 0.3  # of the working load: between two bursts a machine still draws more than standing by


class Shape(StrEnum):
    """``STEADY`` an extruder; ``CYCLING`` a furnace or a freezer; ``BURSTS`` a press; ``RAMP`` a freeze dryer."""

    STEADY = "steady"
    CYCLING = "cycling"
    BURSTS = "bursts"
    RAMP = "ramp"


@dataclass(frozen=True, slots=True)
class Load:
    """How one piece of equipment draws power, in watts."""

    standby_w: int
    rated_w: int
    seed: int

    @property
    def shape(self) -> Shape:
        return list(Shape)[self.seed % len(Shape)]

    def watts(self, moment: datetime, run: Interval | None) -> float:
        """Power at ``moment``, during ``run`` or standing by."""
        ripple = math.sin(moment.timestamp() / (7 + self.seed % 11) + self.seed)
        if run is None or not run.contains(moment):
            return max(0.0, self.standby_w * (1 + 0.05 * ripple))
        progress = (moment - run.start) / run.duration
        working = self.rated_w * (0.55 + 0.2 * (self.seed % 10) / 10)
        climbing = min(1.0, 0.7 + 0.3 * progress / WARM_UP)
        return working * climbing * self._duty((moment - run.start) / SECOND, progress) * (1 + 0.08 * ripple)

    def _duty(self, elapsed_s: float, progress: float) -> float:
        """The part of the working load that is drawn now."""
        match self.shape:
            case Shape.CYCLING:
                return 1.0 if elapsed_s % CYCLE_S < CYCLE_S * HEATING else LEAST
            case Shape.BURSTS:
                return 1.0 if elapsed_s % BURST_S < BURST_S * PRESSING else LEAST
            case Shape.RAMP:
                return 1.0 - (1.0 - LEAST) * progress
        return 1.0

    def run_in(self, slot: Interval) -> Interval | None:
        """When the equipment really runs in a booked slot: a little late, done a little early."""
        length = slot.duration - STARTS_LATE - ENDS_EARLY
        if length <= timedelta():
            return None
        start = slot.start + STARTS_LATE
        return Interval(start, start + max(length * (0.75 + 0.25 * (self.seed % 7) / 7), min(length, 20 * SECOND)))


def seed_of(code: str) -> int:
    return int.from_bytes(blake2b(code.encode(), digest_size=4).digest())
