"""The door of booking for commissioned work: what was signed off, and which reservations served it."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Select, SelectBase, select
from sqlalchemy.orm import Session, selectinload

from app.booking.models import Quote, Reservation, ServiceRequest
from app.booking.rules.service import AgreedLine, SignedRequest
from app.booking.rules.words import RequestState


def signed_requests(session: Session, *, until: datetime, settled: SelectBase, limit: int) -> list[SignedRequest]:
    """Requests that were signed off by ``until``, oldest first, but those that are ``settled``.

    Shape: ``settled`` selects request ids.
    """
    rows = session.scalars(
        select(ServiceRequest)
        .where(
            ServiceRequest.state == RequestState.SIGNED_OFF,
            ServiceRequest.signed_at <= until,
            ServiceRequest.id.not_in(settled),
        )
        .options(selectinload(ServiceRequest.quotes).selectinload(Quote.lines))
        .order_by(ServiceRequest.signed_at, ServiceRequest.id)
        .limit(limit)
    )
    return [_signed(row) for row in rows]


def commissioned(session: Session, reservation_ids: Collection[int]) -> dict[int, int]:
    """Which of these reservations serve commissioned work, and whose request. One query."""
    rows = session.execute(
        select(Reservation.id, Reservation.service_request_id).where(
            Reservation.id.in_(reservation_ids), Reservation.service_request_id.is_not(None)
        )
    )
    return {reservation_id: request_id for reservation_id, request_id in rows if request_id is not None}


def reservations_for(session: Session, request_ids: Collection[int]) -> dict[int, list[int]]:
    """The ids of the reservations that serve each of these requests, by start. One query."""
    found: dict[int, list[int]] = {request_id: [] for request_id in request_ids}
    rows = session.execute(
        select(Reservation.service_request_id, Reservation.id)
        .where(Reservation.service_request_id.in_(request_ids))
        .order_by(Reservation.during)
    )
    for request_id, reservation_id in rows:
        if request_id is not None:
            found[request_id].append(reservation_id)
    return found


def reservations_serving(request_ids: SelectBase) -> Select[int]:
    """Ids of the reservations that serve these requests."""
    return select(Reservation.id).where(Reservation.service_request_id.in_(request_ids))


def _signed(row: ServiceRequest) -> SignedRequest:
    agreed = next(one for one in reversed(row.quotes) if one.accepted_at is not None)
    if row.signed_at is None:
        raise ValueError(f"service request {row.id} is signed off without a time")
    return SignedRequest(
        request_id=row.id,
        platform_id=row.platform_id,
        organization_id=row.organization_id,
        equipment_id=row.equipment_id,
        kind=row.kind,
        title=row.title,
        signed_at=row.signed_at,
        quote_version=agreed.version,
        lines=tuple(
            AgreedLine(
                quote_line_id=line.id,
                position=line.position,
                label=line.label,
                quantity=line.quantity,
                unit=line.unit,
                price_yuan=line.price_yuan,
                tax_rate=line.tax_rate,
                gross=line.gross,
            )
            for line in agreed.lines
        ),
    )
