"""Identical units: who is where matters to nobody, so a slot fits wherever fewer are held than there are."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from app.kernel.interval import Interval

Key = TypeVar("Key")


def full(held: Iterable[Interval], units: int) -> list[Interval]:
    """The stretches in which all ``units`` are held, ascending and disjoint. O(n log n)."""
    changes = sorted(change for when in held for change in ((when.start, 1), (when.end, -1)))
    found: list[Interval] = []
    now, since = 0, None
    for place, (moment, change) in enumerate(changes):
        now += change
        if place + 1 < len(changes) and changes[place + 1][0] == moment:
            continue  # only what holds after all changes of a moment counts
        if now >= units and since is None:
            since = moment
        elif now < units and since is not None:
            found.append(Interval(since, moment))
            since = None
    return found


def seats(
    begun: Iterable[tuple[Interval, int]], coming: Iterable[tuple[Key, Interval, int | None]], *, units: int
) -> dict[Key, int] | None:
    """A unit for each that is ``coming``, its own where it can stay; None where more are held at once than there are.

    What has ``begun`` keeps its unit. Taken by their starts, one is always free while fewer are held than
    there are, whatever was chosen before. O(n × units + n log n).

    Shape: (when, unit) and (key, when, unit or None); whatever has begun did so before all that is coming.
    """
    ends: dict[int, list[Interval]] = {unit: [] for unit in range(1, units + 1)}
    for when, unit in begun:
        ends.setdefault(unit, []).append(when)
    chosen: dict[Key, int] = {}
    for key, when, own in sorted(coming, key=lambda one: one[1]):
        free = [unit for unit in range(1, units + 1) if not any(other.overlaps(when) for other in ends[unit][-1:])]
        if not free:
            return None
        chosen[key] = own if own in free else free[0]
        ends[chosen[key]].append(when)
    return chosen
