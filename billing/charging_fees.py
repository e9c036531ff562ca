"""Charge slots that were missed, once their firm has come to the rung of the ladder that costs a fee."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from app.booking.fees import FeeDue, fees_due, forgiven
from app.catalogue.models import Equipment
from app.catalogue.platforms import relation_of
from app.catalogue.rules.customer import CustomerRelation, class_of
from app.kernel.clock import local_date
from billing.models import Charge, FeeSettlement
from billing.rules.figures import plain
from billing.rules.pricing.terms import terms_of
from billing.rules.tax import taxed
from billing.rules.words import ChargeKind, ChargeState, NoFee
from billing.tariffs import tariff_on


def charge_fees(session: Session, *, at: datetime, limit: int = 200) -> int:
    """Settle each missed slot once: charge what costs a fee; take back what was excused before it was invoiced.

    Own use is never charged, and nothing without a tariff whose tax it follows, until there is one. Running it
    again charges nothing twice. Returns how many it settled.
    """
    _take_back(session)
    due = fees_due(session, at=at, settled=select(FeeSettlement.conduct_entry_id), limit=limit)
    for one in due:
        found = _row(session, one, at=at)
        session.add(
            FeeSettlement(
                conduct_entry_id=one.entry_id,
                platform_id=one.platform_id,
                reason=found if isinstance(found, NoFee) else None,
                settled_at=at,
            )
        )
        if isinstance(found, Charge):
            session.add(found)
    session.flush()
    return len(due)


def _take_back(session: Session) -> None:
    still_open = session.scalars(
        select(Charge.conduct_entry_id).where(
            Charge.conduct_entry_id.is_not(None), Charge.state != ChargeState.INVOICED
        )
    ).all()
    if gone := forgiven(session, [number for number in still_open if number is not None]):
        session.execute(delete(Charge).where(Charge.conduct_entry_id.in_(gone), Charge.state != ChargeState.INVOICED))


def _row(session: Session, due: FeeDue, *, at: datetime) -> Charge | NoFee:
    if not due.fee:
        return NoFee.NOT_YET
    day = local_date(due.due_at)
    relation = relation_of(session, platform_id=due.platform_id, organization_id=due.organization_id, on=day)
    if relation is CustomerRelation.OWN_USE:
        return NoFee.OWN_USE
    equipment = session.get_one(Equipment, due.equipment_id)
    tariff = tariff_on(
        session,
        equipment=equipment,
        customer_class=class_of(relation),
        on=day,
        organization_id=due.organization_id,
    )
    if tariff is None:
        return NoFee.NO_TARIFF  # nobody has said yet how this equipment is taxed
    terms = terms_of(tariff.terms)
    if terms.no_show is not None:
        return NoFee.PRICED  # the price has a rule of its own for missed slots (billing.charging.charge_unused)
    amount = taxed(due.fee.yuan, rate=terms.vat_rate, includes_tax=True)
    fee, tax, percent = f"{amount.gross.yuan:,.2f}", f"{amount.tax.yuan:,.2f}", plain(terms.vat_rate * 100)
    return Charge(
        conduct_entry_id=due.entry_id,
        platform_id=due.platform_id,
        organization_id=due.organization_id,
        equipment_id=due.equipment_id,
        kind=ChargeKind.NO_SHOW,
        quantity=Decimal(1),
        unit="次",
        unit_price=due.fee.yuan,
        net_fen=amount.net,
        tax_fen=amount.tax,
        gross_fen=amount.gross,
        tax_rate=terms.vat_rate,
        tax_code=tariff.tax_code,
        category=tariff.category,
        relation=relation,
        inputs={"reservation_id": due.reservation_id, "fee": str(due.fee.yuan)},
        explanation_zh=f"预约 #{due.reservation_id}（{equipment.name_zh}）爽约："
        f"1 次 × ¥{fee}（含 {percent} % 税 ¥{tax}）",
        explanation_en=f"Reservation #{due.reservation_id} ({equipment.name_en}) was not used: 1 × ¥{fee}"
        f" (including {percent} % VAT ¥{tax})",
        served_at=due.due_at,
        charged_at=at,
    )
