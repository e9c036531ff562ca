"""The reasoning of one year of purchases in words and figures: from what was paid to what counts."""

from __future__ import annotations

from collections.abc import Iterator

from billing.rules.equipment import CountedAsset, EquipmentYear
from billing.rules.figures import yuan
from billing.rules.grant import CLAUSE, Step
from billing.rules.grant_steps import NAMES, rate_step


def equipment_steps(result: EquipmentYear) -> Iterator[Step]:
    """Each asset, their sum, and the share of it."""
    year, zh, en = result.year, *NAMES[result.programme]
    for one in result.assets:
        yield _asset_step(one, result)
    yield Step(
        "base",
        CLAUSE,
        f"{year} 年{zh}：{len(result.assets)} 项，非财政资金购置额合计 {yuan(result.base)}",
        f"{year}, {en}: {len(result.assets)} assets, {yuan(result.base)} paid with non-fiscal money",
        ("A18", "A19") if result.programme == "P1" else ("A19", "A23"),
        year,
        {"base": result.base},
        programme=result.programme,
    )
    yield rate_step(result.programme, year, result.base, result.rate, result.raw)


def _asset_step(one: CountedAsset, result: EquipmentYear) -> Step:
    return Step(
        "asset",
        CLAUSE,
        f"{one.asset.no}：验收 {one.asset.accepted_on}，计价 {yuan(one.cost)}，"
        f"其中财政资金 {yuan(one.fiscal)}，计入 {yuan(one.counted)}",
        f"{one.asset.no}: accepted {one.asset.accepted_on}, cost {yuan(one.cost)}, "
        f"of it fiscal {yuan(one.fiscal)}, counted {yuan(one.counted)}",
        ("A19", "A20", "A21"),
        result.year,
        {"cost": one.cost, "fiscal": one.fiscal, "counted": one.counted},
        programme=result.programme,
    )
