"""The dossiers of claims that were written."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.catalogue.models import Platform
from app.kernel.columns import LINE, UtcTime, primary_key
from app.kernel.db import Model


class Dossier(Model):
    """A dossier that can be taken away: ``file`` in the house's folder, and what it rests on."""

    __tablename__ = "dossier"
    __table_args__ = (
        CheckConstraint("bytes > 0 AND lines >= 0 AND readings >= 0", name="counts"),
        Index(None, "platform_id", "year"),
    )

    id: Mapped[int] = primary_key()
    platform_id: Mapped[int] = mapped_column(ForeignKey("platform.id"))
    year: Mapped[int]
    long_work_id: Mapped[int] = mapped_column(ForeignKey("long_work.id"), unique=True)
    file: Mapped[str] = mapped_column(LINE)
    bytes: Mapped[int] = mapped_column(BigInteger)
    lines: Mapped[int]
    readings: Mapped[int] = mapped_column(BigInteger)
    made_at: Mapped[datetime] = mapped_column(UtcTime)
    platform: Mapped[Platform] = relationship()
