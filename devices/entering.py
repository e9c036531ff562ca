"""Use that no meter saw: booked by default where the meter was silent, entered by a person with a reason."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from app.booking.rules.reservation import AGREED
from app.booking.rules.slot import BookedSlot
from app.booking.slots import booked_slots, reservations_by_id
from app.catalogue.models import Equipment
from app.identity.models import Organization
from app.kernel import audit
from app.kernel.errors import Conflict, InvalidInput, NotFound
from app.kernel.interval import Interval
from devices.metering import alone_with
from devices.models import Meter, UsageSession
from devices.reviewing_use import REFUSED
from devices.rules.evidence import Evidence, Flag
from devices.rules.usage import RULE_VERSION, readings_digest, told_fingerprint

SETTLES = timedelta(hours=1)
"""So long after a slot a meter may still send what it kept."""
LOOKS_BACK = timedelta(days=7)
"""Silent slots are found later too, when the job did not run."""
ENTERED_SINCE = timedelta(days=31)
LONGEST_ENTRY = timedelta(hours=24)
LONGEST_REASON = 300

SILENT = text(
    """
    SELECT slot.reservation_id
    FROM unnest(CAST(:reservations AS int[]), CAST(:equipment AS int[]), CAST(:starts AS timestamptz[]),
                CAST(:ends AS timestamptz[])) AS slot (reservation_id, equipment_id, starts_at, ends_at)
    WHERE NOT EXISTS (
        SELECT FROM meter JOIN reading ON reading.meter_id = meter.id
        WHERE meter.equipment_id = slot.equipment_id
          AND reading.taken_at >= slot.starts_at AND reading.taken_at < slot.ends_at
    ) AND NOT EXISTS (
        SELECT FROM usage_session
        WHERE equipment_id = slot.equipment_id
          AND (reservation_id = slot.reservation_id OR during && tstzrange(slot.starts_at, slot.ends_at))
    ) AND NOT EXISTS (
        SELECT FROM audit_entry
        WHERE subject = 'reservation' AND subject_id = slot.reservation_id AND deed = :refused
    )
    """
)


def book_silent_use(session: Session, *, at: datetime, limit: int = 200) -> int:
    """Book agreed slots that are over and of which the equipment's meters said nothing at all.

    A no-show is not agreed any more, and equipment without a meter is not silent. Each waits for a person; what
    the meter sends later takes its place (:mod:`devices.keeping`). What the reservation no longer bears out is
    withdrawn. Running it again books nothing twice. O(slots of the last week on metered equipment).
    """
    span = Interval(at - LOOKS_BACK, at)
    booked = session.scalars(
        select(UsageSession).where(
            UsageSession.evidence == Evidence.BOOKED,
            UsageSession.ended_at > span.start,
            UsageSession.frozen_at.is_(None),
        )
    ).all()
    meters: dict[int, Meter] = {}
    for meter in session.scalars(select(Meter).where(Meter.active).order_by(Meter.id.desc())):
        meters[meter.equipment_id] = meter
    slots = booked_slots(session, {*meters, *(row.equipment_id for row in booked)}, span)
    _withdraw(session, booked, slots)
    over = [
        slot
        for slot in slots
        if slot.during.end <= at - SETTLES
        and slot.equipment_id in meters
        and meters[slot.equipment_id].created_at <= slot.during.start
    ]
    added: list[UsageSession] = []
    for slot in _silent(session, over):
        if len(added) < limit and not any(
            one.equipment_id == slot.equipment_id and one.during.overlaps(slot.during) for one in added
        ):
            added.append(_booked(meters[slot.equipment_id], slot, at=at))
    session.add_all(added)
    session.flush()
    return len(added)


def _withdraw(session: Session, booked: Iterable[UsageSession], slots: Iterable[BookedSlot]) -> None:
    agreed = {slot.reservation_id: slot.during for slot in slots}
    for row in booked:
        if row.reservation_id is None or agreed.get(row.reservation_id) != row.during:
            session.delete(row)
    session.flush()


def _silent(session: Session, slots: Sequence[BookedSlot]) -> list[BookedSlot]:
    if not slots:
        return []
    silent = set(
        session.scalars(
            SILENT,
            {
                "reservations": [slot.reservation_id for slot in slots],
                "equipment": [slot.equipment_id for slot in slots],
                "starts": [slot.during.start for slot in slots],
                "ends": [slot.during.end for slot in slots],
                "refused": REFUSED,
            },
        )
    )
    return [slot for slot in slots if slot.reservation_id in silent]


def _booked(meter: Meter, slot: BookedSlot, *, at: datetime) -> UsageSession:
    return _unmetered(
        slot.during,
        at=at,
        evidence=Evidence.BOOKED,
        meter_id=meter.id,
        equipment_id=slot.equipment_id,
        reservation_id=slot.reservation_id,
        organization_id=slot.organization_id,
        running_s=0,
        energy_mwh=0,
        flags=[Flag.SILENT_METER.value],
    )


def enter_use(
    session: Session,
    *,
    equipment_id: int,
    when: Interval,
    reservation_id: int | None = None,
    organization_id: int | None = None,
    energy_mwh: int,
    reason: str,
    by: int,
    at: datetime,
) -> int:
    """Enter use that no meter saw, for a reservation or for a firm; it waits for review. Returns its id.

    Not in the future, begun at most 31 days ago, at most 24 hours in one entry, and never beside other use of
    the equipment. Use that its meter sends for the same time later takes its place.

    Errors: ``InvalidInput`` and ``Conflict`` name the field; ``NotFound`` for the equipment.
    """
    equipment = session.get(Equipment, equipment_id, with_for_update=True)
    if equipment is None:
        raise NotFound("没有找到这台设备。")
    meter_ids = session.scalars(
        select(Meter.id).where(Meter.equipment_id == equipment_id).order_by(Meter.active.desc(), Meter.id)
    ).all()
    for meter_id in sorted(meter_ids):
        alone_with(session, meter_id)
    if not reason.strip() or len(reason.strip()) > LONGEST_REASON:
        raise InvalidInput("请填写人工录入的原因，最多 300 字。", field="reason")
    if energy_mwh < 0:
        raise InvalidInput("电量不能为负数。", field="energy_kwh")
    if when.end > at:
        raise InvalidInput("只能录入已经结束的使用。", field="ends_at")
    if when.start < at - ENTERED_SINCE:
        raise InvalidInput("只能补录最近 31 天内的使用。", field="starts_at")
    if when.duration > LONGEST_ENTRY:
        raise InvalidInput("一次最多录入 24 小时，更长的使用请分次录入。", field="ends_at")
    owner = _owner(session, equipment_id, when, reservation_id=reservation_id, organization_id=organization_id)
    other = session.scalar(
        select(UsageSession.id)
        .where(UsageSession.equipment_id == equipment_id, UsageSession.during.op("&&")(when))
        .limit(1)
    )
    if other is not None:
        raise Conflict("这段时间已有使用记录 #%(other)s，不能重复录入。", field="starts_at", other=other)
    row = _unmetered(
        when,
        at=at,
        evidence=Evidence.ENTERED,
        meter_id=meter_ids[0] if meter_ids else None,
        equipment_id=equipment_id,
        reservation_id=reservation_id,
        organization_id=owner,
        running_s=int(when.duration.total_seconds()),
        energy_mwh=energy_mwh,
        entered_by=by,
        reason=reason.strip(),
    )
    session.add(row)
    session.flush()
    audit.record(
        session, at=at, by=by, deed="use entered", subject="usage_session", subject_id=row.id,
        equipment_id=equipment_id, starts_at=when.start.isoformat(), ends_at=when.end.isoformat(),
        energy_mwh=energy_mwh, reservation_id=reservation_id, organization_id=owner, reason=row.reason,
    )  # fmt: skip
    return row.id


def _owner(
    session: Session, equipment_id: int, when: Interval, *, reservation_id: int | None, organization_id: int | None
) -> int:
    """Whose use it was: the reservation's firm, else the firm that was named."""
    if reservation_id is not None:
        reservation = reservations_by_id(session, [reservation_id]).get(reservation_id)
        if reservation is None or reservation.equipment_id != equipment_id or reservation.state not in AGREED:
            raise InvalidInput("这台设备没有这个预约，或者预约没有生效。", field="reservation_id")
        if not reservation.during.overlaps(when):
            raise InvalidInput("使用时间不在这个预约的时段内。", field="reservation_id")
        if organization_id not in (None, reservation.organization_id):
            raise InvalidInput("这个预约属于另一家单位。", field="organization_id")
        return reservation.organization_id
    if organization_id is None or session.get(Organization, organization_id) is None:
        raise InvalidInput("请填写预约编号，或选择使用单位。", field="organization_id")
    return organization_id


def _unmetered(when: Interval, *, at: datetime, evidence: Evidence, **facts: Any) -> UsageSession:
    """A session without readings, named by what it says."""
    told = [f"{name}={facts[name]}" for name in sorted(facts)]
    return UsageSession(
        started_at=when.start,
        ended_at=when.end,
        during=when,
        evidence=evidence,
        readings_count=0,
        readings_digest=readings_digest([]),
        rule_version=RULE_VERSION,
        fingerprint=told_fingerprint(when, evidence.value, *told),
        derived_at=at,
        **facts,
    )
