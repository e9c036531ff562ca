"""The door to how sessions were derived: the span of readings that each rests on, its profile, its reservations."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session, joinedload

from app.booking.rules.slot import BookedSlot
from app.booking.slots import booked_slots
from app.kernel.interval import Interval
from devices.models import MeterProfile, UsageSession
from devices.rules.evidence import Evidence, Flag
from devices.rules.matching import pieces
from devices.rules.usage import RULE_VERSION
from devices.sealed import Wanted, counts_by

EVER = datetime.max.replace(tzinfo=UTC, year=9000)


@dataclass(frozen=True, slots=True)
class Slot:
    reservation_id: int
    when: Interval


@dataclass(frozen=True, slots=True)
class UseSpan:
    """A stretch of use with the sessions it was cut into, and the readings that it was derived from."""

    meter: str
    dialect: str
    wanted: Wanted
    profile: MeterProfile
    slots: tuple[Slot, ...]
    session_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Spans:
    """Of some sessions the spans that derive them again, and those that cannot be: why, by their id."""

    spans: Sequence[UseSpan]
    not_again: dict[int, str]


def spans_of(session: Session, session_ids: Collection[int]) -> Spans:
    """The spans of the metered ones of these sessions, by start. Five queries for all of them, more for cut runs.

    A session whose readings are others now (some came after an invoice froze it), or that an earlier version of the
    rules derived, is not derived again.
    """
    rows = session.scalars(
        select(UsageSession)
        .where(UsageSession.id.in_(session_ids), UsageSession.evidence == Evidence.METERED)
        .options(joinedload(UsageSession.meter))
        .order_by(UsageSession.started_at, UsageSession.id)
    ).all()
    profiles = {
        one.id: one
        for one in session.scalars(
            select(MeterProfile).where(MeterProfile.id.in_({row.profile_id for row in rows if row.profile_id}))
        )
    }
    wholes = {row.id: _whole(session, row) for row in rows}
    until = _heard_until(session, [one for whole in wholes.values() for one in whole])
    not_again: dict[int, str] = {}
    grouped: dict[int, tuple[list[UsageSession], list[int]]] = {}
    for row in rows:
        if row.rule_version != RULE_VERSION:
            not_again[row.id] = "rule"
        elif any(one.id not in until for one in wholes[row.id]):
            not_again[row.id] = "late"
        else:
            grouped.setdefault(wholes[row.id][0].id, (wholes[row.id], []))[1].append(row.id)
    booked = _booked(session, [whole for whole, _ in grouped.values()])
    found = [
        _span(whole, ids, profiles[whole[0].profile_id or 0], until[whole[0].id], booked[whole[0].equipment_id])
        for whole, ids in grouped.values()
    ]
    return Spans(found, not_again)


def _whole(session: Session, row: UsageSession) -> list[UsageSession]:
    """All sessions that one run was cut into, by start."""
    whole = [row]
    if Flag.CUT.value not in row.flags:
        return whole
    cut = (UsageSession.meter_id == row.meter_id, UsageSession.evidence == Evidence.METERED)
    while before := session.scalar(
        select(UsageSession).where(*cut, UsageSession.ended_at == whole[0].started_at, _is_cut())
    ):
        whole.insert(0, before)
    while after := session.scalar(
        select(UsageSession).where(*cut, UsageSession.started_at == whole[-1].ended_at, _is_cut())
    ):
        whole.append(after)
    return whole


def _is_cut() -> ColumnElement[bool]:
    return UsageSession.flags.contains([Flag.CUT.value])


def _heard_until(session: Session, rows: Sequence[UsageSession]) -> dict[int, datetime]:
    """By session, until when its readings had come that it was derived from; left out where those are not found."""
    wanted = [(row.id, Wanted(row.meter_id or 0, row.during, row.derived_at)) for row in rows]
    found = counts_by(session, wanted)
    until = {}
    for row in rows:
        by_then, now = found[row.id]
        if now == row.readings_count:
            until[row.id] = EVER
        elif by_then == row.readings_count:
            until[row.id] = row.derived_at
    return until


def _booked(session: Session, wholes: Sequence[Sequence[UsageSession]]) -> dict[int, list[BookedSlot]]:
    """By equipment, what was booked from the first of these runs to the last. One query."""
    found: dict[int, list[BookedSlot]] = {whole[0].equipment_id: [] for whole in wholes}
    if wholes:
        reach = Interval(min(whole[0].started_at for whole in wholes), max(whole[-1].ended_at for whole in wholes))
        for slot in booked_slots(session, found, reach):
            found[slot.equipment_id].append(slot)
    return found


def _span(
    whole: Sequence[UsageSession],
    ids: Sequence[int],
    profile: MeterProfile,
    until: datetime,
    booked: Sequence[BookedSlot],
) -> UseSpan:
    first, meter = whole[0], whole[0].meter
    if meter is None:
        raise ValueError(f"session {first.id} is metered without a meter")
    when = Interval(first.started_at, whole[-1].ended_at)
    return UseSpan(
        meter.code,
        meter.dialect.value,
        Wanted(meter.id, when, until),
        profile,
        tuple(_slots(whole, when, [one for one in booked if one.during.overlaps(when)])),
        tuple(ids),
    )


def _slots(whole: Sequence[UsageSession], when: Interval, booked: Sequence[BookedSlot]) -> list[Slot]:
    """The reservations that cut the span so; as it was cut, where these were changed since."""
    cut = [(one.when, one.slot.reservation_id if one.slot else None) for one in pieces(when, booked)]
    if cut == [(row.during, row.reservation_id) for row in whole]:
        return [Slot(one.reservation_id, one.during) for one in booked]
    return [Slot(row.reservation_id, row.during) for row in whole if row.reservation_id is not None]
