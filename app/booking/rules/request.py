"""What a request for a slot must keep to, before anybody asks whether the slot is free."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from app.booking.rules.calendar import SpecialDay
from app.booking.rules.opening import OpenStretch, opening_intervals
from app.booking.rules.own_use import OwnUse, kept_for_owner
from app.kernel.clock import local_date, local_midnight
from app.kernel.errors import InvalidInput
from app.kernel.interval import Interval

MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Terms:
    """How one piece of equipment may be reserved by one customer class. ``own_use`` is empty for the owner."""

    step: timedelta
    least: timedelta
    most: timedelta
    advance: timedelta
    setup: timedelta
    cleanup: timedelta
    hours: tuple[OpenStretch, ...]
    notice: timedelta = timedelta()
    special: Mapping[date, SpecialDay] = field(default_factory=dict)
    own_use: tuple[OwnUse, ...] = ()

    def open_within(self, within: Interval) -> list[Interval]:
        """The open time that touches ``within``, in order."""
        return opening_intervals(self.hours, within, special=self.special)

    def blocked(self, when: Interval) -> Interval:
        """``when`` with the time to set up before and to clean after."""
        return when.padded(before=self.setup, after=self.cleanup)

    def kept_from(self, taken: Iterable[Interval]) -> list[Interval]:
        """Where a slot itself must not lie, so that its own blocked time meets none of ``taken``."""
        return [other.padded(before=self.cleanup, after=self.setup) for other in taken]


def next_on_grid(moment: datetime, step: timedelta) -> datetime:
    """``moment``, or the first moment after it whose distance from local midnight is whole steps."""
    midnight = local_midnight(local_date(moment))
    return midnight - (midnight - moment) // step * step


def violations(when: Interval, *, terms: Terms, at: datetime, exempt: bool = False) -> list[InvalidInput]:
    """Everything that is wrong with the wish, each with its field and the remedy. A step's grace for the start.

    A start out of reach is refused for that alone: the calendar itself ends not far beyond. ``exempt``
    is for the operator, who is bound by the grid and the opening hours only.
    """
    if when.start <= at - terms.step:
        return [InvalidInput("开始时间已过去，请选择现在之后的时段。", field="starts_at")]
    if when.start > at + terms.advance and not exempt:
        days = terms.advance.days
        return [InvalidInput("最早可提前 %(days)s 天预约，请选择更近的日期。", field="starts_at", days=days)]
    found = _misfits(when, terms)
    if not exempt:
        found += _limits_passed(when, terms, at=at)
    if when.duration <= terms.most or exempt:
        if not any(stretch.encloses(when) for stretch in terms.open_within(when)):
            found.append(InvalidInput("该时段不在设备开放时间内，请选择开放时间内的时段。", field="starts_at"))
        elif any(kept.overlaps(when) for kept in kept_for_owner(terms.own_use, when, at=at)):
            found.append(
                InvalidInput("该时段暂由设备所属单位自用，到期未使用即对外开放，请选择其他时段。", field="starts_at")
            )
    return found


def _misfits(when: Interval, terms: Terms) -> list[InvalidInput]:
    if next_on_grid(when.start, terms.step) == when.start and not when.duration % terms.step:
        return []
    step = terms.step // MINUTE
    return [InvalidInput("时段须按 %(step)s 分钟对齐，请调整开始或结束时间。", field="starts_at", step=step)]


def _limits_passed(when: Interval, terms: Terms, *, at: datetime) -> list[InvalidInput]:
    found = []
    if terms.notice and when.start < at + terms.notice:
        notice = terms.notice // MINUTE
        found.append(
            InvalidInput("至少须提前 %(notice)s 分钟预约，请选择更晚的时段。", field="starts_at", notice=notice)
        )
    if when.duration < terms.least:
        least = terms.least // MINUTE
        found.append(InvalidInput("每次至少预约 %(least)s 分钟，请延长时段。", field="ends_at", least=least))
    if when.duration > terms.most:
        most = terms.most // MINUTE
        found.append(InvalidInput("每次最多预约 %(most)s 分钟，请缩短时段。", field="ends_at", most=most))
    return found
