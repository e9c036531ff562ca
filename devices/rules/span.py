"""Stretches of use in one meter's samples.

Source: docs/metering.md, "What counts as use".
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

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
    """One stretch of use. ``runs`` are its running parts; ``open`` if it may still go on."""

    when: Interval
    runs: tuple[Interval, ...]
    silent_until_end: bool
    open: bool

    def running_within(self, piece: Interval) -> timedelta:
        parts = (piece.intersection(run) for run in self.runs)
        return sum((part.duration for part in parts if part is not None), timedelta())


@dataclass(frozen=True, slots=True)
class _Run:
    start: datetime
    end: datetime
    cut_by_silence: bool
    going_on: bool


def usage_spans(samples: Iterable[Sample], profile: Profile, *, until: datetime) -> list[UsageSpan]:
    """Find the stretches of use. The instrument's own state counts where it says one, else hysteresis.

    A single busy sample is no use: a relay click draws power too, and one sample has no length to
    charge for. A pause shorter than ``min_off`` stays inside one span. Silence longer than
    ``max_gap`` ends a run at the last reading; so does silence up to ``until``.

    Shape: samples of one meter, ascending, without doubles. O(n).
    """
    runs = [run for run in _runs(samples, profile, until) if run.end - run.start >= profile.min_on or run.going_on]
    spans: list[UsageSpan] = []
    group: list[_Run] = []
    for run in runs:
        if group and run.start - group[-1].end >= profile.min_off:
            spans.append(_span(group, open_=False))
            group = []
        group.append(run)
    if group:
        last = group[-1]
        spans.append(
            _span(group, open_=last.going_on or (not last.cut_by_silence and until - last.end < profile.min_off))
        )
    return spans


def _span(group: list[_Run], *, open_: bool) -> UsageSpan:
    return UsageSpan(
        when=Interval(group[0].start, group[-1].end),
        runs=tuple(Interval(run.start, run.end) for run in group),
        silent_until_end=group[-1].cut_by_silence,
        open=open_,
    )


def _runs(samples: Iterable[Sample], profile: Profile, until: datetime) -> list[_Run]:
    found: list[_Run] = []
    start: datetime | None = None
    last: datetime | None = None
    busy_samples = 0

    def keep(end: datetime, *, cut_by_silence: bool = False, going_on: bool = False) -> None:
        if start is not None and busy_samples > 1:
            found.append(_Run(start, end, cut_by_silence, going_on))

    for sample in samples:
        if start is not None and last is not None and sample.taken_at - last > profile.max_gap:
            keep(last, cut_by_silence=True)
            start = None
        busy = _busy(sample, profile, running=start is not None)
        if busy is None:
            continue
        if busy and start is None:
            start, busy_samples = sample.taken_at, 0
        elif not busy and start is not None:
            keep(sample.taken_at)
            start = None
        busy_samples += busy
        last = sample.taken_at
    if last is not None:
        going_on = until - last <= profile.max_gap
        keep(last, cut_by_silence=not going_on, going_on=going_on)
    return found


def _busy(sample: Sample, profile: Profile, *, running: bool) -> bool | None:
    """Whether the equipment is in use at a sample; ``None`` if the sample says nothing of it."""
    if sample.running is not None:
        return sample.running
    if sample.power_mw is None:
        return None
    return sample.power_mw >= 1000 * (profile.run_off_w if running else profile.run_on_w)
