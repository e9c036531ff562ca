"""What billing says before and after a slot is reserved; booking itself knows nothing of money."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from itertools import groupby

from sqlalchemy.orm import Session

from app.booking.models import Reservation
from app.catalogue.models import Equipment
from app.kernel.errors import Conflict
from app.kernel.money import Money
from app.web.estimates import estimates
from billing.ageing import overdue_of
from billing.holding import hold_for


def refuse_overdue(session: Session, equipment_id: int, organization_id: int, at: datetime) -> None:
    """Errors: ``Conflict`` that names the invoice, the amount and how to pay."""
    equipment = session.get(Equipment, equipment_id)
    if equipment is None:
        return  # whoever reserves says so
    overdue = overdue_of(session, equipment.platform_id, organization_id, at)
    if overdue is not None:
        raise Conflict(
            "结算单 %(label)s 已逾期 %(days)s 天，尚欠 ¥%(amount)s，付清后才能继续预约该平台的设备。"
            "请按结算单汇款并在附言写明单号。%(pay_to)s",
            label=overdue.invoice.label,
            days=overdue.days,
            amount=f"{overdue.invoice.due.yuan:,.2f}",
            pay_to=overdue.pay_to,
        )


def hold_deposits(session: Session, reservations: Iterable[Reservation], at: datetime) -> None:
    """Hold the estimate of each reservation, in the transaction that reserved or moved it.

    Errors: ``Conflict`` where a deposit does not reach.
    """
    for firm, own in groupby(sorted(reservations, key=lambda one: (one.organization_id, one.id)), _firm_of):
        booked = list(own)
        told = estimates(session, [(one.equipment, one.during) for one in booked], organization_id=firm)
        for one, estimate in zip(booked, told, strict=True):
            hold_for(session, one, at, platform_id=one.equipment.platform_id, estimate=Money.rounded(estimate.total))


def _firm_of(reservation: Reservation) -> int:
    return reservation.organization_id
