"""Switching power: what was asked of relays, and what they say of themselves."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.kernel.columns import LINE, UtcTime, long_key, word
from app.kernel.db import Model
from devices.models.meter import Meter
from devices.rules.power import PowerCause


class PowerCommand(Model):
    """One wish to switch a relay. Sent until the device confirms it, a newer wish comes, or it is given up."""

    __tablename__ = "power_command"
    __table_args__ = (
        CheckConstraint("cause <> 'override' OR (asked_by IS NOT NULL AND reason <> '')", name="override_by_whom"),
        Index("ix_power_command_open", "meter_id", postgresql_where=text("confirmed_at IS NULL AND ended_at IS NULL")),
        Index(None, "meter_id", "asked_at"),
    )

    id: Mapped[int] = long_key()
    meter_id: Mapped[int] = mapped_column(ForeignKey("meter.id"))
    on: Mapped[bool]
    cause: Mapped[PowerCause] = mapped_column(word(PowerCause))
    reservation_id: Mapped[int | None] = mapped_column(ForeignKey("reservation.id"))
    asked_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    reason: Mapped[str] = mapped_column(LINE, default="")
    asked_at: Mapped[datetime] = mapped_column(UtcTime)
    sent_at: Mapped[datetime | None] = mapped_column(UtcTime)
    tries: Mapped[int] = mapped_column(default=0)
    confirmed_at: Mapped[datetime | None] = mapped_column(UtcTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcTime)
    meter: Mapped[Meter] = relationship()


class RelayState(Model):
    """What a relay last said of itself. Status, no fact that anything is paid for: it is overwritten."""

    __tablename__ = "relay_state"

    meter_id: Mapped[int] = mapped_column(ForeignKey("meter.id"), primary_key=True)
    on: Mapped[bool]
    reported_at: Mapped[datetime] = mapped_column(UtcTime)
