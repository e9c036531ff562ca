"""Write down what cases of use came to: their charges, or why there are none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, exists, func, insert, or_, select, tuple_
from sqlalchemy.orm import Session

from app.catalogue.rules.customer import class_of
from app.kernel import clock
from app.kernel.interval import Interval, local_month
from billing.charge_rows import Priceable, common_of, difference_row, line_row
from billing.charged_before import Before, CaseKey, charged_before
from billing.earlier_words import say_again
from billing.gathering import Case, facts_of_case
from billing.models import Charge, SettledSession, Tariff, UseSettlement
from billing.rules.adjustment import differences
from billing.rules.pricing.outcome import Free, NeedsReview, Priced, Refused
from billing.rules.pricing.price import counted_use, price_use
from billing.rules.pricing.terms import Unit
from billing.rules.pricing.told import facts_told
from billing.rules.words import ChargeState, SettlementStatus


class Problem(StrEnum):
    """Why a case has no charge, beside the reasons that pricing itself gives."""

    NO_ORGANIZATION = "no_organization"
    NO_TARIFF = "no_tariff"
    UNIT_NEEDS_QUANTITY = "unit_needs_quantity"
    OWN_USE = "own_use"
    COMMISSIONED = "commissioned"
    NEEDS_REVIEW = "needs_review"
    CREDIT_DUE = "credit_due"


SETTLED = frozenset({Problem.OWN_USE, Problem.COMMISSIONED})
"""Nothing for a person to do: the platform's own use is free, commissioned work is paid by its quote."""

WAITING = (SettlementStatus.NEEDS_REVIEW, SettlementStatus.REFUSED)
"""What a person has to look at, or a price has to be found for."""
UNUSED_SINCE = timedelta(days=40)
"""How far back reservations without use are looked for."""


@dataclass(slots=True)
class Settled:
    """What a case came to, before it is written down: its settlement and its charges as rows."""

    case: Case
    row: dict[str, Any]
    charges: list[dict[str, Any]] = field(default_factory=list)


def settle(session: Session, cases: Sequence[tuple[Case, Priceable | Problem]], *, at: datetime) -> None:
    """Price cases and keep the outcomes. What was charged for one already and stands is taken off.

    Shape: cases by start. O(runs), in a few statements for all of them; one query and one more statement for each
    case whose price has steps, since it stands on those before it.
    """
    before = charged_before(
        session,
        reservation_ids=[case.reservation_id for case, _ in cases if case.reservation_id is not None],
        session_ids=[case.session_id for case, _ in cases if case.session_id is not None],
    )
    waiting: list[Settled] = []
    for case, terms in cases:
        steps = isinstance(terms, Priceable) and terms.terms.tiers is not None
        if steps:
            _keep(session, waiting, at=at)
            waiting = []
        waiting.append(_outcome(session, case, terms, before.get(_key(case)), at=at))
        if steps and isinstance(terms, Priceable):
            _count_again(session, terms, case, at=at)
    _keep(session, waiting, at=at)


def _outcome(
    session: Session, case: Case, terms: Priceable | Problem, before: Before | None, *, at: datetime
) -> Settled:
    sequence = 0 if before is None else before.sequence + 1
    if isinstance(terms, Problem):
        status = SettlementStatus.FREE if terms in SETTLED else SettlementStatus.NEEDS_REVIEW
        if terms in (Problem.NO_TARIFF, Problem.UNIT_NEEDS_QUANTITY):
            status = SettlementStatus.REFUSED
        return Settled(case, _row(case, status, terms.value, sequence=sequence, at=at))
    agreed = terms.terms
    facts = facts_of_case(
        session,
        case,
        agreed,
        customer_class=class_of(terms.relation).value,
        prior_quantity=_before(session, terms, case) if agreed.tiers is not None else Decimal(),
        at=at,
    )
    outcome = price_use(facts)
    row = partial(
        _row,
        case,
        tariff=terms.tariff,
        facts=facts_told(facts),
        quantity=counted_use(facts, outcome) if agreed.tiers is not None else Decimal(),
        sequence=sequence,
        at=at,
    )
    if not isinstance(outcome, Priced):
        return Settled(case, row(_status(outcome), outcome.reason))
    if before is None:
        charges = [line_row(position, line) for position, line in enumerate(outcome.lines, start=1)]
    else:
        on_top = differences(outcome.lines, before.charged)
        if any(one.amount.net.fen < 0 or one.amount.tax.fen < 0 for one in on_top):
            return Settled(case, row(SettlementStatus.NEEDS_REVIEW, Problem.CREDIT_DUE))
        charges = [difference_row(position, one) for position, one in enumerate(on_top, start=1)]
    common = common_of(case, outcome, terms, at)
    status = SettlementStatus.PRICED if charges else SettlementStatus.FREE
    return Settled(case, row(status, ""), [{**common, **each} for each in charges])


