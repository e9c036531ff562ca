"""What firms thought of their use, and what went wrong on a platform."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.booking.models.reservation import Reservation
from app.booking.rules.feedback import Severity
from app.catalogue.models import Equipment, Platform
from app.identity.models import Person
from app.kernel.columns import UtcTime, primary_key, word
from app.kernel.db import Model


class Feedback(Model):
    """What a firm thought of one use (满意度): one to five stars, and words if it wants."""

    __tablename__ = "feedback"
    __table_args__ = (CheckConstraint("stars BETWEEN 1 AND 5", name="one_to_five"),)

    id: Mapped[int] = primary_key()
    reservation_id: Mapped[int] = mapped_column(ForeignKey("reservation.id"), unique=True)
    stars: Mapped[int]
    words: Mapped[str] = mapped_column(Text, default="", server_default="")
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    given_at: Mapped[datetime] = mapped_column(UtcTime)
    changed_at: Mapped[datetime] = mapped_column(UtcTime)
    reservation: Mapped[Reservation] = relationship()


class Incident(Model):
    """Something that went wrong (安全事故、事件). Only added to; :class:`IncidentClosing` ends it."""

    __tablename__ = "incident"
    __table_args__ = (Index(None, "platform_id", "happened_on"),)

    id: Mapped[int] = primary_key()
    platform_id: Mapped[int] = mapped_column(ForeignKey("platform.id"))
    equipment_id: Mapped[int | None] = mapped_column(ForeignKey("equipment.id"))
    happened_on: Mapped[date]
    severity: Mapped[Severity] = mapped_column(word(Severity))
    what_happened: Mapped[str] = mapped_column(Text)
    what_was_done: Mapped[str] = mapped_column(Text)
    recorded_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    recorded_at: Mapped[datetime] = mapped_column(UtcTime)
    platform: Mapped[Platform] = relationship()
    equipment: Mapped[Equipment | None] = relationship()
    person: Mapped[Person] = relationship()
    closing: Mapped[IncidentClosing | None] = relationship()


class IncidentClosing(Model):
    """How an incident ended, and what keeps it from happening again."""

    __tablename__ = "incident_closing"

    incident_id: Mapped[int] = mapped_column(ForeignKey("incident.id"), primary_key=True)
    closed_on: Mapped[date]
    measures: Mapped[str] = mapped_column(Text)
    closed_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    closed_at: Mapped[datetime] = mapped_column(UtcTime)
