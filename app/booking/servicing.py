"""Commissioned work until it is agreed: ask, quote, decline, withdraw, accept."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from psycopg import errors as pg
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.booking.models import Quote, QuoteLine, ServiceItem, ServiceRequest
from app.booking.rules.service import (
    TITLE_LENGTH,
    QuotedLine,
    SentItem,
    insist_on_items,
    insist_on_move,
    insist_on_quote,
)
from app.booking.rules.words import RequestKind, RequestState
from app.catalogue.models import Equipment, Platform
from app.catalogue.platforms import operator_of
from app.identity.notifying import notify, people_with
from app.identity.rules.notice import NoticeKind, msgid
from app.identity.rules.permission import Role
from app.kernel import audit
from app.kernel.clock import local_date
from app.kernel.errors import Conflict, InvalidInput, NotFound

SUBJECT = "service_request"


def submit(
    session: Session,
    *,
    platform_id: int,
    organization_id: int,
    person_id: int,
    kind: RequestKind,
    title: str,
    at: datetime,
    equipment_id: int | None = None,
    description: str = "",
    wanted_by: date | None = None,
    items: Sequence[SentItem] = (),
    idempotency_key: str | None = None,
) -> ServiceRequest:
    """Ask a platform for work in a firm's name. The same key with the same content gives the same request again.

    Errors: ``InvalidInput`` naming the field; ``Conflict`` for a key that was used for something else.
    """
    if not title or len(title) > TITLE_LENGTH:
        raise InvalidInput("请写一个标题，最多 %(most)s 字。", field="title", most=TITLE_LENGTH)
    if session.get(Platform, platform_id) is None:
        raise InvalidInput("请选择平台。", field="platform_id")
    equipment = None if equipment_id is None else session.get(Equipment, equipment_id)
    if equipment_id is not None and (equipment is None or equipment.platform_id != platform_id):
        raise InvalidInput("请选择这个平台的设备，或不指定设备。", field="equipment_id")
    if wanted_by is not None and wanted_by < local_date(at):
        raise InvalidInput("期望完成日期不能早于今天。", field="wanted_by")
    insist_on_items(items)

    def earlier() -> ServiceRequest | None:
        return _by_key(session, organization_id, idempotency_key, platform_id=platform_id, kind=kind, title=title)

    if (known := earlier()) is not None:
        return known
    request = ServiceRequest(
        platform_id=platform_id,
        equipment_id=equipment_id,
        organization_id=organization_id,
        person_id=person_id,
        kind=kind,
        title=title,
        description=description,
        wanted_by=wanted_by,
        state=RequestState.SUBMITTED,
        idempotency_key=idempotency_key,
        created_at=at,
        changed_at=at,
        items=[
            ServiceItem(kind=one.kind, name=one.name, quantity=one.quantity, unit=one.unit, hazard=one.hazard)
            for one in items
        ],
    )
    try:
        with session.begin_nested():
            session.add(request)
            session.flush()
    except IntegrityError as error:
        if isinstance(error.orig, pg.UniqueViolation) and (known := earlier()) is not None:
            return known  # the same key came at the same moment by another way
        raise
    note_deed(session, request, "submitted", by=person_id, at=at)
    tell_operator(session, request, msgid("%(firm)s 提交了委托“%(title)s”，请报价。"), deed="submitted", at=at)
    return request


def quote(
    session: Session,
    request_id: int,
    *,
    lines: Sequence[QuotedLine],
    valid_until: date,
    by: int,
    at: datetime,
    note: str = "",
) -> Quote:
    """Make an offer; a new version replaces the last. Errors: ``InvalidInput``; ``Conflict`` once it is agreed."""
    request = locked(session, request_id)
    insist_on_move(request.state, RequestState.QUOTED)
    insist_on_quote(lines, valid_until=valid_until, today=local_date(at))
    made = Quote(
        version=len(request.quotes) + 1,
        note=note,
        valid_until=valid_until,
        person_id=by,
        created_at=at,
        lines=[
            QuoteLine(
                position=position,
                label=line.label,
                quantity=line.quantity,
                unit=line.unit,
                price_yuan=line.price_yuan,
                tax_rate=line.tax_rate,
                gross=line.gross,
            )
            for position, line in enumerate(lines, start=1)
        ],
    )
    request.quotes.append(made)
    go(session, request, RequestState.QUOTED, "quoted", by=by, at=at, version=made.version)
    sentence = msgid("委托“%(title)s”已报价（第 %(version)s 版），请查看并确认。")
    tell_firm(session, request, sentence, deed="quoted", at=at, version=made.version)
    return made


def decline(session: Session, request_id: int, *, reason: str, by: int, at: datetime) -> ServiceRequest:
    """Say no, with a reason. Errors: ``InvalidInput`` without one; ``Conflict`` once it is agreed."""
    request = locked(session, request_id)
    insist_on_move(request.state, RequestState.DECLINED)
    if not reason:
        raise InvalidInput("请写明不受理的原因。", field="reason")
    go(session, request, RequestState.DECLINED, "declined", by=by, at=at, reason=reason)
    tell_firm(session, request, msgid("委托“%(title)s”未被受理：%(reason)s"), deed="declined", at=at, reason=reason)
    return request


def withdraw(session: Session, request_id: int, *, by: int, at: datetime) -> ServiceRequest:
    """Take the request back. Twice changes nothing. Errors: ``Conflict`` once work is scheduled."""
    request = locked(session, request_id)
    if request.state is RequestState.WITHDRAWN:
        return request
    insist_on_move(request.state, RequestState.WITHDRAWN)
    go(session, request, RequestState.WITHDRAWN, "withdrawn", by=by, at=at)
    tell_operator(session, request, msgid("%(firm)s 撤回了委托“%(title)s”。"), deed="withdrawn", at=at)
    return request


def accept(session: Session, request_id: int, *, version: int, by: int, at: datetime) -> ServiceRequest:
    """Agree to the quote that the firm saw. Twice changes nothing.

    Errors: ``Conflict`` when a newer version is there, the offer has expired or the request went another way.
    """
    request = locked(session, request_id)
    if not request.quotes:
        raise Conflict("这项委托还没有报价。")
    latest = request.quotes[-1]
    if latest.accepted_at is not None and latest.version == version:
        return request
    insist_on_move(request.state, RequestState.ACCEPTED)
    if latest.version != version:
        raise Conflict("报价已更新为第 %(version)s 版，请查看新报价后再接受。", version=latest.version)
    if local_date(at) > latest.valid_until:
        raise Conflict("报价已于 %(day)s 过期，请联系平台重新报价。", day=latest.valid_until.isoformat())
    latest.accepted_at, latest.accepted_by = at, by
    go(session, request, RequestState.ACCEPTED, "accepted", by=by, at=at, version=version)
    sentence = msgid("%(firm)s 接受了委托“%(title)s”的报价（第 %(version)s 版），请安排。")
    tell_operator(session, request, sentence, deed="accepted", at=at, version=version)
    return request


def locked(session: Session, request_id: int) -> ServiceRequest:
    """The request as it is now, its row locked: its moves happen one after the other. Errors: ``NotFound``."""
    request = session.scalar(
        select(ServiceRequest)
        .where(ServiceRequest.id == request_id)
        .with_for_update(of=ServiceRequest)
        .execution_options(populate_existing=True)
    )
    if request is None:
        raise NotFound("没有这项委托。")
    return request


def go(
    session: Session, request: ServiceRequest, state: RequestState, deed: str, *, by: int, at: datetime, **detail: Any
) -> None:
    """Move on, and write down who did it."""
    insist_on_move(request.state, state)
    request.state, request.changed_at = state, at
    note_deed(session, request, deed, by=by, at=at, **detail)


def note_deed(session: Session, request: ServiceRequest, deed: str, *, by: int, at: datetime, **detail: Any) -> None:
    audit.record(session, at=at, by=by, deed=deed, subject=SUBJECT, subject_id=request.id, **detail)
    session.flush()


def tell_firm(
    session: Session, request: ServiceRequest, sentence: str, *, deed: str, at: datetime, **facts: Any
) -> None:
    """Whoever asked, and the firm's managers."""
    people = [request.person_id, *people_with(session, request.organization_id, Role.FIRM_MANAGER)]
    _tell(session, request, people, sentence, deed=deed, at=at, **facts)


