"""Credit: how reservations were kept, what follows, what an operator forgives, and a platform's rules for it."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from flask_login import current_user
from sqlalchemy import ColumnElement, false, or_, select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from app.booking.keeping import USUAL_POINTS, Standing, excuse, standing
from app.booking.models import ConductEntry, Reservation
from app.booking.rules.words import MisstepKind
from app.catalogue.models import Conduct, Equipment, Platform
from app.identity.models import Organization, Person
from app.identity.rules.permission import Permission
from app.kernel import audit, clock
from app.kernel.db import db, in_transaction
from app.kernel.errors import InvalidInput, NotFound, Refusal
from app.kernel.money import Money
from app.web.access import bounds, requires
from app.web.errors import sentence, status_of
from app.web.exports import Column, download
from app.web.formats import said
from app.web.forms import money_in
from app.web.paging import page_of, wanted_file
from app.web.words import word_of

pages = Blueprint("conduct", __name__)
NUMBERS = (
    "grace_minutes", "late_cancel_hours", "delay_hours", "warnings", "fee_from", "block_from", "block_days",
    "counted_days", "base_score",
)  # fmt: skip


@pages.get("/conduct")
@requires(Permission.SEE_CONDUCT)
def log() -> Response | str:
    query = _entries()
    if form := wanted_file():
        facts = _facts(list(db.session.scalars(query)))
        columns: list[Column[ConductEntry]] = [
            Column(gettext("单位"), lambda row: facts["firms"][row.organization_id]),
            Column(gettext("预约人"), lambda row: facts["people"][row.person_id]),
            Column(gettext("设备"), lambda row: said(facts["equipment"][row.reservation_id], "name")),
            Column(gettext("预约"), lambda row: row.reservation_id, "number"),
            Column(gettext("记录"), lambda row: word_of(row.kind)),
            Column(gettext("发生"), lambda row: row.occurred_at, "time"),
            Column(gettext("生效"), lambda row: row.effective_at, "time"),
            Column(gettext("已豁免"), lambda row: row.excused_at, "time"),
            Column(gettext("豁免理由"), lambda row: row.excuse),
        ]
        return download(
            "conduct",
            columns,
            db.session.scalars(query),
            form=form,
            is_sample=lambda row: facts["equipment"][row.reservation_id].illustrative,
        )
    return _log()


@pages.post("/conduct/<int:entry_id>/excuse")
@requires(Permission.EXCUSE_CONDUCT)
def forgive(entry_id: int) -> Response | tuple[str, int]:
    entry = db.session.get(ConductEntry, entry_id)
    if entry is None:
        raise NotFound("没有找到这一项，或您无权查看。")
    bounds(Permission.EXCUSE_CONDUCT).insist(platform_id=entry.platform_id)
    person_id, reason = current_user.id, request.form.get("reason", "").strip()[:300]
    try:
        in_transaction(lambda session: excuse(session, entry_id, by=person_id, at=clock.now(), reason=reason).id)
    except Refusal as refusal:
        return _log(entry_id=entry_id, refusal=refusal), status_of(refusal)
    flash(gettext("已豁免，不再计入信用。"))
    return redirect(url_for(".log"))


@pages.get("/platforms/<code>/conduct")
@requires(Permission.MANAGE_EQUIPMENT)
def settings(code: str) -> str:
    return _settings(_platform(code))


@pages.post("/platforms/<code>/conduct")
@requires(Permission.MANAGE_EQUIPMENT)
def change(code: str) -> Response | tuple[str, int]:
    """Set the rules. From now on they hold for what was written down before, too."""
    platform_id, person_id = _platform(code).id, current_user.id

    def work(session: Session) -> None:
        values: dict[str, Any] = {name: _whole(name) for name in NUMBERS}
        values["fee"] = money_in("fee")
        if values["fee"] < Money(0):
            raise InvalidInput("请填写不小于零的金额。", field="fee")
        values["points"] = {kind.value: _whole(f"points_{kind}", least=-1000) for kind in MisstepKind}
        row = session.get(Conduct, platform_id, with_for_update=True)
        if row is None:
            row = Conduct(platform_id=platform_id)
            session.add(row)
        for name, value in values.items():
            setattr(row, name, value)
        audit.record(
            session,
            at=clock.now(),
            by=person_id,
            deed="set_conduct",
            subject="platform",
            subject_id=platform_id,
            **(values | {"fee": str(values["fee"])}),
        )

    try:
        in_transaction(work)
    except Refusal as refusal:
        return _settings(_platform(code), refusal=refusal), status_of(refusal)
    flash(gettext("已保存，立即生效。"))
    return redirect(url_for(".settings", code=code))


def _log(*, entry_id: int | None = None, refusal: Refusal | None = None) -> str:
    limits = bounds(Permission.SEE_CONDUCT)
    page = page_of(db.session(), _entries())
    manages = bounds(Permission.MANAGE_EQUIPMENT).platform_ids if current_user.may(Permission.MANAGE_EQUIPMENT) else ()
    return render_template(
        "conduct.html",
        page=page,
        standings=_standings(limits.organization_ids),
        may_excuse=current_user.may(Permission.EXCUSE_CONDUCT),
        platforms=db.session.scalars(select(Platform).where(Platform.id.in_(manages)).order_by(Platform.id)).all(),
        show=request.args.get("show", "all"),
        q=request.args.get("q", "").strip(),
        wrong_id=entry_id,
        errors={} if refusal is None else {"reason": sentence(refusal)},
        **_facts(page.rows),
    )


def _entries() -> Any:
    """The log that the reader may see, as the address filters it, the latest first."""
    limits = bounds(Permission.SEE_CONDUCT)
    seen: ColumnElement[bool] = or_(
        false(),
        ConductEntry.organization_id.in_(limits.organization_ids),
        ConductEntry.platform_id.in_(limits.platform_ids),
    )
    query = select(ConductEntry).where(seen)
    match request.args.get("show"):
        case "missteps":
            query = query.where(ConductEntry.kind != MisstepKind.GOOD_USE, ConductEntry.excused_at.is_(None))
        case "excused":
            query = query.where(ConductEntry.excused_at.is_not(None))
    if wanted := request.args.get("q", "").strip():
        firms = select(Organization.id).where(Organization.name.ilike(f"%{wanted}%"))
        query = query.where(ConductEntry.organization_id.in_(firms))
    return query.order_by(ConductEntry.occurred_at.desc(), ConductEntry.id.desc())


def _facts(rows: Any) -> dict[str, dict[int, Any]]:
    """What the log names, by id. Three queries, however long it is."""
    session = db.session()
    firms = session.execute(
        select(Organization.id, Organization.name).where(Organization.id.in_({row.organization_id for row in rows}))
    )
    people = session.execute(select(Person.id, Person.name).where(Person.id.in_({row.person_id for row in rows})))
    equipment = session.execute(
        select(Reservation.id, Equipment)
        .join(Equipment, Equipment.id == Reservation.equipment_id)
        .where(Reservation.id.in_({row.reservation_id for row in rows}))
    )
    return {
        "firms": dict(firms.all()),
        "people": dict(people.all()),
        "equipment": dict(equipment.all()),
    }


def _standings(organization_ids: frozenset[int]) -> list[tuple[Platform, str, Standing]]:
    """How the reader's firms stand with each platform that has something written down."""
    session, now = db.session(), clock.now()
    known_to = (
        select(ConductEntry.platform_id, ConductEntry.organization_id)
        .where(ConductEntry.organization_id.in_(organization_ids))
        .distinct()
        .subquery()
    )
    pairs = session.execute(
        select(Platform, Organization)
        .join(known_to, known_to.c.platform_id == Platform.id)
        .join(Organization, Organization.id == known_to.c.organization_id)
        .order_by(Platform.id, Organization.id)
    ).all()
    found = []
    for platform, firm in pairs:
        known = standing(session, platform_id=platform.id, organization_id=firm.id, at=now)
        if known is not None:
            found.append((platform, firm.name, known))
    return found


