"""How many platforms a policy wants by when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class Target:
    """By the end of ``year``, ``built`` platforms, ``provincial`` of them at that level. ``words`` are the text."""

    year: int
    built: int
    provincial: int
    first_day: date
    clause: str
    words_zh: str
    words_en: str
    reference: str
