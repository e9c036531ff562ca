"""晋政办〔2025〕13号 as dated data: the numbers of 六(二), and when they hold.

How its open questions are read is beside this, in ``jinzhengban_2025_13_readings``.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from billing.policies.jinzhengban_2025_13_readings import SETTINGS
from billing.rules.policy import Bearer, DatedValue, Policy

ISSUED_ON = date(2025, 11, 29)
# The issuing government's site; the document is public (主动公开) under its number.
REFERENCE = "https://www.jinjiang.gov.cn/"


def _stated(key: str, value: str, unit: str, zh: str, en: str) -> DatedValue:
    return DatedValue(key, Decimal(value), ISSUED_ON, unit, "六(二)", REFERENCE, zh, en)


POLICY = Policy(
    number="晋政办〔2025〕13号",
    title_zh="晋江市推动中试验证平台建设专项行动方案",
    title_en="Jinjiang action plan for building pilot-scale verification platforms",
    issued_on=ISSUED_ON,
    in_force_from=ISSUED_ON,
    in_force_to=None,
    reference=REFERENCE,
    values=(
        _stated("P1.rate", "0.30", "share of cost", "设备购置补助比例", "Equipment-purchase subsidy, rate"),
        _stated("P1.cap", "5000000", "yuan", "设备购置补助上限", "Equipment-purchase subsidy, cap"),
        _stated("P2.rate", "0.30", "share of revenue", "运行补助比例", "Operating subsidy, rate"),
        _stated("P2.cap", "3000000", "yuan", "运行补助累计上限", "Operating subsidy, cap of all years together"),
        _stated("P2.window_years", "3", "calendar years", "运行补助年限", "Operating subsidy, length"),
        _stated("P3.national", "1500000", "yuan", "国家级认定奖励", "Recognition award, national"),
        _stated("P3.provincial", "500000", "yuan", "省级认定奖励", "Recognition award, provincial"),
        _stated("P4.rate", "0.20", "share of cost", "新增设备设施补助比例", "New-equipment subsidy, rate"),
        _stated("P4.national_cap", "5000000", "yuan", "新增设备设施补助上限（国家级）", "New-equipment cap, national"),
        _stated(
            "P4.provincial_cap", "3000000", "yuan", "新增设备设施补助上限（省级）", "New-equipment cap, provincial"
        ),
        _stated("premises.max", "3000", "square metres", "国家级创新中心场所上限", "Premises, at most"),
        _stated("split.quanzhou", "1", "parts", "泉州分摊份数", "Parts borne by Quanzhou"),
        _stated("split.jinjiang", "1", "parts", "晋江分摊份数", "Parts borne by Jinjiang"),
    ),
    settings=SETTINGS,
    upper=Bearer("quanzhou", "泉州", "Quanzhou"),
    own=Bearer("jinjiang", "晋江", "Jinjiang"),
)
