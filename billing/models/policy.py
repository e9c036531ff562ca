"""How the open questions of a policy are answered here."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.identity.models import Person
from app.kernel.columns import SHORT, UtcTime, primary_key
from app.kernel.db import Model


class PolicyAnswer(Model):
    """One answer to one open question; the last one holds. Append-only."""

    __tablename__ = "policy_answer"
    __table_args__ = (Index(None, "policy", "key", "id"),)

    id: Mapped[int] = primary_key()
    policy: Mapped[str] = mapped_column(SHORT)
    key: Mapped[str] = mapped_column(SHORT)
    value: Mapped[Any] = mapped_column(JSONB)
    reason: Mapped[str] = mapped_column(Text)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    answered_at: Mapped[datetime] = mapped_column(UtcTime)
    person: Mapped[Person] = relationship()
