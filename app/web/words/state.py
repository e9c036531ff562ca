"""How a state is shown: a word, a colour that never changes its meaning, an icon."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class State:
    """Green is done or running, blue planned, amber needs a person, red refused or lost; grey says nothing."""

    word: Any
    tone: str
    icon: str
