"""What 六(二) grants one platform: a pure function from facts and readings to grants with their reasons."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date

from app.kernel.money import ZERO, Money, total
from billing.rules.choosing import Choice
from billing.rules.entitlement import Entitlement
from billing.rules.equipment import EquipmentYear
from billing.rules.equipment_steps import equipment_steps
from billing.rules.facts import Facts, Programme
from billing.rules.grant import CLAUSE, Grant, NoGrant, Shares, Step, shares
from billing.rules.grant_steps import amount_steps, closing_steps
from billing.rules.operating import OperatingYear, as_if_certified
from billing.rules.operating_steps import operating_steps
from billing.rules.policy import Policy, Settings
from billing.rules.recognition import AwardYear, premises_of
from billing.rules.recognition_steps import award_steps, premises_step
from billing.rules.revenue import Earned, Exclusion, RevenueYear, revenue_entries, revenue_start

NEGATIVE_YEAR = "review_negative_year"
CATEGORY = "review_category"
NO_PAYMENT_STATED = "review_no_payment_stated"


@dataclass(frozen=True, slots=True)
class Assessment:
    """The result. ``grants`` ascend by year and programme, ``revenue_years`` by year; ``flags`` ask a person to look.

    ``trace`` says it all in order; ``policy`` is the number of the document it rests on.
    """

    policy: str
    settings: Settings
    grants: tuple[Grant, ...]
    revenue_years: tuple[RevenueYear, ...]
    flags: tuple[str, ...]
    trace: tuple[Step, ...]
    premises_m2: int | None = None

    def grants_of(self, year: int) -> tuple[Grant, ...]:
        return tuple(one for one in self.grants if one.year == year)

    def steps_of(self, year: int, programme: Programme = "P2") -> tuple[Step, ...]:
        return tuple(step for step in self.trace if step.year == year and step.programme == programme)


def assess(facts: Facts, settings: Settings, policy: Policy, earned: Earned | None = None) -> Assessment:
    """Judge every programme and year that the facts touch. The same facts and readings always give the same result.

    ``earned`` is what their documents come to, where that is known already: then ``facts`` need not hold any.
    """
    as_if = replace(facts, platform=as_if_certified(facts.platform))
    if earned is None:
        unpaid = any(not d.paid for d in facts.documents if d.credit_note_of is None)
        earned = Earned(revenue_entries(as_if, settings), unpaid)
    choice = Choice(as_if, earned.entries, settings, policy)
    grants = []
    trace = list(_opening_steps(facts, settings, policy))
    for one in choice:
        grant = _grant(one, facts, settings, policy)
        grants.append(grant)
        trace.extend(_steps(one))
        trace.extend(closing_steps(grant, policy))
    premises = premises_of(facts, policy)
    if premises is not None and facts.requested_m2 is not None:
        trace.append(premises_step(premises, facts.requested_m2))
    return Assessment(
        policy=policy.number,
        settings=settings,
        grants=tuple(grants),
        revenue_years=tuple(one.revenue for one in choice.operating),
        flags=tuple(_flags(earned, choice.operating, settings)),
        trace=tuple(trace),
        premises_m2=premises,
    )


def _grant(one: Entitlement, facts: Facts, settings: Settings, policy: Policy) -> Grant:
    """The grant of a judged year; an estimate and nothing payable while the certification is missing."""

    def split(amount: Money) -> Shares:
        return shares(amount, one.programme, settings=settings, policy=policy, on=date(one.year, 12, 31))

    if facts.platform.certification_document is None:
        return Grant(
            one.year, one.programme, Shares(), one.payee, NoGrant.NOT_CERTIFIED,
            estimate=one.payable, clawback=split(one.decided or ZERO),
        )  # fmt: skip
    back = split(min(one.granted, one.clawback + one.overpaid))
    return Grant(one.year, one.programme, split(one.payable), one.payee, one.reason, clawback=back)


def _steps(one: Entitlement) -> Iterator[Step]:
    if isinstance(one, OperatingYear):
        yield from operating_steps(one)
    elif isinstance(one, EquipmentYear):
        yield from equipment_steps(one)
    elif isinstance(one, AwardYear):
        yield from award_steps(one)
    if one.open_to_grant:
        yield from amount_steps(one)


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


def _flags(earned: Earned, judged: Sequence[OperatingYear], settings: Settings) -> Iterator[str]:
    if any(result.revenue.own < ZERO for result in judged):
        yield NEGATIVE_YEAR
    if any(Exclusion.CATEGORY_UNDER_REVIEW in result.revenue.excluded for result in judged):
        yield CATEGORY
    if earned.unpaid and settings.text("A02_revenue_basis") == "cash_date":
        yield NO_PAYMENT_STATED
