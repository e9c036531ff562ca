"""What an operator should look at."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.kernel.columns import LINE, UtcTime, long_key, word
from app.kernel.db import Model
from devices.models.meter import Meter
from devices.rules.alert import AlertKind, AlertState


class MeterAlert(Model):
    """Something about one meter that is not as it should be; the same ``key`` is open only once.

    ``cleared`` by itself when the cause went away; ``resolved`` or ``waived`` by a person with a reason.
    """

    __tablename__ = "meter_alert"
    __table_args__ = (
        CheckConstraint(
            "state NOT IN ('resolved', 'waived') OR (settled_by IS NOT NULL AND reason <> '')", name="settled_by_whom"
        ),
        Index(
            "uq_meter_alert_open", "meter_id", "kind", "key", unique=True, postgresql_where=text("state = 'open'"),
            postgresql_nulls_not_distinct=True,
        ),
        Index(None, "meter_id", "raised_at"),
    )  # fmt: skip

    id: Mapped[int] = long_key()
    meter_id: Mapped[int | None] = mapped_column(ForeignKey("meter.id"))
    kind: Mapped[AlertKind] = mapped_column(word(AlertKind))
    key: Mapped[str] = mapped_column(LINE, default="")
    facts: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)
    times: Mapped[int] = mapped_column(default=1)
    state: Mapped[AlertState] = mapped_column(word(AlertState), default=AlertState.OPEN)
    raised_at: Mapped[datetime] = mapped_column(UtcTime)
    seen_at: Mapped[datetime] = mapped_column(UtcTime)
    settled_at: Mapped[datetime | None] = mapped_column(UtcTime)
    settled_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    reason: Mapped[str] = mapped_column(LINE, default="")
    meter: Mapped[Meter | None] = relationship()
