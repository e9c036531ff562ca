"""Stretches of use in one meter's samples.

Source: devices/README.md, "What counts as use".
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from app.kernel.interval import Interval
from devices.rules.sample import Sample

SPIKE_FACTOR = 3  # where a profile does not say it: more than this over the rated power is no power
ALWAYS = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Profile:
    """What counts as use on one meter from ``valid_from`` on, until another version does.

    ``min_off`` joins pauses, ``max_gap`` ends a run by silence; a sample above ``spike_w`` is no power. A run
    needs ``lead`` before and ``post`` after it. A counter with a modulus starts at zero again when it gets there.

    Units: watts, milliwatt-hours.
    """

    run_on_w: int
    run_off_w: int
    min_on: timedelta
    min_off: timedelta
    max_gap: timedelta
    rated_w: int
    version: int = 1
    valid_from: datetime = ALWAYS
    spike_w: int | None = None
    lead: timedelta = timedelta()
    post: timedelta = timedelta()
    counter_modulus_mwh: int | None = None

    @property
    def spike_mw(self) -> int:
        return 1000 * (SPIKE_FACTOR * self.rated_w if self.spike_w is None else self.spike_w)


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


_QUIET, _BETWEEN, _BUSY = 0, 1, 2


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

    def paused_too_long(self, moment: datetime, profile: Profile) -> bool:
        return self.quiet_since is not None and moment - self.quiet_since >= profile.min_off

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
    return list(_spans(samples, profile, until=until, begun_before=None))


def spans_by_version(
    samples: Sequence[Sample], profiles: Sequence[Profile], *, until: datetime
) -> list[tuple[Profile, UsageSpan]]:
    """The stretches of use, each by the version of the profile that was valid when it began.

    A stretch that reaches over a change stays with its version; the next version looks at what comes after
    it, so no two overlap. Time before the first version is looked at with that one.

    Shape: samples of one meter, ascending, without doubles; versions by ``valid_from``, at least one. O(n).
    """
    found: list[tuple[Profile, UsageSpan]] = []
    begin = 0
    for number, profile in enumerate(profiles):
        later = profiles[number + 1].valid_from if number + 1 < len(profiles) else None
        if number:
            begin = max(begin, _first_at(samples, profile.valid_from))
        rest = samples[begin:] if begin else samples
        for span in _spans(rest, profile, until=until, begun_before=later):
            found.append((profile, span))
            if span.open:
                return found
            begin = _first_at(samples, span.when.end)
    return found


def _first_at(samples: Sequence[Sample], moment: datetime) -> int:
    return bisect_left(samples, moment, key=lambda sample: sample.taken_at)


def _spans(
    samples: Iterable[Sample], profile: Profile, *, until: datetime, begun_before: datetime | None
) -> Iterator[UsageSpan]:
    """The spans that begin before ``begun_before``. One plain loop: it sees every reading of the house."""
    on_mw, off_mw, spike_mw = 1000 * profile.run_on_w, 1000 * profile.run_off_w, profile.spike_mw
    min_on, max_gap = profile.min_on, profile.max_gap
    busy_since: datetime | None = None
    growing: _Growing | None = None
    last: datetime | None = None
    for moment, _, _, power_mw, _, running, _, _ in samples:
        # The instrument's own state where it gives one, else its power. A sample may say nothing of either.
        if running is not None:
            level = _BUSY if running else _QUIET
        elif power_mw is None or power_mw > spike_mw:
            continue
        else:
            level = _BUSY if power_mw >= on_mw else _BETWEEN if power_mw >= off_mw else _QUIET
        if last is not None and moment - last > max_gap:
            if growing is not None:
                yield growing.ended(last, by_silence=True)
            growing = busy_since = None
        if growing is not None:
            if growing.quiet_since is None and level != _QUIET:
                last = moment
                continue
            if last is not None and growing.paused_too_long(moment, profile):
                yield growing.ended(last)
                growing = None
        if growing is not None:
            growing.hear(moment, quiet=level == _QUIET)
        elif busy_since is None and begun_before is not None and moment >= begun_before:
            return
        elif level != _BUSY:
            busy_since = None
        elif busy_since is None:
            busy_since = moment
        elif moment > busy_since and moment - busy_since >= min_on:
            growing, busy_since = _Growing(busy_since, busy_since), None
        last = moment
    if growing is not None and last is not None:
        silent = until - last > max_gap
        goes_on = not silent and not growing.paused_too_long(until, profile)
        yield growing.ended(last, by_silence=silent, open_=goes_on)
