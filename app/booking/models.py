"""Reservations: what was intended."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ExcludeConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.booking.rules.reservation import ReservationState
from app.catalogue.models import Equipment
from app.identity.models import Organization, Person
from app.kernel.columns import SHORT, Span, UtcTime, primary_key, word
from app.kernel.db import Model
from app.kernel.interval import Interval


class Reservation(Model):
    """A firm's claim on one piece of equipment. ``blocked`` is ``during`` with set-up and cleaning."""

    __tablename__ = "reservation"
    __table_args__ = (
        ExcludeConstraint(
            ("equipment_id", "="),
            ("unit", "="),
            ("blocked", "&&"),
            where=text("state = 'booked'"),
            using="gist",
            name="no_double_booking",
        ),
        CheckConstraint("NOT isempty(during) AND during <@ blocked", name="during_within_blocked"),
        UniqueConstraint("organization_id", "idempotency_key"),
        Index(None, "organization_id", text("lower(during)")),
    )

    id: Mapped[int] = primary_key()
    equipment_id: Mapped[int] = mapped_column(ForeignKey("equipment.id"))
    unit: Mapped[int] = mapped_column(default=1)
    organization_id: Mapped[int] = mapped_column(ForeignKey("organization.id"))
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    during: Mapped[Interval] = mapped_column(Span)
    blocked: Mapped[Interval] = mapped_column(Span)
    state: Mapped[ReservationState] = mapped_column(word(ReservationState), default=ReservationState.BOOKED)
    purpose: Mapped[str] = mapped_column(Text, default="")
    idempotency_key: Mapped[str | None] = mapped_column(SHORT)
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    changed_at: Mapped[datetime] = mapped_column(UtcTime)
    equipment: Mapped[Equipment] = relationship()
    organization: Mapped[Organization] = relationship()
    person: Mapped[Person] = relationship()
