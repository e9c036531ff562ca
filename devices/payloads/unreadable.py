"""Why a message cannot be read."""

from __future__ import annotations


class Unreadable(Exception):
    """``reason`` is a word to count by; the text names the field and what is wrong with it."""

    def __init__(self, reason: str, detail: str) -> None:
        self.reason = reason
        super().__init__(detail[:300])
