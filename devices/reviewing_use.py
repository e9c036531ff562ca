"""A person looks at use that may be doubted, and at what late readings would change behind an invoice."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from app.kernel import audit
from app.kernel.errors import Conflict, InvalidInput, NotFound
from devices.models import LateChange, UsageSession
from devices.rules.evidence import Evidence, Flag, needs_review

REFUSED = "silent use refused"
"""The deed in the audit log, about a reservation: it is not booked for a silent meter again."""
LONGEST_REASON = 300


def review(session: Session, session_id: int, *, accept: bool, reason: str, by: int, at: datetime) -> None:
    """Accept a session as it stands, or take out one that no meter saw. Accepting twice changes nothing.

    What a meter saw cannot be taken out: its profile, its reservation or its charge can be corrected.
    A reason is wanted for refusing.

    Errors: ``NotFound``; ``Conflict`` where there is nothing to review or it stands behind an invoice.
    """
    row = session.get(UsageSession, session_id, with_for_update=True)
    if row is None:
        raise NotFound("没有找到这一项，或您无权查看。")
    reason = reason.strip()
    if len(reason) > LONGEST_REASON or not (reason or accept):
        raise InvalidInput("请填写原因，最多 300 字。", field="reason")
    if row.frozen_at is not None:
        raise Conflict("这条使用记录已开具结算单，不能再复核。")
    if row.open:
        raise Conflict("使用还在进行，结束后再复核。")
    if not needs_review(row.evidence, [Flag(flag) for flag in row.flags]):
        raise Conflict("这条使用记录依据充分，不需要复核。")
    if accept and row.reviewed_at is not None:
        return
    if accept:
        row.reviewed_at, row.reviewed_by = at, by
    elif row.evidence is Evidence.METERED:
        raise Conflict("电表计量的使用不能删除；请更正阈值、预约或费用。")
    else:
        session.delete(row)
        if row.evidence is Evidence.BOOKED and row.reservation_id is not None:
            audit.record(
                session, at=at, by=by, deed=REFUSED, subject="reservation", subject_id=row.reservation_id, reason=reason
            )
    audit.record(
        session, at=at, by=by, deed="use accepted" if accept else "use refused", subject="usage_session",
        subject_id=session_id, reason=reason, evidence=row.evidence.value, flags=row.flags,
        starts_at=row.started_at.isoformat(), ends_at=row.ended_at.isoformat(), energy_mwh=row.energy_mwh,
        organization_id=row.organization_id, said=row.reason,
    )  # fmt: skip
    session.flush()


def resolve_late(session: Session, late_id: int, *, resolution: str, by: int, at: datetime) -> None:
    """Say what was done about a late change; the session and its invoice stay as they are. Once."""
    late = session.get(LateChange, late_id, with_for_update=True)
    if late is None:
        raise NotFound("没有找到这一项，或您无权查看。")
    resolution = resolution.strip()
    if not resolution or len(resolution) > LONGEST_REASON:
        raise InvalidInput("请写明处理结果，最多 300 字。", field="resolution")
    if late.resolved_at is not None:
        raise Conflict("这项变化已经处理过。")
    late.resolved_at, late.resolved_by, late.resolution = at, by, resolution
    audit.record(
        session, at=at, by=by, deed="late change resolved", subject="late_change", subject_id=late.id,
        usage_session_id=late.usage_session_id, resolution=resolution,
    )  # fmt: skip
    session.flush()
