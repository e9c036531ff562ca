"""Which months are closed, and what was billed although it came very late."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import CheckConstraint, ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.kernel.columns import LINE, UtcTime, primary_key, word
from app.kernel.db import Model
from app.kernel.long_work import LongWork
from billing.rules.period import PeriodState


class PeriodClose(Model):
    """One platform's month. Closed, it never changes again, and no invoice of it or dated in it is issued.

    ``waiting_count`` is how many charges and cases were carried over, to be billed later as late lines.
    """

    __tablename__ = "period_close"
    __table_args__ = (
        UniqueConstraint("platform_id", "month"),
        CheckConstraint("extract(day FROM month) = 1", name="a_whole_month"),
        CheckConstraint("(state = 'closed') = (closed_at IS NOT NULL)", name="closed_when"),
    )

    id: Mapped[int] = primary_key()
    platform_id: Mapped[int] = mapped_column(ForeignKey("platform.id"))
    month: Mapped[date]
    state: Mapped[PeriodState] = mapped_column(word(PeriodState), default=PeriodState.OPEN)
    closed_at: Mapped[datetime | None] = mapped_column(UtcTime)
    closed_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    waiting_count: Mapped[int] = mapped_column(default=0)
    long_work_id: Mapped[int | None] = mapped_column(ForeignKey("long_work.id"))
    work: Mapped[LongWork | None] = relationship()


class LateRelease(Model):
    """Somebody's word that a charge from beyond the look-back is to be billed after all."""

    __tablename__ = "late_release"

    charge_id: Mapped[int] = mapped_column(ForeignKey("charge.id", ondelete="CASCADE"), primary_key=True)
    reason: Mapped[str] = mapped_column(LINE)
    released_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    released_at: Mapped[datetime] = mapped_column(UtcTime)
