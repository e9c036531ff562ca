"""What follows from reservations that were not kept: a score, and a ladder from a warning to a block."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from app.booking.rules.request import MINUTE
from app.booking.rules.words import MisstepKind


class Rung(StrEnum):
    NONE = "none"
    WARNING = "warning"
    FEE = "fee"
    BLOCK = "block"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ladder:
    """One platform's rules.

    The first ``warnings`` no-shows cost nothing; after them the ``fee_from``-th and the ``block_from``-th,
    counted over ``counted_over``, begin their rung. ``points`` are added: negative for a misstep.
    Between an event and its consequence lies ``delay``, in which an operator can excuse it.
    """

    grace: timedelta
    warnings: int
    fee_from: int
    block_from: int
    block: timedelta
    counted_over: timedelta
    delay: timedelta = timedelta(hours=24)
    base_score: int = 100
    points: Mapping[MisstepKind, int] = field(default_factory=dict)

    @property
    def tolerance(self) -> timedelta:
        """How long after its time a use may begin or end without being late or an overrun: half the grace."""
        return max(self.grace / 2, MINUTE)


@dataclass(frozen=True, slots=True)
class Entry:
    """How one reservation was kept; it counts from ``effective_at`` on, unless excused."""

    kind: MisstepKind
    occurred_at: datetime
    effective_at: datetime
    excused: bool = False


def is_no_show(ladder: Ladder, *, starts_at: datetime, used: bool, at: datetime) -> bool:
    """Whether the grace is over and nobody came. Ever after too: a job that runs late must not miss one.

    ``used`` is use by anybody: equipment that ran for someone else did not stand idle.
    """
    return not used and starts_at + ladder.grace <= at


def score(ladder: Ladder, entries: Iterable[Entry], *, at: datetime) -> int:
    """The points at the moment ``at``, never above ``base_score``; good use mends but saves nothing up."""
    points = ladder.base_score
    for entry in _effective(entries, at=at):
        points = min(ladder.base_score, points + ladder.points.get(entry.kind, 0))
    return points


def rung(ladder: Ladder, entries: Iterable[Entry], *, at: datetime) -> Rung:
    """How far up the record stands. Whether booking is refused is ``blocked_until``: a block ends by itself."""
    since = at - ladder.counted_over
    count = sum(1 for entry in _no_shows(entries, at=at) if entry.occurred_at > since)
    if count > ladder.warnings and count >= ladder.block_from:
        return Rung.BLOCK
    if count > ladder.warnings and count >= ladder.fee_from:
        return Rung.FEE
    return Rung.WARNING if count and ladder.warnings else Rung.NONE


def blocked_until(ladder: Ladder, entries: Iterable[Entry], *, at: datetime) -> datetime | None:
    """When the block that holds at ``at`` ends. Each no-show on the last rung begins one anew. O(n²)."""
    known = list(entries)
    begins = [
        entry.effective_at
        for entry in _no_shows(known, at=at)
        if rung(ladder, known, at=entry.effective_at) is Rung.BLOCK
    ]
    if not begins or max(begins) + ladder.block <= at:
        return None
    return max(begins) + ladder.block


def _no_shows(entries: Iterable[Entry], *, at: datetime) -> list[Entry]:
    return [entry for entry in _effective(entries, at=at) if entry.kind is MisstepKind.NO_SHOW]


def _effective(entries: Iterable[Entry], *, at: datetime) -> list[Entry]:
    """What counts at ``at``, in the order in which it began to."""
    counting = (entry for entry in entries if entry.effective_at <= at and not entry.excused)
    return sorted(counting, key=lambda entry: (entry.effective_at, entry.occurred_at, entry.kind))
