"""One stored reading as a value: what the meter said of one moment."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple


class Sample(NamedTuple):
    """What a meter measured at ``taken_at``. A tuple, since millions of them are looked at.

    Samples sort by time, then by the meter's own counting. ``boot`` and ``seq`` are both zero
    where a meter does not count. What the meter did not say is ``None``.

    Units: milliwatts; milliwatt-hours of a counter that only grows until it is reset; ``count`` in what
    the instrument itself counts (runs, samples, pieces), growing likewise; UTC.
    """

    taken_at: datetime
    boot: int
    seq: int
    power_mw: int | None
    energy_mwh: int | None
    running: bool | None
    content_hash: bytes
    count: int | None = None  # type: ignore[assignment]  # a tuple's own count is of no use here


def in_order(samples: Iterable[Sample]) -> list[Sample]:
    """The same samples ascending and without doubles. O(n log n)."""
    return sorted(set(samples), key=lambda one: (one.taken_at, one.boot, one.seq, one.content_hash))
