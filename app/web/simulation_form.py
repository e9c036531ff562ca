"""The facts that the form of the simulation states: few, each on one line, the rest as it usually is."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from flask import request

from app.kernel.errors import InvalidInput
from app.kernel.money import ZERO, Money
from app.web.forms import day_in, money_in
from billing.rules.facts import Asset, Document, Evaluation, Facts, Line, Operator, Payment, Platform, Recognition
from billing.rules.words import RevenueCategory

YEARS = 4
MOST = Money.of(10**10)


def facts_in() -> Facts:
    """A platform certified on a day, what it earned and bought in each of four years, and its level.

    Amounts are without tax; every year is evaluated and selected. Errors: ``InvalidInput`` naming the field.
    """
    certified = _day("certified_on")
    first = certified.year
    years = range(first, first + YEARS)
    level, recognised = request.form.get("level", ""), request.form.get("recognised_on", "")
    if level not in ("", "provincial", "national", "national_innovation_centre"):
        raise InvalidInput("请从列出的级别中选择。", field="level")
    recognitions = (Recognition(level, _day("recognised_on"), True, "—"),) if level and recognised else ()  # type: ignore[arg-type]
    if level and not recognised:
        raise InvalidInput("请填写认定日期。", field="recognised_on")
    return Facts(
        platform=Platform("—", (Operator("—", date(1900, 1, 1)),), certified, "—", certified),
        recognitions=recognitions,
        evaluations=tuple(Evaluation(year, True, True, "—") for year in years),
        documents=tuple(
            _earned(year, amount, certified)
            for place, year in enumerate(years)
            if (amount := _money(f"revenue_{place}")) > ZERO
        ),
        assets=tuple(
            _bought(year, amount, certified)
            for place, year in enumerate(years)
            if (amount := _money(f"bought_{place}")) > ZERO
        ),
    )


def _earned(year: int, amount: Money, since: date) -> Document:
    day = max(since, date(year, 12, 31))
    line = Line(RevenueCategory.PERFORMANCE_TEST, amount, Decimal(0), amount_includes_tax=False)
    return Document(f"{year}", day, day, (line,), paid=(Payment(day, amount),))


def _bought(year: int, amount: Money, since: date) -> Asset:
    day = max(since, date(year, 12, 31))
    return Asset(f"{year}", "equipment", day, day, amount, False, Decimal(0), True)


def _day(field: str) -> date:
    day = day_in(field)
    if not 2000 <= day.year <= 2100:
        raise InvalidInput("请填写 2000 至 2100 年之间的日期。", field=field)
    return day


def _money(field: str) -> Money:
    amount = money_in(field)
    if not ZERO <= amount < MOST:
        raise InvalidInput("请填写不小于零、小于一百亿元的金额。", field=field)
    return amount
