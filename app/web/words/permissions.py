"""What each permission allows, as administrators read it."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from flask_babel import lazy_gettext as _l

from app.identity.rules.permission import Permission
from app.web.words.state import State

STATES: tuple[tuple[StrEnum | str, State], ...] = ()

WORDS: tuple[tuple[StrEnum, Any], ...] = (
    (Permission.BROWSE, _l("浏览平台与设备")),
    (Permission.SIGN_IN, _l("登录")),
    (Permission.USE_ACCOUNT, _l("使用自己的账号")),
    (Permission.RESERVE, _l("预约设备")),
    (Permission.SEE_RESERVATIONS, _l("看预约")),
    (Permission.CHECK_IN, _l("现场签到")),
    (Permission.DECIDE_RESERVATIONS, _l("审批预约")),
    (Permission.MANAGE_EQUIPMENT, _l("管理设备")),
    (Permission.MANAGE_QUALIFICATIONS, _l("管理资质")),
    (Permission.SEE_QUALIFICATIONS, _l("看资质")),
    (Permission.MANAGE_CALENDAR, _l("管理节假日")),
    (Permission.SEE_CONDUCT, _l("看信用记录")),
    (Permission.EXCUSE_CONDUCT, _l("免除信用扣分")),
    (Permission.ASK_SERVICE, _l("提出委托")),
    (Permission.SEE_SERVICE, _l("看委托")),
    (Permission.HANDLE_SERVICE, _l("办理委托")),
    (Permission.GIVE_FEEDBACK, _l("评价服务")),
    (Permission.SEE_FEEDBACK, _l("看用户评价")),
    (Permission.SEE_INCIDENTS, _l("看安全事件")),
    (Permission.RECORD_INCIDENTS, _l("记录安全事件")),
    (Permission.READ_FEED, _l("订阅日历")),
    (Permission.SEE_USAGE, _l("看使用记录")),
    (Permission.SEE_READINGS, _l("看读数和报文")),
    (Permission.SEE_INVOICES, _l("看结算单")),
    (Permission.SEE_CHARGES, _l("看费用")),
    (Permission.SEE_CERTIFICATES, _l("看年度证明")),
    (Permission.CLOSE_MONTHS, _l("办理月结")),
    (Permission.SEE_REVENUE, _l("看收入")),
    (Permission.SHARE_REVENUE, _l("办理分成")),
    (Permission.OBJECT_TO_CHARGES, _l("对费用提出异议")),
    (Permission.MANAGE_TARIFFS, _l("管理价格")),
    (Permission.REVIEW_CHARGES, _l("审核费用")),
    (Permission.ISSUE_INVOICES, _l("开具和红冲结算单")),
    (Permission.RECORD_PAYMENTS, _l("登记收款")),
    (Permission.SEE_DEPOSITS, _l("看预存款")),
    (Permission.MANAGE_BILLING, _l("管理收款设置")),
    (Permission.SEE_METERS, _l("看电表")),
    (Permission.MANAGE_METERS, _l("管理电表")),
    (Permission.SEE_SUBSIDY, _l("看补助推算")),
    (Permission.SEE_CLAIMS, _l("看补助申报")),
    (Permission.FILE_CLAIMS, _l("提交补助申报")),
    (Permission.DECIDE_CLAIMS, _l("核定补助申报")),
    (Permission.SEE_EVALUATION, _l("看管理评价")),
    (Permission.HAND_IN_EVALUATION, _l("提交评价材料")),
    (Permission.CONCLUDE_EVALUATION, _l("记录评价结果")),
    (Permission.SEE_WEIGHTS, _l("看评价权重")),
    (Permission.SET_WEIGHTS, _l("设定评价权重")),
    (Permission.SEE_ASSETS, _l("看资产登记")),
    (Permission.MANAGE_ASSETS, _l("登记资产")),
    (Permission.SIMULATE, _l("补助测算")),
    (Permission.SEE_POLICY, _l("看政策口径")),
    (Permission.ANSWER_POLICY, _l("改变政策口径")),
    (Permission.SEE_CITY, _l("看全市数据")),
    (Permission.RECORD_RECOGNITION, _l("登记平台认定")),
    (Permission.PLACE_ORGANIZATIONS, _l("填写单位所在地")),
    (Permission.SEE_HEALTH, _l("看运行状况")),
    (Permission.SEE_AUDIT, _l("看操作记录")),
)
