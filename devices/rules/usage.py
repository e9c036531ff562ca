"""From one meter's samples to usage sessions: energy, spans and slots put together."""

from __future__ import annotations

import hashlib
import struct
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from operator import attrgetter

from app.booking.rules.slot import BookedSlot
from app.kernel.interval import Interval
from devices.rules.counter import Counted, CountedEnergy, counted_energy, counted_rises
from devices.rules.evidence import Evidence, Flag, needs_review
from devices.rules.matching import pieces
from devices.rules.sample import Sample, in_order
from devices.rules.span import Profile, UsageSpan, spans_by_version

RULE_VERSION = 2
SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class DerivedUsage:
    """One usage session as the rules make it. Equal fingerprints mean equal sessions."""

    when: Interval
    reservation_id: int | None
    organization_id: int | None
    running: timedelta
    energy_mwh: int
    counted: int | None
    gap: timedelta
    flags: tuple[Flag, ...]
    readings_count: int
    readings_digest: str
    open: bool
    profile_version: int

    @property
    def fingerprint(self) -> str:
        return told_fingerprint(
            self.when,
            self.reservation_id,
            self.organization_id,
            self.running // SECOND,
            self.energy_mwh,
            self.counted,
            self.gap // SECOND,
            [flag.value for flag in self.flags],
            self.readings_count,
            self.readings_digest,
            self.open,
            self.profile_version,
        )


