"""The yearly evaluation (管理评价): how it is weighed, what people hand in for it, and what it came to."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, Numeric, Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.identity.models import Person
from app.kernel.columns import LINE, SHORT, UtcTime, primary_key, word
from app.kernel.db import Model
from billing.rules.evaluation import EvaluationWord, Grade


class EvaluationScheme(Model):
    """The weights and targets of a year; the last one of the year holds. Append-only.

    ``terms`` has for each indicator its weight and, where it has one, its target, as text.
    """

    __tablename__ = "evaluation_scheme"
    __table_args__ = (Index(None, "year", "id"),)

    id: Mapped[int] = primary_key()
    year: Mapped[int]
    terms: Mapped[dict[str, Any]] = mapped_column(JSONB)
    source: Mapped[str] = mapped_column(LINE)
    reason: Mapped[str] = mapped_column(Text)
    set_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    set_at: Mapped[datetime] = mapped_column(UtcTime)
    person: Mapped[Person] = relationship()


class EvaluationEntry(Model):
    """One word on an indicator that no record shows; the last one holds, and counts once an official said it.

    With a file where one was handed in. Append-only.
    """

    __tablename__ = "evaluation_entry"
    __table_args__ = (
        Index(None, "platform_id", "year", "indicator", "id"),
        CheckConstraint("value BETWEEN 0 AND 100", name="within_scale"),
        CheckConstraint("num_nulls(file_name, media_type, content, digest, size_bytes) IN (0, 5)", name="file_whole"),
    )

    id: Mapped[int] = primary_key()
    platform_id: Mapped[int] = mapped_column(ForeignKey("platform.id"))
    year: Mapped[int]
    indicator: Mapped[str] = mapped_column(SHORT)
    kind: Mapped[EvaluationWord] = mapped_column(word(EvaluationWord))
    value: Mapped[Decimal] = mapped_column(Numeric(5, 2))
    reason: Mapped[str] = mapped_column(Text)
    file_name: Mapped[str | None] = mapped_column(LINE)
    media_type: Mapped[str | None] = mapped_column(SHORT)
    content: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)
    digest: Mapped[str | None] = mapped_column(SHORT)
    size_bytes: Mapped[int | None]
    entered_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    entered_at: Mapped[datetime] = mapped_column(UtcTime)
    person: Mapped[Person] = relationship()


class Evaluation(Model):
    """The yearly performance evaluation (运营绩效评估) that the operating subsidy waits for.

    ``result`` is what it rested on: figures, weights and scores as they were. What was recorded without it has none.
    """

    __tablename__ = "evaluation"
    __table_args__ = (
        UniqueConstraint("platform_id", "year"),
        CheckConstraint(
            "num_nulls(score, grade, result, concluded_by, concluded_at) IN (0, 5)", name="concluded_whole"
        ),
    )

    id: Mapped[int] = primary_key()
    platform_id: Mapped[int] = mapped_column(ForeignKey("platform.id"))
    year: Mapped[int]
    evaluated: Mapped[bool]
    selected: Mapped[bool]
    document: Mapped[str] = mapped_column(LINE)
    illustrative: Mapped[bool] = mapped_column(default=False)
    score: Mapped[Decimal | None] = mapped_column(Numeric(5, 2))
    grade: Mapped[Grade | None] = mapped_column(word(Grade))
    result: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    concluded_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    concluded_at: Mapped[datetime | None] = mapped_column(UtcTime)
    corrections: Mapped[list[EvaluationCorrection]] = relationship(order_by="EvaluationCorrection.id")


class EvaluationCorrection(Model):
    """What a concluded evaluation said before it was corrected, and why it was. Append-only."""

    __tablename__ = "evaluation_correction"

    id: Mapped[int] = primary_key()
    evaluation_id: Mapped[int] = mapped_column(ForeignKey("evaluation.id"), index=True)
    before: Mapped[dict[str, Any]] = mapped_column(JSONB)
    after: Mapped[dict[str, Any]] = mapped_column(JSONB)
    reason: Mapped[str] = mapped_column(Text)
    corrected_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    corrected_at: Mapped[datetime] = mapped_column(UtcTime)
