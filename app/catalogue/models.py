"""Platforms, who runs them, what they were recognised as, and the equipment they share."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import DATERANGE, JSONB, ExcludeConstraint, Range
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.identity.models import Organization
from app.kernel.columns import LINE, SHORT, Fen, UtcTime, primary_key, word
from app.kernel.db import Model
from app.kernel.money import Money


class EquipmentKind(StrEnum):
    """The five bookable kinds of resource (四(三))."""

    INSTRUMENT = "instrument"
    LINE = "line"
    TEST_BENCH = "test_bench"
    SITE = "site"
    SOFTWARE_SEAT = "software_seat"


class ChargeUnit(StrEnum):
    HOUR = "hour"
    BATCH = "batch"
    SAMPLE = "sample"
    KILOGRAM = "kilogram"
    METRE = "metre"
    SQUARE_METRE = "square_metre"


class RecognitionLevel(StrEnum):
    """``QUANZHOU`` is the certification (泉州市认定) without which nothing is payable."""

    QUANZHOU = "quanzhou"
    PROVINCIAL = "provincial"
    NATIONAL = "national"
    NATIONAL_INNOVATION_CENTRE = "national_innovation_centre"


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
    recognitions: Mapped[list[Recognition]] = relationship(order_by="Recognition.recognised_on")


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
    """A formal act with a document number and a date."""

    __tablename__ = "recognition"

    id: Mapped[int] = primary_key()
    platform_id: Mapped[int] = mapped_column(ForeignKey("platform.id"), index=True)
    level: Mapped[RecognitionLevel] = mapped_column(word(RecognitionLevel))
    recognised_on: Mapped[date]
    newly: Mapped[bool] = mapped_column(default=True)
    document: Mapped[str] = mapped_column(LINE)
    illustrative: Mapped[bool] = mapped_column(default=False)


class RelatedParty(Model):
    """A firm whose purchases from a platform are between related parties (A04)."""

    __tablename__ = "related_party"
    __table_args__ = (UniqueConstraint("platform_id", "organization_id"),)

    id: Mapped[int] = primary_key()
    platform_id: Mapped[int] = mapped_column(ForeignKey("platform.id"))
    organization_id: Mapped[int] = mapped_column(ForeignKey("organization.id"))
    since: Mapped[date]


class Equipment(Model):
    """Something that can be booked. Money and power are ``illustrative`` for all sample data."""

    __tablename__ = "equipment"
    __table_args__ = (CheckConstraint("step_minutes > 0 AND least_minutes > 0", name="positive_minutes"),)

    id: Mapped[int] = primary_key()
    platform_id: Mapped[int] = mapped_column(ForeignKey("platform.id"), index=True)
    code: Mapped[str] = mapped_column(SHORT, unique=True)
    name_zh: Mapped[str] = mapped_column(LINE)
    name_en: Mapped[str] = mapped_column(LINE)
    kind: Mapped[EquipmentKind] = mapped_column(word(EquipmentKind))
    kind_label: Mapped[str] = mapped_column(SHORT)
    location: Mapped[str] = mapped_column(LINE)
    charge_unit: Mapped[ChargeUnit] = mapped_column(word(ChargeUnit))
    rated_power_w: Mapped[int]
    standby_power_w: Mapped[int]
    original_value: Mapped[Money] = mapped_column(Fen)
    benchmark_hours: Mapped[int]
    modes: Mapped[list[str]] = mapped_column(JSONB, default=list)
    note: Mapped[str] = mapped_column(Text, default="")
    step_minutes: Mapped[int] = mapped_column(default=5)
    least_minutes: Mapped[int] = mapped_column(default=5)
    most_minutes: Mapped[int] = mapped_column(default=3 * 24 * 60)
    advance_days: Mapped[int] = mapped_column(default=90)
    setup_minutes: Mapped[int] = mapped_column(default=0)
    cleanup_minutes: Mapped[int] = mapped_column(default=0)
    bookable: Mapped[bool] = mapped_column(default=True)
    illustrative: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    platform: Mapped[Platform] = relationship(back_populates="equipment")
    opening_hours: Mapped[list[OpeningHours]] = relationship(order_by="OpeningHours.weekday, OpeningHours.opens_minute")


class OpeningHours(Model):
    """One stretch of a weekday (Monday = 0) in which equipment may be used, local minutes after midnight."""

    __tablename__ = "opening_hours"
    __table_args__ = (
        CheckConstraint("weekday BETWEEN 0 AND 6", name="weekday"),
        CheckConstraint("0 <= opens_minute AND opens_minute < closes_minute AND closes_minute <= 1440", name="minutes"),
        ExcludeConstraint(
            ("equipment_id", "="),
            ("weekday", "="),
            (text("int4range(opens_minute, closes_minute)"), "&&"),
            using="gist",
            name="no_overlap",
        ),
    )

    id: Mapped[int] = primary_key()
    equipment_id: Mapped[int] = mapped_column(ForeignKey("equipment.id"))
    weekday: Mapped[int]
    opens_minute: Mapped[int]
    closes_minute: Mapped[int]
