"""A result as JSON and back: what a concluded evaluation keeps, so that it reads the same for ever."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any

from billing.rules.evaluation import Grade, Head, Indicator, Result, Scored, Scoring, Term, Unit


def result_told(result: Result) -> dict[str, Any]:
    return {
        "indicators": [_scored_told(one) for one in result.scored],
        "heads": {head.value: None if mean is None else str(mean) for head, mean in result.heads.items()},
        "total": str(result.total),
        "grade": result.grade.value,
    }


def result_of(told: Mapping[str, Any]) -> Result:
    """What :func:`result_told` told."""
    return Result(
        scored=tuple(_scored_of(one) for one in told["indicators"]),
        heads={Head(head): None if mean is None else Decimal(mean) for head, mean in told["heads"].items()},
        total=Decimal(told["total"]),
        grade=Grade(told["grade"]),
    )


def _scored_told(one: Scored) -> dict[str, Any]:
    indicator = one.indicator
    return {
        "key": indicator.key,
        "head": indicator.head.value,
        "zh": indicator.zh,
        "en": indicator.en,
        "unit": indicator.unit.value,
        "scoring": indicator.scoring.value,
        "base": str(indicator.base),
        "source_zh": indicator.source_zh,
        "source_en": indicator.source_en,
        "weight": str(one.term.weight),
        "target": str(one.term.target),
        "value": None if one.value is None else str(one.value),
        "score": str(one.score),
    }


def _scored_of(told: Mapping[str, Any]) -> Scored:
    term = Term(Decimal(told["weight"]), Decimal(told["target"]))
    indicator = Indicator(
        key=told["key"],
        head=Head(told["head"]),
        zh=told["zh"],
        en=told["en"],
        unit=Unit(told["unit"]),
        scoring=Scoring(told["scoring"]),
        weight=term.weight,
        source_zh=told["source_zh"],
        source_en=told["source_en"],
        target=term.target,
        base=Decimal(told["base"]),
    )
    return Scored(indicator, term, None if told["value"] is None else Fraction(told["value"]), Decimal(told["score"]))
