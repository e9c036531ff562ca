"""Energy from a cumulative counter that may reset, dip or jump.

Source: docs/metering.md, "Energy".
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from devices.rules.sample import Sample

RESET_BELOW = 0.9  # a value under nine tenths of the last one is a new count, a smaller dip is noise
JUMP_FACTOR = 1.2  # more than this over the rated power cannot have been used
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


def counted_energy(samples: Sequence[Sample], *, rated_w: int) -> CountedEnergy:
    """Follow one meter's counter through its epochs. O(n).

    A reset (another boot with a lower value, or a fall below nine tenths) starts a new epoch in which
    the new value itself was used since; without a boot to explain it that is an estimate. A small dip
    counts nothing until the old height is reached again.

    Shape: samples of one meter, ascending, without doubles.
    Units: milliwatt-hours.
    """
    moments: list[datetime] = []
    totals: list[int] = []
    estimated: list[datetime] = []
    quarantined: list[datetime] = []
    height = total = 0
    before: Sample | None = None
    for sample in samples:
        if sample.energy_mwh is None:
            continue
        value = sample.energy_mwh
        if before is None:
            height = value
        else:
            reset = value < height * RESET_BELOW or (sample.boot != before.boot and value < height)
            rise = value if reset else max(0, value - height)
            elapsed = sample.taken_at - before.taken_at
            if rise > rated_w * 1000 * JUMP_FACTOR * (elapsed / _HOUR):
                quarantined.append(sample.taken_at)
                rise = 0
                height = value
            else:
                height = value if reset else max(height, value)
            if reset and sample.boot == before.boot:
                estimated.append(sample.taken_at)
            total += rise
        moments.append(sample.taken_at)
        totals.append(total)
        before = sample
    return CountedEnergy(tuple(moments), tuple(totals), tuple(estimated), tuple(quarantined))
