"""A claim on paper: what is claimed and how it came about; once decided, the decision too."""

from __future__ import annotations

import json
from typing import Any

from app.kernel import clock
from app.kernel.money import ZERO, Money
from billing.answering import POLICY
from billing.claims.adjusting import granted
from billing.claims.budgeting import left_to_approve
from billing.claims.statements import ClaimView
from billing.models import Claim, ClaimItem
from billing.rules.claim import DECIDED
from billing.rules.facts import Programme
from billing.rules.figures import yuan
from billing.rules.grant_steps import NAMES
from billing.rules.numerals import capital_numerals
from billing.rules.operating_steps import EXCLUDED
from billing.rules.subsidy import Assessment
from billing.typesetting import Press

PRESS = Press("claim_form.typ")
STATES = {
    "filed": "已申报", "returned": "已退回", "withdrawn": "已撤回", "locked": "已锁定", "approved": "已核定",
    "paid": "已拨付", "adjusted": "已调整",
}  # fmt: skip


def claim_pdf(view: ClaimView, judged: Assessment) -> bytes:
    """The claim as it stands, with the reasoning that ``judged`` gives. The same facts give the same bytes."""
    return PRESS.printed(json.dumps(_told(view, judged), ensure_ascii=False))


def _told(view: ClaimView, judged: Assessment) -> dict[str, Any]:
    claim = view.claim
    amount = view.granted if claim.state in DECIDED else view.locked if view.locked is not None else view.filed
    return {
        "platform": claim.platform.name_zh,
        "platform_en": claim.platform.name_en,
        "host": claim.platform.host.name,
        "sample": claim.platform.illustrative,
        "policy": f"{POLICY.number} {POLICY.title_zh}",
        "year": str(claim.year),
        "state": STATES[claim.state.value],
        "decided": claim.state in DECIDED,
        "document": claim.document,
        "decided_on": "" if claim.decided_at is None else clock.local_date(claim.decided_at).isoformat(),
        "locked_on": "" if claim.record is None else claim.record.locked_on.isoformat(),
        "digest": "" if claim.record is None else claim.record.digest,
        "items": [_item(one) for one in claim.items],
        "amount": yuan(amount),
        "capital": capital_numerals(amount),
        "deductions": [
            [_name(item.programme), one.reason, yuan(one.amount_fen)]
            for item in claim.items
            for one in item.deductions
            if one.withdrawn_at is None
        ],
        "adjustments": [
            [_name(item.programme), one.reason, one.document, yuan(one.amount_fen)]
            for item in claim.items
            for one in item.adjustments
        ],
        "borne": [[one.bearer.zh, yuan(one.due), yuan(one.paid)] for one in view.borne] if view.approved else [],
        "questions": [[one.question, one.answer or "（未答复）"] for one in claim.questions],
        "revenue": _revenue(claim, judged),
        "steps": [[step.zh, step.source] for step in judged.trace if step.year in (None, claim.year)],
        "readings": _readings(judged),
    }


def _item(item: ClaimItem) -> list[str]:
    return [
        _name(item.programme), item.payee or "—", yuan(item.filed_fen), _or_dash(item.locked_fen),
        yuan((item.locked_fen or ZERO) - left_to_approve(item)),
        _or_dash(None if item.approved_fen is None else granted(item)),
    ]  # fmt: skip


def _revenue(claim: Claim, judged: Assessment) -> list[list[str]]:
    """From what was invoiced to the base, as on the page of the year."""
    year = next((one for one in judged.revenue_years if one.year == claim.year), None)
    if year is None:
        return []
    rows = [["开票价税合计", yuan(year.with_tax)], ["减：税额", yuan(-year.tax)]]
    rows += [[f"减：{EXCLUDED[reason][0]}", yuan(-amount)] for reason, amount in year.excluded.items()]
    if year.carried_in:
        rows.append(["上年结转", yuan(year.carried_in)])
    return [*rows, ["计补基数", yuan(year.base)]]


def _readings(judged: Assessment) -> list[list[str]]:
    """The readings of the policy that the steps rest on, and those that differ from their default."""
    rests = {number for step in judged.trace for number in step.settings}
    shown = [one for one in POLICY.settings if one.number in rests or one.key in judged.settings.overridden]
    return [[one.number, one.question_zh, one.said(judged.settings.values[one.key])] for one in shown]


def _name(programme: Programme) -> str:
    return NAMES[programme][0]


def _or_dash(amount: Money | None) -> str:
    return "—" if amount is None else yuan(amount)
