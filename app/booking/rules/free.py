"""What is still free, and which free slots lie nearest to a wanted one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from app.booking.rules.opening import joined
from app.booking.rules.request import next_on_grid
from app.kernel.interval import Interval


def free_stretches(opening: Iterable[Interval], taken: Iterable[Interval]) -> list[Interval]:
    """The moments of ``opening`` that no one has ``taken``, in order. O(n log n).

    Shape: ``opening`` ascending and disjoint; ``taken`` in any order, overlapping or not.
    """
    left: list[Interval] = []
    blocks = joined(taken)
    first = 0
    for stretch in opening:
        while first < len(blocks) and blocks[first].end <= stretch.start:
            first += 1
        last = first
        while last < len(blocks) and blocks[last].start < stretch.end:
            last += 1
        left.extend(stretch.minus(blocks[first:last]))
        # A block that reaches past this stretch can also cut the next one.
        first = max(first, last - 1)
    return left


def nearest_free(
    wanted: Interval, *, free: Iterable[Interval], step: timedelta, not_before: datetime, count: int
) -> tuple[Interval, ...]:
    """Up to ``count`` free slots as long as ``wanted``, nearest start first, earlier first where equally near.

    The slots start on the step grid, not before ``not_before``, and do not overlap each other:
    ten starts five minutes apart would be one offer said ten times.
    """
    found: list[Interval] = []
    for stretch in free:
        earliest = next_on_grid(max(stretch.start, not_before), step)
        latest = stretch.end - wanted.duration
        if earliest <= latest:
            found.extend(_offers(wanted, earliest=earliest, latest=latest, step=step, count=count))
    found.sort(key=lambda slot: (abs(slot.start - wanted.start), slot.start))
    return tuple(found[:count])


def _offers(
    wanted: Interval, *, earliest: datetime, latest: datetime, step: timedelta, count: int
) -> Iterator[Interval]:
    """The best starts of one stretch: the nearest to the wish, and then one whole slot further at a time."""
    stride = -(-wanted.duration // step) * step
    last = next_on_grid(latest + timedelta(microseconds=1), step) - step
    if last < earliest:
        return
    best = min(max(next_on_grid(wanted.start, step), earliest), last)
    if best - step >= earliest and wanted.start - (best - step) <= best - wanted.start:
        best -= step
    for start in (best + stride * number for number in range(1 - count, count)):
        if earliest <= start <= last:
            yield Interval(start, start + wanted.duration)
