"""A meter's power over a stretch of time, as the chart draws it."""

from __future__ import annotations

from typing import Any

from flask_babel import gettext
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.kernel.interval import Interval
from devices.models import MeterProfile, UsageSession
from devices.usage import power_curve


def curve(
    session: Session, *, meter_id: int, within: Interval, reserved: Interval | None = None, points: int = 400
) -> dict[str, Any]:
    """Points, running spans, gaps and the thresholds that held when ``within`` began.

    Where the meter was silent for longer than its profile allows, the line is broken and hatched.
    """
    profile = session.scalars(
        select(MeterProfile)
        .where(MeterProfile.meter_id == meter_id)
        .order_by((MeterProfile.valid_from <= within.start).desc(), MeterProfile.valid_from.desc())
        .limit(1)
    ).one()
    drawn = power_curve(session, meter_id, within, points=points)
    shown: list[tuple[str, float | None]] = []
    gaps: list[tuple[str, str]] = []
    before = None
    longest = max(profile.max_gap_s, 2 * within.duration.total_seconds() / points)
    for taken_at, power_w in drawn:
        if before is not None and (taken_at - before).total_seconds() > longest:
            shown.append((before.isoformat(), None))
            gaps.append((before.isoformat(), taken_at.isoformat()))
        shown.append((taken_at.isoformat(), round(power_w, 1)))
        before = taken_at
    running = session.scalars(
        select(UsageSession.during).where(UsageSession.meter_id == meter_id, UsageSession.during.op("&&")(within))
    ).all()
    return {
        "points": shown,
        "gaps": gaps,
        "running": [
            (max(one.start, within.start).isoformat(), min(one.end, within.end).isoformat()) for one in sorted(running)
        ],
        "reserved": [reserved.start.isoformat(), reserved.end.isoformat()] if reserved else None,
        "on_w": profile.run_on_w,
        "off_w": profile.run_off_w,
        "words": {
            "power": gettext("功率"),
            "on": gettext("启动阈值"),
            "off": gettext("停止阈值"),
            "reserved": gettext("预约时段"),
            "running": gettext("运行"),
            "gap": gettext("无信号"),
        },
    }
