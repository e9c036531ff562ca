"""What went wrong on a platform: record it, and later how it ended."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy.orm import Session

from app.booking.models import Incident, IncidentClosing
from app.booking.rules.feedback import Severity
from app.catalogue.models import Equipment
from app.kernel.clock import local_date
from app.kernel.errors import Conflict, InvalidInput, NotFound

MOST = 4000


def record_incident(
    session: Session,
    *,
    platform_id: int,
    equipment_id: int | None,
    happened_on: date,
    severity: Severity,
    what_happened: str,
    what_was_done: str,
    by: int,
    at: datetime,
) -> Incident:
    """It stays as it is recorded. Errors: ``InvalidInput``."""
    if equipment_id is not None:
        equipment = session.get(Equipment, equipment_id)
        if equipment is None or equipment.platform_id != platform_id:
            raise InvalidInput("请选择这个平台的设备。", field="equipment_id")
    if happened_on > local_date(at):
        raise InvalidInput("发生日期不能晚于今天。", field="happened_on")
    made = Incident(
        platform_id=platform_id,
        equipment_id=equipment_id,
        happened_on=happened_on,
        severity=severity,
        what_happened=_told(what_happened, "what_happened"),
        what_was_done=_told(what_was_done, "what_was_done"),
        recorded_by=by,
        recorded_at=at,
    )
    session.add(made)
    session.flush()
    return made


def close_incident(
    session: Session, incident_id: int, *, closed_on: date, measures: str, by: int, at: datetime
) -> Incident:
    """Say how it ended. Errors: ``NotFound``; ``Conflict`` if it is closed; ``InvalidInput``."""
    incident = session.get(Incident, incident_id, with_for_update=True)
    if incident is None:
        raise NotFound("没有找到这一项，或您无权查看。")
    if incident.closing is not None:
        raise Conflict("这起事件已经结案。")
    if not incident.happened_on <= closed_on <= local_date(at):
        raise InvalidInput("结案日期应在发生日期之后、今天之前。", field="closed_on")
    incident.closing = IncidentClosing(
        closed_on=closed_on, measures=_told(measures, "measures"), closed_by=by, closed_at=at
    )
    session.flush()
    return incident


def _told(words: str, field: str) -> str:
    words = words.strip()
    if not words:
        raise InvalidInput("请写明这一项，可以写“无”。", field=field)
    if len(words) > MOST:
        raise InvalidInput("最多 %(most)s 字，请缩短。", field=field, most=MOST)
    return words
