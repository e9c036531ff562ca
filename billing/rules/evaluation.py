"""The yearly evaluation (管理评价, 六(四)) as values: indicators, weights, scores, grades, ranks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import TypeVar

from app.kernel.errors import InvalidInput
from app.kernel.money import rounded_fen

WHOLE = Decimal(100)
Name = TypeVar("Name")


class Head(StrEnum):
    """The four heads that the document names."""

    CAPABILITY = "capability"
    SERVICE = "service"
    MANAGEMENT = "management"
    BENEFIT = "benefit"


class Scoring(StrEnum):
    """How a value becomes points.

    ``HIGHER`` goes straight from ``base`` (0) to the target (100); ``LOWER`` from none at all (100) to the target (0);
    ``MANUAL`` is given in points.
    """

    HIGHER = "higher"
    LOWER = "lower"
    MANUAL = "manual"


class Unit(StrEnum):
    SHARE = "share"
    COUNT = "count"
    YUAN = "yuan"
    STARS = "stars"
    POINTS = "points"


class EvaluationWord(StrEnum):
    """A word on a manual indicator: handed in by the operator, then confirmed or corrected by an official."""

    HANDED_IN = "handed_in"
    CONFIRMED = "confirmed"
    CORRECTED = "corrected"


class Grade(StrEnum):
    EXCELLENT = "excellent"
    GOOD = "good"
    PASSED = "pass"
    POOR = "poor"


@dataclass(frozen=True, slots=True)
class Indicator:
    """One thing that is looked at. ``weight`` and ``target`` hold until somebody sets others for a year.

    Source: ``source`` says where the target comes from.
    """

    key: str
    head: Head
    zh: str
    en: str
    unit: Unit
    scoring: Scoring
    weight: Decimal
    source_zh: str
    source_en: str
    target: Decimal = WHOLE
    base: Decimal = Decimal()


@dataclass(frozen=True, slots=True)
class Term:
    """What one indicator weighs, of a hundred, and what gives it full (or, where lower is better, no) points."""

    weight: Decimal
    target: Decimal


@dataclass(frozen=True, slots=True)
class GradeLine:
    """From this total on the grade is given, from its first day until another line of the grade begins."""

    grade: Grade
    least: Decimal
    first_day: date
    reference: str


@dataclass(frozen=True, slots=True)
class Scored:
    """One indicator with its value (none where nothing is known), and the points that it gives."""

    indicator: Indicator
    term: Term
    value: Fraction | None
    score: Decimal


@dataclass(frozen=True, slots=True)
class Result:
    """One platform's year. ``heads`` are weighted means of their own indicators, none where these weigh nothing."""

    scored: tuple[Scored, ...]
    heads: Mapping[Head, Decimal | None]
    total: Decimal
    grade: Grade


def insist_on_terms(indicators: Sequence[Indicator], terms: Mapping[str, Term]) -> None:
    """Errors: ``InvalidInput`` unless every indicator is weighed, by a hundred together, with a target it can have."""
    for one in indicators:
        term = terms.get(one.key)
        if term is None or not _within(term.weight, most=WHOLE):
            raise InvalidInput("权重应为 0 至 100，最多两位小数。", field=f"{one.key}.weight")
        if not _within(term.target, most=Decimal(10**12)) or term.target <= max(one.base, Decimal()):
            raise InvalidInput(
                "目标值应大于 %(base)s，最多两位小数。", field=f"{one.key}.target", base=str(max(one.base, Decimal()))
            )
    weights = sum((terms[one.key].weight for one in indicators), Decimal())
    if weights != WHOLE:
        raise InvalidInput("权重合计应为 100，现为 %(sum)s。请调整。", field="sum", sum=str(weights))


def score(indicator: Indicator, target: Decimal, value: Fraction | None) -> Decimal:
    """0 to 100 points, with two decimals. What is not known gives none."""
    if value is None:
        return Decimal()
    if indicator.scoring is Scoring.MANUAL:
        reached = value / 100
    elif indicator.scoring is Scoring.LOWER:
        reached = 1 - value / Fraction(target)
    else:
        reached = (value - Fraction(indicator.base)) / Fraction(target - indicator.base)
    return _rounded(100 * min(Fraction(1), max(Fraction(0), reached)))


def evaluate(
    indicators: Sequence[Indicator],
    terms: Mapping[str, Term],
    values: Mapping[str, Fraction | None],
    grades: Sequence[GradeLine],
    *,
    on: date,
) -> Result:
    """What a year came to.

    Shape: terms of every indicator, together a hundred (:func:`insist_on_terms`); values that are not there are not
    known. ``grades`` are those of ``on``.
    """
    scored = tuple(
        Scored(one, terms[one.key], values.get(one.key), score(one, terms[one.key].target, values.get(one.key)))
        for one in indicators
    )
    heads = {head: _mean([one for one in scored if one.indicator.head is head]) for head in Head}
    total = _mean(scored) or Decimal()
    return Result(scored, heads, total, grade_of(total, grades, on=on))


def grade_of(total: Decimal, grades: Sequence[GradeLine], *, on: date) -> Grade:
    """The best grade whose line of that day is reached."""
    lines: dict[Grade, GradeLine] = {}
    for line in sorted(grades, key=lambda one: one.first_day):
        if line.first_day <= on:
            lines[line.grade] = line
    reached = [line for line in lines.values() if total >= line.least]
    return max(reached, key=lambda line: line.least).grade if reached else Grade.POOR


def ranks(totals: Mapping[Name, tuple[Decimal, Decimal]]) -> dict[Name, int]:
    """The place of each by (total, service): of two with the same total the better service goes first.

    Those that are alike in both share a place, and the next is left out.
    """
    return {name: 1 + sum(other > own for other in totals.values()) for name, own in totals.items()}


def _mean(scored: Sequence[Scored]) -> Decimal | None:
    """Weighted, rounded once."""
    weights = sum((one.term.weight for one in scored), Decimal())
    if not weights:
        return None
    points = sum((one.term.weight * one.score for one in scored), Decimal())
    return _rounded(Fraction(points) / Fraction(weights))


def _rounded(points: Fraction) -> Decimal:
    return Decimal(rounded_fen(points)).scaleb(-2)


def _within(number: Decimal, *, most: Decimal) -> bool:
    """Finite, from zero to ``most``, with at most two decimals."""
    return number.is_finite() and 0 <= number <= most and number * 100 == int(number * 100)
