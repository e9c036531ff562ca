"""Energy from a cumulative counter that may reset, roll over, dip or jump; and what an instrument counts itself.

Source: devices/README.md, "Energy".
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate

from devices.rules.sample import Sample

RESET_BELOW = 0.9  # a value under nine tenths of the last one is a new count, a smaller dip is noise
JUMP_FACTOR = 1.2  # more than this over the rated power cannot have been used
STEP_MWH = 10_000  # counters that show hundredths of a kWh move in steps of this size
_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Counted:
    """What was counted up to each moment, from zero at the first; never falling."""

    taken_at: Sequence[datetime]
    total: Sequence[int]

    def until(self, moment: datetime) -> int:
        """What was counted up to ``moment``: the last count at or before it. O(log n)."""
        index = bisect_right(self.taken_at, moment)
        return self.total[index - 1] if index else 0

    def between(self, start: datetime, end: datetime) -> int:
        """What was counted from ``start`` to ``end``. Pieces that meet share nothing and lose nothing."""
        return self.until(end) - self.until(start)

    def spoke_within(self, start: datetime, end: datetime) -> bool:
        """Whether the counter was told at all from ``start`` to ``end``, both included."""
        index = bisect_right(self.taken_at, end)
        return index > 0 and self.taken_at[index - 1] >= start


@dataclass(frozen=True, slots=True)
class CountedEnergy(Counted):
    """Milliwatt-hours. ``estimated_at`` are moments at which a reset hid some of it, ``quarantined_at`` those
    whose jump no machine of this rating can have made (it is not counted).
    """

    estimated_at: Sequence[datetime]
    quarantined_at: Sequence[datetime]

    def doubtful(self, start: datetime, end: datetime) -> bool:
        return any(start < moment <= end for moment in (*self.estimated_at, *self.quarantined_at))


@dataclass(frozen=True, slots=True)
class _Level:
    """A counter value that was believed at ``moment``, with the highest one of its epoch."""

    moment: datetime
    boot: int
    height: int

    def step(
        self, moment: datetime, boot: int, value: int, *, rated_w: int, modulus_mwh: int | None
    ) -> tuple[int, bool, int] | None:
        """The rise to ``value``, whether that is an estimate, and the new height; nothing where it cannot be."""
        allowed = STEP_MWH + rated_w * 1000 * JUMP_FACTOR * ((moment - self.moment) / _HOUR)
        if value < self.height * RESET_BELOW or (boot != self.boot and value < self.height):
            if modulus_mwh is not None and 0 <= (rolled := value + modulus_mwh - self.height) <= allowed:
                return rolled, False, value
            return (value, boot == self.boot, value) if value <= allowed else None
        rise = max(0, value - self.height)
        return (rise, False, max(self.height, value)) if rise <= allowed else None


def counted_energy(samples: Sequence[Sample], *, rated_w: int, modulus_mwh: int | None = None) -> CountedEnergy:
    """Follow one meter's counter through its epochs, from its first value on. O(n).

    A fall below nine tenths, or a lower value after another boot, is a roll-over if the counter has a modulus
    and the rise over it can have been used. Else it is a reset: a new epoch, in which the new value itself was
    used since; without a boot to explain it that is an estimate. A small dip counts nothing until the old
    height is reached again. A jump that the rated power cannot explain is put aside: if the next value fits
    what was before, it was a spike; if it fits the jump, the counter was set, and goes on from there.

    A meter that numbers its readings is followed by its numbers, each at the latest time told so far.

    Shape: samples of one meter, ascending, without doubles.
    Units: milliwatt-hours.
    """
    moments: list[datetime] = []
    totals: list[int] = []
    estimated: list[datetime] = []
    quarantined: list[datetime] = []
    total = 0
    aside: _Level | None = None
    last: datetime | None = None  # the level that is believed, in plain names: almost every reading passes here
    last_boot, height = 0, 0
    for moment, boot, _, _, value, _, _, _ in _as_numbered(samples):
        if value is None:
            continue
        if last is None:
            last, last_boot, height = moment, boot, value
        elif 0 <= value - height <= STEP_MWH:
            total += value - height
            last, last_boot, height, aside = moment, boot, value, None
        else:
            for level in (_Level(last, last_boot, height), aside):
                step = level and level.step(moment, boot, value, rated_w=rated_w, modulus_mwh=modulus_mwh)
                if step:
                    rise, is_estimate, height = step
                    total += rise
                    if is_estimate:
                        estimated.append(moment)
                    last, last_boot, aside = moment, boot, None
                    break
            else:
                quarantined.append(moment)
                aside = _Level(moment, boot, value)
        moments.append(moment)
        totals.append(total)
    return CountedEnergy(moments, totals, estimated, quarantined)


def _as_numbered(samples: Sequence[Sample]) -> Sequence[Sample]:
    """In the order of a meter's own numbers, if it has some: a clock that is set back turns no counter around.

    A moment before one that was already told is then no earlier than that.
    """
    numbers = [(one.boot, one.seq) for one in samples]
    if numbers == sorted(numbers):
        return samples
    began: dict[int, datetime] = {}
    for sample in samples:
        began.setdefault(sample.boot, sample.taken_at)
    told = sorted(samples, key=lambda one: (began[one.boot], one.boot, one.seq))
    moments = accumulate((one.taken_at for one in told), max)
    return [one._replace(taken_at=moment) for one, moment in zip(told, moments, strict=True)]


def counted_rises(samples: Sequence[Sample]) -> Counted:
    """What the instrument itself counted. A count that falls began anew, and what it shows was counted since. O(n)."""
    moments: list[datetime] = []
    totals: list[int] = []
    total, before = 0, None
    for sample in samples:
        value = sample.count
        if value is None:
            continue
        if before is not None:
            total += value - before if value >= before else value
        before = value
        moments.append(sample.taken_at)
        totals.append(total)
    return Counted(moments, totals)
