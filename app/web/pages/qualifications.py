"""Who holds which qualification: for operators to grant and revoke, for firms to see what they have and lack."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from flask_login import current_user
from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import Session, joinedload
from werkzeug.wrappers import Response

from app.catalogue.granting import RequirementTerms, drop_requirement, grant, holder_named, require, revoke
from app.catalogue.models import Equipment, EquipmentRequirement, Platform, Qualification, Requirement
from app.catalogue.rules.words import OF_A_PERSON, RequirementKind
from app.identity.models import Organization, Person
from app.identity.rules.permission import Permission
from app.kernel import clock
from app.kernel.db import db, in_transaction
from app.kernel.errors import InvalidInput, NotFound, Refusal
from app.web.access import bounds, requires
from app.web.errors import sentence, status_of
from app.web.exports import Column, download
from app.web.formats import said
from app.web.forms import day_in
from app.web.paging import page_of, wanted_file
from app.web.words import word_of

pages = Blueprint("qualifications", __name__)
EXPIRES_SOON = timedelta(days=60)


@pages.get("/qualifications")
@requires(Permission.SEE_QUALIFICATIONS)
def list_qualifications() -> Response | str:
    if form := wanted_file():
        columns: list[Column[Qualification]] = [
            Column(gettext("要求"), lambda row: said(row.requirement, "name")),
            Column(gettext("持有者"), _holder),
            Column(gettext("取得日期"), lambda row: row.granted_on, "day"),
            Column(gettext("失效日期"), lambda row: row.expires_on, "day"),
            Column(gettext("撤销时间"), lambda row: row.revoked_at, "time"),
            Column(gettext("文件"), lambda row: row.document),
        ]
        return download(
            "qualifications",
            columns,
            db.session.scalars(_held()),
            form=form,
            is_sample=lambda row: row.requirement.illustrative,
        )
    return _page()


@pages.post("/qualifications")
@requires(Permission.MANAGE_QUALIFICATIONS)
def add() -> Response | tuple[str, int]:
    person_id = current_user.id
    try:
        wanted = db.session.get(Requirement, request.form.get("requirement_id", 0, type=int))
        if wanted is None:
            raise InvalidInput("请选择一项要求。", field="requirement_id")
        bounds(Permission.MANAGE_QUALIFICATIONS).insist(platform_id=wanted.platform_id)
        requirement_id, kind = wanted.id, wanted.kind
        granted_on = day_in("granted_on")
        expires_on = day_in("expires_on") if request.form.get("expires_on") else None
        in_transaction(
            lambda session: (
                grant(
                    session,
                    requirement_id,
                    **holder_named(session, kind, request.form.get("holder", "")),
                    granted_on=granted_on,
                    expires_on=expires_on,
                    document=request.form.get("document", "")[:300],
                    by=person_id,
                    at=clock.now(),
                ).id
            )
        )
    except NotFound:
        raise
    except Refusal as refusal:
        return _page(refusal), status_of(refusal)
    flash(gettext("已登记，持有人会收到通知。"))
    return redirect(url_for(".list_qualifications"))


@pages.post("/qualifications/<int:qualification_id>/revoke")
@requires(Permission.MANAGE_QUALIFICATIONS)
def take_back(qualification_id: int) -> Response | tuple[str, int]:
    row = db.session.get(Qualification, qualification_id)
    if row is None:
        raise NotFound("没有找到这一项，或您无权查看。")
    bounds(Permission.MANAGE_QUALIFICATIONS).insist(platform_id=row.requirement.platform_id)
    person_id, reason = current_user.id, request.form.get("reason", "")[:300]
    try:
        in_transaction(
            lambda session: revoke(session, qualification_id, reason=reason, by=person_id, at=clock.now()).id
        )
    except Refusal as refusal:
        return _page(refusal, revoked_id=qualification_id), status_of(refusal)
    flash(gettext("已撤销，此后的预约须重新取得。"))
    return redirect(url_for(".list_qualifications"))


@pages.get("/requirements")
@requires(Permission.MANAGE_QUALIFICATIONS)
def list_requirements() -> str:
    return _requirements()


@pages.post("/requirements")
@requires(Permission.MANAGE_QUALIFICATIONS)
def save_requirement() -> Response | tuple[str, int]:
    """A new requirement, or with ``requirement_id`` a known one said otherwise."""
    platform_id = request.form.get("platform_id", type=int)
    if platform_id is not None:
        bounds(Permission.MANAGE_QUALIFICATIONS).insist(platform_id=platform_id)
    requirement_id = request.form.get("requirement_id", type=int)
    person_id = current_user.id
    try:
        if platform_id is None:
            raise InvalidInput("请选择平台。", field="platform_id")
        terms = _terms()
        in_transaction(
            lambda session: (
                require(
                    session,
                    platform_id=platform_id,
                    terms=terms,
                    by=person_id,
                    at=clock.now(),
                    requirement_id=requirement_id,
                ).id
            )
        )
    except Refusal as refusal:
        return _requirements(refusal, told_id=requirement_id), status_of(refusal)
    flash(gettext("要求已保存。请在设备设置中勾选需要它的设备。"))
    return redirect(url_for(".list_requirements"))


@pages.post("/requirements/<int:requirement_id>/drop")
@requires(Permission.MANAGE_QUALIFICATIONS)
def drop(requirement_id: int) -> Response | tuple[str, int]:
    row = db.session.get(Requirement, requirement_id)
    if row is None:
        raise NotFound("没有找到这一项，或您无权查看。")
    bounds(Permission.MANAGE_QUALIFICATIONS).insist(platform_id=row.platform_id)
    person_id = current_user.id
    try:
        in_transaction(lambda session: drop_requirement(session, requirement_id, by=person_id, at=clock.now()))
    except Refusal as refusal:
        return _requirements(refusal, told_id=requirement_id), status_of(refusal)
    flash(gettext("要求已删除。"))
    return redirect(url_for(".list_requirements"))


def _terms() -> RequirementTerms:
    told = request.form
    try:
        kind = RequirementKind(told.get("kind", ""))
    except ValueError:
        raise InvalidInput("请选择类别。", field="kind") from None
    months = told.get("months_valid", "").strip()
    if months and not months.isdecimal():
        raise InvalidInput("有效期须为整月数；长期有效请留空。", field="months_valid")
    return RequirementTerms(
        kind=kind,
        **{name: told.get(name, "")[:300] for name in ("name_zh", "name_en", "how_zh", "how_en")},
        months_valid=int(months) if months else None,
    )


def _held() -> Select[Any]:
    """The qualifications on the operator's platforms that the address asks for."""
    today = clock.local_date(clock.now())
    wanted, shown = request.args.get("q", "").strip(), request.args.get("show", "valid")
    query = (
        select(Qualification)
        .join(Requirement)
        .outerjoin(Person, Person.id == Qualification.person_id)
        .outerjoin(Organization, Organization.id == Qualification.organization_id)
        .where(Requirement.platform_id.in_(bounds(Permission.MANAGE_QUALIFICATIONS).platform_ids))
        .options(
            joinedload(Qualification.requirement),
            joinedload(Qualification.person),
            joinedload(Qualification.organization),
        )
        .order_by(func.coalesce(Qualification.expires_on, today + timedelta(days=36_500)), Qualification.id)
    )
    alive = (Qualification.revoked_at.is_(None), func.coalesce(Qualification.expires_on > today, True))
    match shown:
        case "expiring":
            query = query.where(*alive, Qualification.expires_on <= today + EXPIRES_SOON)
        case "over":
            query = query.where(or_(Qualification.revoked_at.is_not(None), Qualification.expires_on <= today))
        case _:
            query = query.where(*alive)
    if wanted:
        like = f"%{wanted}%"
        query = query.where(
            or_(
                Person.name.ilike(like),
                Person.email.ilike(like),
                Organization.name.ilike(like),
                Requirement.name_zh.ilike(like),
                Requirement.name_en.ilike(like),
            )
        )
    return query


