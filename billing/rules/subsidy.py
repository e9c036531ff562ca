"""What 六(二) grants one platform: a pure function from facts and readings to grants with their reasons."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from app.kernel.money import ZERO, total
from billing.rules.facts import Facts
from billing.rules.grant import Grant, Step
from billing.rules.operating import OperatingYear, as_if_certified, judged_years, operating_grant
from billing.rules.operating_steps import CLAUSE, operating_steps
from billing.rules.policy import Policy, Settings
from billing.rules.revenue import Exclusion, RevenueYear, revenue_start

NEGATIVE_YEAR = "review_negative_year"
CATEGORY = "review_category"
NO_PAYMENT_STATED = "review_no_payment_stated"


@dataclass(frozen=True, slots=True)
class Assessment:
    """The result. ``grants`` and ``revenue_years`` ascend by year; ``flags`` ask a person to look.

    ``trace`` says it all in order; ``policy`` is the number of the document it rests on.
    """

    policy: str
    settings: Settings
    grants: tuple[Grant, ...]
    revenue_years: tuple[RevenueYear, ...]
    flags: tuple[str, ...]
    trace: tuple[Step, ...]
    premises_m2: int | None = None

    def steps_of(self, year: int) -> tuple[Step, ...]:
        return tuple(step for step in self.trace if step.year == year)


def assess(facts: Facts, settings: Settings, policy: Policy) -> Assessment:
    """Judge every year that the facts touch. The same facts and readings always give the same result."""
    judged = judged_years(facts, settings, policy)
    grants = [operating_grant(result, facts, settings, policy) for result in judged]
    trace = list(_opening_steps(facts, settings, policy))
    for result, grant in zip(judged, grants, strict=True):
        trace.extend(operating_steps(result, grant, policy))
    return Assessment(
        policy=policy.number,
        settings=settings,
        grants=tuple(grants),
        revenue_years=tuple(result.revenue for result in judged),
        flags=tuple(_flags(facts, judged, settings)),
        trace=tuple(trace),
    )


def _opening_steps(facts: Facts, settings: Settings, policy: Policy) -> Iterator[Step]:
    platform = facts.platform
    start = revenue_start(as_if_certified(platform), settings)
    yield Step(
        "policy",
        CLAUSE,
        f"适用 {policy.number}，自 {policy.in_force_from} 起施行；与默认不同的口径：{_changed(settings) or '无'}",
        f"{policy.number} applies, in force from {policy.in_force_from}; "
        f"readings that differ from the default: {_changed(settings) or 'none'}",
        ("A28",),
    )
    yield Step(
        "start",
        CLAUSE,
        f"{platform.name}：认定 {platform.certified_on or '无'}（{platform.certification_document or '无文件'}），"
        f"实际运行 {platform.operating_since or '无'}，收入自 {start or '—'} 起计",
        f"{platform.name}: certified {platform.certified_on or 'never'} "
        f"({platform.certification_document or 'no document'}), operating since {platform.operating_since or 'never'}; "
        f"revenue counts from {start or '—'}",
        ("A06",),
    )
    if facts.prepayments:
        held = total([p.amount for p in facts.prepayments])
        yield Step(
            "prepayments",
            CLAUSE,
            f"预存款 {held} 为负债，消费开票前不计收入",
            f"Prepayments of {held} are a liability and no revenue until a service consumes them",
            ("A30",),
            figures={"prepayments": held},
        )


def _changed(settings: Settings) -> str:
    return "、".join(sorted(key[:3] for key in settings.overridden))


def _flags(facts: Facts, judged: Sequence[OperatingYear], settings: Settings) -> Iterator[str]:
    if any(result.revenue.own < ZERO for result in judged):
        yield NEGATIVE_YEAR
    if any(Exclusion.CATEGORY_UNDER_REVIEW in result.revenue.excluded for result in judged):
        yield CATEGORY
    unpaid = any(not d.paid for d in facts.documents if d.credit_note_of is None)
    if unpaid and settings.text("A02_revenue_basis") == "cash_date":
        yield NO_PAYMENT_STATED
