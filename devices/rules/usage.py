"""From one meter's samples to usage sessions: energy, spans and slots put together."""

from __future__ import annotations

import hashlib
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from app.booking.rules.slot import BookedSlot
from app.kernel.interval import Interval
from devices.rules.counter import CountedEnergy, counted_energy
from devices.rules.evidence import Evidence
from devices.rules.matching import pieces
from devices.rules.sample import Sample
from devices.rules.span import Profile, UsageSpan, usage_spans

RULE_VERSION = 1


@dataclass(frozen=True, slots=True)
class DerivedUsage:
    """One usage session as the rules make it. Equal fingerprints mean equal sessions."""

    when: Interval
    reservation_id: int | None
    organization_id: int | None
    running: timedelta
    energy_mwh: int
    energy_estimated: bool
    gap: timedelta
    readings_count: int
    readings_digest: str
    open: bool
    profile_version: int

    @property
    def fingerprint(self) -> str:
        told = (
            self.when.start.isoformat(),
            self.when.end.isoformat(),
            self.reservation_id,
            self.organization_id,
            self.running // timedelta(seconds=1),
            self.energy_mwh,
            self.energy_estimated,
            self.gap // timedelta(seconds=1),
            self.readings_count,
            self.readings_digest,
            self.open,
            self.profile_version,
            RULE_VERSION,
        )
        return hashlib.sha256(repr(told).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Usage:
    """A stored usage session as later stages see it."""

    session_id: int
    meter_id: int
    equipment_id: int
    reservation_id: int | None
    organization_id: int | None
    when: Interval
    running: timedelta
    energy_mwh: int
    energy_estimated: bool
    gap: timedelta
    evidence: Evidence
    readings_count: int
    readings_digest: str
    profile_version: int
    rule_version: int
    open: bool
    frozen: bool
    fingerprint: str


def usage_sessions(
    samples: Iterable[Sample], profile: Profile, slots: Sequence[BookedSlot], *, until: datetime
) -> list[DerivedUsage]:
    """Every session that these samples show, by start.

    Any order, doubling or splitting of the same samples gives the same sessions. O(n log n).

    Shape: samples of one meter; slots of its equipment.
    """
    ordered = sorted(set(samples), key=_in_order)
    energy = counted_energy(ordered, rated_w=profile.rated_w)
    taken = [sample.taken_at for sample in ordered]
    return [
        _session(ordered, taken, energy, profile, span, piece.when, piece.slot)
        for span in usage_spans(ordered, profile, until=until)
        for piece in pieces(span.when, slots)
    ]


def _in_order(sample: Sample) -> tuple[object, ...]:
    return (sample.taken_at, sample.boot, sample.seq, sample.content_hash)


def _session(
    ordered: Sequence[Sample],
    taken: Sequence[datetime],
    energy: CountedEnergy,
    profile: Profile,
    span: UsageSpan,
    when: Interval,
    slot: BookedSlot | None,
) -> DerivedUsage:
    last = when.end == span.when.end
    inside = ordered[bisect_left(taken, when.start) : bisect_right(taken, when.end)]
    silences = (later.taken_at - earlier.taken_at for earlier, later in pairwise(inside))
    gap = sum((silence for silence in silences if silence > profile.max_gap), timedelta())
    if last and span.silent_until_end:
        gap += profile.max_gap  # at least so much is not known
    digest = hashlib.sha256()
    for sample in inside:
        digest.update(f"{sample.boot}/{sample.seq}/{sample.taken_at.isoformat()}/".encode() + sample.content_hash)
    return DerivedUsage(
        when=when,
        reservation_id=slot.reservation_id if slot else None,
        organization_id=slot.organization_id if slot else None,
        running=span.running_within(when),
        energy_mwh=energy.between(when.start, when.end),
        energy_estimated=energy.doubtful(when.start, when.end),
        gap=gap,
        readings_count=len(inside),
        readings_digest=digest.hexdigest(),
        open=span.open and last,
        profile_version=profile.version,
    )
