"""Prices: what holds where, a new version with its effect on examples and on last month, an end for an old one."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from flask_login import current_user
from sqlalchemy import false, func, or_, select
from sqlalchemy.orm import joinedload
from werkzeug.wrappers import Response

from app.catalogue.models import Equipment, EquipmentKind, Platform
from app.catalogue.rules.customer import CustomerClass
from app.identity.models import Organization
from app.identity.rules.permission import Permission
from app.kernel import clock
from app.kernel.db import db, in_transaction
from app.kernel.errors import InvalidInput, NotFound, Refusal
from app.kernel.interval import local_month
from app.kernel.money import total
from app.web.access import bounds, requires
from app.web.errors import status_of
from app.web.exports import Column, download
from app.web.formats import said
from app.web.forms import day_in, number_in
from app.web.pages.equipment_settings import FIRMS
from app.web.paging import page_of, wanted_file
from app.web.prices import facts_of_price, facts_of_terms, headline, mode_word, unit_word, weekday_words
from app.web.tariff_form import BANDS, EXTRAS, STEPS, field_of, fields_of, made_up_cases, terms_in
from app.web.tariff_refusals import told_in_the_editor
from app.web.words import word_of
from billing.models import Tariff
from billing.pricing import Subject, add_version, delete_version, earliest_day, end_version, examples, what_if
from billing.rules.pricing.outcome import REASONS
from billing.rules.pricing.tariff import DAYS
from billing.rules.pricing.terms import ChargeMode, ExtraKind, Terms, Unit, terms_of, warnings_of
from billing.rules.words import RevenueCategory

pages = Blueprint("tariffs", __name__)
DEFAULTS = {
    "charge_mode": "usage",
    "unit": "hour",
    "increment_minutes": 6,
    "vat_rate": "0.06",
    "price_includes_vat": True,
}
TAX_CODE = "3040105000000000000"


@pages.get("/tariffs")
@requires(Permission.MANAGE_TARIFFS)
def list_tariffs() -> Response | str:
    today, wanted, shown = (
        clock.local_date(clock.now()),
        request.args.get("q", "").strip(),
        request.args.get("show", ""),
    )
    limits = bounds(Permission.MANAGE_TARIFFS)
    query = (
        select(Tariff)
        .join(Platform, Platform.id == Tariff.platform_id)
        .outerjoin(Equipment, Equipment.id == Tariff.equipment_id)
        .outerjoin(Organization, Organization.id == Tariff.organization_id)
        .where(or_(false(), Tariff.platform_id.in_(limits.platform_ids)))
        .options(joinedload(Tariff.equipment), joinedload(Tariff.platform), joinedload(Tariff.organization))
        .order_by(
            Platform.id, Equipment.code.nulls_first(), Tariff.customer_class, Tariff.organization_id, Tariff.days.desc()
        )
    )
    if shown != "all":
        query = query.where(or_(func.upper(Tariff.days).is_(None), func.upper(Tariff.days) > today))
    if wanted:
        like = f"%{wanted}%"
        query = query.where(
            or_(Equipment.name_zh.ilike(like), Equipment.name_en.ilike(like), Equipment.code.ilike(like),
                Platform.name_zh.ilike(like), Organization.name.ilike(like))
        )  # fmt: skip
    if form := wanted_file():
        columns: list[Column[Tariff]] = [
            Column(gettext("平台"), lambda one: said(one.platform, "name")),
            Column(gettext("适用"), subject_word),
            Column(gettext("客户"), customer_word),
            Column(gettext("生效"), lambda one: one.days.lower, "day"),
            Column(gettext("结束"), lambda one: one.days.upper, "day"),
            Column(gettext("价格"), lambda one: "；".join(f"{what} {how}" for what, how in facts_of_price(one))),
            Column(gettext("税收分类编码"), lambda one: one.tax_code),
        ]
        return download(
            "tariffs", columns, db.session.scalars(query), form=form, is_sample=lambda one: one.illustrative
        )
    return render_template(
        "tariffs.html",
        page=page_of(db.session(), query),
        own=db.session.scalars(
            select(Platform).where(Platform.id.in_(limits.platform_ids)).order_by(Platform.id)
        ).all(),
        q=wanted,
        show=shown,
        today=today,
        headline=headline,
        subject_word=subject_word,
        customer_word=customer_word,
        one_day=timedelta(days=1),
    )


@pages.get("/tariffs/edit")
@requires(Permission.MANAGE_TARIFFS)
def edit() -> str:
    """The versions of one subject, and the form of a next one, filled with the newest."""
    return _page(_subject())


@pages.post("/tariffs/preview")
@requires(Permission.MANAGE_TARIFFS)
def preview() -> str | tuple[str, int]:
    """The part of the page that says what the form's terms would come to."""
    subject, cleared = _subject(), request.form.get("faulty_field", "")
    try:
        terms = terms_of(_terms())
    except InvalidInput as refusal:
        field, said = _faulty_field(refusal), told_in_the_editor(refusal)
        part = render_template("tariff_preview.html", refused=said, field=field, cleared=cleared)
        return part, status_of(refusal)
    return render_template("tariff_preview.html", cleared=cleared, **_tried(subject, terms))


