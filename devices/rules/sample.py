"""One stored reading as a value: what the meter said of one moment."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, order=True)
class Sample:
    """What a meter measured at ``taken_at``.

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
    count: int | None = None
