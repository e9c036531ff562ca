"""What the yearly evaluation of 六(四) looks at: the document names the four heads, no indicator and no weight.

So everything here is where we start from. The competent department sets weights and targets for each year.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from billing.rules.evaluation import Grade, GradeLine, Head, Indicator, Scoring, Unit

FIRST_DAY = date(2025, 11, 29)
OWN_ZH, OWN_EN = "系统起始值，文件未定", "where the software starts: the document sets none"
TEST = "https://renrendoc.com/paper/293201914.html"

INDICATORS: tuple[Indicator, ...] = (
    Indicator(
        "utilization", Head.CAPABILITY, "有效机时与定额机时之比", "Effective hours of benchmark hours", Unit.SHARE,
        Scoring.HIGHER, Decimal(10), "大型仪器年度效益评价的定额机时（通用 1,400、专用 800 小时）",
        "benchmark hours of the yearly appraisal of large instruments (1,400 general, 800 special)", Decimal(1),
    ),
    Indicator(
        "equipment_value", Head.CAPABILITY, "设备原值", "Original value of equipment", Unit.YUAN, Scoring.HIGHER,
        Decimal(5), "省工信厅制造业中试平台条件：原则上不低于 800 万元",
        "province's manufacturing pilot platforms: in principle at least 8 million yuan", Decimal(8_000_000),
    ),
    Indicator(
        "team", Head.CAPABILITY, "技术与管理人才队伍", "Technical and managing staff", Unit.POINTS, Scoring.MANUAL,
        Decimal(10), OWN_ZH, OWN_EN,
    ),
    Indicator(
        "sharing_rate", Head.SERVICE, "共享率（对外机时与有效机时之比）", "Sharing rate (external of effective hours)",
        Unit.SHARE, Scoring.HIGHER, Decimal(10), "2025 年中央级单位考核平均：对外 273、有效 1,599 小时",
        "national review 2025, on average: 273 external of 1,599 effective hours", Decimal("0.17"),
    ),
    Indicator(
        "firms", Head.SERVICE, "服务企业数", "Firms served", Unit.COUNT, Scoring.HIGHER, Decimal(8), OWN_ZH, OWN_EN,
        Decimal(20),
    ),
    Indicator(
        "orders", Head.SERVICE, "服务单数", "Orders", Unit.COUNT, Scoring.HIGHER, Decimal(7), OWN_ZH, OWN_EN,
        Decimal(100),
    ),
    Indicator(
        "satisfaction", Head.SERVICE, "用户满意度", "Satisfaction of users", Unit.STARS, Scoring.HIGHER, Decimal(10),
        OWN_ZH, OWN_EN, Decimal("4.5"), base=Decimal(1),
    ),
    Indicator(
        "documents", Head.MANAGEMENT, "证件与资质有效率", "Documents valid", Unit.SHARE, Scoring.HIGHER, Decimal(6),
        OWN_ZH, OWN_EN, Decimal(1),
    ),
    Indicator(
        "metered", Head.MANAGEMENT, "使用记录由电表计量的比例", "Use known from meters", Unit.SHARE, Scoring.HIGHER,
        Decimal(6), OWN_ZH, OWN_EN, Decimal(1),
    ),
    Indicator(
        "incidents", Head.MANAGEMENT, "安全事件（轻微 1、一般 3、重大 10 分）",
        "Incidents (minor 1, serious 3, major 10 points)", Unit.POINTS, Scoring.LOWER, Decimal(4), OWN_ZH, OWN_EN,
        Decimal(10),
    ),
    Indicator(
        "rules", Head.MANAGEMENT, "制度与安全环保管理", "Rules, safety and environment", Unit.POINTS, Scoring.MANUAL,
        Decimal(4), OWN_ZH, OWN_EN,
    ),
    Indicator(
        "service_income", Head.BENEFIT, "技术服务收入", "Income from technical services", Unit.YUAN, Scoring.HIGHER,
        Decimal(8), "晋科规〔2025〕1号：服务机构年收入目标 1,000 万元",
        "Jinjiang's rules of 2025: 10 million yuan a year for bodies that serve", Decimal(10_000_000),
    ),
    Indicator(
        "conversion_income", Head.BENEFIT, "成果转化收益与孵化企业回报", "Income from conversion and incubated firms",
        Unit.YUAN, Scoring.HIGHER, Decimal(4), OWN_ZH, OWN_EN, Decimal(500_000),
    ),
    Indicator(
        "local_share", Head.BENEFIT, "本地收入占比", "Share of local revenue", Unit.SHARE, Scoring.HIGHER, Decimal(4),
        OWN_ZH, OWN_EN, Decimal("0.5"),
    ),
    Indicator(
        "outcomes", Head.BENEFIT, "成果转化实效（首批次、首台套、小批量试产等）",
        "Results put to use (first batches, first sets, pilot lots)", Unit.POINTS, Scoring.MANUAL, Decimal(4), OWN_ZH,
        OWN_EN,
    ),
)  # fmt: skip
BY_KEY = {one.key: one for one in INDICATORS}
GRADES = (
    GradeLine(Grade.EXCELLENT, Decimal(90), FIRST_DAY, TEST),
    GradeLine(Grade.GOOD, Decimal(75), FIRST_DAY, TEST),
    GradeLine(Grade.PASSED, Decimal(60), FIRST_DAY, TEST),
)
"""As the yearly appraisal of large instruments has them; the document sets none."""
