"""Make the stored sessions of one meter say what was derived, and note what a frozen one would be now."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.kernel import audit
from app.kernel.interval import Interval
from devices.models import LateChange, Meter, MeterProfile, UsageSession
from devices.rules.evidence import Evidence, Flag, LateCause
from devices.rules.sample import Sample
from devices.rules.usage import RULE_VERSION, DerivedUsage

SECOND = timedelta(seconds=1)


def keep(
    session: Session,
    meter: Meter,
    versions: Sequence[MeterProfile],
    derived: Sequence[DerivedUsage],
    samples: Sequence[Sample],
    *,
    since: datetime,
    at: datetime,
) -> int:
    """Make the sessions from ``since`` on say what was derived, each under its old id where it has one.

    What a person entered, or what was booked for want of readings, gives way to what the meter says: an entry
    to use at the same time, a booking to any reading. Returns how many changed.
    """
    since = min([since, *(usage.when.start for usage in derived)])
    stored = session.scalars(
        select(UsageSession)
        .where(UsageSession.meter_id == meter.id, UsageSession.ended_at >= since)
        .order_by(UsageSession.started_at)
    ).all()
    standing = [row for row in stored if not _spoken_about(row, derived, samples)]
    stored = [row for row in stored if row not in standing]
    frozen = [row for row in stored if row.frozen_at is not None]
    loose = {row.started_at: row for row in stored if row.frozen_at is None}
    starts = {usage.when.start for usage in derived}
    profile_ids = {one.version: one.id for one in versions}
    changed = 0
    for usage in derived:
        overlapping = [row for row in loose.values() if row.during.overlaps(usage.when)]
        if touched := [row for row in frozen if row.during.overlaps(usage.when)]:
            for row in overlapping:  # what the proposal takes in waits for the person as well
                del loose[row.started_at]
            if not any(_stands(row, usage) for row in touched):
                _note_late(session, touched[0], usage, _cause(touched[0], usage, samples, versions), at=at)
            continue
        known = loose.get(usage.when.start) or next((row for row in overlapping if row.started_at not in starts), None)
        if known is not None:
            del loose[known.started_at]
            if known.fingerprint == usage.fingerprint:
                continue
            _say_replaced(session, known, at=at)
        row = known or UsageSession(meter_id=meter.id, equipment_id=meter.equipment_id)
        _fill(row, usage, profile_ids[usage.profile_version], at=at)
        session.add(row)
        changed += 1
    for row in frozen:
        if not any(usage.when.overlaps(row.during) for usage in derived):
            _note_late(session, row, None, _cause(row, None, samples, versions), at=at)
    for row in loose.values():
        _say_replaced(session, row, at=at)
        session.delete(row)
        changed += 1
    session.flush()
    return changed


def _spoken_about(row: UsageSession, derived: Sequence[DerivedUsage], samples: Sequence[Sample]) -> bool:
    """Whether the readings have anything to say about a stored session."""
    return (
        row.evidence is Evidence.METERED
        or any(usage.when.overlaps(row.during) for usage in derived)
        or (row.evidence is Evidence.BOOKED and any(row.during.contains(one.taken_at) for one in samples))
    )


def _stands(row: UsageSession, usage: DerivedUsage) -> bool:
    """Whether a frozen session says what was derived now. An older rule's fingerprint cannot be compared."""
    if row.rule_version == RULE_VERSION:
        return row.fingerprint == usage.fingerprint
    return (row.during, row.reservation_id, row.running_s, row.energy_mwh, row.readings_count) == (
        usage.when,
        usage.reservation_id,
        usage.running // SECOND,
        usage.energy_mwh,
        usage.readings_count,
    )


def _fill(row: UsageSession, usage: DerivedUsage, profile_id: int, *, at: datetime) -> None:
    """What a person said of the session as it was does not hold for what it is now."""
    row.reservation_id = usage.reservation_id
    row.organization_id = usage.organization_id
    row.started_at, row.ended_at, row.during = usage.when.start, usage.when.end, usage.when
    row.open = usage.open
    row.running_s = usage.running // SECOND
    row.energy_mwh = usage.energy_mwh
    row.energy_estimated = Flag.ENERGY_ESTIMATED in usage.flags
    row.counted = usage.counted
    row.gap_s = usage.gap // SECOND
    row.flags = [flag.value for flag in usage.flags]
    row.evidence = Evidence.METERED
    row.entered_by, row.reason, row.reviewed_at, row.reviewed_by = None, "", None, None
    row.readings_count = usage.readings_count
    row.readings_digest = usage.readings_digest
    row.profile_id = profile_id
    row.rule_version = RULE_VERSION
    row.fingerprint = usage.fingerprint
    row.derived_at = at


def _say_replaced(session: Session, row: UsageSession, *, at: datetime) -> None:
    """What a person entered or accepted is not lost without a trace."""
    if row.evidence is Evidence.ENTERED or row.reviewed_at is not None:
        audit.record(
            session, at=at, by=None, deed="replaced by readings", subject="usage_session", subject_id=row.id,
            evidence=row.evidence.value, reason=row.reason, **_told(row),
        )  # fmt: skip


def _cause(
    row: UsageSession, usage: DerivedUsage | None, samples: Sequence[Sample], versions: Sequence[MeterProfile]
) -> LateCause:
    """Why a frozen session would be another one now. Readings only grow, so their number tells of new ones."""
    if _readings_in(row.during, samples) != row.readings_count:
        return LateCause.LATE_READINGS
    valid = [one.id for one in versions if one.valid_from <= row.started_at] or [versions[0].id]
    if row.profile_id != valid[-1]:
        return LateCause.NEW_PROFILE
    if usage is not None and (usage.reservation_id, Flag.CUT in usage.flags) != (
        row.reservation_id,
        Flag.CUT.value in row.flags,
    ):
        return LateCause.OTHER_RESERVATION
    return LateCause.LATE_READINGS


def _readings_in(when: Interval, samples: Sequence[Sample]) -> int:
    taken_at = attrgetter("taken_at")
    return bisect_right(samples, when.end, key=taken_at) - bisect_left(samples, when.start, key=taken_at)


def _note_late(
    session: Session, row: UsageSession, usage: DerivedUsage | None, cause: LateCause, *, at: datetime
) -> None:
    """Say once what the readings would now make of a frozen session, nothing perhaps; a person decides."""
    fingerprint = f"gone {row.fingerprint}" if usage is None else usage.fingerprint
    known = session.scalar(
        select(LateChange.id).where(LateChange.meter_id == row.meter_id, LateChange.fingerprint == fingerprint)
    )
    if known is None:
        session.add(
            LateChange(
                meter_id=row.meter_id,
                usage_session_id=row.id,
                fingerprint=fingerprint,
                cause=cause,
                proposal={"was": _told(row), "would_be": usage and _would_be(usage)},
                noted_at=at,
            )
        )


def _told(row: UsageSession) -> dict[str, Any]:
    return _facts(row.during, row.energy_mwh, row.reservation_id)


def _would_be(usage: DerivedUsage) -> dict[str, Any]:
    return _facts(usage.when, usage.energy_mwh, usage.reservation_id)


def _facts(when: Interval, energy_mwh: int, reservation_id: int | None) -> dict[str, Any]:
    return {
        "starts_at": when.start.isoformat(),
        "ends_at": when.end.isoformat(),
        "energy_mwh": energy_mwh,
        "reservation_id": reservation_id,
    }
