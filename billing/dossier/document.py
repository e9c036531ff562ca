"""The claim as a document: amounts, what was left out, the steps with their clauses, and what all of it rests on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from app.kernel import clock
from app.kernel.money import Money
from billing.rules.dossier.cases import Basis
from billing.rules.dossier.lines import Tally
from billing.rules.operating_steps import EXCLUDED
from billing.rules.policy import Policy
from billing.rules.subsidy import Assessment
from billing.typesetting import Press

PRESS = Press("claim.typ")
PROGRAMMES = {"P1": "设备购置补助", "P2": "运行补助", "P3": "认定奖励", "P4": "新增设备设施补助"}
BASES: dict[Basis, str] = {
    Basis.METERED: "电表计量，可逐条追溯到已封存的读数",
    Basis.NOT_AGAIN: "称为电表计量，但读数迟到或当时适用较早的规则，未在此重算",
    Basis.ADJUSTED: "在先前费用之上补计，先前费用只是陈述",
    Basis.CORRECTED: "金额由人更正、减免或红冲后重新计费",
    Basis.UNEXPLAINED: "与规则计价不符，原因不明",
    Basis.ACCEPTED: "由人认可迟到读数后的结果",
    Basis.ENTERED: "人工录入的使用",
    Basis.BOOKED: "按预约时间，无读数",
    Basis.SERVICE: "委托服务，按报价，无读数",
    Basis.FEE: "爽约费用，无读数",
    Basis.CREDIT: "红字冲减",
}


def claim_pdf(
    claim: Mapping[str, Any], assessment: Assessment, policy: Policy, tally: Tally, readings: int, *, at: datetime
) -> bytes:
    """The document. The same facts give the same bytes."""
    return PRESS.printed(json.dumps(_told(claim, assessment, policy, tally, readings, at), ensure_ascii=False))


def _told(
    claim: Mapping[str, Any], assessment: Assessment, policy: Policy, tally: Tally, readings: int, at: datetime
) -> dict[str, Any]:
    year = claim["year"]
    revenue = next((one for one in assessment.revenue_years if one.year == year), None)
    steps = [one for one in assessment.trace if one.year in (None, year)]
    used = {number for step in steps for number in step.settings}
    return {
        "platform": claim["platform"],
        "platform_en": claim["platform_en"],
        "code": claim["code"],
        "sample": claim["sample"],
        "year": year,
        "made_on": f"{clock.local_date(at)}",
        "locked_on": claim["locked_on"] or "",
        "policy": {"number": policy.number, "title": policy.title_zh},
        "bearers": [policy.upper.zh, policy.own.zh],
        "grants": [
            {
                "programme": programme,
                "name": PROGRAMMES.get(programme, programme),
                "payee": one["payee"] or "—",
                "payable": _yuan(one["payable"]),
                "upper": _yuan(one["upper"]),
                "own": _yuan(one["own"]),
                "estimate": "" if one["estimate"] is None else _yuan(one["estimate"]),
            }
            for programme, one in claim["grants"].items()
        ],
        "revenue": []
        if revenue is None
        else [
            ["开票价税合计", _yuan(revenue.with_tax)],
            ["减：税额", _yuan(-revenue.tax)],
            *([f"减：{EXCLUDED[reason][0]}", _yuan(-amount)] for reason, amount in revenue.excluded.items()),
            *([["上年结转", _yuan(revenue.carried_in)]] if revenue.carried_in else []),
            ["计补基数", _yuan(revenue.base)],
        ],
        "steps": [{"clause": one.clause, "zh": one.zh, "settings": "、".join(one.settings)} for one in steps],
        "settings": [
            {
                "number": one.number,
                "question": one.question_zh,
                "answer": one.said(assessment.settings.values[one.key]),
                "changed": one.key in assessment.settings.overridden,
                "used": one.number in used,
            }
            for one in policy.settings
        ],
        "evidence": [
            {"basis": BASES[basis], "lines": f"{count:,}", "amount": _yuan(tally.amounts[basis])}
            for basis, count in tally.lines.items()
        ],
        "corrected": tally.lines.get(Basis.CORRECTED, 0),
        "readings": f"{readings:,}",
    }


def _yuan(amount: Money | str) -> str:
    exact = Money.of(amount) if isinstance(amount, str) else amount
    return f"{exact.yuan:,.2f}"
