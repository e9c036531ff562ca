"""What a request for a slot must keep to, before anybody asks whether the slot is free."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from app.booking.rules.opening import WeeklyHours, open_stretches
from app.kernel.clock import local_date, local_midnight
from app.kernel.errors import InvalidInput
from app.kernel.interval import Interval


@dataclass(frozen=True, slots=True)
class BookingRules:
    """One piece of equipment's own rules."""

    step: timedelta
    least: timedelta
    most: timedelta
    advance: timedelta
    before: timedelta
    after: timedelta
    hours: tuple[WeeklyHours, ...]


def on_grid(moment: datetime, step: timedelta) -> bool:
    return (moment - local_midnight(local_date(moment))) % step == timedelta()


def refuse_unless_fit(when: Interval, rules: BookingRules, *, at: datetime) -> None:
    """Errors: ``InvalidInput`` for the first rule that ``when`` breaks, naming the field and the remedy."""
    minutes = timedelta(minutes=1)
    if when.start <= at - rules.step:
        raise InvalidInput("开始时间已过去，请选择现在之后的时段。", field="starts_at")
    if when.start > at + rules.advance:
        raise InvalidInput("最早可提前 %(days)s 天预约，请选择更近的日期。", field="starts_at", days=rules.advance.days)
    if not on_grid(when.start, rules.step) or when.duration % rules.step:
        raise InvalidInput(
            "时段须按 %(step)s 分钟对齐，请调整开始或结束时间。", field="starts_at", step=rules.step // minutes
        )
    if when.duration < rules.least:
        raise InvalidInput("每次至少预约 %(least)s 分钟，请延长时段。", field="ends_at", least=rules.least // minutes)
    if when.duration > rules.most:
        raise InvalidInput("每次最多预约 %(most)s 分钟，请缩短时段。", field="ends_at", most=rules.most // minutes)
    if not any(stretch.encloses(when) for stretch in open_stretches(rules.hours, when)):
        raise InvalidInput("该时段不在设备开放时间内，请选择开放时间内的时段。", field="starts_at")


def next_on_grid(moment: datetime, step: timedelta) -> datetime:
    """``moment``, or the first moment after it whose distance from local midnight is whole steps."""
    midnight = local_midnight(local_date(moment))
    return midnight - (midnight - moment) // step * step
