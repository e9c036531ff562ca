"""Set prices: a new version from a day on, an end for one that is used, none of it in the past of what was charged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, func, select
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.orm import Session

from app.catalogue.models import EquipmentKind
from app.catalogue.rules.customer import CustomerClass
from app.kernel import audit
from app.kernel.clock import local_date
from app.kernel.errors import Conflict, InvalidInput, NotFound
from app.kernel.interval import Interval
from app.kernel.money import ZERO, Money
from billing.charging import reconsider_problems
from billing.charging_queue import settle_alone
from billing.models import Tariff, UseSettlement
from billing.rules.pricing.facts import UseFacts
from billing.rules.pricing.outcome import Free, Outcome, Priced
from billing.rules.pricing.price import price_use
from billing.rules.pricing.terms import Terms, terms_of, terms_told
from billing.rules.pricing.told import facts_of
from billing.rules.words import RevenueCategory

COMPARED = 500
"""So many cases are priced again for a comparison: about half a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What a price is for and for whom: one piece of equipment, a kind of it, or the platform; a class, or one firm."""

    platform_id: int
    equipment_id: int | None = None
    equipment_kind: EquipmentKind | None = None
    organization_id: int | None = None
    customer_class: CustomerClass = CustomerClass.EXTERNAL

    def versions(self) -> ColumnElement[bool]:
        return and_(
            Tariff.platform_id == self.platform_id,
            Tariff.equipment_id.is_not_distinct_from(self.equipment_id),
            Tariff.equipment_kind.is_not_distinct_from(self.equipment_kind),
            Tariff.organization_id.is_not_distinct_from(self.organization_id),
            Tariff.customer_class == self.customer_class,
        )


@dataclass(frozen=True, slots=True)
class WhatIf:
    """One case of the past under the present and under other terms; ``None`` where there is no price."""

    settlement: UseSettlement
    was: Money | None
    would_be: Money | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Cases of the past under other terms: one of every ``step`` of the ``count`` there were."""

    count: int
    step: int
    cases: Sequence[WhatIf]


def add_version(
    session: Session,
    subject: Subject,
    terms: Mapping[str, Any],
    *,
    valid_from: date,
    tax_code: str,
    category: RevenueCategory,
    by: int,
    at: datetime,
) -> Tariff:
    """A new version from that day on. The one before it ends there; problems for want of a price are tried again.

    Errors: ``InvalidInput`` for terms that cannot be, a tax code of other than 19 digits, or a first day in a time
    that an older version was charged for.
    """
    checked = terms_of(terms)
    if len(tax_code) != 19 or not tax_code.isdecimal():
        raise InvalidInput("税收分类编码为 19 位数字。", field="tax_code")
    if checked.support_per_unit:
        raise InvalidInput("价格里不能含由他人承担的部分，请用付款方分摊。", field="support_per_unit")
    settle_alone(session, [subject.platform_id])  # before its tariffs are locked: who settles now needs them
    versions = session.scalars(select(Tariff).where(subject.versions()).order_by(Tariff.days).with_for_update()).all()
    last = versions[-1] if versions else None
    if last is not None:
        _insist_free(session, last, valid_from)
        if first_day(last) >= valid_from:
            raise InvalidInput(
                "已有 %(day)s 起的版本。请选择更晚的日期，或先删除那个未使用的版本。",
                field="valid_from",
                day=first_day(last).isoformat(),
            )
        if last.days.upper is None or last.days.upper > valid_from:
            last.days = Range(last.days.lower, valid_from)
            session.flush()
    row = Tariff(
        platform_id=subject.platform_id,
        equipment_id=subject.equipment_id,
        equipment_kind=subject.equipment_kind,
        organization_id=subject.organization_id,
        customer_class=subject.customer_class,
        days=Range(valid_from, None),
        terms=terms_told(checked),
        tax_code=tax_code,
        category=category,
        created_at=at,
        created_by=by,
    )
    session.add(row)
    session.flush()
    audit.record(session, at=at, by=by, deed="priced", subject="tariff", subject_id=row.id, terms=row.terms,
                 valid_from=valid_from.isoformat())  # fmt: skip
    reconsider_problems(session, platform_id=subject.platform_id, at=at)
    return row


