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
# Two kinds of work: meters with something new, and open sessions whose meter fell silent. A session that
# goes on is derived from its start each time, so the longer it is, the rarer it is looked at again.
WORK = text(
    """
    SELECT task.meter_id, task.dirty_from AS since, task.xmin::text AS version
    FROM metering_task AS task
    LEFT JOIN LATERAL (
        SELECT open, derived_at, ended_at - started_at AS length FROM usage_session
        WHERE meter_id = task.meter_id ORDER BY started_at DESC LIMIT 1
    ) AS latest ON true
    WHERE latest.open IS NOT TRUE OR latest.derived_at + latest.length / 300 <= :at
    UNION ALL
    SELECT meter.id, latest.started_at, NULL
    FROM meter
    JOIN LATERAL (
        SELECT open, started_at FROM usage_session WHERE meter_id = meter.id ORDER BY started_at DESC LIMIT 1
    ) AS latest ON latest.open
    JOIN LATERAL (
        SELECT max_gap_s FROM meter_profile WHERE meter_id = meter.id ORDER BY version DESC LIMIT 1
    ) AS profile ON true
    WHERE NOT EXISTS (
        SELECT FROM reading
        WHERE meter_id = meter.id AND taken_at >= :at - make_interval(secs => profile.max_gap_s)
          AND (power_mw IS NOT NULL OR running IS NOT NULL)
    )
    ORDER BY since LIMIT :limit
    """
)
ALONE = text("SELECT pg_try_advisory_xact_lock(CAST(:what AS int), CAST(:meter AS int))")
# Whoever stored a reading meanwhile has touched the row: then its version differs and it stays.
DONE = text("DELETE FROM metering_task WHERE meter_id = CAST(:meter AS int) AND xmin::text = :version")
AGAIN = text(
    "INSERT INTO metering_task (meter_id, dirty_from) SELECT id, :since FROM meter"
    " WHERE equipment_id = CAST(:equipment AS int)"
    " ON CONFLICT (meter_id) DO UPDATE SET dirty_from = least(metering_task.dirty_from, excluded.dirty_from)"
)


def meter_readings(session: Session, *, at: datetime, limit: int = 100) -> int:
    """Derive the sessions of up to ``limit`` meters that have something new. Returns how many changed.

    Running it again changes nothing. O(readings since the start of the session at hand) per meter.
    """
    changed = 0
    for task in session.execute(WORK, {"limit": limit, "at": at}).all():
        if session.scalar(ALONE, {"what": ONE_AT_A_TIME, "meter": task.meter_id}):
            changed += _derive(session, task.meter_id, since=task.since, at=at)
            session.execute(DONE, {"meter": task.meter_id, "version": task.version})
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


def _derive(session: Session, meter_id: int, *, since: datetime, at: datetime) -> int:
    meter = session.get_one(Meter, meter_id)
    stored_profile = session.scalars(
        select(MeterProfile).where(MeterProfile.meter_id == meter_id).order_by(MeterProfile.version.desc()).limit(1)
    ).one()
    profile = profile_of(stored_profile)
    reach = profile.min_on + profile.min_off + profile.max_gap
    since = _start_of_touched(session, meter_id, since, reach)
    rows = session.execute(SAMPLES, {"meter": meter_id, "since": since - reach})
    samples = [Sample(*row) for row in rows]
    if not samples:
        return 0
    around = Interval(samples[0].taken_at, max(samples[-1].taken_at, at) + SECOND)
    slots = booked_slots(session, [meter.equipment_id], around)
    derived = [one for one in usage_sessions(samples, profile, slots, until=at) if one.when.end >= since]
    return _store(session, meter, stored_profile, derived, since=since, at=at)


def _start_of_touched(session: Session, meter_id: int, moment: datetime, reach: timedelta) -> datetime:
    """Where to begin: the start of the earliest span that a reading at ``moment`` can touch, or ``moment``.

    Before a span nothing has changed, so what was found there stands; the pieces of one span meet.
    """
    touched = UsageSession.ended_at > moment - reach
    while (
        earlier := session.scalar(
            select(UsageSession.started_at)
            .where(UsageSession.meter_id == meter_id, UsageSession.started_at < moment, touched)
            .order_by(UsageSession.started_at.desc())
            .limit(1)
        )
    ) is not None:
        moment, touched = earlier, UsageSession.ended_at >= earlier
    return moment


def _store(
    session: Session,
    meter: Meter,
    profile: MeterProfile,
    derived: Sequence[DerivedUsage],
    *,
    since: datetime,
    at: datetime,
) -> int:
    """Make the stored sessions say what was derived, each under its old id where it has one."""
    since = min([since, *(usage.when.start for usage in derived)])
    stored = session.scalars(
        select(UsageSession)
        .where(UsageSession.meter_id == meter.id, UsageSession.ended_at >= since)
        .order_by(UsageSession.started_at)
    ).all()
    frozen = [row for row in stored if row.frozen_at is not None]
    loose = {row.started_at: row for row in stored if row.frozen_at is None}
    starts = {usage.when.start for usage in derived}
    changed = 0
    for usage in derived:
        overlapping = [row for row in loose.values() if row.during.overlaps(usage.when)]
        if touched := [row for row in frozen if row.during.overlaps(usage.when)]:
            for row in overlapping:  # what the proposal takes in waits for the person as well
                del loose[row.started_at]
            if all(row.fingerprint != usage.fingerprint for row in touched):
                _note_late(session, touched[0], usage.fingerprint, _told(usage.when, usage.energy_mwh), at=at)
            continue
        known = loose.get(usage.when.start) or next((row for row in overlapping if row.started_at not in starts), None)
        if known is not None:
            del loose[known.started_at]
            if known.fingerprint == usage.fingerprint:
                continue
        row = known or UsageSession(meter_id=meter.id, equipment_id=meter.equipment_id)
        _fill(row, usage, profile, at=at)
        session.add(row)
        changed += 1
    for row in frozen:
        if not any(usage.when.overlaps(row.during) for usage in derived):
            _note_late(session, row, f"gone {row.fingerprint}", None, at=at)
    for row in loose.values():
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


def _note_late(
    session: Session, row: UsageSession, fingerprint: str, would_be: dict[str, Any] | None, *, at: datetime
) -> None:
    """Say once what the readings would now make of a frozen session, nothing perhaps; a person decides."""
    known = session.scalar(
        select(LateChange.id).where(LateChange.meter_id == row.meter_id, LateChange.fingerprint == fingerprint)
    )
    if known is None:
        session.add(
            LateChange(
                meter_id=row.meter_id,
                usage_session_id=row.id,
                fingerprint=fingerprint,
                proposal={"was": _told(row.during, row.energy_mwh), "would_be": would_be},
                noted_at=at,
            )
        )


def _told(when: Interval, energy_mwh: int) -> dict[str, Any]:
    return {"starts_at": when.start.isoformat(), "ends_at": when.end.isoformat(), "energy_mwh": energy_mwh}
