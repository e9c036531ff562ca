"""The door of devices: what was used, and what the meters said of it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Row,
    Select,
    SelectBase,
    Text,
    and_,
    cast,
    exists,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session, aliased

from app.booking.slots import booked_slots
from app.kernel.interval import Interval
from devices.models import Meter, MeterProfile, UsageSession
from devices.rules.evidence import DOUBTFUL, Evidence, Flag
from devices.rules.usage import Usage, effective

SILENT_AFTER = timedelta(minutes=2)

CURVE = text(
    """
    SELECT min(taken_at) AS taken_at, max(power_mw) AS highest_mw, min(power_mw) AS lowest_mw
    FROM reading
    WHERE meter_id = CAST(:meter AS int) AND taken_at >= :start AND taken_at <= :end AND power_mw IS NOT NULL
    GROUP BY width_bucket(extract(epoch FROM taken_at), :first, :last, CAST(:points AS int))
    ORDER BY 1
    """
)
LATEST = text(
    """
    SELECT meter.equipment_id, meter.id AS meter_id, latest.taken_at, latest.power_mw, latest.running,
           profile.run_on_w, profile.run_off_w
    FROM meter
    CROSS JOIN LATERAL (
        SELECT run_on_w, run_off_w FROM meter_profile WHERE meter_id = meter.id AND valid_from <= :at
        ORDER BY valid_from DESC, version DESC LIMIT 1
    ) AS profile
    LEFT JOIN LATERAL (
        SELECT taken_at, power_mw, running FROM reading
        WHERE meter_id = meter.id AND taken_at > :since ORDER BY taken_at DESC LIMIT 1
    ) AS latest ON true
    WHERE meter.active AND meter.equipment_id = ANY(CAST(:equipment AS int[]))
    """
)
READINGS = text(
    """
    SELECT reading.meter_id, reading.taken_at, reading.received_at, reading.boot, reading.seq, reading.power_mw,
           reading.energy_mwh, reading.running, reading.message_id, encode(reading.content_hash, 'hex') AS content
    FROM reading
    WHERE meter_id = CAST(:meter AS int) AND taken_at >= :start AND taken_at <= :end
    ORDER BY taken_at, boot, seq LIMIT :limit OFFSET :offset
    """
)
MESSAGE = text(
    "SELECT id, received_at, meter_id, topic, payload FROM raw_message WHERE id = :id AND received_at = :received_at"
)
LATEST_READINGS = text(
    """
    SELECT reading.*, raw_message.topic, raw_message.payload
    FROM (
        SELECT * FROM reading WHERE meter_id = CAST(:meter AS int) AND taken_at > :since
        ORDER BY taken_at DESC, boot DESC, seq DESC LIMIT :limit
    ) AS reading
    LEFT JOIN raw_message ON raw_message.id = reading.message_id AND raw_message.received_at = reading.received_at
    ORDER BY reading.taken_at DESC, reading.boot DESC, reading.seq DESC
    """
)


@dataclass(frozen=True, slots=True)
class LiveState:
    """How a piece of equipment looks just now: ``running``, ``idle``, ``silent`` or ``unmetered``."""

    word: str
    power_w: float | None
    taken_at: datetime | None


def usages(*where: Any) -> Select[UsageSession, MeterProfile | None]:
    return (
        select(UsageSession, MeterProfile)
        .outerjoin(MeterProfile, MeterProfile.id == UsageSession.profile_id)
        .where(*where)
    )


def _told(session: Session, query: Select[UsageSession, MeterProfile | None]) -> list[Usage]:
    rows = session.execute(query).all()
    effective_of = _effective(session, [(row, one) for row, one in rows if one is not None and one.lead_s + one.post_s])
    return [_usage(row, profile, effective_of.get(row.id, row.during)) for row, profile in rows]


def _usage(row: UsageSession, profile: MeterProfile | None, whole: Interval) -> Usage:
    return Usage(
        session_id=row.id,
        meter_id=row.meter_id,
        equipment_id=row.equipment_id,
        reservation_id=row.reservation_id,
        organization_id=row.organization_id,
        when=row.during,
        effective=whole,
        running=timedelta(seconds=row.running_s),
        energy_mwh=row.energy_mwh,
        energy_estimated=row.energy_estimated,
        counted=row.counted,
        gap=timedelta(seconds=row.gap_s),
        flags=tuple(Flag(flag) for flag in row.flags),
        evidence=row.evidence,
        reviewed=row.reviewed_at is not None,
        reason=row.reason,
        readings_count=row.readings_count,
        readings_digest=row.readings_digest,
        profile_version=None if profile is None else profile.version,
        rule_version=row.rule_version,
        open=row.open,
        frozen=row.frozen_at is not None,
        fingerprint=row.fingerprint,
    )


def _effective(session: Session, rows: Sequence[tuple[UsageSession, MeterProfile]]) -> dict[int, Interval]:
    """The sessions with their time before and after, where the profile wants some. Two queries for all of them."""
    if not rows:
        return {}
    most = timedelta(seconds=max(profile.lead_s + profile.post_s for _, profile in rows))
    reach = Interval(min(row.started_at for row, _ in rows), max(row.ended_at for row, _ in rows))
    reach = reach.padded(before=most, after=most)
    slots = booked_slots(session, {row.equipment_id for row, _ in rows}, reach)
    sessions = session.execute(
        select(UsageSession.meter_id, UsageSession.during).where(
            UsageSession.meter_id.in_({row.meter_id for row, _ in rows}), UsageSession.during.op("&&")(reach)
        )
    ).all()
    used: dict[int | None, list[Interval]] = {}
    for meter_id, during in sessions:
        used.setdefault(meter_id, []).append(during)
    reserved: dict[int, list[tuple[int, Interval]]] = {}
    for slot in slots:
        reserved.setdefault(slot.equipment_id, []).append((slot.reservation_id, slot.during))
    return {
        row.id: effective(
            row.during,
            lead=timedelta(seconds=profile.lead_s),
            post=timedelta(seconds=profile.post_s),
            used=used[row.meter_id],
            reserved=[when for number, when in reserved.get(row.equipment_id, []) if number != row.reservation_id],
        )
        for row, profile in rows
    }


def finished_usage(
    session: Session,
    *,
    until: datetime,
    settled: SelectBase | None = None,
    among: Collection[int] | None = None,
) -> list[Usage]:
    """Sessions that ended by ``until``, oldest first, but those that are ``settled`` as they now stand.

    Shape: ``settled`` selects (usage_session_id, fingerprint); ``among`` are ids of which the others are left out.
    """
    wanted = usages(UsageSession.ended_at <= until, ~UsageSession.open)
    if among is not None:
        wanted = wanted.where(UsageSession.id.in_(among))
    if settled is not None:
        wanted = wanted.where(~_is_in(settled))
    return _told(session, wanted.order_by(UsageSession.ended_at, UsageSession.id))


def complete_usage(session_id: ColumnElement[int] | Any, *, until: datetime, under_way: Select[int]) -> FromClause:
    """To be joined to a list of ids: the session with that id once its use is complete.

    It ended by ``until``, as did all use of its reservation, and the reservation is not ``under_way``. Each is
    asked for by its key, however much use there is beside it.
    """
    other, waits = aliased(UsageSession), under_way.subquery()
    return (
        select(UsageSession.id)
        .where(
            UsageSession.id == session_id,
            UsageSession.ended_at <= until,
            ~UsageSession.open,
            ~exists().where(waits.c[0] == UsageSession.reservation_id),
            ~exists().where(other.reservation_id == UsageSession.reservation_id, other.open),
        )
        .limit(1)  # with this the planner asks the index row by row; without it it may read the whole history
        .lateral()
    )


def ended_sessions(*, settled: SelectBase) -> Select[int, int, datetime]:
    """(id, equipment_id, ended_at) of ended sessions, but those that are ``settled`` as they now stand.

    Shape: ``settled`` selects (usage_session_id, fingerprint).
    """
    return select(UsageSession.id, UsageSession.equipment_id, UsageSession.ended_at).where(
        ~UsageSession.open, ~_is_in(settled)
    )


def _is_in(settled: SelectBase) -> ColumnElement[bool]:
    session_id, fingerprint = settled.subquery().c
    return exists().where(session_id == UsageSession.id, fingerprint == UsageSession.fingerprint)


def usage(session: Session, session_id: int) -> Usage | None:
    return next(iter(_told(session, usages(UsageSession.id == session_id))), None)


def usages_by_id(session: Session, session_ids: Collection[int]) -> dict[int, Usage]:
    """Many sessions at once. One query, three where equipment needs time before or after."""
    return {one.session_id: one for one in _told(session, usages(UsageSession.id.in_(session_ids)))}


def usage_of_reservations(session: Session, reservation_ids: Collection[int]) -> dict[int, list[Usage]]:
    """The sessions of each reservation, by start."""
    found: dict[int, list[Usage]] = {}
    query = usages(UsageSession.reservation_id.in_(reservation_ids)).order_by(UsageSession.started_at)
    for one in _told(session, query):
        found.setdefault(one.reservation_id or 0, []).append(one)
    return found


def usage_within(session: Session, equipment_ids: Collection[int], within: Interval) -> list[Usage]:
    """The sessions of this equipment that touch ``within``, by start."""
    longest = timedelta(days=31)  # a session that started earlier is not looked for: the index is by start
    return _told(
        session,
        usages(
            UsageSession.equipment_id.in_(equipment_ids),
            UsageSession.started_at < within.end,
            UsageSession.started_at > within.start - longest,
            UsageSession.ended_at > within.start,
        ).order_by(UsageSession.started_at),
    )


def metered_equipment(session: Session, equipment_ids: Collection[int]) -> set[int]:
    """Those of this equipment that have a meter now."""
    return set(
        session.scalars(
            select(Meter.equipment_id).where(Meter.equipment_id.in_(equipment_ids), Meter.active).distinct()
        )
    )


def waits_for_review() -> ColumnElement[bool]:
    """As a condition on sessions: ended, and to be accepted by a person before they are charged."""
    return and_(
        ~UsageSession.open,
        UsageSession.frozen_at.is_(None),
        UsageSession.reviewed_at.is_(None),
        or_(
            UsageSession.evidence != Evidence.METERED,
            UsageSession.flags.op("?|")(cast([flag.value for flag in sorted(DOUBTFUL)], ARRAY(Text))),
        ),
    )


def reviewed_sessions() -> Select[int]:
    """Ids of sessions that a person has accepted as they now stand."""
    return select(UsageSession.id).where(UsageSession.reviewed_at.is_not(None))


def sessions_of_reservations(reservation_ids: Select[int]) -> Select[int]:
    """Ids of the ended sessions of these reservations."""
    return select(UsageSession.id).where(UsageSession.reservation_id.in_(reservation_ids), ~UsageSession.open)


def freeze_usage(session: Session, session_ids: Collection[int] | Select[int], *, at: datetime) -> None:
    """From now on these sessions stand behind an issued invoice and never change.

    Chosen by a query they stay in the database: what ``session`` already knows of them is not brought up to date.
    """
    session.execute(
        update(UsageSession)
        .where(UsageSession.id.in_(session_ids), UsageSession.frozen_at.is_(None))
        .values(frozen_at=at),
        execution_options={"synchronize_session": False if isinstance(session_ids, Select) else "auto"},
    )


def changed_since(known: SelectBase) -> Select[int]:
    """Ids of the sessions that are not as they were ``known``.

    Shape: ``known`` selects (usage_session_id, fingerprint).
    """
    session_id, fingerprint = known.subquery().c
    return (
        select(UsageSession.id)
        .join_from(UsageSession, session_id.table, session_id == UsageSession.id)
        .where(UsageSession.fingerprint != fingerprint)
    )


def power_curve(
    session: Session, meter_id: int, within: Interval, *, points: int = 400
) -> list[tuple[datetime, float]]:
    """``(taken_at, watts)``, thinned to about ``points``: of each stretch its highest, so that no run is hidden."""
    rows = session.execute(
        CURVE,
        {
            "meter": meter_id, "start": within.start, "end": within.end, "points": points,
            "first": within.start.timestamp(), "last": within.end.timestamp() + 1,
        },
    )  # fmt: skip
    return [(row.taken_at, row.highest_mw / 1000) for row in rows]


def live_states(session: Session, equipment_ids: Collection[int], *, at: datetime) -> dict[int, LiveState]:
    """The state of each piece of equipment now. One index lookup per meter."""
    states = {equipment_id: LiveState("unmetered", None, None) for equipment_id in equipment_ids}
    rows = session.execute(LATEST, {"equipment": list(equipment_ids), "since": at - timedelta(days=7), "at": at})
    for row in rows:
        states[row.equipment_id] = _live(row, at)
    return states


def _live(row: Row[Any], at: datetime) -> LiveState:
    if row.taken_at is None:
        return LiveState("silent", None, None)
    power_w = None if row.power_mw is None else row.power_mw / 1000
    if at - row.taken_at > SILENT_AFTER:
        return LiveState("silent", power_w, row.taken_at)
    running = row.running if row.running is not None else power_w is not None and power_w >= row.run_off_w
    return LiveState("running" if running else "idle", power_w, row.taken_at)


def readings_of(session: Session, one: Usage, *, limit: int = 200, offset: int = 0) -> list[Row[Any]]:
    """The readings behind a session, by time: the rows that its digest is made of, in milliwatts and -hours."""
    return list(
        session.execute(
            READINGS,
            {"meter": one.meter_id, "start": one.when.start, "end": one.when.end, "limit": limit, "offset": offset},
        )
    )


def raw_message(session: Session, message_id: int, received_at: datetime) -> Row[Any] | None:
    """One message as it came: id, received_at, meter_id, topic, payload."""
    return session.execute(MESSAGE, {"id": message_id, "received_at": received_at}).first()


def latest_readings(session: Session, meter_id: int, *, since: datetime, limit: int = 20) -> list[Row[Any]]:
    """A meter's last readings, newest first, each with the topic and payload that it came in."""
    return list(session.execute(LATEST_READINGS, {"meter": meter_id, "since": since, "limit": limit}))


def meter(session: Session, meter_id: int) -> Meter | None:
    return session.get(Meter, meter_id)
