"""The reasoning of one P2 year in words and figures: from gross invoices to the revenue that counts."""

from __future__ import annotations

from collections.abc import Iterator

from app.kernel.money import ZERO
from billing.rules.figures import yuan
from billing.rules.grant import CLAUSE, Step
from billing.rules.grant_steps import rate_step
from billing.rules.operating import OperatingYear
from billing.rules.revenue import Exclusion

EXCLUDED: dict[Exclusion, tuple[str, str, tuple[str, ...]]] = {
    Exclusion.OWN_USE: ("自用核算", "own use", ("A04",)),
    Exclusion.RELATED_PARTY: ("关联方收入", "revenue from related parties", ("A04",)),
    Exclusion.CATEGORY: ("不属于服务性收入", "not service revenue", ("A05",)),
    Exclusion.CATEGORY_UNDER_REVIEW: ("收入类别待核", "category awaiting a ruling", ("A05",)),
    Exclusion.SUBCONTRACTED: ("分包给他人完成", "work done by others", ("A35",)),
    Exclusion.NO_SHOW_FEE: ("爽约费", "no-show fees", ("A29",)),
    Exclusion.NOT_OPERATING: ("尚未实际运行", "not yet in operation", ("A06",)),
    Exclusion.BEFORE_START: ("早于起算日", "before the first day that counts", ("A06",)),
    Exclusion.AFTER_LOCK: ("锁定后的红字发票，另行重算", "credit notes after the lock, recalculated apart", ("A26",)),
    Exclusion.WINDOW_OVER: (
        "窗口结束后的红字发票，另提收回",
        "credit notes after the window, see claim-back",
        ("A26",),
    ),
}


def operating_steps(result: OperatingYear) -> Iterator[Step]:
    """From gross invoices to the base. The figures of each step follow from those of the steps before."""
    revenue, year = result.revenue, result.year
    net = revenue.with_tax - revenue.tax
    yield Step(
        "revenue",
        CLAUSE,
        f"{year} 年收入价税合计 {yuan(revenue.with_tax)}，剔除税额 {yuan(revenue.tax)}，为 {yuan(net)}",
        f"{year}: income with tax {yuan(revenue.with_tax)}, less tax {yuan(revenue.tax)}, is {yuan(net)}",
        ("A02", "A03", "A07"),
        year,
        {"with_tax": revenue.with_tax, "tax": revenue.tax, "net": net},
        programme="P2",
    )
    for reason, amount in revenue.excluded.items():
        zh, en, rests_on = EXCLUDED[reason]
        yield Step(
            "excluded",
            "五(七)、六(二)" if reason in (Exclusion.CATEGORY, Exclusion.CATEGORY_UNDER_REVIEW) else CLAUSE,
            f"{year} 年不计入 {yuan(amount)}：{zh}",
            f"{year}: {yuan(amount)} not counted: {en}",
            rests_on,
            year,
            {reason.value: amount},
            programme="P2",
        )
    carried = revenue.carried_in
    yield Step(
        "base",
        CLAUSE,
        f"{year} 年服务性收入 {yuan(revenue.own)}，上年结转 {yuan(carried)}，计补基数 {yuan(revenue.base)}",
        f"{year}: service revenue {yuan(revenue.own)}, carried in {yuan(carried)}, base {yuan(revenue.base)}",
        ("A27",) if revenue.own < ZERO or carried else (),
        year,
        {"own": revenue.own, "carried_in": carried, "base": revenue.base},
        programme="P2",
    )
    if result.open_to_grant:
        yield rate_step("P2", year, revenue.base, result.rate, result.raw)
