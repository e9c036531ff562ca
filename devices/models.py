"""Meters, what they said, and the use that was read from it.

``reading`` and ``raw_message`` are partitioned by month and are written with COPY and read with
SQL, never through the ORM; their tables are made by the migration.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, LargeBinary, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import INT8MULTIRANGE, JSONB, ExcludeConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.catalogue.models import Equipment
from app.kernel.columns import LINE, SHORT, Span, UtcTime, long_key, primary_key, word
from app.kernel.db import Model
from app.kernel.interval import Interval
from devices.rules.evidence import Dialect, Evidence


class Meter(Model):
    """A device on the wire. ``shard`` is part of its topics; ``credential_version`` of its password."""

    __tablename__ = "meter"

    id: Mapped[int] = primary_key()
    code: Mapped[str] = mapped_column(SHORT, unique=True)
    equipment_id: Mapped[int] = mapped_column(ForeignKey("equipment.id"), index=True)
    dialect: Mapped[Dialect] = mapped_column(word(Dialect))
    shard: Mapped[int]
    credential_version: Mapped[int] = mapped_column(default=1)
    simulated: Mapped[bool] = mapped_column(default=False)
    active: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    equipment: Mapped[Equipment] = relationship()
    profiles: Mapped[list[MeterProfile]] = relationship(order_by="MeterProfile.version")


class MeterProfile(Model):
    """What counts as use on one meter; a change is a new version. Watts and seconds."""

    __tablename__ = "meter_profile"
    __table_args__ = (
        UniqueConstraint("meter_id", "version"),
        CheckConstraint("run_off_w <= run_on_w AND run_on_w > 0", name="hysteresis"),
    )

    id: Mapped[int] = primary_key()
    meter_id: Mapped[int] = mapped_column(ForeignKey("meter.id"))
    version: Mapped[int]
    run_on_w: Mapped[int]
    run_off_w: Mapped[int]
    min_on_s: Mapped[int]
    min_off_s: Mapped[int]
    max_gap_s: Mapped[int]
    rated_w: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(UtcTime)


class ReceivedSequence(Model):
    """The sequence numbers that came from one boot of one meter.

    At once the duplicate check, the list of gaps and the high-water mark; stays tiny.
    """

    __tablename__ = "received_sequence"

    meter_id: Mapped[int] = mapped_column(ForeignKey("meter.id"), primary_key=True)
    boot: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    numbers: Mapped[Any] = mapped_column(INT8MULTIRANGE)


class DeadLetter(Model):
    """A message that could not be read, kept with its reason."""

    __tablename__ = "dead_letter"
    __table_args__ = (Index(None, "received_at"),)

    id: Mapped[int] = long_key()
    meter_id: Mapped[int | None] = mapped_column(ForeignKey("meter.id"))
    topic: Mapped[str] = mapped_column(Text)
    payload: Mapped[bytes] = mapped_column(LargeBinary)
    reason: Mapped[str] = mapped_column(SHORT)
    detail: Mapped[str] = mapped_column(LINE)
    received_at: Mapped[datetime] = mapped_column(UtcTime)


class DisputedReading(Model):
    """A reading whose key was taken by other content. The first one stands until a person decides."""

    __tablename__ = "disputed_reading"
    __table_args__ = (UniqueConstraint("meter_id", "boot", "seq", "content_hash"),)

    id: Mapped[int] = long_key()
    meter_id: Mapped[int] = mapped_column(ForeignKey("meter.id"))
    boot: Mapped[int] = mapped_column(BigInteger)
    seq: Mapped[int] = mapped_column(BigInteger)
    content_hash: Mapped[bytes] = mapped_column(LargeBinary)
    taken_at: Mapped[datetime] = mapped_column(UtcTime)
    power_mw: Mapped[int | None] = mapped_column(BigInteger)
    energy_mwh: Mapped[int | None] = mapped_column(BigInteger)
    topic: Mapped[str] = mapped_column(Text)
    payload: Mapped[bytes] = mapped_column(LargeBinary)
    received_at: Mapped[datetime] = mapped_column(UtcTime)


class MeteringTask(Model):
    """From when on a meter's readings have to be turned into sessions (again)."""

    __tablename__ = "metering_task"

    meter_id: Mapped[int] = mapped_column(ForeignKey("meter.id"), primary_key=True)
    dirty_from: Mapped[datetime] = mapped_column(UtcTime)


class UsageSession(Model):
    """A stretch of use, derived from readings and matched with a reservation.

    ``open`` while the run goes on. ``fingerprint`` changes whenever anything that matters does;
    a session with ``frozen_at`` stands behind an issued invoice line and never changes.
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
        CheckConstraint("energy_mwh >= 0 AND running_s >= 0 AND gap_s >= 0", name="nothing_negative"),
        Index(None, "equipment_id", "started_at"),
        Index(None, "reservation_id"),
        Index(None, "organization_id", "started_at"),
        Index("ix_usage_session_ended", "ended_at", postgresql_where=text("NOT open")),
    )

    id: Mapped[int] = long_key()
    meter_id: Mapped[int] = mapped_column(ForeignKey("meter.id"))
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
    profile_id: Mapped[int] = mapped_column(ForeignKey("meter_profile.id"))
    rule_version: Mapped[int]
    fingerprint: Mapped[str] = mapped_column(SHORT)
    derived_at: Mapped[datetime] = mapped_column(UtcTime)
    frozen_at: Mapped[datetime | None] = mapped_column(UtcTime)
    meter: Mapped[Meter] = relationship()
    equipment: Mapped[Equipment] = relationship()


class LateChange(Model):
    """What late readings would make of a session that an invoice has frozen. Waits for a person."""

    __tablename__ = "late_change"
    __table_args__ = (UniqueConstraint("meter_id", "fingerprint"),)

    id: Mapped[int] = long_key()
    meter_id: Mapped[int] = mapped_column(ForeignKey("meter.id"))
    usage_session_id: Mapped[int | None] = mapped_column(ForeignKey("usage_session.id"), index=True)
    fingerprint: Mapped[str] = mapped_column(SHORT)
    proposal: Mapped[dict[str, Any]] = mapped_column(JSONB)
    noted_at: Mapped[datetime] = mapped_column(UtcTime)
    resolved_at: Mapped[datetime | None] = mapped_column(UtcTime)
