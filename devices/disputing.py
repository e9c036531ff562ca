"""What two messages said under one number: the one that was stored, and the one that came later."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Row, select, text
from sqlalchemy.orm import Session

from devices.models import DisputedReading, MeterAlert
from devices.rules.alert import AlertKind

SHOWN = 20
NEAR = timedelta(days=31)
"""The stored reading is looked for so far around the other's time: readings are found by time."""

STORED = text(
    """
    SELECT reading.*, raw_message.topic, raw_message.payload
    FROM reading
    LEFT JOIN raw_message ON raw_message.id = reading.message_id AND raw_message.received_at = reading.received_at
    WHERE reading.meter_id = CAST(:meter AS int) AND reading.taken_at BETWEEN :start AND :end
      AND reading.boot = :boot AND reading.seq = :seq LIMIT 1
    """
)


@dataclass(frozen=True, slots=True)
class Contents:
    """``first`` stands; None where it is not found within ``NEAR``."""

    first: Row[Any] | None
    other: DisputedReading


def contents_in_dispute(session: Session, alert: MeterAlert) -> list[Contents]:
    """The newest of the contradictions that a dispute is about. One lookup each."""
    if alert.kind is not AlertKind.DISPUTE:
        return []
    rows = session.scalars(
        select(DisputedReading)
        .where(
            DisputedReading.meter_id == alert.meter_id,
            DisputedReading.boot == alert.facts["boot"],
            DisputedReading.id.between(alert.facts["first_id"], int(alert.facts["mark"])),
        )
        .order_by(DisputedReading.id.desc())
        .limit(SHOWN)
    )
    return [Contents(_stored(session, row), row) for row in rows]


def _stored(session: Session, other: DisputedReading) -> Row[Any] | None:
    for near in (timedelta(), timedelta(hours=1), NEAR):
        told = {"start": other.taken_at - near, "end": other.taken_at + near}
        key = {"meter": other.meter_id, "boot": other.boot, "seq": other.seq}
        if (found := session.execute(STORED, told | key).first()) is not None:
            return found
    return None
