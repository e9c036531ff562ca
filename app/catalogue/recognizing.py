"""An authority's decision about a platform is recorded with its document, and taken back where that was a mistake."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.catalogue.models import Platform, Recognition, RecognitionLevel
from app.kernel import audit, clock
from app.kernel.errors import Conflict, InvalidInput, NotFound


def record_recognition(
    session: Session,
    *,
    platform_id: int,
    level: RecognitionLevel,
    recognised_on: date,
    document: str,
    newly: bool,
    by: int,
    at: datetime,
) -> Recognition:
    """Add a decision. Each level is reached once.

    ``newly`` says that it is a first recognition (新认定) and no renewal.
    Errors: ``NotFound``, ``InvalidInput`` without a document or for a day to come, ``Conflict`` for a level it has.
    """
    platform = session.get(Platform, platform_id, with_for_update=True)
    if platform is None:
        raise NotFound("没有这个平台。")
    document = document.strip()
    if not document:
        raise InvalidInput("请填写文件号或文件名称：没有文件不作认定。", field="document")
    if recognised_on > clock.local_date(at):
        raise InvalidInput("日期不能晚于今天。文件生效后再登记。", field="recognised_on")
    known = session.scalar(
        select(Recognition).where(
            Recognition.platform_id == platform_id, Recognition.level == level, Recognition.withdrawn_at.is_(None)
        )
    )
    if known is not None:
        raise Conflict("这个平台已登记过这一级：%(document)s。", field="level", document=known.document)
    row = Recognition(
        platform_id=platform_id,
        level=level,
        recognised_on=recognised_on,
        newly=newly,
        document=document,
        illustrative=False,
    )
    session.add(row)
    session.flush()
    audit.record(
        session,
        at=at,
        by=by,
        deed="recognition recorded",
        subject="platform",
        subject_id=platform_id,
        level=level.value,
        recognised_on=recognised_on.isoformat(),
        document=document,
        newly=newly,
    )
    return row


def withdraw_recognition(session: Session, recognition_id: int, *, reason: str, by: int, at: datetime) -> Recognition:
    """Take back what was recorded wrongly; the row stays, and what a locked claim rests on stays as it is.

    Errors: ``NotFound``, ``Conflict`` where it is withdrawn already, ``InvalidInput`` without a reason.
    """
    row = session.get(Recognition, recognition_id, with_for_update=True)
    if row is None:
        raise NotFound("没有这条认定登记。")
    if row.withdrawn_at is not None:
        raise Conflict("这条登记已经撤销。")
    if not reason.strip():
        raise InvalidInput("请写明撤销的理由。", field="reason")
    row.withdrawn_at, row.withdrawn_reason = at, reason.strip()[:300]
    session.flush()
    audit.record(
        session,
        at=at,
        by=by,
        deed="recognition withdrawn",
        subject="platform",
        subject_id=row.platform_id,
        level=row.level.value,
        document=row.document,
        reason=row.withdrawn_reason,
    )
    return row
