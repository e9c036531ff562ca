"""The words of meters, usage and what is odd about it."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from flask_babel import lazy_gettext as _l

from app.web.words.state import State
from devices.rules.alert import AlertKind, AlertState, Verdict
from devices.rules.evidence import Dialect, Evidence, Flag, LateCause
from devices.rules.power import FailSafe, PowerCause, Progress

STATES: tuple[tuple[StrEnum | str, State], ...] = (
    (AlertState.OPEN, State(_l("待处理"), "amber", "alert-triangle")),
    (AlertState.CLEARED, State(_l("已自行恢复"), "green", "check")),
    (AlertState.RESOLVED, State(_l("已解决"), "green", "circle-check")),
    (AlertState.WAIVED, State(_l("不处理"), "grey", "ban")),
    (Evidence.METERED, State(_l("电表计量"), "green", "bolt")),
    (Evidence.BOOKED, State(_l("按预约"), "amber", "calendar")),
    (Evidence.ENTERED, State(_l("人工录入"), "amber", "user")),
    (Progress.WAITING, State(_l("待发送"), "grey", "clock")),
    (Progress.SENT, State(_l("等待确认"), "amber", "clock")),
    (Progress.UNCONFIRMED, State(_l("未确认"), "red", "alert-triangle")),
    (Progress.CONFIRMED, State(_l("已确认"), "green", "check")),
    (Progress.ENDED, State(_l("已撤销"), "grey", "ban")),
    ("running", State(_l("运行中"), "green", "player-play")),
    ("idle", State(_l("待机"), "grey", "clock")),
    ("off", State(_l("关机"), "grey", "plug-off")),
    ("silent", State(_l("无信号"), "amber", "plug-off")),
    ("unmetered", State(_l("未装表"), "grey", "plug")),
    ("over", State(_l("已结束"), "grey", "check")),
    ("open", State(_l("进行中"), "green", "player-play")),
    ("ended", State(_l("已结束"), "green", "check")),
    ("frozen", State(_l("已随结算单固定"), "green", "file-invoice")),
)

WORDS: tuple[tuple[StrEnum, Any], ...] = (
    (Dialect.NATIVE, _l("原生")),
    (Dialect.TASMOTA, _l("Tasmota")),
    (Dialect.SHELLY, _l("Shelly")),
    (Dialect.ZIGBEE2MQTT, _l("Zigbee2MQTT")),
    (Dialect.SPARKPLUG, _l("Sparkplug B")),
    (FailSafe.STAY, _l("保持不变")),
    (FailSafe.ON, _l("通电")),
    (FailSafe.OFF, _l("断电")),
    (PowerCause.CHECKED_IN, _l("已签到")),
    (PowerCause.RUN_ENDED, _l("使用已结束")),
    (PowerCause.OVERRIDE, _l("人工要求")),
    (PowerCause.FAIL_SAFE, _l("电表失联")),
    (Flag.GAP, _l("途中失去信号")),
    (Flag.ENERGY_ESTIMATED, _l("电量含估算")),
    (Flag.CUT, _l("一次运行跨多个预约")),
    (Flag.NEXT_WAS_THERE, _l("延续到下一个预约")),
    (Flag.UNPAIRED_NUMBERS, _l("缺少部分读数")),
    (Flag.SILENT_METER, _l("电表全程无信号")),
    (Flag.CLOCK_UNSURE, _l("电表时钟不准")),
    (AlertKind.SILENT, _l("没有信号")),
    (AlertKind.GAP, _l("读数缺失")),
    (AlertKind.CLOCK_DRIFT, _l("时钟不准")),
    (AlertKind.UNREADABLE, _l("报文不能读懂")),
    (AlertKind.FORGED, _l("可能冒充")),
    (AlertKind.DISPUTE, _l("读数矛盾")),
    (AlertKind.COUNTER, _l("计数异常")),
    (AlertKind.DOUBTFUL_SESSION, _l("使用存疑")),
    (AlertKind.LATE_CHANGE, _l("开具后有变")),
    (AlertKind.UNCONFIRMED_COMMAND, _l("指令未确认")),
    (Verdict.FIRST, _l("先到的一条正确")),
    (Verdict.OTHER, _l("后到的一条正确")),
    (LateCause.LATE_READINGS, _l("补传读数")),
    (LateCause.NEW_PROFILE, _l("阈值版本更改")),
    (LateCause.OTHER_RESERVATION, _l("预约更改")),
)