def _row(
    case: Case,
    status: SettlementStatus,
    reason: str,
    *,
    sequence: int,
    at: datetime,
    tariff: Tariff | None = None,
    facts: dict[str, Any] | None = None,
    quantity: Decimal = Decimal(),
) -> dict[str, Any]:
    return {
        "reservation_id": case.reservation_id,
        "usage_session_id": case.session_id,
        "sequence": sequence,
        "platform_id": case.equipment.platform_id,
        "equipment_id": case.equipment.id,
        "organization_id": case.organization_id,
        "tariff_id": None if tariff is None else tariff.id,
        "status": status,
        "reason": reason,
        "facts": facts or {},
        "quantity": quantity,
        "used_from": case.day,
        "settled_at": at,
    }


def _keep(session: Session, found: Sequence[Settled], *, at: datetime) -> None:
    """Write them down: four statements for all of them."""
    if not found:
        return
    ids = session.scalars(
        insert(UseSettlement).returning(UseSettlement.id, sort_by_parameter_order=True), [one.row for one in found]
    ).all()
    numbered = list(zip(ids, found, strict=True))
    sessions = [
        {
            "use_settlement_id": number,
            "usage_session_id": run.session_id,
            "session_fingerprint": run.fingerprint,
            "reviewed": run.reviewed,
        }
        for number, one in numbered
        for run in one.case.sessions
    ]
    if sessions:
        session.execute(insert(SettledSession), sessions)
    charges = [{"use_settlement_id": number, **charge} for number, one in numbered for charge in one.charges]
    if charges:
        session.execute(insert(Charge), charges)
    say_again(session, ids, equipment_ids={one.case.equipment.id for one in found}, at=at)


def _key(case: Case) -> CaseKey:
    return case.reservation_id, case.session_id


def _status(outcome: Free | NeedsReview | Refused) -> SettlementStatus:
    match outcome:
        case Free():
            return SettlementStatus.FREE
        case NeedsReview():
            return SettlementStatus.NEEDS_REVIEW
        case Refused():
            return SettlementStatus.REFUSED


def _month_of(case: Case) -> Interval:
    day = clock.local_date(case.day)
    return local_month(day.year, day.month)


def _before(session: Session, terms: Priceable, case: Case) -> Decimal:
    """What the firm used at this price earlier in the same month."""
    counted = (
        session.scalar(
            select(func.sum(UseSettlement.quantity)).where(
                _same_count(terms), UseSettlement.used_from >= _month_of(case).start, _place() < _place_of(case)
            )
        )
        or Decimal()
    )
    if terms.terms.unit is Unit.HOUR:
        counted = round(Decimal(round(counted * 60)) / 60, 6)  # whole minutes, however many thirds of hours were added
    return counted.normalize()


def _count_again(session: Session, terms: Priceable, case: Case, *, at: datetime) -> None:
    """Later cases of the month stand on other steps now: they are settled anew, unless they are invoiced.

    What nobody would look for again stays as it is.
    """
    invoiced = exists().where(Charge.use_settlement_id == UseSettlement.id, Charge.state == ChargeState.INVOICED)
    found_again = or_(
        exists().where(SettledSession.use_settlement_id == UseSettlement.id),
        and_(UseSettlement.quantity > 0, UseSettlement.used_from > at - UNUSED_SINCE),
    )
    session.execute(
        delete(UseSettlement).where(
            _same_count(terms),
            _place() > _place_of(case),
            UseSettlement.used_from < _month_of(case).end,
            found_again,
            ~invoiced,
        )
    )


def _place() -> ColumnElement[Any]:
    """The place of a case in the count: what begins at the same time has an order too."""
    return tuple_(
        UseSettlement.used_from,
        func.coalesce(UseSettlement.reservation_id, 0),
        func.coalesce(UseSettlement.usage_session_id, 0),
    )


def _place_of(case: Case) -> tuple[datetime, int, int]:
    return case.day, case.reservation_id or 0, case.session_id or 0


def _same_count(terms: Priceable) -> ColumnElement[bool]:
    return and_(UseSettlement.tariff_id == terms.tariff.id, UseSettlement.organization_id == terms.organization_id)