@pages.post("/tariffs")
@requires(Permission.MANAGE_TARIFFS)
def add() -> Response | tuple[str, int]:
    subject, by = _subject(), current_user.id
    given, tax_code = _terms(), request.form.get("tax_code", "").strip()
    try:
        valid_from = day_in("valid_from")
        category = _category()
        in_transaction(
            lambda session: add_version(
                session, subject, given, valid_from=valid_from, tax_code=tax_code, category=category, by=by,
                at=clock.now(),
            ).id
        )  # fmt: skip
    except Refusal as refusal:
        return _page(subject, refusal=refusal), status_of(refusal)
    flash(gettext("新价格自 %(day)s 起生效。", day=valid_from.isoformat()))
    return redirect(url_for(".edit", **_address(subject)))


@pages.post("/tariffs/<int:tariff_id>/end")
@requires(Permission.MANAGE_TARIFFS)
def end(tariff_id: int) -> Response | tuple[str, int]:
    subject, by = _subject_of(_mine(tariff_id)), current_user.id
    try:
        day_after = day_in("last_day") + timedelta(days=1)
        in_transaction(lambda session: end_version(session, tariff_id, day_after=day_after, by=by, at=clock.now()).id)
    except Refusal as refusal:
        return _page(subject, refusal=refusal, changes=False), status_of(refusal)
    flash(gettext("这个版本的最后一天是 %(day)s。", day=(day_after - timedelta(days=1)).isoformat()))
    return redirect(url_for(".edit", **_address(subject)))


@pages.post("/tariffs/<int:tariff_id>/delete")
@requires(Permission.MANAGE_TARIFFS)
def delete(tariff_id: int) -> Response | tuple[str, int]:
    subject, by = _subject_of(_mine(tariff_id)), current_user.id
    try:
        in_transaction(lambda session: delete_version(session, tariff_id, by=by, at=clock.now()))
    except Refusal as refusal:
        return _page(subject, refusal=refusal, changes=False), status_of(refusal)
    flash(gettext("已删除未使用的版本。"))
    return redirect(url_for(".edit", **_address(subject)))


def subject_word(tariff: Tariff) -> str:
    if tariff.equipment is not None:
        return f"{tariff.equipment.code} · {said(tariff.equipment, 'name')}"
    if tariff.equipment_kind is not None:
        return gettext("本平台全部%(kind)s", kind=word_of(tariff.equipment_kind))
    return gettext("本平台全部设备")


def customer_word(tariff: Tariff) -> str:
    if tariff.organization is not None:
        return gettext("协议价：%(firm)s", firm=tariff.organization.name)
    return str(word_of(tariff.customer_class))


def _mine(tariff_id: int) -> Tariff:
    row = db.session.get(Tariff, tariff_id)
    if row is None:
        raise NotFound("没有找到这一项，或您无权查看。")
    bounds(Permission.MANAGE_TARIFFS).insist(platform_id=row.platform_id)
    return row


def _subject_of(row: Tariff) -> Subject:
    return Subject(
        platform_id=row.platform_id,
        equipment_id=row.equipment_id,
        equipment_kind=row.equipment_kind,
        organization_id=row.organization_id,
        customer_class=row.customer_class,
    )


def _subject() -> Subject:
    """What the address or the form names, within what the actor manages. Errors: ``NotFound``."""
    equipment_id = number_in("equipment_id", 0) or None
    if equipment_id is not None:
        equipment = db.session.get(Equipment, equipment_id)
        if equipment is None:
            raise NotFound("没有这台设备。")
        platform_id = equipment.platform_id
    else:
        platform_id = number_in("platform_id", 0)
    bounds(Permission.MANAGE_TARIFFS).insist(platform_id=platform_id)
    kind, customer = request.values.get("equipment_kind", ""), request.values.get("customer_class", "")
    organization_id = number_in("organization_id", 0) or None
    if organization_id is not None and db.session.get(Organization, organization_id) is None:
        raise NotFound("没有这个单位。")
    return Subject(
        platform_id=platform_id,
        equipment_id=equipment_id,
        equipment_kind=EquipmentKind(kind) if kind in set(EquipmentKind) and equipment_id is None else None,
        organization_id=organization_id,
        customer_class=CustomerClass(customer)
        if customer in set(CustomerClass) and organization_id is None
        else CustomerClass.EXTERNAL,
    )


