"""Reserve many dates by one rule: look at each, skip, move or drop it, and change them together later."""

from __future__ import annotations

import secrets
from datetime import date, datetime

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from flask_login import current_user
from werkzeug.wrappers import Response

from app.booking.models import Reservation, Series
from app.booking.repeating import (
    Occurrence,
    Reach,
    cancel_series,
    dates_of,
    move_series,
    preview,
    reserve_series,
)
from app.booking.rules.recurrence import Every, Recurrence, occurrences
from app.booking.rules.reservation import NOT_BEGUN
from app.catalogue.models import Equipment
from app.identity.rules.permission import Permission
from app.kernel import clock
from app.kernel.db import db, in_transaction
from app.kernel.errors import InvalidInput, NotFound, Refusal
from app.kernel.interval import Interval
from app.web.access import acting_organization, bounds, requires
from app.web.errors import sentence, status_of
from app.web.exports import Column, download
from app.web.formats import said
from app.web.forms import interval_in
from app.web.paging import wanted_file
from app.web.words import state_of

pages = Blueprint("series", __name__)
RULE_FIELDS = ("every", "interval", "until", "times")


@pages.get("/series/new")
@requires(Permission.RESERVE)
def new() -> str | tuple[str, int]:
    """The rule as a form; with ``look`` in the address, each of its dates as it would stand now."""
    equipment = _equipment(request.args.get("equipment_id", type=int))
    if "look" not in request.args:
        return _form(equipment)
    try:
        return _form(equipment, found=_looked_at(equipment))
    except Refusal as refusal:
        return _form(equipment, refusal=refusal), status_of(refusal)


@pages.post("/series")
@requires(Permission.RESERVE)
def book() -> Response | tuple[str, int]:
    equipment = _equipment(request.form.get("equipment_id", type=int))
    organization_id, person_id = acting_organization(Permission.RESERVE), current_user.id
    key = request.form.get("idempotency_key") or secrets.token_hex(16)
    purpose = request.form.get("purpose", "").strip()[:2000]
    rule = {name: request.form.get(name, "") for name in RULE_FIELDS}
    try:
        whens = [_chosen(text) for text in request.form.getlist("choice") if text]
        series_id = in_transaction(
            lambda session: (
                reserve_series(
                    session,
                    equipment_id=equipment.id,
                    whens=whens,
                    rule=rule,
                    organization_id=organization_id,
                    person_id=person_id,
                    at=clock.now(),
                    purpose=purpose,
                    idempotency_key=key,
                )[0].id
            )
        )
    except Refusal as refusal:
        again = _equipment(request.form.get("equipment_id", type=int))
        try:
            found = _looked_at(again)
        except Refusal:
            found = []
        return _form(again, found=found, refusal=refusal), status_of(refusal)
    flash(gettext("已预约 %(count)s 次。", count=len(whens)))
    return redirect(url_for(".series", series_id=series_id))


@pages.get("/series/<int:series_id>")
@requires(Permission.SEE_RESERVATIONS)
def series(series_id: int) -> str | Response:
    row = _visible(series_id, Permission.SEE_RESERVATIONS)
    if form := wanted_file():
        columns: list[Column[Reservation]] = [
            Column(gettext("编号"), lambda one: one.id, "number"),
            Column(gettext("设备"), lambda one: said(one.equipment, "name")),
            Column(gettext("开始"), lambda one: one.during.start, "time"),
            Column(gettext("结束"), lambda one: one.during.end, "time"),
            Column(gettext("状态"), lambda one: state_of(one.state).word),
        ]
        return download(
            f"series-{series_id}",
            columns,
            dates_of(db.session(), series_id),
            form=form,
            is_sample=lambda one: one.equipment.illustrative,
        )
    return _page(row)


@pages.post("/series/<int:series_id>/move")
@requires(Permission.RESERVE)
def move(series_id: int) -> Response | tuple[str, int]:
    row = _visible(series_id, Permission.RESERVE)
    person_id = current_user.id
    try:
        reservation_id, reach, when = _of_series(row), _reach(), interval_in()
        moved = in_transaction(
            lambda session: len(
                move_series(session, reservation_id, reach=reach, when=when, by=person_id, at=clock.now())
            )
        )
    except Refusal as refusal:
        return _page(_visible(series_id, Permission.RESERVE), refusal=refusal), status_of(refusal)
    flash(gettext("已改期 %(count)s 次预约。", count=moved))
    return redirect(url_for(".series", series_id=series_id))


