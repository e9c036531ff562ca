"""Column types that several tables share."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, DateTime, Enum, Integer, String, TypeDecorator
from sqlalchemy.dialects.postgresql import TSTZRANGE, Range
from sqlalchemy.orm import Mapped, mapped_column

from app.kernel.interval import Interval
from app.kernel.money import Money


class UtcTime(TypeDecorator[datetime]):
    """An aware moment. Errors: ``ValueError`` when a naive one is stored."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        if value is not None and value.tzinfo is None:
            raise ValueError("times are stored with their zone")
        return value


class Span(TypeDecorator[Interval]):
    """A half-open ``tstzrange`` as :class:`Interval`."""

    impl = TSTZRANGE
    cache_ok = True

    def process_bind_param(self, value: Interval | None, dialect: Any) -> Range[datetime] | None:
        return None if value is None else Range(value.start, value.end, bounds="[)")

    def process_result_value(self, value: Any, dialect: Any) -> Interval | None:
        return None if value is None else Interval(value.lower, value.upper)


class Fen(TypeDecorator[Money]):
    """Whole fen in ``BIGINT`` as :class:`Money`."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: Money | None, dialect: Any) -> int | None:
        return None if value is None else value.fen

    def process_result_value(self, value: int | None, dialect: Any) -> Money | None:
        return None if value is None else Money(value)


def word(kind: type[StrEnum]) -> Enum:
    """One word of ``kind``, stored as text and checked by the database."""
    return Enum(
        kind,
        native_enum=False,
        create_constraint=True,
        name=f"{kind.__name__.lower()}_word",
        values_callable=lambda words: [item.value for item in words],
        length=40,
    )


def primary_key() -> Mapped[int]:
    return mapped_column(Integer, primary_key=True)


def long_key() -> Mapped[int]:
    return mapped_column(BigInteger, primary_key=True)


SHORT = String(80)
LINE = String(300)
