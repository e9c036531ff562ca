"""Turn stored readings into usage sessions, again whenever readings, reservations or profiles change."""

from __future__ import annotations

import gc
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any, cast

import psycopg
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from app.booking.slots import booked_slots
from app.kernel.interval import Interval
from devices.keeping import keep
from devices.models import Meter, MeterProfile, UsageSession
from devices.rules.evidence import Evidence
from devices.rules.sample import Sample
from devices.rules.span import Profile
from devices.rules.usage import sessions_by_version

ONE_AT_A_TIME = 4702  # advisory lock class: one worker per meter
SECOND = timedelta(seconds=1)

# For a cursor of the driver, since millions of rows come; the order is that of the table's key.
SAMPLES = (
    "SELECT taken_at, boot, seq, power_mw, energy_mwh, running, content_hash, count FROM reading"
    " WHERE meter_id = %s::int AND taken_at >= %s ORDER BY taken_at, boot, seq, content_hash"
)
_AS_SAMPLE: Callable[[tuple[Any, ...]], Sample] = partial(tuple.__new__, Sample)
# Two kinds of work: meters with something new, and open sessions whose meter fell silent. A session that
# goes on is derived from its start each time, so the longer it is, the rarer it is looked at again.
WORK = text(
    """
    SELECT task.meter_id, task.dirty_from AS since, task.xmin::text AS version
    FROM metering_task AS task
    LEFT JOIN LATERAL (
        SELECT open, derived_at, ended_at - started_at AS length FROM usage_session
        WHERE meter_id = task.meter_id AND evidence = 'metered' ORDER BY started_at DESC LIMIT 1
    ) AS latest ON true
    WHERE latest.open IS NOT TRUE OR latest.derived_at + latest.length / 300 <= :at
    UNION ALL
    SELECT meter.id, latest.started_at, NULL
    FROM meter
    JOIN LATERAL (
        SELECT open, started_at, profile_id FROM usage_session
        WHERE meter_id = meter.id AND evidence = 'metered' ORDER BY started_at DESC LIMIT 1
    ) AS latest ON latest.open
    JOIN meter_profile AS profile ON profile.id = latest.profile_id
    LEFT JOIN LATERAL (
        SELECT taken_at FROM reading
        WHERE meter_id = meter.id AND taken_at >= :at - make_interval(secs => profile.max_gap_s)
          AND (power_mw IS NOT NULL OR running IS NOT NULL)
        LIMIT 1 -- with this the planner asks the index meter by meter; without it it may read the whole history
    ) AS heard ON true
    WHERE heard.taken_at IS NULL
    ORDER BY since LIMIT :limit
    """
)
ALONE = text("SELECT pg_try_advisory_xact_lock(CAST(:what AS int), CAST(:meter AS int))")
MY_TURN = text("SELECT pg_advisory_xact_lock(CAST(:what AS int), CAST(:meter AS int))")
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
    """Look at the use of this equipment from ``since`` on again: its reservations or its profiles changed."""
    session.execute(AGAIN, {"equipment": equipment_id, "since": since})


def alone_with(session: Session, meter_id: int) -> None:
    """Until this transaction ends nobody else makes sessions of this meter. Waits for whoever does."""
    session.execute(MY_TURN, {"what": ONE_AT_A_TIME, "meter": meter_id})


def profile_of(stored: MeterProfile) -> Profile:
    return Profile(
        run_on_w=stored.run_on_w,
        run_off_w=stored.run_off_w,
        min_on=timedelta(seconds=stored.min_on_s),
        min_off=timedelta(seconds=stored.min_off_s),
        max_gap=timedelta(seconds=stored.max_gap_s),
        rated_w=stored.rated_w,
        version=stored.version,
        valid_from=stored.valid_from,
        spike_w=stored.spike_w,
        lead=timedelta(seconds=stored.lead_s),
        post=timedelta(seconds=stored.post_s),
        counter_modulus_mwh=stored.counter_modulus_mwh,
    )


def _derive(session: Session, meter_id: int, *, since: datetime, at: datetime) -> int:
    meter = session.get_one(Meter, meter_id)
    versions = session.scalars(
        select(MeterProfile)
        .where(MeterProfile.meter_id == meter_id)
        .order_by(MeterProfile.valid_from, MeterProfile.version)
    ).all()
    profiles = [profile_of(one) for one in versions]
    reach = max(one.min_on + one.min_off + one.max_gap for one in profiles)
    since = _start_of_touched(session, meter_id, since, reach)
    samples = _samples(session, meter_id, max(since - reach, _end_before(session, meter_id, since) or since - reach))
    if not samples:
        return 0
    around = Interval(samples[0].taken_at, max(samples[-1].taken_at, at) + SECOND)
    slots = booked_slots(session, [meter.equipment_id], around)
    derived = sessions_by_version(samples, profiles, slots, until=at)
    return keep(
        session,
        meter,
        versions,
        [one for one in derived if one.when.end >= since],
        samples,
        since=since,
        at=at,
    )


def _samples(session: Session, meter_id: int, since: datetime) -> list[Sample]:
    connection = cast("psycopg.Connection[Any]", session.connection().connection.dbapi_connection)
    # Rows hold no circles, and looking for some while they pile up takes longer than fetching them.
    collects = gc.isenabled()
    gc.disable()
    try:
        with connection.cursor(binary=True) as cursor:
            return list(map(_AS_SAMPLE, cursor.execute(SAMPLES, (meter_id, since)).fetchall()))
    finally:
        if collects:
            gc.enable()


def _start_of_touched(session: Session, meter_id: int, moment: datetime, reach: timedelta) -> datetime:
    """Where to begin: the start of the earliest span that a reading at ``moment`` can touch, or ``moment``.

    Before a span nothing has changed, so what was found there stands; the pieces of one span meet.
    """
    touched = UsageSession.ended_at > moment - reach
    while (
        earlier := session.scalar(
            select(UsageSession.started_at)
            .where(
                UsageSession.meter_id == meter_id,
                UsageSession.evidence == Evidence.METERED,
                UsageSession.started_at < moment,
                touched,
            )
            .order_by(UsageSession.started_at.desc())
            .limit(1)
        )
    ) is not None:
        moment, touched = earlier, UsageSession.ended_at >= earlier
    return moment


def _end_before(session: Session, meter_id: int, moment: datetime) -> datetime | None:
    """The end of the last span before ``moment``: another profile must not look at it again."""
    return session.scalar(
        select(UsageSession.ended_at)
        .where(
            UsageSession.meter_id == meter_id,
            UsageSession.evidence == Evidence.METERED,
            UsageSession.started_at < moment,
            UsageSession.ended_at < moment,
        )
        .order_by(UsageSession.started_at.desc())
        .limit(1)
    )
