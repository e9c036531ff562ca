"""When and by whom equipment may be booked: terms, closures, own use, quotas, requirements, conduct."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, Numeric, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.catalogue.rules.customer import CustomerClass
from app.catalogue.rules.words import ClosureKind, DayKind, Measure, Period, RequirementKind
from app.identity.models import Organization, Person
from app.kernel.columns import LINE, SHORT, Fen, Span, UtcTime, primary_key, word
from app.kernel.db import Model
from app.kernel.interval import Interval
from app.kernel.money import Money


class ClassTerms(Model):
    """Other limits for one customer class on one piece of equipment; None leaves the equipment's own."""

    __tablename__ = "class_terms"
    __table_args__ = (UniqueConstraint("equipment_id", "customer_class"),)

    id: Mapped[int] = primary_key()
    equipment_id: Mapped[int] = mapped_column(ForeignKey("equipment.id"))
    customer_class: Mapped[CustomerClass] = mapped_column(word(CustomerClass))
    step_minutes: Mapped[int | None]
    least_minutes: Mapped[int | None]
    most_minutes: Mapped[int | None]
    advance_days: Mapped[int | None]
    notice_minutes: Mapped[int | None]


class SpecialDay(Model):
    """A day of the Chinese calendar that is not what its weekday says. ``follows`` is whose hours a workday keeps."""

    __tablename__ = "special_day"

    day: Mapped[date] = mapped_column(primary_key=True)
    kind: Mapped[DayKind] = mapped_column(word(DayKind))
    name: Mapped[str] = mapped_column(SHORT)
    follows: Mapped[int | None]
    source: Mapped[str] = mapped_column(LINE)


class Closure(Model):
    """A time in which equipment, or all equipment of a platform, cannot be used."""

    __tablename__ = "closure"
    __table_args__ = (
        CheckConstraint("num_nonnulls(platform_id, equipment_id) = 1", name="one_subject"),
        Index(None, "equipment_id", "during", postgresql_using="gist"),
        Index(None, "platform_id", "during", postgresql_using="gist"),
    )

    id: Mapped[int] = primary_key()
    platform_id: Mapped[int | None] = mapped_column(ForeignKey("platform.id"))
    equipment_id: Mapped[int | None] = mapped_column(ForeignKey("equipment.id"))
    during: Mapped[Interval] = mapped_column(Span)
    kind: Mapped[ClosureKind] = mapped_column(word(ClosureKind))
    reason: Mapped[str] = mapped_column(LINE)
    person_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcTime)


class OwnUseWindow(Model):
    """Weekly time that the owner keeps for itself (企业自建适度开放) until ``release_hours`` before its start."""

    __tablename__ = "own_use_window"
    __table_args__ = (
        CheckConstraint("weekday BETWEEN 0 AND 6", name="weekday"),
        CheckConstraint("0 <= opens_minute AND opens_minute < closes_minute AND closes_minute <= 1440", name="minutes"),
    )

    id: Mapped[int] = primary_key()
    equipment_id: Mapped[int] = mapped_column(ForeignKey("equipment.id"), index=True)
    weekday: Mapped[int]
    opens_minute: Mapped[int]
    closes_minute: Mapped[int]
    first_day: Mapped[date]
    last_day: Mapped[date | None]
    release_hours: Mapped[int] = mapped_column(default=48)


class Quota(Model):
    """The most that a firm may reserve in a period, on one piece of equipment or on all of a platform together.

    Without a firm it holds for each firm of the customer class (or of both). ``weekdays`` limits the
    days on which it counts.
    """

    __tablename__ = "quota"
    __table_args__ = (
        CheckConstraint("num_nonnulls(platform_id, equipment_id) = 1", name="one_subject"),
        CheckConstraint('"limit" >= 0', name="limit_not_negative"),
    )

    id: Mapped[int] = primary_key()
    platform_id: Mapped[int | None] = mapped_column(ForeignKey("platform.id"), index=True)
    equipment_id: Mapped[int | None] = mapped_column(ForeignKey("equipment.id"), index=True)
    customer_class: Mapped[CustomerClass | None] = mapped_column(word(CustomerClass))
    organization_id: Mapped[int | None] = mapped_column(ForeignKey("organization.id"))
    measure: Mapped[Measure] = mapped_column(word(Measure))
    limit: Mapped[Decimal] = mapped_column(Numeric(8, 2))
    period: Mapped[Period] = mapped_column(word(Period))
    week_starts: Mapped[int] = mapped_column(default=0)
    weekdays: Mapped[list[int] | None] = mapped_column(JSONB)


class Requirement(Model):
    """Something that a platform wants to see before use, and how one gets it."""

    __tablename__ = "requirement"

    id: Mapped[int] = primary_key()
    platform_id: Mapped[int] = mapped_column(ForeignKey("platform.id"), index=True)
    kind: Mapped[RequirementKind] = mapped_column(word(RequirementKind))
    name_zh: Mapped[str] = mapped_column(LINE)
    name_en: Mapped[str] = mapped_column(LINE)
    how_zh: Mapped[str] = mapped_column(LINE)
    how_en: Mapped[str] = mapped_column(LINE)
    months_valid: Mapped[int | None]
    illustrative: Mapped[bool] = mapped_column(default=True)


class EquipmentRequirement(Model):
    """Which equipment asks for which requirement."""

    __tablename__ = "equipment_requirement"

    equipment_id: Mapped[int] = mapped_column(ForeignKey("equipment.id"), primary_key=True)
    requirement_id: Mapped[int] = mapped_column(ForeignKey("requirement.id"), primary_key=True, index=True)


class Qualification(Model):
    """A requirement that a person or a firm has met, from ``granted_on`` to before ``expires_on``."""

    __tablename__ = "qualification"
    __table_args__ = (
        CheckConstraint("num_nonnulls(person_id, organization_id) = 1", name="one_holder"),
        CheckConstraint("expires_on > granted_on", name="expires_after_grant"),
    )

    id: Mapped[int] = primary_key()
    requirement_id: Mapped[int] = mapped_column(ForeignKey("requirement.id"), index=True)
    person_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"), index=True)
    organization_id: Mapped[int | None] = mapped_column(ForeignKey("organization.id"), index=True)
    granted_on: Mapped[date]
    expires_on: Mapped[date | None]
    document: Mapped[str] = mapped_column(LINE, default="")
    granted_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcTime)
    requirement: Mapped[Requirement] = relationship()
    person: Mapped[Person | None] = relationship(foreign_keys=[person_id])
    organization: Mapped[Organization | None] = relationship()


class Conduct(Model):
    """A platform's no-show ladder and credit score; what is not set here stays at the default of the table."""

    __tablename__ = "conduct"

    platform_id: Mapped[int] = mapped_column(ForeignKey("platform.id"), primary_key=True)
    grace_minutes: Mapped[int] = mapped_column(default=30)
    late_cancel_hours: Mapped[int] = mapped_column(default=24)
    warnings: Mapped[int] = mapped_column(default=1)
    fee_from: Mapped[int] = mapped_column(default=2)
    fee: Mapped[Money] = mapped_column(Fen, default=Money(0))
    block_from: Mapped[int] = mapped_column(default=3)
    block_days: Mapped[int] = mapped_column(default=7)
    counted_days: Mapped[int] = mapped_column(default=365)
    delay_hours: Mapped[int] = mapped_column(default=24)
    base_score: Mapped[int] = mapped_column(default=100)
    points: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)
