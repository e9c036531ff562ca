"""Price every finished session, and again when the session changes, until an invoice takes it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import delete, select, union_all
from sqlalchemy.orm import Session

from app.catalogue.models import ChargeUnit, Equipment
from app.kernel import clock
from billing.models import Charge, ChargeProblem, Tariff
from billing.rules.charge import ChargeLine, charge_lines
from billing.rules.words import ChargeState, CustomerRelation
from billing.tariffs import class_of, price_of, relation_of, tariff_on
from devices.rules.usage import Usage
from devices.usage import finished_usage


class Problem(StrEnum):
    """Why a session waits for a person instead of being guessed at."""

    NO_ORGANIZATION = "no_organization"
    NO_TARIFF = "no_tariff"
    UNIT_NEEDS_QUANTITY = "unit_needs_quantity"


@dataclass(frozen=True, slots=True)
class Terms:
    tariff: Tariff
    relation: CustomerRelation


def charge_usage(session: Session, *, until: datetime, at: datetime, limit: int = 500) -> int:
    """Charge every session that ended by ``until`` and is not charged as it now stands.

    Running it again charges nothing twice. What cannot be priced goes to the problem queue and is
    left there until the session or the tariffs change. O(sessions that are new or changed).
    """
    settled = union_all(
        select(Charge.usage_session_id, Charge.session_fingerprint),
        select(ChargeProblem.usage_session_id, ChargeProblem.session_fingerprint),
    )
    found = finished_usage(session, until=until, settled=settled, limit=limit)
    equipment = {
        one.id: one
        for one in session.scalars(select(Equipment).where(Equipment.id.in_({usage.equipment_id for usage in found})))
    }
    for usage in found:
        _charge(session, usage, equipment[usage.equipment_id], at=at)
    session.flush()
    return len(found)


def reconsider_problems(session: Session, *, platform_id: int) -> None:
    """Try this platform's problems again, after a tariff was added."""
    session.execute(delete(ChargeProblem).where(ChargeProblem.platform_id == platform_id))


def _charge(session: Session, usage: Usage, equipment: Equipment, *, at: datetime) -> None:
    session.execute(
        delete(Charge).where(Charge.usage_session_id == usage.session_id, Charge.state != ChargeState.INVOICED)
    )
    session.execute(delete(ChargeProblem).where(ChargeProblem.usage_session_id == usage.session_id))
    terms = _terms(session, usage, equipment)
    lines = charge_lines(usage.when.duration, price_of(terms.tariff)) if isinstance(terms, Terms) else []
    if isinstance(terms, Terms) and usage.organization_id is not None and lines:
        for line in lines:
            session.add(_row(usage, equipment, terms, line, usage.organization_id, at=at))
    else:
        session.add(
            ChargeProblem(
                usage_session_id=usage.session_id,
                session_fingerprint=usage.fingerprint,
                platform_id=equipment.platform_id,
                reason=terms.value if isinstance(terms, Problem) else "free",
                noted_at=at,
            )
        )


def _terms(session: Session, usage: Usage, equipment: Equipment) -> Terms | Problem:
    if usage.organization_id is None:
        return Problem.NO_ORGANIZATION
    day = clock.local_date(usage.when.start)
    relation = relation_of(session, platform_id=equipment.platform_id, organization_id=usage.organization_id, on=day)
    tariff = tariff_on(session, equipment_id=equipment.id, customer_class=class_of(relation), on=day)
    if tariff is not None:
        return Terms(tariff, relation)
    return Problem.NO_TARIFF if equipment.charge_unit is ChargeUnit.HOUR else Problem.UNIT_NEEDS_QUANTITY


def _row(
    usage: Usage, equipment: Equipment, terms: Terms, line: ChargeLine, organization_id: int, *, at: datetime
) -> Charge:
    return Charge(
        usage_session_id=usage.session_id,
        session_fingerprint=usage.fingerprint,
        platform_id=equipment.platform_id,
        organization_id=organization_id,
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
