"""Who waits for a slot, how people kept their word, and who reads which calendar."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.booking.rules.words import FeedScope, MisstepKind, WaitState
from app.catalogue.models import Equipment
from app.identity.models import Organization, Person
from app.kernel.columns import LINE, Span, UtcTime, primary_key, word
from app.kernel.db import Model
from app.kernel.interval import Interval


class Waiting(Model):
    """A wish for a slot that was taken. One at a time is offered the slot, as a reservation that lapses."""

    __tablename__ = "waiting"
    __table_args__ = (
        Index(None, "equipment_id", "during", postgresql_using="gist", postgresql_where=text("state = 'waiting'")),
    )

    id: Mapped[int] = primary_key()
    equipment_id: Mapped[int] = mapped_column(ForeignKey("equipment.id"))
    organization_id: Mapped[int] = mapped_column(ForeignKey("organization.id"))
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)
    during: Mapped[Interval] = mapped_column(Span)
    state: Mapped[WaitState] = mapped_column(word(WaitState), default=WaitState.WAITING)
    reservation_id: Mapped[int | None] = mapped_column(ForeignKey("reservation.id"), unique=True)
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    changed_at: Mapped[datetime] = mapped_column(UtcTime)
    equipment: Mapped[Equipment] = relationship()
    organization: Mapped[Organization] = relationship()
    person: Mapped[Person] = relationship()


class ConductEntry(Model):
    """How one reservation was kept. Counts from ``effective_at`` on, unless an operator excused it before or after."""

    __tablename__ = "conduct_entry"
    __table_args__ = (
        UniqueConstraint("reservation_id", "kind"),
        Index(None, "organization_id", "platform_id", "effective_at"),
        CheckConstraint("(excused_at IS NULL) = (excused_by IS NULL)", name="excused_by_somebody"),
    )

    id: Mapped[int] = primary_key()
    platform_id: Mapped[int] = mapped_column(ForeignKey("platform.id"), index=True)
    organization_id: Mapped[int] = mapped_column(ForeignKey("organization.id"))
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)
    reservation_id: Mapped[int] = mapped_column(ForeignKey("reservation.id"))
    kind: Mapped[MisstepKind] = mapped_column(word(MisstepKind))
    occurred_at: Mapped[datetime] = mapped_column(UtcTime)
    effective_at: Mapped[datetime] = mapped_column(UtcTime)
    taken_over: Mapped[bool] = mapped_column(default=False)
    excused_at: Mapped[datetime | None] = mapped_column(UtcTime)
    excused_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    excuse: Mapped[str] = mapped_column(LINE, default="")


class CalendarFeed(Model):
    """An address under which a calendar program reads reservations. Only the token's digest is kept."""

    __tablename__ = "calendar_feed"
    __table_args__ = (
        CheckConstraint(
            "(scope = 'equipment') = (equipment_id IS NOT NULL) AND (scope = 'platform') = (platform_id IS NOT NULL)",
            name="subject_fits_scope",
        ),
    )

    id: Mapped[int] = primary_key()
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)
    scope: Mapped[FeedScope] = mapped_column(word(FeedScope))
    equipment_id: Mapped[int | None] = mapped_column(ForeignKey("equipment.id"))
    platform_id: Mapped[int | None] = mapped_column(ForeignKey("platform.id"))
    token_digest: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    read_at: Mapped[datetime | None] = mapped_column(UtcTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcTime)