def _address(subject: Subject) -> dict[str, Any]:
    given = {
        "platform_id": subject.platform_id,
        "equipment_id": subject.equipment_id,
        "equipment_kind": subject.equipment_kind and subject.equipment_kind.value,
        "organization_id": subject.organization_id,
        "customer_class": subject.customer_class.value,
    }
    return {name: value for name, value in given.items() if value is not None}


def _terms() -> dict[str, Any]:
    return terms_in(request.form, {number: request.form.getlist(f"band_{number}_days") for number in range(BANDS)})


def _category() -> RevenueCategory:
    wanted = request.form.get("category", "")
    if wanted not in set(RevenueCategory):
        raise InvalidInput("请选择收入类别。", field="category")
    return RevenueCategory(wanted)


def _tried(subject: Subject, terms: Terms) -> dict[str, Any]:
    today = clock.local_date(clock.now())
    last = (today.replace(day=1) - timedelta(days=1)).replace(day=1)
    found = what_if(db.session(), subject, terms, local_month(last.year, last.month))
    compared = [one for one in found.cases if one.was is not None and one.would_be is not None]
    return {
        "facts": facts_of_terms(terms),
        "examples": list(examples(terms, made_up_cases(terms, today=today))),
        "reasons": REASONS,
        "odd": warnings_of(terms),
        "last_month": last,
        "cases": compared[:50],
        "more": max(0, len(compared) - 50),
        "unpriced": len(found.cases) - len(compared),
        "sampled": (found.count, len(found.cases), found.step) if found.step > 1 else None,
        "was": total([one.was for one in compared if one.was is not None]),
        "would_be": total([one.would_be for one in compared if one.would_be is not None]),
    }


def _page(subject: Subject, *, refusal: Refusal | None = None, changes: bool = True) -> str:
    session = db.session()
    versions = session.scalars(select(Tariff).where(subject.versions()).order_by(Tariff.days.desc())).all()
    today = clock.local_date(clock.now())
    base = versions[0].terms if versions else DEFAULTS
    typed = request.method == "POST" and changes
    told: dict[str, Any] = {**request.form, **_days()} if typed else fields_of(base)
    terms = _terms_or_none(_terms() if typed else base)
    field = "" if refusal is None else _faulty_field(refusal)
    return render_template(
        "tariff.html",
        subject=subject,
        platform=session.get_one(Platform, subject.platform_id),
        equipment=None if subject.equipment_id is None else session.get_one(Equipment, subject.equipment_id),
        firm=None if subject.organization_id is None else session.get_one(Organization, subject.organization_id),
        firms=session.scalars(FIRMS).all(),
        versions=[(one, facts_of_price(one)) for one in versions],
        address=_address(subject),
        told=told,
        first_day=told.get("valid_from") or earliest_day(session, subject, today=today).isoformat(),
        tax_code=told.get("tax_code") or (versions[0].tax_code if versions else TAX_CODE),
        category=told.get("category")
        or (versions[0].category.value if versions else RevenueCategory.INSTRUMENT_SHARING.value),
        categories=RevenueCategory,
        classes=CustomerClass,
        modes=[(one.value, mode_word(one)) for one in ChargeMode],
        units=[(one.value, unit_word(one)) for one in Unit if one is not Unit.BOOKING],
        extra_units=[(one.value, unit_word(one)) for one in Unit if one is not Unit.DAY],
        kind_words=[(one.value, word_of(one)) for one in ExtraKind],
        days=DAYS,
        weekdays=weekday_words(),
        one_day=timedelta(days=1),
        rows={"bands": BANDS, "steps": STEPS, "extras": EXTRAS},
        today=today,
        refused=told_in_the_editor(refusal) if refusal is not None else "",
        errors={field: told_in_the_editor(refusal)} if refusal is not None and field else {},
        tried=_tried(subject, terms) if terms is not None else {},
    )


def _faulty_field(refusal: Refusal) -> str:
    return field_of(refusal.field, request.form) if refusal.field else ""


def _days() -> dict[str, list[str]]:
    return {f"band_{number}_days": request.form.getlist(f"band_{number}_days") for number in range(BANDS)}


def _terms_or_none(given: dict[str, Any]) -> Terms | None:
    try:
        return terms_of(given)
    except InvalidInput:
        return None
