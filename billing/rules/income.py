"""The three heads of income of 五(七): what technical services, conversion and incubated firms bring."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from app.kernel.money import ZERO, Money
from billing.rules.words import RevenueCategory


class IncomeHead(StrEnum):
    """As the document names them: 技术服务收入, 成果转化收益, 孵化企业回报."""

    TECHNICAL_SERVICE = "technical_service"
    CONVERSION = "conversion"
    INCUBATION = "incubation"


OUTSIDE = frozenset({RevenueCategory.REAL_ESTATE_RENT, RevenueCategory.GOODS_SALE, RevenueCategory.FISCAL_GRANT})
"""Rent, goods and grants are under none of the three heads."""
HEADS: Mapping[RevenueCategory, IncomeHead] = {
    **{one: IncomeHead.TECHNICAL_SERVICE for one in RevenueCategory if one not in OUTSIDE},
    RevenueCategory.TECH_TRANSFER_LICENCE: IncomeHead.CONVERSION,
    RevenueCategory.EQUITY_RETURN: IncomeHead.INCUBATION,
    RevenueCategory.INCUBATION: IncomeHead.INCUBATION,
}


def by_head(revenue: Mapping[RevenueCategory, Money]) -> dict[IncomeHead, Money]:
    """What falls under each head, zero where nothing does."""
    sums = dict.fromkeys(IncomeHead, ZERO)
    for category, amount in revenue.items():
        if category in HEADS:
            sums[HEADS[category]] += amount
    return sums
