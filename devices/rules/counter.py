"""Energy from a cumulative counter that may reset, dip or jump.

Source: devices/README.md, "Energy".
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from devices.rules.sample import Sample

RESET_BELOW = 0.9  # a value under nine tenths of the last one is a new count, a smaller dip is noise
JUMP_FACTOR = 1.2  # more than this over the rated power cannot have been used
STEP_MWH = 10_000  # counters that show hundredths of a kWh move in steps of this size
_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class CountedEnergy:
    """The energy used up to each counted moment, from zero at the first; never falling.

    ``estimated_at`` are moments at which a reset hid some of it, ``quarantined_at`` those whose jump
    no machine of this rating can have made (it is not counted).
    """

    taken_at: tuple[datetime, ...]
    total_mwh: tuple[int, ...]
    estimated_at: tuple[datetime, ...]
    quarantined_at: tuple[datetime, ...]

    def until(self, moment: datetime) -> int:
        """Milliwatt-hours counted up to ``moment``: the last count at or before it. O(log n)."""
        index = bisect_right(self.taken_at, moment)
        return self.total_mwh[index - 1] if index else 0

    def between(self, start: datetime, end: datetime) -> int:
        """Milliwatt-hours from ``start`` to ``end``. Pieces that meet share nothing and lose nothing."""
        return self.until(end) - self.until(start)

    def doubtful(self, start: datetime, end: datetime) -> bool:
        return any(start < moment <= end for moment in (*self.estimated_at, *self.quarantined_at))


@dataclass(frozen=True, slots=True)
class _Level:
    """A counter value that was believed, with the highest one of its epoch."""

    sample: Sample
    height: int

    def next(self, sample: Sample, value: int) -> tuple[int, bool, _Level]:
        """The rise to ``value``, whether it starts a new epoch, and the level after it."""
        if value < self.height * RESET_BELOW or (sample.boot != self.sample.boot and value < self.height):
            return value, True, _Level(sample, value)
        return max(0, value - self.height), False, _Level(sample, max(self.height, value))


def counted_energy(samples: Sequence[Sample], *, rated_w: int) -> CountedEnergy:
    """Follow one meter's counter through its epochs, from its first value on. O(n).

    A reset (another boot with a lower value, or a fall below nine tenths) starts a new epoch in which
    the new value itself was used since; without a boot to explain it that is an estimate. A small dip
    counts nothing until the old height is reached again. A jump that the rated power cannot explain
    is put aside: if the next value fits what was before, it was a spike; if it fits the jump, the
    counter was set, and goes on from there.

    Shape: samples of one meter, ascending, without doubles.
    Units: milliwatt-hours.
    """
    moments: list[datetime] = []
    totals: list[int] = []
    estimated: list[datetime] = []
    quarantined: list[datetime] = []
    total = 0
    believed: _Level | None = None
    aside: _Level | None = None
    for sample in samples:
        value = sample.energy_mwh
        if value is None:
            continue
        if believed is None:
            believed = _Level(sample, value)
        else:
            for level in (believed, aside):
                if level is None:
                    continue
                rise, reset, reached = level.next(sample, value)
                if _possible(rise, sample.taken_at - level.sample.taken_at, rated_w):
                    if reset and sample.boot == level.sample.boot:
                        estimated.append(sample.taken_at)
                    total += rise
                    believed, aside = reached, None
                    break
            else:
                quarantined.append(sample.taken_at)
                aside = _Level(sample, value)
        moments.append(sample.taken_at)
        totals.append(total)
    return CountedEnergy(tuple(moments), tuple(totals), tuple(estimated), tuple(quarantined))


def _possible(rise_mwh: int, elapsed: timedelta, rated_w: int) -> bool:
    return rise_mwh <= STEP_MWH + rated_w * 1000 * JUMP_FACTOR * (elapsed / _HOUR)
