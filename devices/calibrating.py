"""Say anew what counts as use on a meter: look at a day of it, then keep a new version of its profile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, fields
from datetime import datetime, timedelta
from typing import Any, cast

import psycopg
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from app.kernel import audit
from app.kernel.clock import FACILITY_ZONE
from app.kernel.errors import InvalidInput
from app.kernel.interval import Interval
from devices.metering import reconsider
from devices.models import Meter, MeterProfile, UsageSession
from devices.rules.sample import Sample
from devices.rules.trial import ProfileValues

MINUTE = timedelta(minutes=1)
# For a cursor of the driver: a row is a sample at once. What names a reading is of no use to a trial.
WITHIN = (
    "SELECT taken_at, boot, seq, power_mw, energy_mwh, running, ''::bytea, count FROM reading"
    " WHERE meter_id = %s::int AND taken_at >= %s AND taken_at < %s ORDER BY taken_at, boot, seq, content_hash"
)
LAST = text("SELECT taken_at FROM reading WHERE meter_id = CAST(:meter AS int) ORDER BY taken_at DESC LIMIT 1")


def samples_within(session: Session, meter_id: int, within: Interval) -> list[Sample]:
    """What the meter said within ``within``, by time. O(n), some 2 µs a reading."""
    connection = cast("psycopg.Connection[Any]", session.connection().connection.dbapi_connection)
    with connection.cursor(binary=True, row_factory=_as_sample) as cursor:
        return cursor.execute(WITHIN, (meter_id, within.start, within.end)).fetchall()


def _as_sample(cursor: psycopg.Cursor[Any]) -> Callable[[Any], Sample]:
    return Sample._make


def last_heard(session: Session, meter_id: int) -> datetime | None:
    """When the meter measured last. One index lookup a month."""
    return cast("datetime | None", session.scalar(LAST, {"meter": meter_id}))


def versions_of(session: Session, meter_id: int) -> list[MeterProfile]:
    """Every version of a meter's profile, the one that is valid last first."""
    return list(
        session.scalars(
            select(MeterProfile)
            .where(MeterProfile.meter_id == meter_id)
            .order_by(MeterProfile.valid_from.desc(), MeterProfile.version.desc())
        )
    )


def values_of(profile: MeterProfile) -> ProfileValues:
    return ProfileValues(**{one.name: getattr(profile, one.name) for one in fields(ProfileValues)})


def save_profile(
    session: Session,
    meter_id: int,
    *,
    values: ProfileValues,
    valid_from: datetime,
    reason: str,
    by: int,
    at: datetime,
) -> MeterProfile:
    """Keep ``values`` as the next version: use that begins from ``valid_from`` on is told by them.

    Metering looks at that time again. Nothing that an invoice stands on may begin there, and versions
    follow each other: a new one does not begin before the last.

    Errors: ``InvalidInput`` for ``valid_from`` or ``reason``; ``ProfileValues`` refuses wrong values itself.
    """
    reason = reason.strip()
    if not reason:
        raise InvalidInput("请写明修改的理由。", field="reason")
    if valid_from > at:
        raise InvalidInput("生效时间不能晚于现在。", field="valid_from")
    meter = session.get_one(Meter, meter_id, with_for_update=True)
    invoiced = session.scalar(
        select(func.max(UsageSession.ended_at)).where(
            UsageSession.meter_id == meter_id, UsageSession.frozen_at.is_not(None)
        )
    )
    if invoiced is not None and valid_from < invoiced:
        raise InvalidInput(
            "%(until)s 以前的使用已经开票，请选择不早于它的时间。", field="valid_from", until=_next_minute(invoiced)
        )
    latest = versions_of(session, meter_id)[0]
    if valid_from < latest.valid_from:
        raise InvalidInput(
            "版本 %(version)s 从 %(since)s 起生效，新版本不能早于它。",
            field="valid_from",
            version=latest.version,
            since=_next_minute(latest.valid_from),
        )
    version = 1 + (session.scalar(select(func.max(MeterProfile.version)).where(MeterProfile.meter_id == meter_id)) or 0)
    saved = MeterProfile(
        meter_id=meter_id,
        version=version,
        valid_from=valid_from,
        reason=reason,
        made_by=by,
        created_at=at,
        **asdict(values),
    )
    session.add(saved)
    reconsider(session, meter.equipment_id, since=valid_from)
    audit.record(
        session,
        at=at,
        by=by,
        deed="saved_profile",
        subject="meter",
        subject_id=meter_id,
        version=version,
        valid_from=valid_from.isoformat(),
        reason=reason,
        values=asdict(values),
    )
    session.flush()
    return saved


def _next_minute(moment: datetime) -> str:
    """The first whole minute from ``moment`` on, as a form takes it."""
    local = moment.astimezone(FACILITY_ZONE)
    whole = local.replace(second=0, microsecond=0)
    return f"{whole if whole == local else whole + MINUTE:%Y-%m-%d %H:%M}"