def tell_operator(
    session: Session, request: ServiceRequest, sentence: str, *, deed: str, at: datetime, **facts: Any
) -> None:
    """The people of the body that runs the platform today."""
    operator = operator_of(session, request.platform_id, on=local_date(at))
    people = [] if operator is None else people_with(session, operator.id, Role.OPERATOR)
    _tell(session, request, people, sentence, deed=deed, at=at, firm=request.organization.name, **facts)


def _tell(
    session: Session,
    request: ServiceRequest,
    people: Sequence[int],
    sentence: str,
    *,
    deed: str,
    at: datetime,
    **facts: Any,
) -> None:
    notify(
        session,
        people,
        kind=NoticeKind.SERVICE_REQUEST,
        key=f"{SUBJECT}:{request.id}:{deed}:{at.isoformat()}",
        sentence=sentence,
        facts={"title": request.title, **facts},
        path=f"/service-requests/{request.id}",
        at=at,
    )


def _by_key(
    session: Session, organization_id: int, key: str | None, *, platform_id: int, kind: RequestKind, title: str
) -> ServiceRequest | None:
    if key is None:
        return None
    known = session.scalar(
        select(ServiceRequest).where(
            ServiceRequest.organization_id == organization_id, ServiceRequest.idempotency_key == key
        )
    )
    if known is not None and (known.platform_id, known.kind, known.title) != (platform_id, kind, title):
        raise Conflict("这个幂等键已用于另一项委托，请换一个新的键。", field="idempotency_key")
    return known
