"""How far a platform has come: on a list, cultivated, certified, provincial, national."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from app.catalogue.rules.words import RecognitionLevel

STAGES: tuple[RecognitionLevel | None, ...] = (
    None,
    RecognitionLevel.CULTIVATED,
    RecognitionLevel.QUANZHOU,
    RecognitionLevel.PROVINCIAL,
    RecognitionLevel.NATIONAL,
    RecognitionLevel.NATIONAL_INNOVATION_CENTRE,
)
"""In order; none is a platform that only stands on a list."""

Stage = RecognitionLevel | None


def stage_of(recognitions: Iterable[tuple[RecognitionLevel, date]], *, on: date) -> Stage:
    """The highest level that was documented by that day."""
    return max((level for level, since in recognitions if since <= on), key=STAGES.index, default=None)


def is_built(stage: Stage) -> bool:
    """Counts as 建成: recognised by Quanzhou or higher. Neither a list nor cultivation is enough."""
    return STAGES.index(stage) >= STAGES.index(RecognitionLevel.QUANZHOU)


def is_provincial(stage: Stage) -> bool:
    """Counts as 省级: recognised by the province or higher; the list of annex 1 is no recognition."""
    return STAGES.index(stage) >= STAGES.index(RecognitionLevel.PROVINCIAL)
