"""What whole years came to: kept so that pages need not add up every run, and added up anew from the facts."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from app.kernel.columns import Fen, UtcTime
from app.kernel.db import Model
from app.kernel.money import Money


class PlatformYear(Model):
    """Running time of a platform: ``months_s`` from January, ``week_us`` by hour from Monday midnight."""

    __tablename__ = "platform_year"
    __table_args__ = (
        CheckConstraint("cardinality(months_s) = 12 AND cardinality(week_us) = 168", name="whole_year_and_week"),
    )

    year: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    platform_id: Mapped[int] = mapped_column(ForeignKey("platform.id"), primary_key=True)
    added_up_at: Mapped[datetime] = mapped_column(UtcTime)
    months_s: Mapped[list[int]] = mapped_column(ARRAY(BigInteger))
    week_us: Mapped[list[int]] = mapped_column(ARRAY(BigInteger))


class FirmYear(Model):
    """What one firm was served by one platform: orders, runs and their running time; and what was invoiced for it.

    Money is without tax, less credits. A firm that was invoiced only had been served before the year.
    """

    __tablename__ = "firm_year"

    year: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    platform_id: Mapped[int] = mapped_column(ForeignKey("platform.id"), primary_key=True)
    organization_id: Mapped[int] = mapped_column(ForeignKey("organization.id"), primary_key=True)
    orders: Mapped[int]
    runs: Mapped[int]
    served_s: Mapped[int] = mapped_column(BigInteger)
    revenue_fen: Mapped[Money] = mapped_column(Fen)


class EquipmentYear(Model):
    """Running time of one listing: all of it, that for customers, that for outsiders; and its runs for customers."""

    __tablename__ = "equipment_year"

    year: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    equipment_id: Mapped[int] = mapped_column(ForeignKey("equipment.id"), primary_key=True)
    running_s: Mapped[int] = mapped_column(BigInteger)
    service_s: Mapped[int] = mapped_column(BigInteger)
    external_s: Mapped[int] = mapped_column(BigInteger)
    service_runs: Mapped[int]
