"""Stretches of use in one meter's samples.

Source: devices/README.md, "What counts as use".
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import IntEnum

from app.kernel.interval import Interval
from devices.rules.sample import Sample


@dataclass(frozen=True, slots=True)
class Profile:
    """What counts as use on one meter. Watts; ``min_off`` joins pauses, ``max_gap`` ends a run by silence."""

    run_on_w: int
    run_off_w: int
    min_on: timedelta
    min_off: timedelta
    max_gap: timedelta
    rated_w: int
    version: int = 1


@dataclass(frozen=True, slots=True)
class UsageSpan:
    """One stretch of use. ``runs`` are its parts without the pauses; ``open`` if it may still go on.

    ``cut_by_silence`` if the meter fell silent in the middle of a run: the end is the last that is known.
    """

    when: Interval
    runs: tuple[Interval, ...]
    cut_by_silence: bool
    open: bool

    def running_within(self, piece: Interval) -> timedelta:
        parts = (piece.intersection(run) for run in self.runs)
        return sum((part.duration for part in parts if part is not None), timedelta())


class _Level(IntEnum):
    QUIET = 0
    BETWEEN = 1
    BUSY = 2


@dataclass(slots=True)
class _Growing:
    """A span in the making: running since ``running_since``, or pausing since ``quiet_since``."""

    start: datetime
    running_since: datetime
    quiet_since: datetime | None = None
    runs: list[Interval] = field(default_factory=list)

    def hear(self, moment: datetime, *, quiet: bool) -> None:
        if quiet and self.quiet_since is None:
            self._keep_run(moment)
            self.quiet_since = moment
        elif not quiet and self.quiet_since is not None:
            self.running_since, self.quiet_since = moment, None

    def ended(self, last: datetime, *, by_silence: bool = False, open_: bool = False) -> UsageSpan:
        if self.quiet_since is None:
            self._keep_run(last)
        return UsageSpan(
            when=Interval(self.start, self.quiet_since or last),
            runs=tuple(self.runs),
            cut_by_silence=by_silence and self.quiet_since is None,
            open=open_,
        )

    def _keep_run(self, end: datetime) -> None:
        if end > self.running_since:
            self.runs.append(Interval(self.running_since, end))


def usage_spans(samples: Iterable[Sample], profile: Profile, *, until: datetime) -> list[UsageSpan]:
    """Find the stretches of use, as known at ``until``.

    Use begins where the samples stay busy for ``min_on``, and ends where they have stayed quiet for
    ``min_off``, or at the last sample before a silence longer than ``max_gap``. A single busy sample
    is no use: a relay click draws power too, and one sample has no length to charge for.

    Shape: samples of one meter, ascending, without doubles. O(n).
    """
    spans: list[UsageSpan] = []
    busy_since: datetime | None = None
    growing: _Growing | None = None
    last: datetime | None = None
    for sample in samples:
        level = _level(sample, profile)
        if level is None:
            continue
        moment = sample.taken_at
        if last is not None and moment - last > profile.max_gap:
            if growing is not None:
                spans.append(growing.ended(last, by_silence=True))
            growing = busy_since = None
        if growing is not None and last is not None and _paused_too_long(growing, moment, profile):
            spans.append(growing.ended(last))
            growing = None
        if growing is not None:
            growing.hear(moment, quiet=level is _Level.QUIET)
        elif level is not _Level.BUSY:
            busy_since = None
        elif busy_since is None:
            busy_since = moment
        elif moment > busy_since and moment - busy_since >= profile.min_on:
            growing, busy_since = _Growing(busy_since, busy_since), None
        last = moment
    if growing is not None and last is not None:
        silent = until - last > profile.max_gap
        goes_on = not silent and not _paused_too_long(growing, until, profile)
        spans.append(growing.ended(last, by_silence=silent, open_=goes_on))
    return spans


def _paused_too_long(growing: _Growing, moment: datetime, profile: Profile) -> bool:
    return growing.quiet_since is not None and moment - growing.quiet_since >= profile.min_off


def _level(sample: Sample, profile: Profile) -> _Level | None:
    """What a sample says: the instrument's own state where it gives one, else its power. May be nothing."""
    if sample.running is not None:
        return _Level.BUSY if sample.running else _Level.QUIET
    if sample.power_mw is None:
        return None
    if sample.power_mw >= 1000 * profile.run_on_w:
        return _Level.BUSY
    return _Level.BETWEEN if sample.power_mw >= 1000 * profile.run_off_w else _Level.QUIET
