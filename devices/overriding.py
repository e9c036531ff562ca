"""Switch a machine's power by an operator's word."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.kernel import audit
from app.kernel.errors import Conflict, InvalidInput, NotFound
from devices.interlocking import ONE_DECIDES, Relay, relays
from devices.models import Meter, PowerCommand
from devices.rules.power import PowerCause

LONGEST_REASON = 300


def override(
    session: Session, meter_id: int, *, on: bool, reason: str, by: int, at: datetime, emergency: bool = False
) -> PowerCommand:
    """Switch by an operator's word, which holds until the next check-in or finish.

    "Off" during a run is refused unless it is an ``emergency``. Errors: ``InvalidInput`` without a reason;
    ``Conflict`` for a meter that is not switched, and during a run.
    """
    relay = _locked(session, meter_id, at=at)
    if not reason.strip():
        raise InvalidInput("请写明原因。", field="reason")
    if not on and relay.situation.running_since is not None and not emergency:
        raise Conflict("设备正在运行，断电会中断它。确需断电请勾选“紧急断电”。")
    before = relay.command
    if before is not None and (before.confirmed_at is None or before.cause is PowerCause.OVERRIDE):
        before.ended_at = before.ended_at or at  # what the timetable asked and the relay confirmed is history
    command = PowerCommand(
        meter_id=meter_id,
        on=on,
        cause=PowerCause.OVERRIDE,
        asked_by=by,
        reason=reason.strip()[:LONGEST_REASON],
        asked_at=at,
    )
    session.add(command)
    running = relay.situation.running_since is not None
    _log(session, meter_id, "overrode_power", by=by, at=at, on=on, reason=command.reason, during_a_run=running)
    session.flush()
    return command


def end_override(session: Session, meter_id: int, *, by: int, at: datetime) -> bool:
    """Let check-ins and runs decide again. Returns whether an override held."""
    relay = _locked(session, meter_id, at=at)
    if relay.command is None or relay.situation.override is None:
        return False
    relay.command.ended_at = at
    _log(session, meter_id, "ended_override", by=by, at=at)
    session.flush()
    return True


def _locked(session: Session, meter_id: int, *, at: datetime) -> Relay:
    session.execute(select(func.pg_advisory_xact_lock(ONE_DECIDES, 0)))
    if session.get(Meter, meter_id) is None:
        raise NotFound("没有这台电表。")
    found = relays(session, at=at, meter_ids=[meter_id])
    if not found:
        raise Conflict("这台电表没有设为由本系统通断电，或已停用。")
    return found[0]


def _log(session: Session, meter_id: int, deed: str, *, by: int, at: datetime, **detail: Any) -> None:
    audit.record(session, at=at, by=by, deed=deed, subject="meter", subject_id=meter_id, **detail)
