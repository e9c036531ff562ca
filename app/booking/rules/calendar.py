"""Days that are not what their weekday says: public holidays, and weekend days that are worked instead (调休)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from app.catalogue.rules.words import DayKind

MONDAY = 0


@dataclass(frozen=True, slots=True)
class SpecialDay:
    """``follows`` is the weekday whose hours a worked weekend day keeps."""

    day: date
    kind: DayKind
    follows: int | None = None

    @property
    def weekday(self) -> int | None:
        """Whose weekly hours hold on this day; None is nobody's."""
        if self.kind is DayKind.HOLIDAY:
            return None
        return MONDAY if self.follows is None else self.follows
