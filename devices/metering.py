"""Turn stored readings into usage sessions, again whenever readings or reservations change."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from app.booking.slots import booked_slots
from app.kernel.interval import Interval
from devices.models import LateChange, Meter, MeterProfile, UsageSession
from devices.rules.evidence import Evidence
from devices.rules.sample import Sample
from devices.rules.span import Profile
from devices.rules.usage import RULE_VERSION, DerivedUsage, usage_sessions

ONE_AT_A_TIME = 4702  # advisory lock class: one worker per meter
SECOND = timedelta(seconds=1)

SAMPLES = text(
    "SELECT taken_at, boot, seq, power_mw, energy_mwh, running, content_hash FROM reading"
    " WHERE meter_id = CAST(:meter AS int) AND taken_at >= :since ORDER BY taken_at, boot, seq, content_hash"
)
TASKS = text("SELECT meter_id, dirty_from, xmin::text AS version FROM metering_task ORDER BY dirty_from LIMIT :limit")
ALONE = text("SELECT pg_try_advisory_xact_lock(CAST(:what AS int), CAST(:meter AS int))")
# Whoever stored a reading meanwhile has touched the row: then its version differs and it stays.
DONE = text("DELETE FROM metering_task WHERE meter_id = CAST(:meter AS int) AND xmin::text = :version")
COME_BACK = text(
    "UPDATE metering_task SET dirty_from = :since WHERE meter_id = CAST(:meter AS int) AND xmin::text = :version"
)
AGAIN = text(
    "INSERT INTO metering_task (meter_id, dirty_from) SELECT id, :since FROM meter"
    " WHERE equipment_id = CAST(:equipment AS int)"
    " ON CONFLICT (meter_id) DO UPDATE SET dirty_from = least(metering_task.dirty_from, excluded.dirty_from)"
)


def meter_readings(session: Session, *, at: datetime, limit: int = 100) -> int:
    """Derive the sessions of up to ``limit`` meters that have something new. Returns how many changed.

    A meter whose run goes on keeps its task, so that the session grows and silence can end it.
    Running it again changes nothing. O(readings since the last quiet moment) per meter.
    """
    changed = 0
    for task in session.execute(TASKS, {"limit": limit}).all():
        if not session.scalar(ALONE, {"what": ONE_AT_A_TIME, "meter": task.meter_id}):
            continue
        open_since, did = _derive(session, task.meter_id, since=task.dirty_from, at=at)
        changed += did
        known = {"meter": task.meter_id, "version": task.version}
        if open_since is None:
            session.execute(DONE, known)
        elif open_since != task.dirty_from:
            session.execute(COME_BACK, {**known, "since": open_since})
    return changed


def reconsider(session: Session, equipment_id: int, *, since: datetime) -> None:
    """Match the use of this equipment from ``since`` on with its reservations again."""
    session.execute(AGAIN, {"equipment": equipment_id, "since": since})


def profile_of(stored: MeterProfile) -> Profile:
    return Profile(
        run_on_w=stored.run_on_w,
        run_off_w=stored.run_off_w,
        min_on=timedelta(seconds=stored.min_on_s),
        min_off=timedelta(seconds=stored.min_off_s),
        max_gap=timedelta(seconds=stored.max_gap_s),
        rated_w=stored.rated_w,
        version=stored.version,
    )


def _derive(session: Session, meter_id: int, *, since: datetime, at: datetime) -> tuple[datetime | None, int]:
    """Returns since when a run is going on, if one is, and how many sessions changed."""
    meter = session.get_one(Meter, meter_id)
    stored_profile = session.scalars(
        select(MeterProfile).where(MeterProfile.meter_id == meter_id).order_by(MeterProfile.version.desc()).limit(1)
    ).one()
    profile = profile_of(stored_profile)
    quiet = profile.min_on + profile.min_off + profile.max_gap
    since = _quiet_before(session, meter_id, since, quiet)
    rows = session.execute(SAMPLES, {"meter": meter_id, "since": since - quiet})
    samples = [Sample(*row) for row in rows]
    if not samples:
        return None, 0
    around = Interval(samples[0].taken_at, max(samples[-1].taken_at, at) + SECOND)
    slots = booked_slots(session, [meter.equipment_id], around)
    derived = [one for one in usage_sessions(samples, profile, slots, until=at) if one.when.end > since]
    changed = _store(session, meter, stored_profile, derived, since=since, at=at)
    return next((one.when.start for one in derived if one.open), None), changed


def _quiet_before(session: Session, meter_id: int, moment: datetime, quiet: timedelta) -> datetime:
    """The start of the sessions that ``moment`` could still touch, or ``moment`` itself."""
    while True:
        earlier = session.scalar(
            select(UsageSession.started_at)
            .where(
                UsageSession.meter_id == meter_id,
                UsageSession.ended_at > moment - quiet,
                UsageSession.started_at < moment,
            )
            .order_by(UsageSession.started_at)
            .limit(1)
        )
        if earlier is None:
            return moment
        moment = earlier


def _store(
    session: Session,
    meter: Meter,
    profile: MeterProfile,
    derived: Sequence[DerivedUsage],
    *,
    since: datetime,
    at: datetime,
) -> int:
    stored = session.scalars(
        select(UsageSession)
        .where(UsageSession.meter_id == meter.id, UsageSession.ended_at > since)
        .order_by(UsageSession.started_at)
    ).all()
    frozen = [row for row in stored if row.frozen_at is not None]
    loose = [row for row in stored if row.frozen_at is None]
    changed = 0
    for usage in derived:
        if touched := [row for row in frozen if row.during.overlaps(usage.when)]:
            if all(row.fingerprint != usage.fingerprint for row in touched):
                _note_late(session, meter, touched[0], usage, at=at)
            continue
        row = next((row for row in loose if row.started_at == usage.when.start), None) or next(
            (row for row in loose if row.during.overlaps(usage.when)), None
        )
        if row is None:
            row = UsageSession(meter_id=meter.id, equipment_id=meter.equipment_id)
            session.add(row)
        else:
            loose.remove(row)
            if row.fingerprint == usage.fingerprint:
                continue
        _fill(row, usage, profile, at=at)
        changed += 1
    for row in loose:
        session.delete(row)
        changed += 1
    session.flush()
    return changed


def _fill(row: UsageSession, usage: DerivedUsage, profile: MeterProfile, *, at: datetime) -> None:
    row.reservation_id = usage.reservation_id
    row.organization_id = usage.organization_id
    row.started_at, row.ended_at, row.during = usage.when.start, usage.when.end, usage.when
    row.open = usage.open
    row.running_s = usage.running // SECOND
    row.energy_mwh = usage.energy_mwh
    row.energy_estimated = usage.energy_estimated
    row.gap_s = usage.gap // SECOND
    row.evidence = Evidence.METERED
    row.readings_count = usage.readings_count
    row.readings_digest = usage.readings_digest
    row.profile_id = profile.id
    row.rule_version = RULE_VERSION
    row.fingerprint = usage.fingerprint
    row.derived_at = at


def _note_late(session: Session, meter: Meter, row: UsageSession, usage: DerivedUsage, *, at: datetime) -> None:
    """Say once what the readings would now make of a frozen session; a person decides."""
    known = session.scalar(
        select(LateChange.id).where(LateChange.meter_id == meter.id, LateChange.fingerprint == usage.fingerprint)
    )
    if known is None:
        session.add(
            LateChange(
                meter_id=meter.id,
                usage_session_id=row.id,
                fingerprint=usage.fingerprint,
                proposal={"was": _told(row.during, row.energy_mwh), "would_be": _told(usage.when, usage.energy_mwh)},
                noted_at=at,
            )
        )


def _told(when: Interval, energy_mwh: int) -> dict[str, Any]:
    return {"starts_at": when.start.isoformat(), "ends_at": when.end.isoformat(), "energy_mwh": energy_mwh}
