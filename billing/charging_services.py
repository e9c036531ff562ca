"""Charge commissioned work once the firm has signed it off: each line of the quote that it accepted."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.booking.rules.service import AgreedLine, SignedRequest
from app.booking.services import signed_requests
from app.catalogue.models import Equipment
from app.catalogue.platforms import relation_of
from app.catalogue.rules.customer import CustomerRelation, class_of
from app.kernel.clock import local_date
from billing.models import Charge, ServiceSettlement
from billing.rules.service import CATEGORIES, TAX_CODE, UNITS, service_line
from billing.rules.words import ChargeKind
from billing.tariffs import tariff_on


def charge_services(session: Session, *, until: datetime, at: datetime, limit: int = 500) -> int:
    """Charge every request that was signed off by ``until`` and was not looked at yet.

    Running it again charges nothing twice. Own use and lines without a price make no charge.
    """
    found = signed_requests(session, until=until, settled=select(ServiceSettlement.service_request_id), limit=limit)
    for request in found:
        charges = _charges(session, request, at=at)
        session.add_all(charges)
        session.add(ServiceSettlement(service_request_id=request.request_id, charges=len(charges), settled_at=at))
    session.flush()
    return len(found)


def _charges(session: Session, request: SignedRequest, *, at: datetime) -> list[Charge]:
    day = local_date(request.signed_at)
    relation = relation_of(session, platform_id=request.platform_id, organization_id=request.organization_id, on=day)
    if relation is CustomerRelation.OWN_USE:
        return []
    code = _tax_code(session, request, relation, day)
    return [_row(request, line, relation, code, at=at) for line in request.lines if line.gross]


def _tax_code(session: Session, request: SignedRequest, relation: CustomerRelation, day: date) -> str:
    if request.equipment_id is None:
        return TAX_CODE
    equipment = session.get_one(Equipment, request.equipment_id)
    tariff = tariff_on(session, equipment=equipment, customer_class=class_of(relation), on=day)
    return TAX_CODE if tariff is None else tariff.tax_code


def _row(
    request: SignedRequest, line: AgreedLine, relation: CustomerRelation, tax_code: str, *, at: datetime
) -> Charge:
    told = service_line(line, version=request.quote_version)
    return Charge(
        service_request_id=request.request_id,
        quote_line_id=line.quote_line_id,
        platform_id=request.platform_id,
        organization_id=request.organization_id,
        equipment_id=request.equipment_id,
        kind=ChargeKind.SERVICE,
        quantity=told.quantity,
        unit=UNITS[line.unit][0],
        unit_price=told.unit_price,
        net_fen=told.amount.net,
        tax_fen=told.amount.tax,
        gross_fen=told.amount.gross,
        tax_rate=line.tax_rate,
        tax_code=tax_code,
        category=CATEGORIES[request.kind],
        relation=relation,
        inputs={
            "title": request.title,
            "label": line.label,
            "quote_version": request.quote_version,
            "position": line.position,
            "signed_at": request.signed_at.isoformat(),
        },
        explanation_zh=told.explanation_zh,
        explanation_en=told.explanation_en,
        served_at=request.signed_at,
        charged_at=at,
    )
