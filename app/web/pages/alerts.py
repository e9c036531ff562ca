"""What is not as it should be about the meters: one queue, settled with a reason one by one or together."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from flask_login import current_user
from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import joinedload
from werkzeug.wrappers import Response

from app.catalogue.models import Equipment, Platform
from app.identity.models import Person
from app.identity.rules.permission import Permission
from app.kernel import clock
from app.kernel.db import db, in_transaction
from app.kernel.errors import InvalidInput, NotFound, Refusal
from app.web.access import bounds, requires
from app.web.alert_words import alert_remedy, alert_sentence, since
from app.web.errors import sentence, status_of
from app.web.exports import Column, download
from app.web.formats import said
from app.web.forms import safe_next
from app.web.pages.usage import readable
from app.web.paging import page_of, wanted_file
from app.web.words import state_of, word_of
from devices.disputing import contents_in_dispute
from devices.models import Meter, MeterAlert
from devices.rules.alert import AlertKind, AlertState, Verdict
from devices.watching import SETTLED, alerts_of, settle_all

pages = Blueprint("alerts", __name__)
STATES = tuple(AlertState)
ALL = "all"


@pages.get("/alerts")
@requires(Permission.SEE_METERS)
def list_alerts() -> Response | str:
    if form := wanted_file():
        return download("alerts", _columns(), db.session.scalars(_wanted()), form=form, is_sample=_is_sample)
    return _page()


@pages.get("/alerts/<int:alert_id>")
@requires(Permission.SEE_METERS)
def alert(alert_id: int) -> str:
    one = db.session.get(MeterAlert, alert_id)
    if one is None:
        raise NotFound("没有找到这一项，或您无权查看。")
    bounds(Permission.SEE_METERS).insist(platform_id=one.meter.equipment.platform_id if one.meter else None)
    session = db.session()
    return render_template(
        "alert.html",
        one=one,
        contents=contents_in_dispute(session, one),
        payload_said=lambda payload: readable(bytes(payload)),
        settler=session.get(Person, one.settled_by) if one.settled_by else None,
        may_settle=one.meter is not None
        and bounds(Permission.MANAGE_METERS).allows(platform_id=one.meter.equipment.platform_id),
        verdicts=list(Verdict),
        **_words(),
    )


@pages.post("/alerts/settle")
@requires(Permission.MANAGE_METERS)
def settle() -> Response | tuple[str, int]:
    """Settle the alerts that the form names; others than the actor's are left as they are."""
    wanted, person_id = request.form.getlist("alert_id", type=int), current_user.id
    limits = bounds(Permission.MANAGE_METERS)
    own = db.session.scalars(
        select(MeterAlert.id).where(MeterAlert.id.in_(wanted), alerts_of(limits.platform_ids))
    ).all()
    try:
        state = next((one for one in SETTLED if one == request.form.get("state")), AlertState.OPEN)
        verdict = next((one for one in Verdict if one == request.form.get("verdict")), None)
        if not own:
            raise InvalidInput("请先勾选告警。", field="alert_id")
        done = in_transaction(
            lambda session: settle_all(
                session, own, state=state, reason=request.form.get("reason", ""), by=person_id, at=clock.now(),
                verdict=verdict,
            )
        )  # fmt: skip
    except Refusal as refusal:
        return _page(refusal, set(wanted)), status_of(refusal)
    flash(gettext("已处理 %(count)s 项告警。", count=done))
    return redirect(safe_next(url_for(".list_alerts")))


def _wanted() -> Select[Any]:
    """The alerts that the address asks for, newest first."""
    limits = bounds(Permission.SEE_METERS)
    query = (
        select(MeterAlert)
        .outerjoin(Meter, Meter.id == MeterAlert.meter_id)
        .outerjoin(Equipment, Equipment.id == Meter.equipment_id)
        .where(alerts_of(limits.platform_ids, everything=limits.everything))
        .options(joinedload(MeterAlert.meter).joinedload(Meter.equipment).joinedload(Equipment.platform))
        .order_by(MeterAlert.raised_at.desc(), MeterAlert.id.desc())
    )
    state, kind, q = request.args.get("state", AlertState.OPEN), request.args.get("kind"), request.args.get("q", "")
    if state in STATES:
        query = query.where(MeterAlert.state == AlertState(state))
    if kind in tuple(AlertKind):
        query = query.where(MeterAlert.kind == AlertKind(kind))
    if platform_id := request.args.get("platform", type=int):
        query = query.where(Equipment.platform_id == platform_id)
    if q := q.strip():
        like = f"%{q}%"
        found = (Meter.code, Equipment.name_zh, Equipment.name_en, MeterAlert.key)
        query = query.where(or_(*(one.ilike(like) for one in found)))
    return query


def _page(refusal: Refusal | None = None, ticked: set[int] | frozenset[int] = frozenset()) -> str:
    session, limits = db.session(), bounds(Permission.SEE_METERS)
    mine = alerts_of(limits.platform_ids, everything=limits.everything)
    counts = session.execute(
        select(MeterAlert.kind, func.count())
        .where(MeterAlert.state == AlertState.OPEN, mine)
        .group_by(MeterAlert.kind)
        .order_by(func.count().desc(), MeterAlert.kind)
    ).all()
    platforms = select(Platform).order_by(Platform.id)
    return render_template(
        "alerts.html",
        page=page_of(session, _wanted()),
        counts=counts,
        kinds=list(AlertKind),
        states=STATES,
        platforms=session.scalars(
            platforms if limits.everything else platforms.where(Platform.id.in_(limits.platform_ids))
        ).all(),
        may_settle=bounds(Permission.MANAGE_METERS).platform_ids,
        ticked=ticked,
        refused=refusal and sentence(refusal),
        refused_field=refusal and refusal.field,
        chosen={
            "state": request.args.get("state", AlertState.OPEN.value),
            "kind": request.args.get("kind", ""),
            "platform": request.args.get("platform", 0, type=int),
            "q": request.args.get("q", ""),
        },
        here=request.full_path if request.method == "GET" else url_for(".list_alerts"),
        **_words(),
    )


def _words() -> dict[str, Any]:
    return {
        "alert_sentence": alert_sentence, "alert_remedy": alert_remedy, "since": since,
        "open_state": AlertState.OPEN, "Kind": AlertKind,
    }  # fmt: skip


def _is_sample(one: MeterAlert) -> bool:
    return one.meter is not None and one.meter.equipment.illustrative


def _columns() -> list[Column[MeterAlert]]:
    people = dict(db.session.execute(select(Person.id, Person.name)).all())
    return [
        Column(gettext("告警"), lambda one: word_of(one.kind)),
        Column(gettext("电表"), lambda one: one.meter.code if one.meter else one.key),
        Column(gettext("设备"), lambda one: said(one.meter.equipment, "name") if one.meter else ""),
        Column(gettext("情况"), alert_sentence),
        Column(gettext("次数"), lambda one: one.times, "number"),
        Column(gettext("发现"), lambda one: one.raised_at, "time"),
        Column(gettext("最近"), lambda one: one.seen_at, "time"),
        Column(gettext("状态"), lambda one: state_of(one.state).word),
        Column(gettext("原因"), lambda one: one.reason),
        Column(gettext("处理人"), lambda one: people.get(one.settled_by, "")),
        Column(gettext("处理时间"), lambda one: one.settled_at, "time"),
    ]
