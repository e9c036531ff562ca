"""Makers of valid subsidy facts: a certified platform, selected every year, so that a test names what matters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

from app.kernel.money import Money
from billing.policies.jinzhengban_2025_13 import POLICY
from billing.rules.facts import Document, Evaluation, Facts, Filing, Line, Operator, Payment, Platform
from billing.rules.grant import Grant
from billing.rules.subsidy import Assessment, assess
from billing.rules.words import RevenueCategory

JIA = Operator("甲", date(2026, 1, 1))
PLATFORM = Platform("平台", (JIA,), date(2025, 12, 31), "认定1号", date(2026, 1, 1))


def day(text: str) -> date:
    return date.fromisoformat(text)


def line(amount: str, **more: Any) -> Line:
    given = {"category": RevenueCategory.PERFORMANCE_TEST, "tax_rate": Decimal("0.06"), "amount_includes_tax": False}
    return Line(amount=Money.of(amount), **{**given, **more})


def invoice(no: str, issued_on: str, *lines: Line | str, **more: Any) -> Document:
    issued = day(issued_on)
    made = tuple(x if isinstance(x, Line) else line(x) for x in lines)
    return Document(**{"no": no, "issued_on": issued, "service_on": issued, "lines": made, **more})


def paid(*payments: tuple[str, str]) -> tuple[Payment, ...]:
    return tuple(Payment(day(on), Money.of(amount)) for on, amount in payments)


def locks(**days: str) -> tuple[Filing, ...]:
    """``locks(y2026="2027-03-31")``."""
    return tuple(Filing(int(year[1:]), day(on)) for year, on in days.items())


def facts(*documents: Document, unselected: tuple[int, ...] = (), **more: Any) -> Facts:
    evaluations = tuple(Evaluation(y, True, y not in unselected, f"评估{y}") for y in range(2025, 2033))
    return Facts(**{"platform": PLATFORM, "evaluations": evaluations, "documents": documents, **more})


def platform(**changes: Any) -> Platform:
    return replace(PLATFORM, **changes)


def assessed(these: Facts, **settings: Any) -> Assessment:
    return assess(these, POLICY.settings_with(settings), POLICY)


def grants_of(assessment: Assessment) -> Mapping[int, Grant]:
    return {grant.year: grant for grant in assessment.grants}


def payable(these: Facts, **settings: Any) -> dict[int, str]:
    """Years with a grant and what is paid for them."""
    found = assessed(these, **settings).grants
    return {grant.year: str(grant.payable.amount) for grant in found if grant.payable.amount}


def clawback(these: Facts, **settings: Any) -> dict[int, str]:
    found = assessed(these, **settings).grants
    return {grant.year: str(grant.clawback.amount) for grant in found if grant.clawback.amount}