def end_version(session: Session, tariff_id: int, *, day_after: date, by: int, at: datetime) -> Tariff:
    """Let a version end before that day. Errors: ``InvalidInput`` if it was charged for later use already."""
    row = _locked(session, tariff_id)
    if day_after <= first_day(row):
        raise InvalidInput("结束日应晚于生效日。", field="day_after")
    if row.days.upper is not None and day_after > row.days.upper:
        raise InvalidInput("只能提前结束，不能延长。如需延长，请新增版本。", field="day_after")
    _insist_free(session, row, day_after)
    row.days = Range(row.days.lower, day_after)
    session.flush()
    audit.record(session, at=at, by=by, deed="price ended", subject="tariff", subject_id=row.id,
                 day_after=day_after.isoformat())  # fmt: skip
    return row


def delete_version(session: Session, tariff_id: int, *, by: int, at: datetime) -> None:
    """Take away a version that nothing was charged by. Errors: ``Conflict`` for a used one."""
    row = _locked(session, tariff_id)
    if session.scalar(select(exists().where(UseSettlement.tariff_id == row.id))):
        raise Conflict("这个版本已用于计费，只能设定结束日，不能删除。")
    audit.record(session, at=at, by=by, deed="price deleted", subject="tariff", subject_id=row.id, terms=row.terms)
    session.delete(row)
    session.flush()


def what_if(session: Session, subject: Subject, terms: Terms, within: Interval, *, most: int = COMPARED) -> Comparison:
    """What the cases of that time under this subject's price would have cost under other terms, by time.

    Nothing is changed. At most ``most`` cases are priced: of more, every second, third … of them.
    """
    cases = (
        select(UseSettlement.id, func.row_number().over(order_by=(UseSettlement.used_from, UseSettlement.id)) - 1)
        .join(Tariff, Tariff.id == UseSettlement.tariff_id)
        .where(
            subject.versions(),
            UseSettlement.used_from >= within.start,
            UseSettlement.used_from < within.end,
            UseSettlement.sequence == 0,
        )
        .subquery()
    )
    case_id, place = cases.c
    count = session.scalar(select(func.count()).select_from(cases)) or 0
    step = -(-count // most) or 1
    chosen = session.scalars(
        select(UseSettlement).join(cases, case_id == UseSettlement.id).where(place % step == 0).order_by(place)
    )
    found = [WhatIf(case, *_both(facts, terms)) for case in chosen if (facts := _facts(case)) is not None]
    return Comparison(count, step, found)


def examples(terms: Terms, facts: Sequence[tuple[str, UseFacts]]) -> Iterator[tuple[str, Outcome]]:
    """What each of these made-up cases costs under the terms."""
    for name, one in facts:
        yield name, price_use(replace(one, terms=terms))


def _facts(case: UseSettlement) -> UseFacts | None:
    return facts_of(case.facts) if "tariff" in case.facts else None


def _both(facts: UseFacts, terms: Terms) -> tuple[Money | None, Money | None]:
    return _gross(price_use(facts)), _gross(price_use(replace(facts, terms=terms)))


def _gross(outcome: Outcome) -> Money | None:
    if isinstance(outcome, Priced):
        return outcome.gross
    return ZERO if isinstance(outcome, Free) else None


def _insist_free(session: Session, row: Tariff, day: date) -> None:
    """Errors: ``InvalidInput`` if use from that day on was charged by this version."""
    last = session.scalar(
        select(UseSettlement.used_from)
        .where(UseSettlement.tariff_id == row.id)
        .order_by(UseSettlement.used_from.desc())
        .limit(1)
    )
    if last is not None and local_date(last) >= day:
        raise InvalidInput(
            "现行版本已用于 %(day)s 的计费，新价格最早从次日生效。",
            field="valid_from",
            day=local_date(last).isoformat(),
        )


def earliest_day(session: Session, subject: Subject, *, today: date) -> date:
    """The first day from which a new version may hold: today, or after the last use that was charged."""
    last = session.scalar(
        select(UseSettlement.used_from)
        .join(Tariff, Tariff.id == UseSettlement.tariff_id)
        .where(subject.versions())
        .order_by(UseSettlement.used_from.desc())
        .limit(1)
    )
    return today if last is None else max(today, local_date(last) + timedelta(days=1))


def first_day(row: Tariff) -> date:
    """From when a version holds; every version has such a day."""
    if row.days.lower is None:
        raise ValueError(f"tariff {row.id} has no first day")
    return row.days.lower


def _locked(session: Session, tariff_id: int) -> Tariff:
    row = session.get(Tariff, tariff_id, with_for_update=True)
    if row is None:
        raise NotFound("没有找到这一项，或您无权查看。")
    return row
