"""The words, colours and icons of states and kinds: each is said the same way on every page.

Four colours that never change their meaning: green done or running, blue planned, amber needs a
person, red refused or lost. Grey says nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from flask_babel import lazy_gettext as _l

from app.booking.rules.conduct import Rung
from app.booking.rules.reservation import ReservationState
from app.booking.rules.words import ItemKind, MisstepKind, QuoteUnit, RequestKind, RequestState, WaitState
from app.catalogue.models import Approval, ChargeUnit, EquipmentKind, RecognitionLevel
from app.catalogue.rules.customer import CustomerClass, CustomerRelation
from app.catalogue.rules.words import ClosureKind, DayKind, Measure, Period, RequirementKind
from app.identity.rules.notice import NoticeKind
from app.identity.rules.permission import Role
from billing.rules.words import (
    ChargeKind,
    ChargeState,
    InvoiceKind,
    InvoiceState,
    RevenueCategory,
)
from devices.rules.alert import AlertKind, AlertState, Verdict
from devices.rules.evidence import Dialect, Evidence, Flag, LateCause
from devices.rules.power import FailSafe, PowerCause, Progress


@dataclass(frozen=True, slots=True)
class State:
    """How a state is shown."""

    word: Any
    tone: str
    icon: str


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
    (ChargeState.PROPOSED, State(_l("待审核"), "amber", "alert-triangle")),
    (ChargeState.APPROVED, State(_l("已审核"), "green", "check")),
    (ChargeState.INVOICED, State(_l("已开票"), "green", "file-invoice")),
    (InvoiceState.DRAFT, State(_l("草稿"), "grey", "clock")),
    (InvoiceState.ISSUED, State(_l("待付款"), "amber", "clock")),
    (InvoiceState.PAID, State(_l("已付清"), "green", "circle-check")),
    (InvoiceKind.CREDIT_NOTE, State(_l("红字通知单"), "red", "receipt-refund")),
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
    ("frozen", State(_l("已随发票固定"), "green", "file-invoice")),
    ("no_grant", State(_l("应付为零"), "red", "x")),
    ("payable", State(_l("应付"), "green", "coin")),
    ("estimate", State(_l("仅估算"), "amber", "alert-triangle")),
    ("listed", State(_l("清单"), "grey", "clock")),
    ("recognised", State(_l("已认定"), "green", "check")),
    ("out_of_service", State(_l("停止预约"), "red", "ban")),
    ("bookable", State(_l("可预约"), "green", "check")),
    ("well", State(_l("正常"), "green", "check")),
    ("ill", State(_l("需处理"), "amber", "alert-triangle")),
    ("illustrative", State(_l("示例"), "amber", "info-circle")),
    ("free", State(_l("空闲"), "green", "check")),
    ("kept", State(_l("加分"), "green", "check")),
    ("not_yet", State(_l("未生效"), "amber", "clock")),
    ("counted", State(_l("已计入"), "red", "alert-triangle")),
    ("excused", State(_l("已豁免"), "grey", "check")),
    ("inactive", State(_l("已停用"), "grey", "ban")),
)

WORDS: tuple[tuple[StrEnum, Any], ...] = (
    (EquipmentKind.INSTRUMENT, _l("仪器")),
    (EquipmentKind.LINE, _l("中试线")),
    (EquipmentKind.TEST_BENCH, _l("试验台")),
    (EquipmentKind.SITE, _l("场地")),
    (EquipmentKind.SOFTWARE_SEAT, _l("软件席位")),
    (ChargeUnit.HOUR, _l("机时")),
    (ChargeUnit.BATCH, _l("批次")),
    (ChargeUnit.SAMPLE, _l("样品")),
    (ChargeUnit.KILOGRAM, _l("公斤")),
    (ChargeUnit.METRE, _l("米")),
    (ChargeUnit.SQUARE_METRE, _l("平方米")),
    (RecognitionLevel.QUANZHOU, _l("泉州市认定")),
    (RecognitionLevel.PROVINCIAL, _l("省级")),
    (RecognitionLevel.NATIONAL, _l("国家级")),
    (RecognitionLevel.NATIONAL_INNOVATION_CENTRE, _l("国家级创新中心")),
    (Role.FIRM_MEMBER, _l("企业用户")),
    (Role.FIRM_MANAGER, _l("企业管理员")),
    (Role.OPERATOR, _l("平台运营")),
    (Role.OPERATOR_FINANCE, _l("平台财务")),
    (Role.OFFICIAL, _l("主管部门")),
    (Role.ADMINISTRATOR, _l("系统管理员")),
    (MisstepKind.NO_SHOW, _l("爽约")),
    (MisstepKind.LATE_CANCELLATION, _l("取消过晚")),
    (MisstepKind.LATE, _l("迟到")),
    (MisstepKind.OVERRUN, _l("超时")),
    (MisstepKind.GOOD_USE, _l("正常使用")),
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
    (ChargeKind.HOURS, _l("机时费")),
    (ChargeKind.SETUP, _l("开机费")),
    (ChargeKind.SERVICE, _l("委托服务费")),
    (ChargeKind.NO_SHOW, _l("爽约费")),
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
    (NoticeKind.REMINDER, _l("预约即将开始")),
    (NoticeKind.RESERVATION_CHANGED, _l("预约被改动或取消")),
    (NoticeKind.APPROVAL_WANTED, _l("有预约待审批")),
    (NoticeKind.DECISION, _l("审批结果")),
    (NoticeKind.OFFER, _l("候补名额")),
    (NoticeKind.CONDUCT, _l("履约与信用")),
    (NoticeKind.QUALIFICATION, _l("资格与到期")),
    (NoticeKind.SERVICE_REQUEST, _l("委托服务进展")),
    (NoticeKind.METERING, _l("电表与计量")),
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
    (AlertKind.LATE_CHANGE, _l("开票后有变")),
    (AlertKind.UNCONFIRMED_COMMAND, _l("指令未确认")),
    (Verdict.FIRST, _l("先到的一条正确")),
    (Verdict.OTHER, _l("后到的一条正确")),
    (LateCause.LATE_READINGS, _l("补传读数")),
    (LateCause.NEW_PROFILE, _l("阈值版本更改")),
    (LateCause.OTHER_RESERVATION, _l("预约更改")),
    (CustomerClass.EXTERNAL, _l("对外价")),
    (CustomerClass.INTERNAL, _l("内部价")),
    (Approval.NONE, _l("不需审批")),
    (Approval.OPERATOR, _l("运营人员一人批准")),
    (Approval.TWO_STEPS, _l("运营人员两人批准")),
    (ClosureKind.CLOSED, _l("停用")),
    (ClosureKind.MAINTENANCE, _l("维护")),
    (DayKind.HOLIDAY, _l("放假")),
    (DayKind.WORKDAY, _l("调休上班")),
    (Measure.RESERVATIONS, _l("次数")),
    (Measure.HOURS, _l("小时数")),
    (Period.DAY, _l("每日")),
    (Period.WEEK, _l("每周")),
    (Period.MONTH, _l("每月")),
    (Period.YEAR, _l("每年")),
    (RequirementKind.TRAINING, _l("上机培训")),
    (RequirementKind.EXAMINATION, _l("考核")),
    (RequirementKind.AUTHORISATION, _l("上机授权")),
    (RequirementKind.SAFETY_DOCUMENT, _l("安全文件")),
    (RequirementKind.ENVIRONMENTAL_DOCUMENT, _l("环保文件")),
    (RequirementKind.CONFIDENTIALITY_AGREEMENT, _l("保密协议")),
    (CustomerRelation.EXTERNAL, _l("外部客户")),
    (CustomerRelation.RELATED_PARTY, _l("关联方")),
    (CustomerRelation.OWN_USE, _l("自用")),
    (InvoiceKind.INVOICE, _l("结算单")),
    (InvoiceKind.CREDIT_NOTE, _l("红字通知单")),
    (RevenueCategory.RESEARCH_TRANSFER, _l("技术研发转化")),
    (RevenueCategory.PROCESS_IMPROVEMENT, _l("性能工艺改进")),
    (RevenueCategory.SCALE_UP, _l("工艺放大熟化")),
    (RevenueCategory.TYPE_TEST, _l("产品型式试验")),
    (RevenueCategory.PERFORMANCE_TEST, _l("产品性能测试")),
    (RevenueCategory.SMALL_BATCH, _l("小批量试生产")),
    (RevenueCategory.INSTRUMENT_SHARING, _l("仪器设备共享")),
    (RevenueCategory.DATA_SIMULATION, _l("数据模拟")),
    (RevenueCategory.CONTRACT_PILOT_PROCESSING, _l("中试服务代工")),
    (RevenueCategory.CONSULTING_TRAINING, _l("咨询培训")),
    (RevenueCategory.DATA_INFORMATION, _l("数据信息服务")),
    (RevenueCategory.TECH_PROMOTION, _l("技术推广")),
    (RevenueCategory.INCUBATION, _l("企业孵化")),
    (RevenueCategory.FINANCING_MATCHMAKING, _l("投融资对接")),
    (RevenueCategory.TECH_TRANSFER_LICENCE, _l("技术转让许可")),
    (RevenueCategory.EQUITY_RETURN, _l("股权收益")),
    (RevenueCategory.REAL_ESTATE_RENT, _l("场地租金")),
    (RevenueCategory.GOODS_SALE, _l("货物销售")),
    (RevenueCategory.FISCAL_GRANT, _l("财政资金")),
)

# Kinds of different things share their stored word (a booked reservation, booked evidence), and a
# StrEnum equals its word: look up by kind and name.
_STATES = {(type(key).__name__, str(key)): state for key, state in STATES}
_WORDS = {(type(key).__name__, str(key)): word for key, word in WORDS}


def state_of(key: StrEnum | str) -> State:
    return _STATES[type(key).__name__, str(key)]


def word_of(key: StrEnum) -> Any:
    return _WORDS[type(key).__name__, str(key)]


_PROBLEMS = {
    "no_organization": _l("没有预约的使用，不知道由谁付费。"),
    "no_tariff": _l("使用当日没有有效的价格。"),
    "unit_needs_quantity": _l("不按机时计价，需要人工填写数量。"),
    "free": _l("按现行价格不收费。"),
    "commissioned": _l("委托服务的机时，费用按报价结算。"),
    "needs_review": _l("依据不足，须先由运营人员复核使用记录。"),
}


def problem_sentence(reason: str) -> str:
    """Why a session was not charged."""
    return str(_PROBLEMS.get(reason, reason))
