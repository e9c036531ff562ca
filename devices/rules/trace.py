"""A day of power that a plug or a logger wrote down, as samples."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo

from app.kernel.errors import InvalidInput
from devices.rules.sample import Sample

LONGEST = timedelta(hours=26)  # a day, and what a logger's clock may have been off
MOST_W = 10_000_000
PLUG_LINE = re.compile(r"(\d\d)/(\d\d)/(\d{4}) (\d\d:\d\d:\d\d)")
HEADING = ("time", "power_w", "energy_wh")


class _Line:
    """One line in the making. Every refusal names it."""

    def __init__(self, number: int, text: str) -> None:
        self.number, self.text = number, text

    def refused(self, sentence: str, **facts: object) -> InvalidInput:
        return InvalidInput(sentence, field="file", line=self.number, **facts)

    def figure(self, text: str, column: str) -> int:
        """Thousandths of what the line says, at least zero."""
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not 0 <= value <= MOST_W * 1000:
            raise self.refused(
                "第 %(line)s 行的 %(column)s “%(text)s” 不是 0 以上的数字，请改成数字（小数点用“.”）或删去这一行。",
                column=column,
                text=text[:40],
            )
        return round(value * 1000)


def samples_of_plug(text: str, *, zone: tzinfo) -> list[Sample]:
    """Every line of ``dd/mm/yyyy HH:MM:SS;W;…``, by time, however long it is. Errors: as :func:`samples_of_csv`."""
    return sorted((_from_plug(line, zone) for line in _lines(text)), key=lambda one: one.taken_at)


def samples_of_csv(text: str, *, zone: tzinfo) -> list[Sample]:
    """Read ``dd/mm/yyyy HH:MM:SS;W;…`` without a heading, or ISO times under ``time,power_w[,energy_wh]``.

    Times without an offset are the clock of ``zone``. Of several lines with one time the first counts.

    Shape: ascending, without doubles, at least two.
    Errors: ``InvalidInput`` for the field ``file``, which says the line and what to do about it.
    """
    lines = _lines(text)
    read: Callable[[_Line, tzinfo], Sample] = _from_plug
    if not PLUG_LINE.match(lines[0].text):
        heading = tuple(name.strip().lower() for name in lines[0].text.split(","))
        if heading not in (HEADING, HEADING[:2]):
            raise lines[0].refused(
                "第 %(line)s 行不是表头 time,power_w[,energy_wh]，也不是 dd/mm/yyyy HH:MM:SS;W，请按其中一种格式导出。"
            )
        read, lines = _with_heading(len(heading)), lines[1:]
    found: dict[datetime, Sample] = {}
    number_of: dict[datetime, int] = {}
    for line in lines:
        sample = read(line, zone)
        if found.setdefault(sample.taken_at, sample) is sample:
            number_of[sample.taken_at] = line.number
    samples = [found[moment] for moment in sorted(found)]
    if len(samples) < 2:
        raise InvalidInput("文件里至少要有两个不同时间的读数。", field="file")
    if samples[-1].taken_at - samples[0].taken_at > LONGEST:
        late = min(number_of[one] for one in found if one - samples[0].taken_at > LONGEST)
        raise InvalidInput("第 %(line)s 行离最早的读数超过一天，请只上传一天的读数。", field="file", line=late)
    return samples


def _lines(text: str) -> list[_Line]:
    lines = [_Line(number, cells) for number, raw in enumerate(text.splitlines(), 1) if (cells := raw.strip())]
    if not lines:
        raise InvalidInput("文件是空的，请选择有读数的 CSV 文件。", field="file")
    return lines


def _from_plug(line: _Line, zone: tzinfo) -> Sample:
    moment, _, rest = line.text.partition(";")
    parts = PLUG_LINE.fullmatch(moment.strip())
    try:
        if parts is None:
            raise ValueError
        day, month, year, time = parts.groups()
        taken_at = datetime.fromisoformat(f"{year}-{month}-{day}T{time}").replace(tzinfo=zone)
    except ValueError:
        raise line.refused(
            "第 %(line)s 行的时间 “%(text)s” 无法读取，应为 dd/mm/yyyy HH:MM:SS。", text=moment[:40]
        ) from None
    power_mw = line.figure(rest.partition(";")[0].strip(), "W")
    return Sample(taken_at.astimezone(UTC), 0, 0, power_mw, None, None, b"")


def _with_heading(columns: int) -> Callable[[_Line, tzinfo], Sample]:
    def read(line: _Line, zone: tzinfo) -> Sample:
        cells = [cell.strip() for cell in line.text.split(",")]
        if len(cells) != columns:
            raise line.refused(
                "第 %(line)s 行有 %(found)s 列，表头有 %(wanted)s 列，请补齐或删去这一行。",
                found=len(cells),
                wanted=columns,
            )
        try:
            taken_at = datetime.fromisoformat(cells[0])
            taken_at = (taken_at if taken_at.tzinfo else taken_at.replace(tzinfo=zone)).astimezone(UTC)
        except (ValueError, OverflowError):
            raise line.refused(
                "第 %(line)s 行的 time “%(text)s” 无法读取，应如 2026-11-25T08:00:00+08:00。", text=cells[0][:40]
            ) from None
        energy = line.figure(cells[2], "energy_wh") if columns == 3 and cells[2] else None
        return Sample(taken_at, 0, 0, line.figure(cells[1], "power_w"), energy, None, b"")

    return read
