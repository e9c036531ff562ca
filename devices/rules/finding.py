"""What verification finds, as a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that does not hold. ``sentence`` is a message id with ``%(name)s`` places for ``facts``."""

    seal_id: int | None
    sentence: str
    facts: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.sentence % {"seal": self.seal_id, **self.facts}
