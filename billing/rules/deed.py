"""What is said of every movement of money, whatever it is for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from app.kernel.clock import local_date
from app.kernel.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Deed:
    """The day on which money moved, and who recorded it when, from which document and why."""

    on: date
    by: int
    at: datetime
    reference: str = ""
    reason: str = ""
    bank_line_id: int | None = None

    @property
    def recorded(self) -> dict[str, Any]:
        """The columns that payments and movements of a deposit have alike."""
        return {
            "reference": self.reference.strip(),
            "reason": self.reason.strip(),
            "bank_line_id": self.bank_line_id,
            "recorded_by": self.by,
            "recorded_at": self.at,
        }

    def insist_not_to_come(self, *, field: str) -> None:
        """Money moved today or before. Errors: ``InvalidInput``."""
        if self.on > local_date(self.at):
            raise InvalidInput("日期不能晚于今天，请核对。", field=field)

    def insist_on_reason(self) -> None:
        """Nothing is taken back without a word. Errors: ``InvalidInput``."""
        if not self.reason.strip():
            raise InvalidInput("请填写冲销原因。", field="reason")