def _page(refusal: Refusal | None = None, *, revoked_id: int | None = None) -> str:
    session = db.session()
    managed = bounds(Permission.MANAGE_QUALIFICATIONS).platform_ids
    errors = {refusal.field: sentence(refusal)} if refusal is not None and refusal.field else {}
    return render_template(
        "qualifications.html",
        page=page_of(session, _held()) if managed else None,
        requirements=_of_platforms(session, managed),
        mine=_mine(session),
        holder=_holder,
        show=request.args.get("show", "valid"),
        q=request.args.get("q", ""),
        today=clock.local_date(clock.now()),
        soon=clock.local_date(clock.now()) + EXPIRES_SOON,
        errors=errors,
        refused=sentence(refusal) if refusal is not None and not errors else "",
        revoked_id=revoked_id,
    )


def _mine(session: Session) -> list[dict[str, Any]]:
    """What the equipment of each platform asks for, whether I or my firm have it, and what it is for."""
    firms = bounds(Permission.SEE_QUALIFICATIONS).organization_ids
    if not firms:
        return []
    today = clock.local_date(clock.now())
    held: dict[int, Qualification] = {}
    for row in session.scalars(
        select(Qualification)
        .where(
            or_(Qualification.person_id == current_user.id, Qualification.organization_id.in_(firms)),
            Qualification.revoked_at.is_(None),
            func.coalesce(Qualification.expires_on > today, True),
        )
        .order_by(Qualification.expires_on.asc().nulls_last())
    ):
        held[row.requirement_id] = row
    asked: dict[int, dict[str, Any]] = {}
    for one, equipment in session.execute(
        select(Requirement, Equipment)
        .outerjoin(EquipmentRequirement, EquipmentRequirement.requirement_id == Requirement.id)
        .outerjoin(Equipment, Equipment.id == EquipmentRequirement.equipment_id)
        .where(or_(Equipment.id.is_not(None), Requirement.id.in_(list(held))))
        .order_by(Requirement.platform_id, Requirement.id, Equipment.code)
    ):
        entry = asked.setdefault(one.id, {"requirement": one, "held": held.get(one.id), "equipment": []})
        if equipment is not None:
            entry["equipment"].append(equipment)
    return sorted(asked.values(), key=lambda entry: entry["held"] is None)


