"""The use that was read from a meter, or entered by a person."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB, ExcludeConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.catalogue.models import Equipment
from app.kernel.columns import LINE, SHORT, Span, UtcTime, long_key, word
from app.kernel.db import Model
from app.kernel.interval import Interval
from devices.models.meter import Meter
from devices.rules.evidence import Evidence, LateCause


class MeteringTask(Model):
    """From when on a meter's readings have to be turned into sessions (again)."""

    __tablename__ = "metering_task"

    meter_id: Mapped[int] = mapped_column(ForeignKey("meter.id"), primary_key=True)
    dirty_from: Mapped[datetime] = mapped_column(UtcTime)


class UsageSession(Model):
    """A stretch of use, derived from readings and matched with a reservation, or entered by a person.

    ``open`` while the run goes on. ``fingerprint`` changes whenever anything that matters does;
    a session with ``frozen_at`` stands behind an issued invoice line and never changes. ``flags`` are
    words of :class:`devices.rules.evidence.Flag`; ``counted`` is what the instrument itself counted.
    """

    __tablename__ = "usage_session"
    __table_args__ = (
        UniqueConstraint("meter_id", "started_at", deferrable=True, initially="DEFERRED"),
        ExcludeConstraint(
            ("meter_id", "="),
            ("during", "&&"),
            using="gist",
            name="no_overlap_on_a_meter",
            deferrable=True,  # sessions that were derived again may pass each other on the way
            initially="DEFERRED",
        ),
        CheckConstraint("ended_at > started_at", name="ends_after_start"),
        CheckConstraint("evidence <> 'metered' OR num_nulls(meter_id, profile_id) = 0", name="metered_by_a_meter"),
        CheckConstraint("evidence <> 'entered' OR (entered_by IS NOT NULL AND reason <> '')", name="entered_by_whom"),
        CheckConstraint("energy_mwh >= 0 AND running_s >= 0 AND gap_s >= 0", name="nothing_negative"),
        Index(None, "equipment_id", "started_at"),
        Index(None, "reservation_id"),
        Index(None, "organization_id", "started_at"),
        Index(None, "started_at", postgresql_using="brin"),
        Index("ix_usage_session_ended", "ended_at", postgresql_where=text("NOT open")),
    )

    id: Mapped[int] = long_key()
    meter_id: Mapped[int | None] = mapped_column(ForeignKey("meter.id"))
    equipment_id: Mapped[int] = mapped_column(ForeignKey("equipment.id"))
    reservation_id: Mapped[int | None] = mapped_column(ForeignKey("reservation.id"))
    organization_id: Mapped[int | None] = mapped_column(ForeignKey("organization.id"))
    started_at: Mapped[datetime] = mapped_column(UtcTime)
    ended_at: Mapped[datetime] = mapped_column(UtcTime)
    during: Mapped[Interval] = mapped_column(Span)
    open: Mapped[bool] = mapped_column(default=False)
    running_s: Mapped[int]
    energy_mwh: Mapped[int] = mapped_column(BigInteger)
    energy_estimated: Mapped[bool] = mapped_column(default=False)
    gap_s: Mapped[int] = mapped_column(default=0)
    evidence: Mapped[Evidence] = mapped_column(word(Evidence), default=Evidence.METERED)
    readings_count: Mapped[int]
    readings_digest: Mapped[str] = mapped_column(SHORT)
    profile_id: Mapped[int | None] = mapped_column(ForeignKey("meter_profile.id"))
    rule_version: Mapped[int]
    fingerprint: Mapped[str] = mapped_column(SHORT)
    counted: Mapped[int | None] = mapped_column(BigInteger)
    flags: Mapped[list[str]] = mapped_column(JSONB, default=list, server_default="[]")
    entered_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    reason: Mapped[str] = mapped_column(LINE, default="", server_default="")
    reviewed_at: Mapped[datetime | None] = mapped_column(UtcTime)
    reviewed_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    derived_at: Mapped[datetime] = mapped_column(UtcTime)
    frozen_at: Mapped[datetime | None] = mapped_column(UtcTime)
    meter: Mapped[Meter | None] = relationship()
    equipment: Mapped[Equipment] = relationship()


class LateChange(Model):
    """What late readings would make of a session that an invoice has frozen. Waits for a person."""

    __tablename__ = "late_change"
    __table_args__ = (UniqueConstraint("meter_id", "fingerprint"),)

    id: Mapped[int] = long_key()
    meter_id: Mapped[int] = mapped_column(ForeignKey("meter.id"))
    usage_session_id: Mapped[int | None] = mapped_column(ForeignKey("usage_session.id"), index=True)
    fingerprint: Mapped[str] = mapped_column(SHORT)
    cause: Mapped[LateCause] = mapped_column(
        word(LateCause), default=LateCause.LATE_READINGS, server_default=LateCause.LATE_READINGS.value
    )
    proposal: Mapped[dict[str, Any]] = mapped_column(JSONB)
    noted_at: Mapped[datetime] = mapped_column(UtcTime)
    resolved_at: Mapped[datetime | None] = mapped_column(UtcTime)
    resolved_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    resolution: Mapped[str] = mapped_column(LINE, default="", server_default="")
