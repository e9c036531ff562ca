"""What can be booked: equipment, its parts and accessories, and when it is open."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Text, text
from sqlalchemy.dialects.postgresql import JSONB, ExcludeConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.catalogue.models.platform import Platform
from app.catalogue.rules.customer import CustomerClass
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


class Approval(StrEnum):
    """Who must agree before a reservation stands: nobody, an operator, or two operators (hazardous work)."""

    NONE = "none"
    OPERATOR = "operator"
    TWO_STEPS = "two_steps"


class Equipment(Model):
    """Something that can be booked. Money and power are ``illustrative`` for all sample data.

    ``units`` identical pieces are booked as a pool. ``shares_id`` names the listing whose physical
    device this one is too. Minutes are minutes of reservation, not of use. ``screen_version`` is
    part of the signed address of the screen beside the machine.
    """

    __tablename__ = "equipment"
    __table_args__ = (
        CheckConstraint("step_minutes > 0 AND least_minutes > 0", name="positive_minutes"),
        CheckConstraint("units > 0", name="at_least_one_unit"),
        CheckConstraint("shares_id <> id", name="shares_with_another"),
    )

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
    units: Mapped[int] = mapped_column(default=1, server_default="1")
    shares_id: Mapped[int | None] = mapped_column(ForeignKey("equipment.id"))
    notice_minutes: Mapped[int] = mapped_column(default=0, server_default="0")
    observes_holidays: Mapped[bool] = mapped_column(default=False, server_default="false")
    approval: Mapped[Approval] = mapped_column(word(Approval), default=Approval.NONE, server_default="none")
    approval_hours: Mapped[int] = mapped_column(default=48, server_default="48")
    check_in: Mapped[bool] = mapped_column(default=False, server_default="false")
    early_minutes: Mapped[int] = mapped_column(default=15, server_default="15")
    offer_minutes: Mapped[int] = mapped_column(default=30, server_default="30")
    bookable: Mapped[bool] = mapped_column(default=True)
    screen_version: Mapped[int] = mapped_column(default=1, server_default="1")
    illustrative: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    platform: Mapped[Platform] = relationship(back_populates="equipment")
    opening_hours: Mapped[list[OpeningHours]] = relationship(order_by="OpeningHours.weekday, OpeningHours.opens_minute")


class EquipmentPart(Model):
    """Who books the whole has every part, so whole and part exclude each other (a line and its modules)."""

    __tablename__ = "equipment_part"
    __table_args__ = (CheckConstraint("whole_id <> part_id", name="no_part_of_itself"),)

    whole_id: Mapped[int] = mapped_column(ForeignKey("equipment.id"), primary_key=True)
    part_id: Mapped[int] = mapped_column(ForeignKey("equipment.id"), primary_key=True, index=True)


class Accessory(Model):
    """Something that is taken along with a reservation. ``stock`` None is as many as anybody wants."""

    __tablename__ = "accessory"
    __table_args__ = (CheckConstraint("stock >= 0", name="stock_not_negative"),)

    id: Mapped[int] = primary_key()
    platform_id: Mapped[int] = mapped_column(ForeignKey("platform.id"), index=True)
    name_zh: Mapped[str] = mapped_column(LINE)
    name_en: Mapped[str] = mapped_column(LINE)
    stock: Mapped[int | None]
    illustrative: Mapped[bool] = mapped_column(default=True)


class OpeningHours(Model):
    """One stretch of a weekday (Monday = 0) in which equipment may be used, local minutes after midnight.

    Where there are hours for a customer class, they hold for it instead of everybody's.
    """

    __tablename__ = "opening_hours"
    __table_args__ = (
        CheckConstraint("weekday BETWEEN 0 AND 6", name="weekday"),
        CheckConstraint("0 <= opens_minute AND opens_minute < closes_minute AND closes_minute <= 1440", name="minutes"),
        ExcludeConstraint(
            ("equipment_id", "="),
            ("weekday", "="),
            (text("coalesce(customer_class, '')"), "="),
            (text("int4range(opens_minute, closes_minute)"), "&&"),
            using="gist",
            name="no_overlap",
        ),
    )

    id: Mapped[int] = primary_key()
    equipment_id: Mapped[int] = mapped_column(ForeignKey("equipment.id"))
    customer_class: Mapped[CustomerClass | None] = mapped_column(word(CustomerClass))
    weekday: Mapped[int]
    opens_minute: Mapped[int]
    closes_minute: Mapped[int]
