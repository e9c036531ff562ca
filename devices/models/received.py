"""What came over the wire beside the readings: numbering, gaps, what is kept aside.

``reading`` and ``raw_message`` are partitioned by month and are written and read with SQL, never through the
ORM; their tables are made by the migrations.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, LargeBinary, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import INT8MULTIRANGE, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.kernel.columns import LINE, SHORT, UtcTime, long_key
from app.kernel.db import Model


class ReadingBatch(Model):
    """The readings of one transaction. Sealed together, once, when ``seal_id`` is set."""

    __tablename__ = "reading_batch"
    __table_args__ = (Index("ix_reading_batch_unsealed", "id", postgresql_where=text("seal_id IS NULL")),)

    id: Mapped[int] = long_key()
    stored_at: Mapped[datetime] = mapped_column(UtcTime)
    seal_id: Mapped[int | None] = mapped_column(ForeignKey("seal.id"), index=True)


class ReceivedSequence(Model):
    """The sequence numbers that came from one boot of one meter.

    At once the duplicate check, the list of gaps and the high-water mark; stays tiny.
    """

    __tablename__ = "received_sequence"

    meter_id: Mapped[int] = mapped_column(ForeignKey("meter.id"), primary_key=True)
    boot: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    numbers: Mapped[Any] = mapped_column(INT8MULTIRANGE)


class SequenceGap(Model):
    """Numbers ``first`` to ``last`` of one boot that have not come. Asked for until they are all there.

    Number 0 of boot 0 stands for messages lost by a dialect that counts its own way, until the node is born again.
    """

    __tablename__ = "sequence_gap"
    __table_args__ = (
        CheckConstraint("last >= first", name="not_empty"),
        Index("ix_sequence_gap_open", "meter_id", "boot", postgresql_where=text("closed_at IS NULL")),
        Index(None, "meter_id", "found_at"),
    )

    id: Mapped[int] = long_key()
    meter_id: Mapped[int] = mapped_column(ForeignKey("meter.id"))
    boot: Mapped[int] = mapped_column(BigInteger)
    first: Mapped[int] = mapped_column(BigInteger)
    last: Mapped[int] = mapped_column(BigInteger)
    found_at: Mapped[datetime] = mapped_column(UtcTime)
    asked_at: Mapped[datetime | None] = mapped_column(UtcTime)
    times_asked: Mapped[int] = mapped_column(default=0)
    closed_at: Mapped[datetime | None] = mapped_column(UtcTime)


class WireMemory(Model):
    """What a dialect has to remember between messages of one connection, such as names given at birth."""

    __tablename__ = "wire_memory"

    meter_id: Mapped[int] = mapped_column(ForeignKey("meter.id"), primary_key=True)
    memory: Mapped[dict[str, Any]] = mapped_column(JSONB)


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
