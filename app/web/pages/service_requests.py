"""Commissioned work: the list, one request with its steps, and what each side does about it."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from flask_login import current_user
from sqlalchemy import ColumnElement, false, func, or_, select
from sqlalchemy.orm import Session, joinedload
from werkzeug.wrappers import Response

from app.booking.delivering import deliver, receive_items, schedule, send_back, sign_off
from app.booking.models import ServiceRequest, ServiceResult
from app.booking.rules.words import REQUEST_MOVES, RequestState
from app.booking.servicing import accept, decline, quote, submit, withdraw
from app.catalogue.models import Equipment
from app.identity.models import Organization
from app.identity.rules.permission import Permission
from app.kernel import clock
from app.kernel.db import db, in_transaction
from app.kernel.errors import NotFound, Refusal
from app.web.access import Bounds, acting_organization, bounds, requires
from app.web.commissions import exported, form_facts, items_in, kind_in, quoted_lines_in, request_facts
from app.web.errors import status_of
from app.web.forms import day_in, interval_in
from app.web.handed_files import given_out, handed, make_room
from app.web.paging import page_of, wanted_file

pages = Blueprint("service_requests", __name__)
make_room(pages, "hand_over")
SHOWN: dict[str, tuple[RequestState, ...]] = {
    "open": tuple(state for state in RequestState if REQUEST_MOVES[state]),
    "to_quote": (RequestState.SUBMITTED,),
    "to_accept": (RequestState.QUOTED,),
    "in_work": (RequestState.ACCEPTED, RequestState.SCHEDULED),
    "to_sign": (RequestState.DELIVERED,),
    "done": (RequestState.SIGNED_OFF,),
    "given_up": (RequestState.DECLINED, RequestState.WITHDRAWN),
}


@pages.get("/service-requests")
@requires(Permission.SEE_SERVICE)
def list_requests() -> Response | str:
    shown = request.args.get("show", "open")
    shown = shown if shown in SHOWN else "open"
    wanted = request.args.get("q", "").strip()
    everything = _within(bounds(Permission.SEE_SERVICE))
    query = (
        select(ServiceRequest)
        .join(Organization, Organization.id == ServiceRequest.organization_id)
        .where(everything, ServiceRequest.state.in_(SHOWN[shown]))
        .options(joinedload(ServiceRequest.platform), joinedload(ServiceRequest.organization))
        .order_by(ServiceRequest.changed_at.desc(), ServiceRequest.id.desc())
    )
    if wanted:
        query = query.where(or_(ServiceRequest.title.ilike(f"%{wanted}%"), Organization.name.ilike(f"%{wanted}%")))
    if form := wanted_file():
        return exported(db.session.scalars(query), form)
    counts = dict(
        db.session.execute(
            select(ServiceRequest.state, func.count()).where(everything).group_by(ServiceRequest.state)
        ).all()
    )
    return render_template(
        "service_requests.html",
        page=page_of(db.session(), query),
        show=shown,
        q=wanted,
        counts={name: sum(counts.get(state, 0) for state in states) for name, states in SHOWN.items()},
    )


@pages.get("/service-requests/new")
@requires(Permission.ASK_SERVICE)
def new() -> str:
    return _form(db.session.get(Equipment, request.args.get("equipment_id", 0, type=int)))


@pages.post("/service-requests")
@requires(Permission.ASK_SERVICE)
def ask() -> Response | tuple[str, int]:
    organization_id, person_id = acting_organization(Permission.ASK_SERVICE), current_user.id
    told, key = request.form, request.form.get("idempotency_key") or secrets.token_hex(16)
    equipment = db.session.get(Equipment, told.get("equipment_id", 0, type=int))
    platform_id = equipment.platform_id if equipment is not None else told.get("platform_id", 0, type=int)
    equipment_id = None if equipment is None else equipment.id
    try:
        kind, items = kind_in(), items_in()
        wanted_by = day_in("wanted_by") if told.get("wanted_by") else None
        request_id = in_transaction(
            lambda session: (
                submit(
                    session,
                    platform_id=platform_id,
                    equipment_id=equipment_id,
                    organization_id=organization_id,
                    person_id=person_id,
                    kind=kind,
                    title=told.get("title", "").strip(),
                    description=told.get("description", "").strip()[:5000],
                    wanted_by=wanted_by,
                    items=items,
                    idempotency_key=key,
                    at=clock.now(),
                ).id
            )
        )
    except Refusal as refusal:
        return _form(equipment, refusal=refusal), status_of(refusal)
    flash(gettext("委托已提交，平台报价后会通知您。"))
    return redirect(url_for(".request_page", request_id=request_id))


@pages.get("/service-requests/<int:request_id>")
@requires(Permission.SEE_SERVICE)
def request_page(request_id: int) -> str:
    return _page(_visible(request_id, Permission.SEE_SERVICE))


@pages.post("/service-requests/<int:request_id>/quote")
@requires(Permission.HANDLE_SERVICE)
def make_quote(request_id: int) -> Response | tuple[str, int]:
    def work(session: Session, by: int) -> object:
        lines, valid_until = quoted_lines_in(), day_in("valid_until")
        note = request.form.get("note", "").strip()[:2000]
        return quote(session, request_id, lines=lines, valid_until=valid_until, note=note, by=by, at=clock.now())

    return _do(request_id, Permission.HANDLE_SERVICE, work, gettext("报价已发出。"))


@pages.post("/service-requests/<int:request_id>/decline")
@requires(Permission.HANDLE_SERVICE)
def turn_down(request_id: int) -> Response | tuple[str, int]:
    reason = _reason()
    return _do(
        request_id,
        Permission.HANDLE_SERVICE,
        lambda session, by: decline(session, request_id, reason=reason, by=by, at=clock.now()),
        gettext("已告知企业不受理。"),
    )


@pages.post("/service-requests/<int:request_id>/accept")
@requires(Permission.ASK_SERVICE)
def accept_quote(request_id: int) -> Response | tuple[str, int]:
    version = request.form.get("version", 0, type=int)
    return _do(
        request_id,
        Permission.ASK_SERVICE,
        lambda session, by: accept(session, request_id, version=version, by=by, at=clock.now()),
        gettext("已接受第 %(version)s 版报价。", version=version),
    )


@pages.post("/service-requests/<int:request_id>/withdraw")
@requires(Permission.ASK_SERVICE)
def take_back(request_id: int) -> Response | tuple[str, int]:
    return _do(
        request_id,
        Permission.ASK_SERVICE,
        lambda session, by: withdraw(session, request_id, by=by, at=clock.now()),
        gettext("委托已撤回。"),
    )


@pages.post("/service-requests/<int:request_id>/receive")
@requires(Permission.HANDLE_SERVICE)
def receive(request_id: int) -> Response | tuple[str, int]:
    ids = request.form.getlist("item_id", type=int)
    return _do(
        request_id,
        Permission.HANDLE_SERVICE,
        lambda session, by: receive_items(session, request_id, item_ids=ids, by=by, at=clock.now()),
        gettext("已登记收样。"),
    )


@pages.post("/service-requests/<int:request_id>/schedule")
@requires(Permission.HANDLE_SERVICE)
def reserve_equipment(request_id: int) -> Response | tuple[str, int]:
    def work(session: Session, by: int) -> object:
        return schedule(
            session,
            request_id,
            equipment_id=request.form.get("equipment_id", 0, type=int),
            when=interval_in(),
            by=by,
            at=clock.now(),
            idempotency_key=request.form.get("idempotency_key") or None,
        )

    return _do(request_id, Permission.HANDLE_SERVICE, work, gettext("已预约设备。"))


@pages.post("/service-requests/<int:request_id>/results")
@requires(Permission.HANDLE_SERVICE)
def hand_over(request_id: int) -> Response | tuple[str, int]:
    note = request.form.get("note", "").strip()[:2000]
    files = [handed(one) for one in request.files.getlist("files") if one.filename]
    return _do(
        request_id,
        Permission.HANDLE_SERVICE,
        lambda session, by: deliver(session, request_id, files=files, note=note, by=by, at=clock.now()),
        gettext("成果已交付，等待企业验收。"),
    )


@pages.post("/service-requests/<int:request_id>/return")
@requires(Permission.ASK_SERVICE)
def give_back(request_id: int) -> Response | tuple[str, int]:
    reason = _reason()
    return _do(
        request_id,
        Permission.ASK_SERVICE,
        lambda session, by: send_back(session, request_id, reason=reason, by=by, at=clock.now()),
        gettext("已退回，平台会重新交付。"),
    )


@pages.post("/service-requests/<int:request_id>/sign-off")
@requires(Permission.ASK_SERVICE)
def sign(request_id: int) -> Response | tuple[str, int]:
    return _do(
        request_id,
        Permission.ASK_SERVICE,
        lambda session, by: sign_off(session, request_id, by=by, at=clock.now()),
        gettext("已验收，费用将按报价计入当月结算。"),
    )


@pages.get("/service-requests/<int:request_id>/results/<int:result_id>")
@requires(Permission.SEE_SERVICE)
def result(request_id: int, result_id: int) -> Response:
    """The file as it was handed over."""
    _visible(request_id, Permission.SEE_SERVICE)
    row = db.session.get(ServiceResult, result_id)
    if row is None or row.request_id != request_id:
        raise NotFound("没有找到这一项，或您无权查看。")
    return given_out(row.name, row.content)


def _do(
    request_id: int, permission: Permission, work: Callable[[Session, int], object], told: str
) -> Response | tuple[str, int]:
    """One deed of one side: done and told, or the page again with the refusal where it belongs."""
    _visible(request_id, permission)
    person_id = current_user.id
    try:
        in_transaction(lambda session: work(session, person_id))
    except Refusal as refusal:
        db.session.expire_all()
        return _page(_visible(request_id, permission), refusal=refusal), status_of(refusal)
    flash(told)
    return redirect(url_for(".request_page", request_id=request_id))


def _within(limits: Bounds) -> ColumnElement[bool]:
    return or_(
        false(),
        ServiceRequest.organization_id.in_(limits.organization_ids),
        ServiceRequest.platform_id.in_(limits.platform_ids),
    )


def _visible(request_id: int, permission: Permission) -> ServiceRequest:
    row = db.session.get(ServiceRequest, request_id)
    if row is None:
        raise NotFound("没有找到这一项，或您无权查看。")
    bounds(permission).insist(organization_id=row.organization_id, platform_id=row.platform_id)
    return row


def _page(row: ServiceRequest, *, refusal: Refusal | None = None) -> str:
    return render_template("service_request.html", **request_facts(db.session(), row, refusal=refusal))


def _form(equipment: Equipment | None, *, refusal: Refusal | None = None) -> str:
    return render_template("service_request_new.html", **form_facts(db.session(), equipment, refusal=refusal))


def _reason() -> str:
    return request.form.get("reason", "").strip()[:300]
