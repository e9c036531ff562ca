"""The words of reservations, requests and conduct."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from flask_babel import lazy_gettext as _l

from app.booking.rules.conduct import Rung
from app.booking.rules.reservation import ReservationState
from app.booking.rules.words import ItemKind, MisstepKind, QuoteUnit, RequestKind, RequestState, WaitState
from app.web.words.state import State

STATES: tuple[tuple[StrEnum | str, State], ...] = (
    (ReservationState.BOOKED, State(_l("已预约"), "blue", "calendar")),
    (ReservationState.OFFERED, State(_l("候补待确认"), "amber", "clock")),
    (ReservationState.REQUESTED, State(_l("待批准"), "amber", "clock")),
    (ReservationState.IN_USE, State(_l("使用中"), "green", "player-play")),
    (ReservationState.FINISHED, State(_l("已使用"), "green", "check")),
    (ReservationState.CANCELLED, State(_l("已取消"), "grey", "ban")),
    (ReservationState.DECLINED, State(_l("未批准"), "red", "x")),
    (ReservationState.LAPSED, State(_l("已失效"), "grey", "ban")),
    (ReservationState.NO_SHOW, State(_l("爽约"), "red", "alert-triangle")),
    (RequestState.SUBMITTED, State(_l("待报价"), "amber", "clock")),
    (RequestState.QUOTED, State(_l("待企业确认"), "amber", "clock")),
    (RequestState.ACCEPTED, State(_l("已接受"), "blue", "check")),
    (RequestState.SCHEDULED, State(_l("已安排"), "blue", "calendar")),
    (RequestState.DELIVERED, State(_l("待验收"), "amber", "download")),
    (RequestState.SIGNED_OFF, State(_l("已验收"), "green", "circle-check")),
    (RequestState.DECLINED, State(_l("未受理"), "red", "x")),
    (RequestState.WITHDRAWN, State(_l("已撤回"), "grey", "ban")),
    (WaitState.WAITING, State(_l("候补中"), "blue", "clock")),
    (WaitState.OFFERED, State(_l("候补待确认"), "amber", "clock")),
    (WaitState.TAKEN, State(_l("已预约"), "green", "check")),
    (WaitState.EXPIRED, State(_l("已失效"), "grey", "ban")),
    (WaitState.WITHDRAWN, State(_l("已退出"), "grey", "ban")),
    (Rung.NONE, State(_l("良好"), "green", "check")),
    (Rung.WARNING, State(_l("警告"), "amber", "alert-triangle")),
    (Rung.FEE, State(_l("收费"), "amber", "coin")),
    (Rung.BLOCK, State(_l("停约"), "red", "ban")),
    ("free", State(_l("空闲"), "green", "check")),
    ("kept", State(_l("加分"), "green", "check")),
    ("not_yet", State(_l("未生效"), "amber", "clock")),
    ("counted", State(_l("已计入"), "red", "alert-triangle")),
    ("excused", State(_l("已豁免"), "grey", "check")),
)

WORDS: tuple[tuple[StrEnum, Any], ...] = (
    (MisstepKind.NO_SHOW, _l("爽约")),
    (MisstepKind.LATE_CANCELLATION, _l("取消过晚")),
    (MisstepKind.LATE, _l("迟到")),
    (MisstepKind.OVERRUN, _l("超时")),
    (MisstepKind.GOOD_USE, _l("正常使用")),
    (RequestKind.COMMISSIONED_TEST, _l("委托检测")),
    (RequestKind.SAMPLE, _l("送样")),
    (RequestKind.CONTRACT_PROCESSING, _l("代工")),
    (ItemKind.SAMPLE, _l("样品")),
    (ItemKind.MATERIAL, _l("材料")),
    (QuoteUnit.HOUR, _l("小时")),
    (QuoteUnit.RUN, _l("次")),
    (QuoteUnit.BATCH, _l("批")),
    (QuoteUnit.SAMPLE, _l("样")),
    (QuoteUnit.KILOGRAM, _l("公斤")),
    (QuoteUnit.METRE, _l("米")),
    (QuoteUnit.PIECE, _l("件")),
)