def _settings(platform: Platform, *, refusal: Refusal | None = None) -> str:
    row = db.session.get(Conduct, platform.id)
    usual = {name: Conduct.__table__.c[name].default.arg for name in NUMBERS}
    shown = {name: request.form.get(name, usual[name] if row is None else getattr(row, name)) for name in NUMBERS}
    shown["fee"] = request.form.get("fee", "0.00" if row is None else str(row.fee))
    points = {kind: USUAL_POINTS[kind] for kind in MisstepKind} | ({} if row is None else row.points)
    return render_template(
        "conduct_settings.html",
        platform=platform,
        shown=shown,
        kinds=list(MisstepKind),
        points={kind: request.form.get(f"points_{kind}", points[kind]) for kind in MisstepKind},
        begun=row is not None,
        errors={} if refusal is None else {refusal.field: sentence(refusal)},
    )


def _platform(code: str) -> Platform:
    one = db.session.scalar(select(Platform).where(Platform.code == code))
    if one is None:
        raise NotFound("没有找到这一项，或您无权查看。")
    bounds(Permission.MANAGE_EQUIPMENT).insist(platform_id=one.id)
    return one


def _whole(name: str, *, least: int = 0) -> int:
    try:
        value = int(request.form.get(name, ""))
    except ValueError:
        raise InvalidInput("请填写整数。", field=name) from None
    if not least <= value <= 100_000:
        raise InvalidInput("请填写 %(least)s 以上的整数。", field=name, least=least)
    return value
