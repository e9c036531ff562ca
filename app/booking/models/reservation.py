"""Reservations: what was intended, and what they hold."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB, ExcludeConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.booking.rules.reservation import ReservationState, ServiceMode
from app.catalogue.models import Accessory, Equipment
from app.identity.models import Organization, Person
from app.kernel.columns import LINE, SHORT, Span, UtcTime, primary_key, word
from app.kernel.db import Model
from app.kernel.interval import Interval


class Series(Model):
    """Reservations that were made together by one rule of recurrence."""

    __tablename__ = "series"

    id: Mapped[int] = primary_key()
    equipment_id: Mapped[int] = mapped_column(ForeignKey("equipment.id"))
    organization_id: Mapped[int] = mapped_column(ForeignKey("organization.id"))
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    rule: Mapped[dict[str, Any]] = mapped_column(JSONB)
    idempotency_key: Mapped[str | None] = mapped_column(SHORT)
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    __table_args__ = (UniqueConstraint("organization_id", "idempotency_key"),)


class Reservation(Model):
    """A firm's claim on one piece of equipment.

    ``during`` stays what was agreed; ``released_at`` says when it was given back before its end.
    ``cancelled_at`` is when an agreed one was cancelled, ``withdrawn`` says that the platform did it.
    ``hold_until`` is when a request or an offer lapses. What it holds stands in :class:`Occupancy`.
    """

    __tablename__ = "reservation"
    __table_args__ = (
        CheckConstraint("NOT isempty(during)", name="during_not_empty"),
        CheckConstraint(
            "hold_until IS NOT NULL OR state NOT IN ('offered', 'requested')", name="what_is_pending_may_lapse"
        ),
        UniqueConstraint("organization_id", "idempotency_key"),
        Index(None, "organization_id", text("lower(during)")),
        Index(None, "equipment_id", "during", postgresql_using="gist"),
        Index(None, "hold_until", postgresql_where=text("state IN ('offered', 'requested')")),
        Index("ix_reservation_to_begin", text("lower(during)"), postgresql_where=text("state = 'booked'")),
    )

    id: Mapped[int] = primary_key()
    equipment_id: Mapped[int] = mapped_column(ForeignKey("equipment.id"))
    organization_id: Mapped[int] = mapped_column(ForeignKey("organization.id"))
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)
    series_id: Mapped[int | None] = mapped_column(ForeignKey("series.id"), index=True)
    service_request_id: Mapped[int | None] = mapped_column(ForeignKey("service_request.id"), index=True)
    mode: Mapped[ServiceMode] = mapped_column(word(ServiceMode), default=ServiceMode.SELF, server_default="self")
    during: Mapped[Interval] = mapped_column(Span)
    state: Mapped[ReservationState] = mapped_column(word(ReservationState), default=ReservationState.BOOKED)
    hold_until: Mapped[datetime | None] = mapped_column(UtcTime)
    checked_in_at: Mapped[datetime | None] = mapped_column(UtcTime)
    released_at: Mapped[datetime | None] = mapped_column(UtcTime)
    cancelled_at: Mapped[datetime | None] = mapped_column(UtcTime)
    withdrawn: Mapped[bool] = mapped_column(default=False, server_default="false")
    purpose: Mapped[str] = mapped_column(Text, default="")
    idempotency_key: Mapped[str | None] = mapped_column(SHORT)
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    changed_at: Mapped[datetime] = mapped_column(UtcTime)
    equipment: Mapped[Equipment] = relationship()
    organization: Mapped[Organization] = relationship()
    person: Mapped[Person] = relationship()
    accessories: Mapped[list[ReservedAccessory]] = relationship()
    decisions: Mapped[list[Decision]] = relationship(order_by="Decision.id")


class Occupancy(Model):
    """What a reservation holds: one unit of one physical device, set-up and cleaning included.

    A reservation of a pool holds one unit, of a line its own device and every module. A row is there
    exactly while the device is held, so no two rows of one unit may ever meet.
    """

    __tablename__ = "occupancy"
    __table_args__ = (
        ExcludeConstraint(
            ("equipment_id", "="), ("unit", "="), ("blocked", "&&"), using="gist", name="no_double_booking"
        ),
        UniqueConstraint("reservation_id", "equipment_id"),
        CheckConstraint("NOT isempty(blocked) AND unit > 0", name="holds_something"),
    )

    id: Mapped[int] = primary_key()
    reservation_id: Mapped[int] = mapped_column(ForeignKey("reservation.id"))
    equipment_id: Mapped[int] = mapped_column(ForeignKey("equipment.id"))
    unit: Mapped[int] = mapped_column(default=1)
    blocked: Mapped[Interval] = mapped_column(Span)


class ReservedAccessory(Model):
    """How many of an accessory a reservation takes along."""

    __tablename__ = "reserved_accessory"
    __table_args__ = (CheckConstraint("quantity > 0", name="quantity_positive"),)

    reservation_id: Mapped[int] = mapped_column(ForeignKey("reservation.id"), primary_key=True)
    accessory_id: Mapped[int] = mapped_column(ForeignKey("accessory.id"), primary_key=True, index=True)
    quantity: Mapped[int]
    accessory: Mapped[Accessory] = relationship()


class Decision(Model):
    """One step of an approval: who agreed or declined, and why. Only added to.

    It is about ``during``: who moves the reservation has to ask again.
    """

    __tablename__ = "decision"
    __table_args__ = (
        UniqueConstraint("reservation_id", "during", "step"),
        UniqueConstraint("reservation_id", "during", "person_id"),
    )

    id: Mapped[int] = primary_key()
    reservation_id: Mapped[int] = mapped_column(ForeignKey("reservation.id"))
    during: Mapped[Interval] = mapped_column(Span)
    step: Mapped[int]
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    approved: Mapped[bool]
    reason: Mapped[str] = mapped_column(LINE, default="")
    decided_at: Mapped[datetime] = mapped_column(UtcTime)
    person: Mapped[Person] = relationship()
