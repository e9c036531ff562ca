"""What other thresholds would make of a day, beside what the present ones make of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from app.kernel.errors import InvalidInput
from app.kernel.interval import Interval
from devices.rules.sample import Sample
from devices.rules.span import Profile
from devices.rules.usage import DerivedUsage, sessions_by_version

WATTS, SECONDS = 10_000_000, 7 * 86_400
LIMITS: dict[str, tuple[int, int]] = {
    "run_on_w": (1, WATTS),
    "run_off_w": (0, WATTS),
    "min_on_s": (0, SECONDS),
    "min_off_s": (0, SECONDS),
    "max_gap_s": (1, SECONDS),
    "spike_w": (1, WATTS),
    "rated_w": (1, WATTS),
    "lead_s": (0, SECONDS),
    "post_s": (0, SECONDS),
    "counter_modulus_mwh": (1, 10**15),
}
MAY_BE_EMPTY = {"spike_w", "counter_modulus_mwh"}


@dataclass(frozen=True, slots=True)
class ProfileValues:
    """What a person sets about a meter. Watts, seconds, milliwatt-hours; see :class:`MeterProfile`."""

    run_on_w: int
    run_off_w: int
    min_on_s: int
    min_off_s: int
    max_gap_s: int
    rated_w: int
    spike_w: int | None = None
    lead_s: int = 0
    post_s: int = 0
    counter_modulus_mwh: int | None = None

    def __post_init__(self) -> None:
        for name, (low, high) in LIMITS.items():
            value = getattr(self, name)
            if not (name in MAY_BE_EMPTY if value is None else low <= value <= high):
                raise InvalidInput("请填写 %(low)s 到 %(high)s 之间的整数。", field=name, low=low, high=high)
        if self.run_off_w > self.run_on_w:
            raise InvalidInput("停止阈值不能高于启动阈值，请调低它。", field="run_off_w")
        if self.spike_w is not None and self.spike_w < self.run_on_w:
            raise InvalidInput("尖峰上限低于启动阈值，就永远不会算作运行，请调高它。", field="spike_w")

    def profile(self) -> Profile:
        return Profile(
            run_on_w=self.run_on_w,
            run_off_w=self.run_off_w,
            min_on=timedelta(seconds=self.min_on_s),
            min_off=timedelta(seconds=self.min_off_s),
            max_gap=timedelta(seconds=self.max_gap_s),
            rated_w=self.rated_w,
            spike_w=self.spike_w,
            lead=timedelta(seconds=self.lead_s),
            post=timedelta(seconds=self.post_s),
            counter_modulus_mwh=self.counter_modulus_mwh,
        )


@dataclass(frozen=True, slots=True)
class Trial:
    """The sessions of a day under some values. ``energy_mwh`` is none where the day has no counter."""

    sessions: tuple[DerivedUsage, ...]
    energy_mwh: int | None

    @property
    def count(self) -> int:
        return len(self.sessions)

    @property
    def length(self) -> timedelta:
        return sum((one.when.duration for one in self.sessions), timedelta())

    @property
    def running(self) -> timedelta:
        return sum((one.running for one in self.sessions), timedelta())


def trial(samples: Sequence[Sample], values: ProfileValues, *, until: datetime) -> Trial:
    """Derive the sessions of these samples as metering would, reservations left aside. O(n).

    Shape: samples of one meter, ascending, without doubles.
    """
    sessions = tuple(sessions_by_version(samples, [values.profile()], (), until=until))
    counted = any(one.energy_mwh is not None for one in samples)
    return Trial(sessions, sum(one.energy_mwh for one in sessions) if counted else None)


class Difference(StrEnum):
    """How a session of the new values stands to those of the present ones."""

    SAME = "same"
    CHANGED = "changed"
    ADDED = "added"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Compared:
    """One session of either trial; a changed one as the new values make it."""

    session: DerivedUsage
    difference: Difference


def compared(present: Trial, wanted: Trial) -> list[Compared]:
    """Every session of ``wanted`` and those of ``present`` that it has no more, by start. O(n + m)."""
    before = [one.when for one in present.sessions]
    after = [one.when for one in wanted.sessions]
    known = set(before)
    rows = [
        Compared(one, Difference.SAME if one.when in known else Difference.CHANGED if touched else Difference.ADDED)
        for one, touched in zip(wanted.sessions, _touched(after, before), strict=True)
    ]
    rows += [
        Compared(one, Difference.GONE)
        for one, touched in zip(present.sessions, _touched(before, after), strict=True)
        if not touched
    ]
    return sorted(rows, key=lambda row: row.session.when)


def _touched(ones: Sequence[Interval], others: Sequence[Interval]) -> list[bool]:
    """Whether each of ``ones`` overlaps any of ``others``; both ascending, neither overlapping itself."""
    found, at = [], 0
    for one in ones:
        while at < len(others) and others[at].end <= one.start:
            at += 1
        found.append(at < len(others) and others[at].overlaps(one))
    return found


def drawn(samples: Sequence[Sample], *, stretches: int, longest_gap: timedelta) -> list[tuple[datetime, float | None]]:
    """The power as a line of at most ``2 * stretches`` points and its breaks: of each stretch the lowest and highest.

    Where two readings are further apart than ``longest_gap`` the line breaks: a point without a value.

    Units: watts. O(n).
    """
    told = [(one.taken_at, one.power_mw) for one in samples if one.power_mw is not None]
    if not told:
        return []
    first = told[0][0]
    width = (told[-1][0] - first) / stretches or timedelta(seconds=1)
    line: list[tuple[datetime, float | None]] = []
    low = high = told[0]
    before, stretch = first, 0

    def keep() -> None:
        line.extend((moment, milli / 1000) for moment, milli in sorted({low, high}))

    for point in told:
        moment, milli = point
        silent = moment - before > longest_gap
        if silent or (moment - first) // width != stretch:
            keep()
            if silent:
                line.append((before, None))
            low = high = point
            stretch = (moment - first) // width
        elif milli < low[1]:
            low = point
        elif milli > high[1]:
            high = point
        before = moment
    keep()
    return line
