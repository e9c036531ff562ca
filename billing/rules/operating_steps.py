"""The reasoning of one P2 year in words and figures: from gross invoices to the shares of the payers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from app.kernel.money import ZERO
from billing.rules.grant import Grant, NoGrant, Step
from billing.rules.operating import OperatingYear
from billing.rules.policy import Policy
from billing.rules.revenue import Exclusion

CLAUSE = "六(二)"

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

REFUSED: dict[NoGrant, tuple[str, str, tuple[str, ...]]] = {
    NoGrant.NOT_CERTIFIED: ("无泉州市认定文件", "there is no certification document of Quanzhou", ()),
    NoGrant.NOT_OPERATING: ("该年度尚未认定并实际运行", "not certified and in operation in this year", ("A06",)),
    NoGrant.NOT_IN_FORCE: ("政策在该年度未生效", "the policy was not in force in this year", ("A28",)),
    NoGrant.BEFORE_WINDOW: ("三年窗口尚未开始", "the three years have not begun", ("A08",)),
    NoGrant.WINDOW_OVER: ("三年窗口已结束", "the three years are over", ("A08", "A09")),
    NoGrant.NOT_EVALUATED: ("无运营绩效评估记录", "there is no performance evaluation", ("A11",)),
    NoGrant.NOT_SELECTED: ("绩效评估未择优入选", "evaluated, but not selected", ("A11",)),
    NoGrant.NO_REVENUE: ("计补收入为零", "no revenue counts", ("A27",)),
    NoGrant.CAP_USED: ("累计上限已用完", "the cap is used up", ("A01",)),
    NoGrant.HIGHER_LEVEL_PAID: (
        "上级同类补助已不低于应补额",
        "a higher level has paid as much or more",
        ("A15", "A16"),
    ),
}


def operating_steps(result: OperatingYear, grant: Grant, policy: Policy) -> Iterator[Step]:
    """The steps of one year in order. The figures of each follow from those of the steps before."""
    yield from _revenue_steps(result)
    yield from _grant_steps(result, grant, policy)


def _revenue_steps(result: OperatingYear) -> Iterator[Step]:
    revenue, year = result.revenue, result.year
    net = revenue.with_tax - revenue.tax
    yield Step(
        "revenue",
        CLAUSE,
        f"{year} 年收入价税合计 {revenue.with_tax}，剔除税额 {revenue.tax}，为 {net}",
        f"{year}: income with tax {revenue.with_tax}, less tax {revenue.tax}, is {net}",
        ("A02", "A03", "A07"),
        year,
        {"with_tax": revenue.with_tax, "tax": revenue.tax, "net": net},
    )
    for reason, amount in revenue.excluded.items():
        zh, en, rests_on = EXCLUDED[reason]
        yield Step(
            "excluded",
            "五(七)、六(二)" if reason in (Exclusion.CATEGORY, Exclusion.CATEGORY_UNDER_REVIEW) else CLAUSE,
            f"{year} 年不计入 {amount}：{zh}",
            f"{year}: {amount} not counted: {en}",
            rests_on,
            year,
            {reason.value: amount},
        )
    carried = revenue.carried_in
    yield Step(
        "base",
        CLAUSE,
        f"{year} 年服务性收入 {revenue.own}，上年结转 {carried}，计补基数 {revenue.base}",
        f"{year}: service revenue {revenue.own}, carried in {carried}, base {revenue.base}",
        ("A27",) if revenue.own < ZERO or carried else (),
        year,
        {"own": revenue.own, "carried_in": carried, "base": revenue.base},
    )


def _grant_steps(result: OperatingYear, grant: Grant, policy: Policy) -> Iterator[Step]:
    year, last_day = result.year, date(result.year, 12, 31)
    if result.open_to_grant:
        rate, cap = policy.value("P2.rate", on=last_day), policy.value("P2.cap", on=last_day)
        yield Step(
            "rate",
            CLAUSE,
            f"{year} 年 {result.revenue.base} × {rate:.0%} = {result.raw}",
            f"{year}: {result.revenue.base} × {rate:.0%} = {result.raw}",
            ("A12",),
            year,
            {"base": result.revenue.base, "raw": result.raw},
        )
        yield Step(
            "cap",
            CLAUSE,
            f"{year} 年上限 {cap:.2f} 尚余 {result.cap_left}，取 {result.entitled}",
            f"{year}: of the cap {cap:.2f}, {result.cap_left} is left; entitled to {result.entitled}",
            ("A01", "A32"),
            year,
            {"raw": result.raw, "cap_left": result.cap_left, "entitled": result.entitled},
        )
        if result.higher_level:
            yield Step(
                "higher_level",
                CLAUSE,
                f"{year} 年上级同类补助 {result.higher_level}，补差 {result.payable}",
                f"{year}: higher levels pay {result.higher_level}; the difference is {result.payable}",
                ("A15", "A16"),
                year,
                {"entitled": result.entitled, "higher_level": result.higher_level, "topped_up": result.payable},
            )
    if grant.reason:
        zh, en, rests_on = REFUSED[grant.reason]
        yield Step("refused", CLAUSE, f"{year} 年应付 0.00：{zh}", f"{year}: payable 0.00: {en}", rests_on, year)
    if grant.estimate is not None:
        yield Step(
            "estimate",
            CLAUSE,
            f"{year} 年若取得认定文件，估算为 {grant.estimate}",
            f"{year}: with a certification document it would be {grant.estimate} (estimate)",
            (),
            year,
            {"estimate": grant.estimate},
        )
    if grant.payable.amount:
        paid = grant.payable
        yield Step(
            "split",
            CLAUSE,
            f"{year} 年应付 {paid.amount}：泉州 {paid.quanzhou}，晋江 {paid.jinjiang}；"
            f"收款方 {grant.payee or '（无运营主体）'}",
            f"{year}: payable {paid.amount}: Quanzhou {paid.quanzhou}, Jinjiang {paid.jinjiang}; "
            f"paid to {grant.payee or '(no operator)'}",
            ("A13", "A14", "A36"),
            year,
            {"payable": paid.amount, "quanzhou": paid.quanzhou, "jinjiang": paid.jinjiang},
        )
    if grant.clawback.amount:
        back = grant.clawback
        yield Step(
            "clawback",
            CLAUSE,
            f"{year} 年建议收回 {back.amount}：泉州 {back.quanzhou}，晋江 {back.jinjiang}",
            f"{year}: proposed claim-back {back.amount}: Quanzhou {back.quanzhou}, Jinjiang {back.jinjiang}",
            ("A13", "A26"),
            year,
            {"clawback": back.amount, "quanzhou": back.quanzhou, "jinjiang": back.jinjiang},
        )