def told_fingerprint(when: Interval, *facts: object) -> str:
    """A name for a session that says exactly this, under the present rules."""
    told = (when.start.isoformat(), when.end.isoformat(), *facts, RULE_VERSION)
    return hashlib.sha256(repr(told).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Usage:
    """A stored usage session as later stages see it.

    ``effective`` is the session with the time that the equipment needs before and after it, as far as nobody
    else had it. ``profile_version`` is none where no meter saw the use.
    """

    session_id: int
    meter_id: int | None
    equipment_id: int
    reservation_id: int | None
    organization_id: int | None
    when: Interval
    effective: Interval
    running: timedelta
    energy_mwh: int
    energy_estimated: bool
    counted: int | None
    gap: timedelta
    flags: tuple[Flag, ...]
    evidence: Evidence
    reviewed: bool
    reason: str
    readings_count: int
    readings_digest: str
    profile_version: int | None
    rule_version: int
    open: bool
    frozen: bool
    fingerprint: str

    @property
    def needs_review(self) -> bool:
        return not self.reviewed and needs_review(self.evidence, self.flags)


def effective(
    when: Interval, *, lead: timedelta, post: timedelta, used: Iterable[Interval], reserved: Iterable[Interval]
) -> Interval:
    """``when`` with the time that the equipment needs before and after, as far as that was nobody else's.

    Where two sessions want the same time between them, it is what comes after the first.

    Shape: sessions of the same meter, this one may be among them; reservations of others on the same equipment.
    """
    start, end = when.start - lead, when.end + post
    for other, needs in [*((one, post) for one in used), *((one, timedelta()) for one in reserved)]:
        if other.start < when.start:
            start = max(start, min(other.end + needs, when.start))
        if other.end > when.end:
            end = min(end, max(other.start, when.end))
    return Interval(start, end)


def usage_sessions(
    samples: Iterable[Sample], profile: Profile, slots: Sequence[BookedSlot], *, until: datetime
) -> list[DerivedUsage]:
    """Every session that these samples show by one profile, by start.

    Any order, doubling or splitting of the same samples gives the same sessions. O(n log n).

    Shape: samples of one meter; slots of its equipment.
    """
    return sessions_by_version(in_order(samples), [profile], slots, until=until)


def sessions_by_version(
    samples: Sequence[Sample], profiles: Sequence[Profile], slots: Sequence[BookedSlot], *, until: datetime
) -> list[DerivedUsage]:
    """Every session that these samples show, each by the profile that was valid when its run began. O(n).

    Shape: samples of one meter, ascending, without doubles (:func:`devices.rules.sample.in_order`); versions of
    its profile by ``valid_from``; slots of its equipment.
    """
    found: list[DerivedUsage] = []
    for profile, span in spans_by_version(samples, profiles, until=until):
        # Only the readings inside decide, so it does not matter how far back somebody began to read.
        found += _of_span(_Span(profile, span, _within(samples, span.when)), slots)
    return found


def _within(samples: Sequence[Sample], when: Interval) -> Sequence[Sample]:
    """The samples from the first to the last moment of ``when``, both included."""
    taken_at = attrgetter("taken_at")
    first = bisect_left(samples, when.start, key=taken_at)
    return samples[first : bisect_right(samples, when.end, lo=first, key=taken_at)]


class _Span:
    """One stretch of use with all that was counted in it."""

    def __init__(self, profile: Profile, span: UsageSpan, samples: Sequence[Sample]) -> None:
        self.profile, self.span, self.samples = profile, span, samples
        self.energy: CountedEnergy = counted_energy(
            samples, rated_w=profile.rated_w, modulus_mwh=profile.counter_modulus_mwh
        )
        self.rises: Counted = counted_rises(samples)
        self.missing = missing_numbers(samples)


def _of_span(whole: _Span, slots: Sequence[BookedSlot]) -> list[DerivedUsage]:
    span, energy = whole.span, whole.energy
    found = []
    cut = pieces(span.when, slots)
    for piece in cut:
        when, slot = piece.when, piece.slot
        last = when.end == span.when.end
        inside = whole.samples if len(cut) == 1 else _within(whole.samples, when)
        silent = last and span.cut_by_silence
        said = {
            Flag.GAP: silent,
            Flag.ENERGY_ESTIMATED: energy.doubtful(when.start, when.end),
            Flag.CUT: len(cut) > 1,
            Flag.NEXT_WAS_THERE: not last,
            Flag.UNPAIRED_NUMBERS: any(gap.overlaps(when) for gap in whole.missing),
        }
        found.append(
            DerivedUsage(
                when=when,
                reservation_id=slot.reservation_id if slot else None,
                organization_id=slot.organization_id if slot else None,
                running=span.running_within(when),
                energy_mwh=energy.between(when.start, when.end),
                counted=whole.rises.between(when.start, when.end)
                if whole.rises.spoke_within(when.start, when.end)
                else None,
                gap=whole.profile.max_gap if silent else timedelta(),  # at least so much is not known
                flags=tuple(flag for flag, is_so in said.items() if is_so),
                readings_count=len(inside),
                readings_digest=readings_digest(inside),
                open=span.open and last,
                profile_version=whole.profile.version,
            )
        )
    return found


def missing_numbers(samples: Sequence[Sample]) -> list[Interval]:
    """Where sequence numbers between two readings of one boot are missing, from the one to the other.

    A meter that does not count misses none. O(n) where all are there, else O(n log n).
    """
    sequences = [one.seq for one in samples]
    if not samples or (len({one.boot for one in samples}) == 1 and max(sequences) - min(sequences) < len(sequences)):
        return []
    numbers: dict[int, list[tuple[int, datetime]]] = {}
    for one in samples:
        if one.boot or one.seq:
            numbers.setdefault(one.boot, []).append((one.seq, one.taken_at))
    found = []
    for told in numbers.values():
        for (seq, before), (following, after) in pairwise(sorted(told)):
            if following - seq > 1 and before != after:
                found.append(Interval(min(before, after), max(before, after)))
    return sorted(found)


def readings_digest(samples: Sequence[Sample]) -> str:
    """What names exactly these readings, in this order. SHA-256, in hexadecimal.

    Over boots, sequence numbers (int64) and times (double, seconds since 1970), then the content hashes.
    """
    count = len(samples)
    digest = hashlib.sha256(struct.pack(f">{count}q", *[one.boot for one in samples]))
    digest.update(struct.pack(f">{count}q", *[one.seq for one in samples]))
    digest.update(struct.pack(f">{count}d", *[one.taken_at.timestamp() for one in samples]))
    digest.update(b"".join([one.content_hash for one in samples]))
    return digest.hexdigest()
