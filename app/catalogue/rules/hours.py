"""Opening hours as people write them: ``08:00-12:00 22:00-02:00``, one line a weekday."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import pairwise

from app.kernel.errors import InvalidInput

DAY = 24 * 60
STRETCH = re.compile(r"(\d{1,2}):(\d{2})\s*[-–—~至]\s*(\d{1,2}):(\d{2})")
Stretch = tuple[int, int, int]
"""Weekday (Monday = 0), opens, closes: minutes after local midnight, ``closes`` up to 1440."""


def stretches_of(lines: Mapping[int, str]) -> list[Stretch]:
    """The stretches of a week; one over midnight becomes two that meet. Sorted.

    Shape: the text by weekday; an empty one is closed. Errors: ``InvalidInput`` with the field ``hours_<weekday>``
    for what cannot be read and for stretches that overlap, also with one that reaches over from the day before.
    """
    found: list[Stretch] = []
    for weekday, line in lines.items():
        rest = STRETCH.sub("", line).strip(" ,，;；、\t")
        if rest:
            raise InvalidInput("请按 08:00-12:00 的格式填写，多段用空格隔开。", field=f"hours_{weekday}")
        for match in STRETCH.finditer(line):
            hours = [int(part) for part in match.groups()]
            opens, closes = hours[0] * 60 + hours[1], hours[2] * 60 + hours[3]
            if max(opens, closes) > DAY or hours[1] > 59 or hours[3] > 59 or opens in (closes, DAY):
                raise InvalidInput("时间须在 00:00 至 24:00 之间，且起止不同。", field=f"hours_{weekday}")
            found += split(weekday, opens, closes)
    found.sort()
    for (day, _, closes), (other_day, opens, _) in pairwise(found):
        if day == other_day and opens < closes:
            raise InvalidInput("开放时段互相重叠，请合并或改正。", field=f"hours_{day}")
    return found


def split(weekday: int, opens: int, closes: int) -> list[Stretch]:
    """One stretch, as two where it ends on the next day."""
    if opens < closes:
        return [(weekday, opens, closes)]
    return [(weekday, opens, DAY), *([((weekday + 1) % 7, 0, closes)] if closes else [])]


def written(stretches: Iterable[Stretch]) -> dict[int, str]:
    """The same as text by weekday, for the form."""
    lines: dict[int, list[str]] = {day: [] for day in range(7)}
    for day, opens, closes in sorted(stretches):
        lines[day].append(f"{opens // 60:02d}:{opens % 60:02d}-{closes // 60:02d}:{closes % 60:02d}")
    return {day: " ".join(parts) for day, parts in lines.items()}
