"""Reserve many dates by one rule: look at each, skip, move or drop it, and change them together later."""

from __future__ import annotations

import secrets

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from flask_login import current_user
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from app.booking.models import Reservation, Series
from app.booking.repeating import (
    Reach,
    cancel_series,
    dates_of,
    move_series,
    reserve_series,
)
from app.booking.rules.reservation import NOT_BEGUN
from app.catalogue.models import Equipment
from app.identity.rules.permission import Permission
from app.kernel import clock
from app.kernel.db import db, in_transaction
from app.kernel.errors import InvalidInput, NotFound, Refusal
from app.web.access import acting_organization, bounds, requires
from app.web.booking_form import accessories_in
from app.web.booking_money import hold_deposits, refuse_overdue
from app.web.errors import sentence, status_of
from app.web.exports import Column, download
from app.web.formats import said
from app.web.forms import interval_in
from app.web.paging import wanted_file
from app.web.series_form import choices_in, cost_of, looked_at, series_form
from app.web.words import state_of

pages = Blueprint("series", __name__)
RULE_FIELDS = ("every", "interval", "until", "times")


@pages.get("/series/new")
@requires(Permission.RESERVE)
def new() -> str | tuple[str, int]:
    """The rule as a form; with ``look`` in the address, each of its dates as it would stand now."""
    equipment = _equipment(request.args.get("equipment_id", type=int))
    if "look" not in request.args:
        return series_form(equipment)
    try:
        return series_form(equipment, found=looked_at(equipment))
    except Refusal as refusal:
        return series_form(equipment, refusal=refusal), status_of(refusal)


@pages.post("/series")
@requires(Permission.RESERVE)
def book() -> Response | tuple[str, int]:
    equipment_id = _equipment(request.form.get("equipment_id", type=int)).id
    organization_id, person_id = acting_organization(Permission.RESERVE), current_user.id
    key = request.form.get("idempotency_key") or secrets.token_hex(16)
    purpose = request.form.get("purpose", "").strip()[:2000]
    rule = {name: request.form.get(name, "") for name in RULE_FIELDS}
    try:
        whens, accessories = choices_in(), accessories_in()

        def work(session: Session) -> int:
            now = clock.now()
            refuse_overdue(session, equipment_id, organization_id, now)
            series, _ = reserve_series(
                session,
                equipment_id=equipment_id,
                whens=whens,
                rule=rule,
                organization_id=organization_id,
                person_id=person_id,
                at=now,
                purpose=purpose,
                accessories=accessories,
                idempotency_key=key,
            )
            hold_deposits(session, dates_of(session, series.id), now)
            return series.id

        series_id = in_transaction(work)
    except Refusal as refusal:
        again = _equipment(request.form.get("equipment_id", type=int))
        try:
            found = looked_at(again)
        except Refusal:
            found = []
        return series_form(again, found=found, refusal=refusal), status_of(refusal)
    flash(gettext("已预约 %(count)s 次。", count=len(whens)))
    return redirect(url_for(".series", series_id=series_id))


@pages.post("/series/estimate")
@requires(Permission.RESERVE)
def estimate() -> str:
    """What the dates that are chosen now would cost together."""
    equipment = _equipment(request.form.get("equipment_id", type=int))
    return render_template("series_estimate.html", **cost_of(equipment, choices_in()))


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

        def work(session: Session) -> int:
            now = clock.now()
            dates = move_series(session, reservation_id, reach=reach, when=when, by=person_id, at=now)
            hold_deposits(session, dates, now)
            return len(dates)

        moved = in_transaction(work)
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
