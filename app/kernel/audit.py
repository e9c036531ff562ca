"""Who did what, when. Rows are only added; the database refuses anything else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, insert
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.kernel.columns import SHORT, UtcTime, long_key
from app.kernel.db import Model


class AuditEntry(Model):
    """One deed. ``person_id`` is empty when the software acted by the timetable."""

    __tablename__ = "audit_entry"
    __table_args__ = (Index(None, "subject", "subject_id", "at"),)

    id: Mapped[int] = long_key()
    at: Mapped[datetime] = mapped_column(UtcTime)
    person_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    deed: Mapped[str] = mapped_column(SHORT)
    subject: Mapped[str] = mapped_column(SHORT)
    subject_id: Mapped[int]
    detail: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)


def record(
    session: Session,
    *,
    at: datetime,
    by: int | None,
    deed: str,
    subject: str,
    subject_id: int,
    **detail: Any,
) -> None:
    """Add one deed to the log, in the same transaction as the deed itself."""
    session.add(AuditEntry(at=at, person_id=by, deed=deed, subject=subject, subject_id=subject_id, detail=detail))


def record_many(
    session: Session,
    subjects: Sequence[tuple[int, Mapping[str, Any]]],
    *,
    at: datetime,
    by: int | None,
    deed: str,
    subject: str,
) -> None:
    """The same deed on many things, each with its detail. One round trip for all of them."""
    told = {"at": at, "person_id": by, "deed": deed, "subject": subject}
    rows = [{**told, "subject_id": subject_id, "detail": dict(detail)} for subject_id, detail in subjects]
    if rows:
        session.execute(insert(AuditEntry), rows)
