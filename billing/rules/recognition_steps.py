"""The reasoning of an award and of premises in words and figures."""

from __future__ import annotations

from collections.abc import Iterator

from billing.rules.figures import yuan
from billing.rules.grant import CLAUSE, Step
from billing.rules.recognition import AwardYear

LEVELS = {
    "provincial": ("省级中试平台", "provincial platform"),
    "national": ("国家级中试平台", "national platform"),
    "national_innovation_centre": ("国家级创新中心", "national innovation centre"),
}


def award_steps(result: AwardYear) -> Iterator[Step]:
    """Which recognition, and what was awarded before."""
    zh, en = LEVELS[result.recognition.level]
    new_zh, new_en = ("新认定", "newly recognised") if result.recognition.newly else ("复评", "confirmed again")
    yield Step(
        "award",
        CLAUSE,
        f"{result.recognition.recognised_on} {new_zh}{zh}（{result.recognition.document}），"
        f"奖励 {yuan(result.raw)}，此前已奖励 {yuan(result.awarded_before)}",
        f"{result.recognition.recognised_on}: {new_en} as {en} ({result.recognition.document}); "
        f"award {yuan(result.raw)}, awarded before {yuan(result.awarded_before)}",
        ("A24", "A25", "A38"),
        result.year,
        {"award": result.raw, "awarded_before": result.awarded_before},
        programme="P3",
    )


def premises_step(square_metres: int, requested: int) -> Step:
    return Step(
        "premises",
        CLAUSE,
        f"申请场所 {requested} 平方米，可支持 {square_metres} 平方米",
        f"{requested} m² of premises asked for, {square_metres} m² to be provided",
        ("A25",),
    )
