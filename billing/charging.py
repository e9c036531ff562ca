"""Price every finished session, and again when the session changes, until an invoice takes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import CompoundSelect, delete, or_, select, union_all
from sqlalchemy.orm import Session

from app.booking.services import commissioned
from app.catalogue.models import ChargeUnit, Equipment
from app.catalogue.rules.customer import CustomerRelation, class_of
from app.kernel import clock
from billing.models import Charge, ChargeProblem, Tariff
from billing.rules.charge import ChargeLine, charge_lines
from billing.tariffs import PriceList, price_of
from devices.rules.usage import Usage
from devices.usage import finished_usage, reviewed_sessions


class Problem(StrEnum):
    """Why a session has no charge."""

    NO_ORGANIZATION = "no_organization"
    NO_TARIFF = "no_tariff"
    UNIT_NEEDS_QUANTITY = "unit_needs_quantity"
    OWN_USE = "own_use"
    FREE = "free"
    COMMISSIONED = "commissioned"
    NEEDS_REVIEW = "needs_review"


WAITING = frozenset({Problem.NO_ORGANIZATION, Problem.NO_TARIFF, Problem.UNIT_NEEDS_QUANTITY, Problem.NEEDS_REVIEW})
"""What a person has to look at. The others are settled as they are: commissioned work is paid by its quote."""


@dataclass(frozen=True, slots=True)
class Terms:
    tariff: Tariff
    relation: CustomerRelation
    organization_id: int


def charge_usage(session: Session, *, until: datetime, at: datetime, limit: int = 500) -> int:
    """Charge every session that ended by ``until`` and is not charged as it now stands.

    Running it again charges nothing twice. What cannot be priced goes to the problem queue and is
    left there until the session or the tariffs change, or a person has accepted the session.
    O(sessions that are new or changed).
    """
    settled: CompoundSelect[Any] = union_all(
        select(Charge.usage_session_id, Charge.session_fingerprint),
        select(ChargeProblem.usage_session_id, ChargeProblem.session_fingerprint).where(
            or_(
                ChargeProblem.reason != Problem.NEEDS_REVIEW,
                ChargeProblem.usage_session_id.not_in(reviewed_sessions()),
            )
        ),
    )
    found = finished_usage(session, until=until, settled=settled, limit=limit)
    if not found:
        return 0
    ids = [usage.session_id for usage in found]
    session.execute(delete(Charge).where(Charge.usage_session_id.in_(ids)))
    session.execute(delete(ChargeProblem).where(ChargeProblem.usage_session_id.in_(ids)))
    equipment_ids = {usage.equipment_id for usage in found}
    equipment = {one.id: one for one in session.scalars(select(Equipment).where(Equipment.id.in_(equipment_ids)))}
    prices = PriceList(session, equipment_ids)
    quoted = commissioned(session, [one.reservation_id for one in found if one.reservation_id is not None])
    for usage in found:
        one = equipment[usage.equipment_id]
        terms = Problem.COMMISSIONED if usage.reservation_id in quoted else _terms(prices, usage, one)
        session.add_all(_priced(usage, one, terms, at=at))
    session.flush()
    return len(found)


def reconsider_problems(session: Session, *, platform_id: int) -> None:
    """Try this platform's problems again, after a tariff was added."""
    session.execute(delete(ChargeProblem).where(ChargeProblem.platform_id == platform_id))


def _terms(prices: PriceList, usage: Usage, equipment: Equipment) -> Terms | Problem:
    if usage.needs_review:
        return Problem.NEEDS_REVIEW
    if usage.organization_id is None:
        return Problem.NO_ORGANIZATION
    day = clock.local_date(usage.when.start)
    relation = prices.relation(equipment.platform_id, usage.organization_id, day)
    tariff = prices.tariff(equipment.id, class_of(relation), day)
    if tariff is not None:
        return Terms(tariff, relation, usage.organization_id)
    if relation is CustomerRelation.OWN_USE:
        return Problem.OWN_USE
    return Problem.NO_TARIFF if equipment.charge_unit is ChargeUnit.HOUR else Problem.UNIT_NEEDS_QUANTITY


def _priced(
    usage: Usage, equipment: Equipment, terms: Terms | Problem, *, at: datetime
) -> Sequence[Charge | ChargeProblem]:
    """The charges of one session, or why there are none."""
    if isinstance(terms, Terms):
        lines = charge_lines(usage.when.duration, price_of(terms.tariff))
        if lines:
            return [_row(usage, equipment, terms, line, at=at) for line in lines]
    return [
        ChargeProblem(
            usage_session_id=usage.session_id,
            session_fingerprint=usage.fingerprint,
            platform_id=equipment.platform_id,
            reason=terms.value if isinstance(terms, Problem) else Problem.FREE.value,
            noted_at=at,
        )
    ]


def _row(usage: Usage, equipment: Equipment, terms: Terms, line: ChargeLine, *, at: datetime) -> Charge:
    return Charge(
        usage_session_id=usage.session_id,
        session_fingerprint=usage.fingerprint,
        platform_id=equipment.platform_id,
        organization_id=terms.organization_id,
        equipment_id=equipment.id,
        tariff_id=terms.tariff.id,
        kind=line.kind,
        quantity=line.quantity,
        unit_price=line.unit_price,
        net_fen=line.amount.net,
        tax_fen=line.amount.tax,
        gross_fen=line.amount.gross,
        tax_rate=terms.tariff.tax_rate,
        tax_code=terms.tariff.tax_code,
        category=terms.tariff.category,
        relation=terms.relation,
        inputs={
            "started_at": usage.when.start.isoformat(),
            "ended_at": usage.when.end.isoformat(),
            "running_s": int(usage.running.total_seconds()),
            "energy_mwh": usage.energy_mwh,
            "gap_s": int(usage.gap.total_seconds()),
            "evidence": usage.evidence.value,
            "readings": usage.readings_count,
            "readings_digest": usage.readings_digest,
            "profile_version": usage.profile_version,
            "rule_version": usage.rule_version,
        },
        explanation_zh=line.explanation_zh,
        explanation_en=line.explanation_en,
        served_at=usage.when.start,
        charged_at=at,
    )
