"""The words of platforms, equipment, customers and people."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from flask_babel import lazy_gettext as _l

from app.catalogue.annex import Likeness
from app.catalogue.models import Approval, ChargeUnit, EquipmentKind, RecognitionLevel
from app.catalogue.rules.customer import CustomerClass, CustomerRelation
from app.catalogue.rules.words import ClosureKind, DayKind, Measure, Period, RequirementKind
from app.identity.rules.notice import NoticeKind
from app.identity.rules.permission import Role
from app.web.words.state import State
from billing.rules.place import Unplaced

STATES: tuple[tuple[StrEnum | str, State], ...] = (
    ("listed", State(_l("清单"), "grey", "clock")),
    ("cultivated", State(_l("入库培育"), "blue", "clock")),
    ("uncovered", State(_l("尚无平台"), "amber", "alert-triangle")),
    ("recognised", State(_l("已认定"), "green", "check")),
    ("out_of_service", State(_l("停止预约"), "red", "ban")),
    ("bookable", State(_l("可预约"), "green", "check")),
    ("well", State(_l("正常"), "green", "check")),
    ("ill", State(_l("需处理"), "amber", "alert-triangle")),
    ("illustrative", State(_l("示例"), "amber", "info-circle")),
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
    (RecognitionLevel.CULTIVATED, _l("入库培育")),
    (RecognitionLevel.QUANZHOU, _l("泉州市认定")),
    (RecognitionLevel.PROVINCIAL, _l("省级")),
    (RecognitionLevel.NATIONAL, _l("国家级")),
    (RecognitionLevel.NATIONAL_INNOVATION_CENTRE, _l("国家级创新中心")),
    (Likeness.IDENTICAL, _l("完全一致")),
    (Likeness.SIMILAR_NAME, _l("依托单位相同、名称近似")),
    (Likeness.PROBABLE, _l("依托单位相关，很可能相同")),
    (Likeness.UNCONFIRMED, _l("依托单位不同，待确认")),
    (Unplaced.UNTOLD, _l("未填写")),
    (Unplaced.OUTSIDE, _l("晋江以外")),
    (Role.FIRM_MEMBER, _l("企业用户")),
    (Role.FIRM_MANAGER, _l("企业管理员")),
    (Role.OPERATOR, _l("平台运营")),
    (Role.OPERATOR_FINANCE, _l("平台财务")),
    (Role.OFFICIAL, _l("主管部门")),
    (Role.ADMINISTRATOR, _l("系统管理员")),
    (NoticeKind.REMINDER, _l("预约即将开始")),
    (NoticeKind.RESERVATION_CHANGED, _l("预约被改动或取消")),
    (NoticeKind.APPROVAL_WANTED, _l("有预约待审批")),
    (NoticeKind.DECISION, _l("审批结果")),
    (NoticeKind.OFFER, _l("候补名额")),
    (NoticeKind.CONDUCT, _l("履约与信用")),
    (NoticeKind.QUALIFICATION, _l("资格与到期")),
    (NoticeKind.SERVICE_REQUEST, _l("委托服务进展")),
    (NoticeKind.METERING, _l("电表与计量")),
    (NoticeKind.PAYMENT, _l("账单与付款")),
    (NoticeKind.SUBSIDY, _l("补助申报")),
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
)

FIELDS: dict[str, Any] = {
    "食品": _l("食品"),
    "纺织鞋服": _l("纺织鞋服"),
    "纺织轻工": _l("纺织轻工"),
    "医疗健康": _l("医疗健康"),
    "信息技术": _l("信息技术"),
    "电子信息制造": _l("电子信息制造"),
    "装备制造": _l("装备制造"),
    "机械装备": _l("机械装备"),
    "先进材料、新兴和未来产业": _l("先进材料、新兴和未来产业"),
}
"""Fields of platforms as the annexes word them."""
