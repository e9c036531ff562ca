"""What the pages of commissioned work show, and what their forms say."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Literal, TypeVar

from flask import request
from flask_babel import gettext
from flask_babel import lazy_gettext as _l
from flask_login import current_user
from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload
from werkzeug.wrappers import Response

from app.booking.delivering import BEING_DONE
from app.booking.models import Reservation, ServiceRequest
from app.booking.rules.service import QuotedLine, SentItem
from app.booking.rules.words import REQUEST_MOVES, ItemKind, QuoteUnit, RequestKind, RequestState
from app.booking.servicing import SUBJECT
from app.catalogue.models import Equipment, Platform
from app.identity.models import Organization, Person
from app.identity.rules.permission import Permission
from app.kernel import clock
from app.kernel.audit import AuditEntry
from app.kernel.errors import InvalidInput, Refusal
from app.kernel.money import total
from app.web.access import bounds
from app.web.errors import sentence
from app.web.exports import Column, download
from app.web.formats import said
from app.web.words import state_of, word_of
from billing.statements import charges_of_request, use_of_request

Word = TypeVar("Word", ItemKind, QuoteUnit, RequestKind)
ITEM_ROWS, QUOTE_ROWS = 3, 5
QUOTE_HOLDS = timedelta(days=30)
USUAL_TAX = "6"
STEPS: dict[str, tuple[Any, str]] = {
    "submitted": (_l("已提交"), "file-invoice"),
    "quoted": (_l("报价"), "coin"),
    "accepted": (_l("接受报价"), "check"),
    "declined": (_l("不受理"), "x"),
    "withdrawn": (_l("撤回"), "ban"),
    "received": (_l("收样"), "download"),
    "scheduled": (_l("安排设备"), "calendar"),
    "delivered": (_l("已交付"), "download"),
    "returned": (_l("退回成果"), "alert-triangle"),
    "signed_off": (_l("验收"), "circle-check"),
}


@dataclass(frozen=True, slots=True)
class Step:
    """What happened, who did it, and what they said with it."""

    word: Any
    icon: str
    entry: AuditEntry
    person: str

    @property
    def said(self) -> str:
        detail = self.entry.detail
        return str(detail.get("reason") or detail.get("note") or detail.get("items") or "")


def items_in() -> list[SentItem]:
    """The rows of the form that say something."""
    return [
        SentItem(_word(ItemKind, kind, "sent"), name, _number(quantity, "sent"), unit, hazard)
        for kind, name, quantity, unit, hazard in _rows(
            "item_kind", "item_name", "item_quantity", "item_unit", "item_hazard"
        )
        if name or quantity
    ]


def quoted_lines_in() -> list[QuotedLine]:
    """The rows of the form that say something; the tax is written in per cent."""
    return [
        QuotedLine(
            label,
            _number(quantity, "lines"),
            _word(QuoteUnit, unit, "lines"),
            _number(price, "lines"),
            _number(tax, "lines") / 100,
        )
        for label, quantity, unit, price, tax in _rows(
            "line_label", "line_quantity", "line_unit", "line_price", "line_tax"
        )
        if label or price
    ]


def kind_in() -> RequestKind:
    return _word(RequestKind, request.form.get("kind", ""), "kind")


def request_facts(session: Session, row: ServiceRequest, *, refusal: Refusal | None) -> dict[str, Any]:
    """One request with all that happened, and what the reader may do about it now."""
    mine = bounds(Permission.ASK_SERVICE).allows(organization_id=row.organization_id)
    handles = bounds(Permission.HANDLE_SERVICE).allows(platform_id=row.platform_id)
    moves, latest = REQUEST_MOVES[row.state], row.quotes[-1] if row.quotes else None
    equipment: Sequence[Equipment] = []
    if handles and RequestState.SCHEDULED in moves:
        equipment = session.scalars(
            select(Equipment)
            .where(Equipment.platform_id == row.platform_id, Equipment.bookable)
            .order_by(Equipment.code)
        ).all()
    return {
        "row": row,
        "steps": _steps(session, row.id),
        "latest": latest,
        "quote_total": None if latest is None else total([line.gross for line in latest.lines]),
        "expired": latest is not None and clock.local_date(clock.now()) > latest.valid_until,
        "reservations": session.scalars(
            select(Reservation)
            .where(Reservation.service_request_id == row.id)
            .options(joinedload(Reservation.equipment), joinedload(Reservation.person))
            .order_by(Reservation.during)
        ).all(),
        "used": use_of_request(session, row.id),
        "charges": charges_of_request(session, row.id),
        "equipment": equipment,
        "may_quote": handles and RequestState.QUOTED in moves,
        "may_decline": handles and RequestState.DECLINED in moves,
        "may_receive": handles and row.state in BEING_DONE and any(one.received_at is None for one in row.items),
        "may_deliver": handles and RequestState.DELIVERED in moves,
        "may_accept": mine and RequestState.ACCEPTED in moves,
        "may_withdraw": mine and RequestState.WITHDRAWN in moves,
        "may_sign": mine and row.state is RequestState.DELIVERED,
        "lines": _blank_or_told(
            QUOTE_ROWS, "line_label", "line_quantity", "line_unit", "line_price", "line_tax", usual=USUAL_TAX
        ),
        "units": list(QuoteUnit),
        "valid_until": request.form.get("valid_until") or (clock.local_date(clock.now()) + QUOTE_HOLDS).isoformat(),
        "key": secrets.token_hex(16),
        "failed": request.endpoint,
        **_refused(refusal),
    }


def form_facts(session: Session, equipment: Equipment | None, *, refusal: Refusal | None) -> dict[str, Any]:
    """The empty form for a request, or the refused one with what was written."""
    return {
        "equipment": equipment,
        "platforms": session.scalars(select(Platform).order_by(Platform.id)).all(),
        "organizations": session.scalars(
            select(Organization)
            .where(Organization.id.in_(current_user.reach(Permission.ASK_SERVICE).organizations))
            .order_by(Organization.id)
        ).all(),
        "kinds": list(RequestKind),
        "item_kinds": list(ItemKind),
        "items": _blank_or_told(ITEM_ROWS, "item_kind", "item_name", "item_quantity", "item_unit", "item_hazard"),
        "key": secrets.token_hex(16),
        "told": request.values,
        **_refused(refusal),
    }


def exported(rows: Iterable[ServiceRequest], form: Literal["csv", "xlsx"]) -> Response:
    columns: list[Column[ServiceRequest]] = [
        Column(gettext("标题"), lambda row: row.title),
        Column(gettext("编号"), lambda row: row.id, "number"),
        Column(gettext("类别"), lambda row: word_of(row.kind)),
        Column(gettext("平台"), lambda row: said(row.platform, "name")),
        Column(gettext("单位"), lambda row: row.organization.name),
        Column(gettext("状态"), lambda row: state_of(row.state).word),
        Column(gettext("提交时间"), lambda row: row.created_at, "time"),
        Column(gettext("期望完成"), lambda row: row.wanted_by, "day"),
        Column(gettext("验收时间"), lambda row: row.signed_at, "time"),
    ]
    return download("service-requests", columns, rows, form=form, is_sample=lambda row: row.platform.illustrative)


def _refused(refusal: Refusal | None) -> dict[str, Any]:
    errors = {refusal.field: sentence(refusal)} if refusal is not None and refusal.field else {}
    return {"errors": errors, "refused": sentence(refusal) if refusal is not None and not errors else ""}


def _steps(session: Session, request_id: int) -> list[Step]:
    rows = session.execute(
        select(AuditEntry, Person.name)
        .outerjoin(Person, Person.id == AuditEntry.person_id)
        .where(AuditEntry.subject == SUBJECT, AuditEntry.subject_id == request_id)
        .order_by(AuditEntry.at, AuditEntry.id)
    )
    return [Step(*STEPS[entry.deed], entry, name or "—") for entry, name in rows]


def _rows(*names: str) -> list[tuple[str, ...]]:
    return list(zip(*([text.strip() for text in request.form.getlist(name)] for name in names), strict=False))


def _blank_or_told(count: int, *names: str, usual: str = "") -> list[tuple[str, ...]]:
    """What was written, and empty rows up to ``count`` whose last field holds the usual value."""
    told = _rows(*names)
    return told + [("",) * (len(names) - 1) + (usual,)] * max(0, count - len(told))


def _number(text: str, field: str) -> Decimal:
    try:
        return Decimal(text.replace(",", ""))
    except InvalidOperation:
        raise InvalidInput("请填写数字。", field=field) from None


def _word(kind: type[Word], text: str, field: str) -> Word:
    try:
        return kind(text)
    except ValueError:
        raise InvalidInput("请从列表中选择。", field=field) from None
