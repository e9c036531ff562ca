"""From one meter's samples to usage sessions: energy, spans and slots put together."""

from __future__ import annotations

import hashlib
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from app.booking.rules.slot import BookedSlot
from app.kernel.interval import Interval
from devices.rules.counter import CountedEnergy, counted_energy
from devices.rules.evidence import Evidence
from devices.rules.matching import Piece, pieces
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
    meter_id: int | None
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
    taken = [sample.taken_at for sample in ordered]
    found: list[DerivedUsage] = []
    for span in usage_spans(ordered, profile, until=until):
        # Only the readings inside decide, so it does not matter how far back somebody began to read.
        within = ordered[bisect_left(taken, span.when.start) : bisect_right(taken, span.when.end)]
        energy = counted_energy(within, rated_w=profile.rated_w)
        found += [_session(within, energy, profile, span, piece) for piece in pieces(span.when, slots)]
    return found


def _in_order(sample: Sample) -> tuple[object, ...]:
    return (sample.taken_at, sample.boot, sample.seq, sample.content_hash)


def _session(
    within: Sequence[Sample], energy: CountedEnergy, profile: Profile, span: UsageSpan, piece: Piece
) -> DerivedUsage:
    when, slot = piece.when, piece.slot
    last = when.end == span.when.end
    inside = [sample for sample in within if when.start <= sample.taken_at <= when.end]
    return DerivedUsage(
        when=when,
        reservation_id=slot.reservation_id if slot else None,
        organization_id=slot.organization_id if slot else None,
        running=span.running_within(when),
        energy_mwh=energy.between(when.start, when.end),
        energy_estimated=energy.doubtful(when.start, when.end),
        gap=profile.max_gap if last and span.cut_by_silence else timedelta(),  # at least so much is not known
        readings_count=len(inside),
        readings_digest=readings_digest(inside),
        open=span.open and last,
        profile_version=profile.version,
    )


def readings_digest(samples: Iterable[Sample]) -> str:
    """What names exactly these readings, in this order. SHA-256, in hexadecimal."""
    digest = hashlib.sha256()
    for sample in samples:
        taken_at = sample.taken_at.astimezone(UTC).isoformat()
        digest.update(f"{sample.boot}/{sample.seq}/{taken_at}/".encode() + sample.content_hash)
    return digest.hexdigest()
