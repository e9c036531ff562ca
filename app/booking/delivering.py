"""Commissioned work from agreed to signed off: receive, schedule, deliver, return, sign off."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from app.booking.models import Reservation, ServiceRequest, ServiceResult
from app.booking.reserving import reserve
from app.booking.rules.reservation import ServiceMode
from app.booking.rules.service import MOST_FILE_BYTES, HandedFile, file_name, insist_on_move
from app.booking.rules.words import RequestState
from app.booking.servicing import go, locked, note_deed, tell_firm, tell_operator
from app.catalogue.models import Equipment
from app.identity.rules.notice import msgid
from app.kernel.errors import Conflict, InvalidInput
from app.kernel.interval import Interval

BEING_DONE = frozenset({RequestState.ACCEPTED, RequestState.SCHEDULED})


def receive_items(
    session: Session, request_id: int, *, item_ids: Collection[int], by: int, at: datetime
) -> ServiceRequest:
    """Note which samples and materials have come. Those that had come before stay as they are.

    Errors: ``Conflict`` unless the work is agreed and not yet delivered; ``InvalidInput`` if nothing new is named.
    """
    request = locked(session, request_id)
    if request.state not in BEING_DONE:
        raise Conflict("只有已接受报价、尚未交付的委托才能收样。")
    came = [item for item in request.items if item.id in item_ids and item.received_at is None]
    if not came:
        raise InvalidInput("请勾选收到的样品或材料。", field="sent")
    for item in came:
        item.received_at = at
    request.changed_at = at
    names = "、".join(item.name for item in came)
    note_deed(session, request, "received", by=by, at=at, items=names)
    tell_firm(
        session, request, msgid("委托“%(title)s”的样品或材料已收到：%(items)s"), deed="received", at=at, items=names
    )
    return request


def schedule(
    session: Session,
    request_id: int,
    *,
    equipment_id: int,
    when: Interval,
    by: int,
    at: datetime,
    idempotency_key: str | None = None,
) -> Reservation:
    """Reserve equipment of the platform for the work, in the firm's name; the person is who runs it.

    Errors: as ``reserve``; ``Conflict`` unless the work is agreed; ``InvalidInput`` for another platform's equipment.
    """
    request = locked(session, request_id)
    insist_on_move(request.state, RequestState.SCHEDULED)
    equipment = session.get(Equipment, equipment_id)
    if equipment is None or equipment.platform_id != request.platform_id:
        raise InvalidInput("请选择这个平台的设备。", field="equipment_id")
    reservation = reserve(
        session,
        equipment_id=equipment_id,
        when=when,
        organization_id=request.organization_id,
        person_id=by,
        at=at,
        purpose=request.title,
        idempotency_key=idempotency_key,
        mode=ServiceMode.COMMISSIONED,
        service_request_id=request.id,
        by_operator=True,
    )
    go(
        session,
        request,
        RequestState.SCHEDULED,
        "scheduled",
        by=by,
        at=at,
        reservation_id=reservation.id,
        starts_at=when.start.isoformat(),
    )
    sentence = msgid("委托“%(title)s”已安排设备，%(starts_at)s 开始。")
    tell_firm(session, request, sentence, deed="scheduled", at=at, starts_at=when.start.isoformat())
    return reservation


def deliver(
    session: Session, request_id: int, *, files: Sequence[HandedFile], by: int, at: datetime, note: str = ""
) -> ServiceRequest:
    """Hand the work over: files, or a note where there is nothing to upload. Again adds to what was handed over.

    Errors: ``InvalidInput`` for nothing at all, an empty file or one that is too large; ``Conflict`` unless agreed.
    """
    request = locked(session, request_id)
    insist_on_move(request.state, RequestState.DELIVERED)
    if not files and not note:
        raise InvalidInput("请上传成果文件，或写明交付情况。", field="files")
    for file in files:
        if not file.content or len(file.content) > MOST_FILE_BYTES:
            raise InvalidInput("文件“%(name)s”是空的，或超过 20 MB。", field="files", name=file.name)
    request.results += [
        ServiceResult(
            name=file_name(file.name),
            media_type=file.media_type[:80],
            content=file.content,
            digest=hashlib.sha256(file.content).hexdigest(),
            size_bytes=len(file.content),
            person_id=by,
            created_at=at,
        )
        for file in files
    ]
    go(session, request, RequestState.DELIVERED, "delivered", by=by, at=at, files=len(files), note=note)
    tell_firm(session, request, msgid("委托“%(title)s”的成果已交付，请验收。"), deed="delivered", at=at)
    return request


def send_back(session: Session, request_id: int, *, reason: str, by: int, at: datetime) -> ServiceRequest:
    """The firm is not content: the work stays delivered and unsigned until the platform delivers again.

    Errors: ``InvalidInput`` without a reason; ``Conflict`` unless it is delivered.
    """
    request = locked(session, request_id)
    if request.state is not RequestState.DELIVERED:
        raise Conflict("只有已交付、尚未验收的委托才能退回。")
    if not reason:
        raise InvalidInput("请写明退回的原因。", field="reason")
    go(session, request, RequestState.DELIVERED, "returned", by=by, at=at, reason=reason)
    sentence = msgid("%(firm)s 退回了委托“%(title)s”的成果：%(reason)s")
    tell_operator(session, request, sentence, deed="returned", at=at, reason=reason)
    return request


def sign_off(session: Session, request_id: int, *, by: int, at: datetime) -> ServiceRequest:
    """The firm has what it asked for; from now on the accepted quote is charged. Twice changes nothing."""
    request = locked(session, request_id)
    if request.state is RequestState.SIGNED_OFF:
        return request
    insist_on_move(request.state, RequestState.SIGNED_OFF)
    request.signed_at = at
    go(session, request, RequestState.SIGNED_OFF, "signed_off", by=by, at=at)
    tell_operator(session, request, msgid("%(firm)s 已验收委托“%(title)s”。"), deed="signed_off", at=at)
    return request