def _of_platforms(session: Session, platform_ids: frozenset[int]) -> list[Requirement]:
    return list(
        session.scalars(
            select(Requirement)
            .where(Requirement.platform_id.in_(platform_ids))
            .order_by(Requirement.platform_id, Requirement.id)
        )
    )


def _requirements(refusal: Refusal | None = None, *, told_id: int | None = None) -> str:
    session = db.session()
    managed = bounds(Permission.MANAGE_QUALIFICATIONS).platform_ids
    used = session.execute(
        select(EquipmentRequirement.requirement_id, func.count().label("devices"))
        .join(Equipment)
        .where(Equipment.platform_id.in_(managed))
        .group_by(EquipmentRequirement.requirement_id)
    )
    errors = {refusal.field: sentence(refusal)} if refusal is not None and refusal.field else {}
    return render_template(
        "requirements.html",
        requirements=_of_platforms(session, managed),
        platforms=session.scalars(select(Platform).where(Platform.id.in_(managed)).order_by(Platform.id)).all(),
        used={row.requirement_id: row.devices for row in used},
        kinds=[(kind, word_of(kind), kind in OF_A_PERSON) for kind in RequirementKind],
        told_id=told_id,
        errors=errors,
        refused=sentence(refusal) if refusal is not None and not errors else "",
    )


def _holder(row: Qualification) -> str:
    if row.person is not None:
        return f"{row.person.name} · {row.person.email}"
    return "" if row.organization is None else row.organization.name
