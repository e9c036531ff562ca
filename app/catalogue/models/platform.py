"""Platforms, who runs them and what they were recognised as."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import CheckConstraint, ForeignKey, UniqueConstraint
from sqlalchemy.dialects.postgresql import DATERANGE, JSONB, ExcludeConstraint, Range
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.catalogue.rules.words import RecognitionLevel
from app.identity.models import Organization
from app.kernel.columns import LINE, SHORT, UtcTime, primary_key, word
from app.kernel.db import Model

if TYPE_CHECKING:
    from app.catalogue.models.equipment import Equipment


class Platform(Model):
    """A pilot-scale verification platform. ``annex_entries`` are its rows in the policy's annexes, verbatim."""

    __tablename__ = "platform"

    id: Mapped[int] = primary_key()
    code: Mapped[str] = mapped_column(SHORT, unique=True)
    name_zh: Mapped[str] = mapped_column(LINE)
    name_en: Mapped[str] = mapped_column(LINE)
    field: Mapped[str] = mapped_column(SHORT)
    host_id: Mapped[int] = mapped_column(ForeignKey("organization.id"))
    annex_entries: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, default=list)
    operating_since: Mapped[date | None]
    illustrative: Mapped[bool] = mapped_column(default=True)
    host: Mapped[Organization] = relationship()
    equipment: Mapped[list[Equipment]] = relationship(back_populates="platform", order_by="Equipment.code")
    operators: Mapped[list[PlatformOperator]] = relationship()
    recognitions: Mapped[list[Recognition]] = relationship(
        primaryjoin="and_(Recognition.platform_id == Platform.id, Recognition.withdrawn_at.is_(None))",
        order_by="Recognition.recognised_on",
    )


class PlatformOperator(Model):
    """Who runs a platform (运营主体), and in which days. One at a time."""

    __tablename__ = "platform_operator"
    __table_args__ = (
        ExcludeConstraint(("platform_id", "="), ("days", "&&"), using="gist", name="one_operator_at_a_time"),
    )

    id: Mapped[int] = primary_key()
    platform_id: Mapped[int] = mapped_column(ForeignKey("platform.id"))
    organization_id: Mapped[int] = mapped_column(ForeignKey("organization.id"), index=True)
    days: Mapped[Range[date]] = mapped_column(DATERANGE)
    organization: Mapped[Organization] = relationship()


class Recognition(Model):
    """A formal act with a document number and a date; being taken in for cultivation (入库培育) is one too.

    What was recorded by mistake is withdrawn with a reason, and stays.
    """

    __tablename__ = "recognition"
    __table_args__ = (
        CheckConstraint("(withdrawn_at IS NULL) = (withdrawn_reason = '')", name="withdrawn_with_a_reason"),
    )

    id: Mapped[int] = primary_key()
    platform_id: Mapped[int] = mapped_column(ForeignKey("platform.id"), index=True)
    level: Mapped[RecognitionLevel] = mapped_column(word(RecognitionLevel))
    recognised_on: Mapped[date]
    newly: Mapped[bool] = mapped_column(default=True)
    document: Mapped[str] = mapped_column(LINE)
    illustrative: Mapped[bool] = mapped_column(default=False)
    withdrawn_at: Mapped[datetime | None] = mapped_column(UtcTime)
    withdrawn_reason: Mapped[str] = mapped_column(LINE, default="", server_default="")


class RelatedParty(Model):
    """A firm whose purchases from a platform are between related parties (A04)."""

    __tablename__ = "related_party"
    __table_args__ = (UniqueConstraint("platform_id", "organization_id"),)

    id: Mapped[int] = primary_key()
    platform_id: Mapped[int] = mapped_column(ForeignKey("platform.id"))
    organization_id: Mapped[int] = mapped_column(ForeignKey("organization.id"))
    since: Mapped[date]
