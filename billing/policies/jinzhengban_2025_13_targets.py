"""The targets of 晋政办〔2025〕13号, 二. They are aims (力争, 争取), not duties."""

from __future__ import annotations

from datetime import date

from billing.rules.target import Target

_FIRST_DAY = date(2025, 11, 29)
_REFERENCE = "https://www.jinjiang.gov.cn/"

TARGETS = (
    Target(
        2027, 3, 1, _FIRST_DAY, "二",
        "到 2027 年，力争建成 3 个中试验证平台，争取有 1 个平台进入省级行列",
        "By 2027, strive to build 3 pilot-scale verification platforms and to bring 1 of them to provincial level",
        _REFERENCE,
    ),
    Target(
        2030, 8, 2, _FIRST_DAY, "二",
        "到 2030 年，力争建成 8 个以上服务支撑力强的中试验证平台，争取有 2 个平台进入省级行列",
        "By 2030, strive to build 8 or more pilot-scale verification platforms that serve strongly, and to bring 2 of"
        " them to provincial level",
        _REFERENCE,
    ),
)  # fmt: skip
