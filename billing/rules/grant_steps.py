"""The reasoning that every programme shares: from what a base yields to the shares of the payers."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from app.kernel.money import Money
from billing.rules.entitlement import Entitlement
from billing.rules.facts import Programme
from billing.rules.figures import yuan
from billing.rules.grant import CLAUSE, Grant, NoGrant, Step
from billing.rules.policy import Policy

REFUSED: dict[NoGrant, tuple[str, str, tuple[str, ...]]] = {
    NoGrant.NOT_CERTIFIED: ("无认定文件", "there is no certification document", ()),
    NoGrant.NOT_OPERATING: ("该年度尚未认定并实际运行", "not certified and in operation in this year", ("A06",)),
    NoGrant.NOT_IN_FORCE: ("政策在该年度未生效", "the policy was not in force in this year", ("A28",)),
    NoGrant.BEFORE_WINDOW: ("三年窗口尚未开始", "the three years have not begun", ("A08",)),
    NoGrant.WINDOW_OVER: ("三年窗口已结束", "the three years are over", ("A08", "A09")),
    NoGrant.NOT_EVALUATED: ("无运营绩效评估记录", "there is no performance evaluation", ("A11",)),
    NoGrant.NOT_SELECTED: ("绩效评估未择优入选", "evaluated, but not selected", ("A11",)),
    NoGrant.NO_REVENUE: ("计补收入为零", "no revenue counts", ("A27",)),
    NoGrant.NOTHING_COUNTS: ("没有可计补的非财政资金购置额", "no cost paid with non-fiscal money counts", ("A19",)),
    NoGrant.NO_LEVEL: (
        "该年度未持有省级或国家级认定",
        "no provincial or national level is held in this year",
        ("A38",),
    ),
    NoGrant.ALREADY_AWARDED: (
        "不是新认定，或同级奖励已发放",
        "no new recognition, or its level was awarded before",
        ("A24",),
    ),
    NoGrant.HIGHER_PROGRAMME: (
        "另一项补助更高，就高不重复",
        "another programme pays more; the higher one counts",
        ("A15",),
    ),
    NoGrant.CAP_USED: ("累计上限已用完", "the cap is used up", ("A01",)),
    NoGrant.HIGHER_LEVEL_PAID: (
        "上级同类补助已不低于应补额",
        "a higher level has paid as much or more",
        ("A15", "A16"),
    ),
}


NAMES = {
    "P1": ("设备购置补助", "equipment purchase"),
    "P2": ("运行补助", "operating subsidy"),
    "P3": ("认定奖励", "recognition award"),
    "P4": ("新增设备设施补助", "new equipment"),
}
CAP_SETTINGS = {"P1": ("A17",), "P2": ("A01", "A32"), "P3": ("A24",), "P4": ("A22",)}


def rate_step(programme: Programme, year: int, base: Money, rate: Decimal, raw: Money) -> Step:
    """A share of the base, rounded once."""
    return Step(
        "rate",
        CLAUSE,
        f"{year} 年 {yuan(base)} × {rate:.0%} = {yuan(raw)}",
        f"{year}: {yuan(base)} × {rate:.0%} = {yuan(raw)}",
        ("A12",),
        year,
        {"base": base, "raw": raw},
        programme=programme,
    )


def amount_steps(result: Entitlement) -> Iterator[Step]:
    """What the cap leaves, and what is left of that beside grants from above."""
    year, zh, en = result.year, *NAMES[result.programme]
    yield Step(
        "cap",
        CLAUSE,
        f"{year} 年{zh}上限尚余 {yuan(result.cap_left)}，取 {yuan(result.entitled)}",
        f"{year}, {en}: {yuan(result.cap_left)} of the cap is left; entitled to {yuan(result.entitled)}",
        CAP_SETTINGS[result.programme],
        year,
        {"raw": result.raw, "cap_left": result.cap_left, "entitled": result.entitled},
        programme=result.programme,
    )
    if result.higher_level:
        yield Step(
            "higher_level",
            CLAUSE,
            f"{year} 年上级同类补助 {yuan(result.higher_level)}，补差 {yuan(result.payable)}",
            f"{year}: higher levels pay {yuan(result.higher_level)}; the difference is {yuan(result.payable)}",
            ("A15", "A16"),
            year,
            {"entitled": result.entitled, "higher_level": result.higher_level, "topped_up": result.payable},
            programme=result.programme,
        )


def closing_steps(grant: Grant, policy: Policy) -> Iterator[Step]:
    """Why nothing is payable, or who bears and who receives it."""
    year, zh, en = grant.year, *NAMES[grant.programme]
    upper, own = policy.upper, policy.own
    if grant.reason:
        why_zh, why_en, rests_on = REFUSED[grant.reason]
        yield Step(
            "refused",
            CLAUSE,
            f"{year} 年{zh}应付 ¥0.00：{why_zh}",
            f"{year}, {en}: payable ¥0.00: {why_en}",
            rests_on,
            year,
            programme=grant.programme,
        )
    if grant.estimate is not None:
        yield Step(
            "estimate",
            CLAUSE,
            f"{year} 年{zh}若取得认定文件，估算为 {yuan(grant.estimate)}",
            f"{year}, {en}: with a certification document it would be {yuan(grant.estimate)} (estimate)",
            (),
            year,
            {"estimate": grant.estimate},
            programme=grant.programme,
        )
    if grant.payable.amount:
        paid = grant.payable
        yield Step(
            "split",
            CLAUSE,
            f"{year} 年{zh}应付 {yuan(paid.amount)}：{upper.zh} {yuan(paid.upper)}，{own.zh} {yuan(paid.own)}；"
            f"收款方 {grant.payee or '（未写明）'}",
            f"{year}, {en}: payable {yuan(paid.amount)}: {upper.en} {yuan(paid.upper)}, {own.en} {yuan(paid.own)}; "
            f"paid to {grant.payee or '(not stated)'}",
            ("A13", "A14", "A36"),
            year,
            {"payable": paid.amount, upper.key: paid.upper, own.key: paid.own},
            programme=grant.programme,
        )
    if grant.clawback.amount:
        back = grant.clawback
        yield Step(
            "clawback",
            CLAUSE,
            f"{year} 年{zh}建议收回 {yuan(back.amount)}：{upper.zh} {yuan(back.upper)}，{own.zh} {yuan(back.own)}",
            f"{year}, {en}: proposed claim-back {yuan(back.amount)}: "
            f"{upper.en} {yuan(back.upper)}, {own.en} {yuan(back.own)}",
            ("A13", "A26"),
            year,
            {"clawback": back.amount, upper.key: back.upper, own.key: back.own},
            programme=grant.programme,
        )
