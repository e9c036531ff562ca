"""What went wrong on platforms (安全事故、事件): recorded, closed, listed by year."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from flask_login import current_user
from sqlalchemy import Select, extract, select
from sqlalchemy.orm import joinedload
from werkzeug.wrappers import Response

from app.booking.incidents import close_incident, record_incident
from app.booking.models import Incident
from app.booking.rules.feedback import Severity
from app.catalogue.models import Equipment
from app.identity.rules.permission import Permission
from app.kernel import clock
from app.kernel.db import db, in_transaction
from app.kernel.errors import InvalidInput, NotFound, Refusal
from app.web.access import bounds, requires
from app.web.errors import sentence, status_of
from app.web.exports import Column, download
from app.web.formats import said
from app.web.forms import day_in, year_in
from app.web.own_platforms import chosen_platform, own_platforms
from app.web.paging import page_of, wanted_file
from app.web.words import word_of

pages = Blueprint("incidents", __name__)


@pages.get("/incidents")
@requires(Permission.SEE_INCIDENTS)
def list_incidents() -> Response | str:
    if form := wanted_file():
        columns: list[Column[Incident]] = [
            Column(gettext("平台"), lambda one: said(one.platform, "name")),
            Column(gettext("编号"), lambda one: one.id, "number"),
            Column(gettext("发生日期"), lambda one: one.happened_on, "day"),
            Column(gettext("设备"), lambda one: said(one.equipment, "name") if one.equipment else ""),
            Column(gettext("程度"), lambda one: word_of(one.severity)),
            Column(gettext("经过"), lambda one: one.what_happened),
            Column(gettext("处置"), lambda one: one.what_was_done),
            Column(gettext("结案日期"), lambda one: one.closing.closed_on if one.closing else None, "day"),
            Column(gettext("整改措施"), lambda one: one.closing.measures if one.closing else ""),
        ]
        rows = db.session.scalars(_query())
        year = year_in("year")
        return download(f"incidents-{year}", columns, rows, form=form, is_sample=lambda one: one.platform.illustrative)
    return _page()


@pages.post("/incidents")
@requires(Permission.RECORD_INCIDENTS)
def record() -> Response | tuple[str, int]:
    platform_id, by = chosen_platform(Permission.RECORD_INCIDENTS).id, current_user.id
    form = request.form
    try:
        severity = _severity(form.get("severity", ""))
        day = day_in("happened_on")
        in_transaction(
            lambda session: record_incident(
                session, platform_id=platform_id, equipment_id=form.get("equipment_id", type=int), happened_on=day,
                severity=severity, what_happened=form.get("what_happened", ""),
                what_was_done=form.get("what_was_done", ""), by=by, at=clock.now(),
            )
        )  # fmt: skip
    except Refusal as refusal:
        return _page(refusal=refusal), status_of(refusal)
    flash(gettext("已记录安全事件，不能再改动；处理完请结案。"))
    return redirect(url_for(".list_incidents", year=day.year))


@pages.post("/incidents/<int:incident_id>/closing")
@requires(Permission.RECORD_INCIDENTS)
def close(incident_id: int) -> Response | tuple[str, int]:
    incident = db.session.get(Incident, incident_id)
    if incident is None:
        raise NotFound("没有找到这一项，或您无权查看。")
    bounds(Permission.RECORD_INCIDENTS).insist(platform_id=incident.platform_id)
    by, measures, year = current_user.id, request.form.get("measures", ""), incident.happened_on.year
    try:
        day = day_in("closed_on")
        in_transaction(
            lambda session: close_incident(
                session, incident_id, closed_on=day, measures=measures, by=by, at=clock.now()
            )
        )
    except Refusal as refusal:
        return _page(refusal=refusal, about=incident_id), status_of(refusal)
    flash(gettext("已结案。"))
    return redirect(url_for(".list_incidents", year=year))


def _query() -> Select[Incident]:
    limits, year = bounds(Permission.SEE_INCIDENTS), year_in("year")
    query = (
        select(Incident)
        .where(extract("year", Incident.happened_on) == year)
        .options(joinedload(Incident.platform), joinedload(Incident.equipment), joinedload(Incident.closing))
        .order_by(Incident.happened_on.desc(), Incident.id.desc())
    )
    if not limits.everything:
        query = query.where(Incident.platform_id.in_(limits.platform_ids))
    if platform_id := request.args.get("platform_id", type=int):
        query = query.where(Incident.platform_id == platform_id)
    return query


def _severity(word: str) -> Severity:
    try:
        return Severity(word)
    except ValueError:
        raise InvalidInput("请选择程度。", field="severity") from None


def _page(*, refusal: Refusal | None = None, about: int | None = None) -> str:
    """``about`` is the incident whose closing was refused."""
    own = own_platforms(Permission.RECORD_INCIDENTS) if bounds(Permission.RECORD_INCIDENTS).platform_ids else []
    equipment = db.session.scalars(
        select(Equipment).where(Equipment.platform_id.in_([one.id for one in own])).order_by(Equipment.code)
    ).all()
    return render_template(
        "incidents.html",
        page=page_of(db.session(), _query()),
        year=year_in("year"),
        platforms=own,
        equipment=equipment,
        severities=Severity,
        today=clock.local_date(clock.now()),
        errors={refusal.field: sentence(refusal)} if refusal is not None and refusal.field else {},
        refused=sentence(refusal) if refusal is not None and not refusal.field else "",
        about=about,
    )