@pages.post("/series/<int:series_id>/cancel")
@requires(Permission.RESERVE)
def cancel(series_id: int) -> Response | tuple[str, int]:
    row = _visible(series_id, Permission.RESERVE)
    person_id, reason = current_user.id, request.form.get("reason", "").strip()[:300]
    try:
        reservation_id, reach = _of_series(row), _reach()
        gone = in_transaction(
            lambda session: len(
                cancel_series(session, reservation_id, reach=reach, by=person_id, at=clock.now(), reason=reason)
            )
        )
    except Refusal as refusal:
        return _page(_visible(series_id, Permission.RESERVE), refusal=refusal), status_of(refusal)
    flash(gettext("已取消 %(count)s 次预约，时段已释放。", count=gone))
    return redirect(url_for(".series", series_id=series_id))


def _page(row: Series, *, refusal: Refusal | None = None) -> str:
    dates = dates_of(db.session(), row.id)
    now = clock.now()
    coming = [one for one in dates if one.state in NOT_BEGUN and one.during.start > now]
    mine = bounds(Permission.RESERVE).allows(organization_id=row.organization_id)
    picked = request.values.get("reservation_id", type=int)
    chosen = next((one for one in coming if one.id == picked), coming[0] if coming else None)
    return render_template(
        "series.html",
        series=row,
        dates=dates,
        coming=coming if mine else [],
        chosen=chosen,
        reaches=Reach,
        refused=sentence(refusal) if refusal is not None else "",
        when=refusal.facts.get("starts_at") if refusal is not None else None,
    )


def _form(equipment: Equipment, *, found: list[Occurrence] | None = None, refusal: Refusal | None = None) -> str:
    errors = {refusal.field: sentence(refusal)} if refusal is not None and refusal.field in FIELDS else {}
    return render_template(
        "series_new.html",
        equipment=equipment,
        told=request.values,
        weekdays=request.values.getlist("weekday", type=int),
        found=found,
        kinds=Every,
        key=secrets.token_hex(16),
        errors=errors,
        refused=sentence(refusal) if refusal is not None and not errors else "",
        sentence=sentence,
        choices=set(request.form.getlist("choice")),
    )


FIELDS = frozenset({"starts_at", "ends_at", "interval", "until", "times", "dates"})


def _looked_at(equipment: Equipment) -> list[Occurrence]:
    whens = occurrences(interval_in(), _rule())
    organization_id, person_id = acting_organization(Permission.RESERVE), current_user.id
    return in_transaction(
        lambda session: preview(
            session,
            equipment_id=equipment.id,
            whens=whens,
            organization_id=organization_id,
            person_id=person_id,
            at=clock.now(),
        )
    )


def _rule() -> Recurrence:
    told = request.values
    try:
        every = Every(told.get("every", "week"))
        dates = tuple(date.fromisoformat(text) for text in told.get("dates", "").replace(",", " ").split())
        until = date.fromisoformat(told["until"]) if told.get("until") else None
    except ValueError:
        raise InvalidInput("日期须写成 2026-03-01，多个日期以空格或换行分开。", field="dates") from None
    return Recurrence(
        every,
        interval=_whole("interval", 1) or 0,
        weekdays=frozenset(day for day in told.getlist("weekday", type=int) if 0 <= day <= 6),
        until=until,
        times=_whole("times", None),
        dates=dates,
    )


def _whole(name: str, default: int | None) -> int | None:
    text = request.values.get(name, "").strip()
    if not text:
        return default
    try:
        return int(text)
    except ValueError:
        raise InvalidInput("请填写整数。", field=name) from None


def _chosen(text: str) -> Interval:
    try:
        start, _, end = text.partition("/")
        return Interval(datetime.fromisoformat(start), datetime.fromisoformat(end))
    except ValueError:
        raise InvalidInput("请填写日期和时间。", field="dates") from None


def _reach() -> Reach:
    try:
        return Reach(request.form.get("reach", ""))
    except ValueError:
        raise InvalidInput("请选择更改的范围。", field="reach") from None


def _of_series(row: Series) -> int:
    reservation = db.session.get(Reservation, request.form.get("reservation_id", type=int) or 0)
    if reservation is None or reservation.series_id != row.id:
        raise InvalidInput("请选择系列中的一次预约。", field="reservation_id")
    return reservation.id


def _visible(series_id: int, permission: Permission) -> Series:
    row = db.session.get(Series, series_id)
    if row is None:
        raise NotFound("没有找到这一项，或您无权查看。")
    equipment = db.session.get_one(Equipment, row.equipment_id)
    bounds(permission).insist(organization_id=row.organization_id, platform_id=equipment.platform_id)
    return row


def _equipment(equipment_id: int | None) -> Equipment:
    found = None if equipment_id is None else db.session.get(Equipment, equipment_id)
    if found is None:
        raise NotFound("没有这台设备。")
    return found
