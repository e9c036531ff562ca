"""Close equipment or a platform for a time: first one sees whom it meets, then one decides."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from flask_login import current_user
from sqlalchemy import func, or_, select
from werkzeug.wrappers import Response

from app.booking.closing import affected_by, close, reopen
from app.catalogue.models import Closure, Equipment, Platform
from app.catalogue.rules.words import ClosureKind
from app.identity.rules.permission import Permission
from app.kernel import clock
from app.kernel.db import db, in_transaction
from app.kernel.errors import InvalidInput, NotFound, Refusal
from app.web.access import bounds, requires
from app.web.errors import sentence, status_of
from app.web.forms import interval_in

pages = Blueprint("closures", __name__)


@pages.get("/closures")
@requires(Permission.MANAGE_EQUIPMENT)
def list_closures() -> str | tuple[str, int]:
    """The form and what is closed; with times in the address, whom the closure would meet."""
    if "look" not in request.args:
        return _page()
    try:
        subject, when = _subject(), interval_in()
        affected = affected_by(db.session(), when=when, at=clock.now(), **subject)
    except InvalidInput as refusal:
        return _page(refusal), status_of(refusal)
    return _page(affected=affected)


@pages.post("/closures")
@requires(Permission.MANAGE_EQUIPMENT)
def add() -> Response | tuple[str, int]:
    person_id, cancels = current_user.id, request.form.get("deed") == "cancel"
    try:
        subject, when, kind = _subject(), interval_in(), _kind()
        reason = request.form.get("reason", "")[:300]
        count = in_transaction(
            lambda session: len(
                close(
                    session,
                    when=when,
                    kind=kind,
                    reason=reason,
                    by=person_id,
                    at=clock.now(),
                    cancel_affected=cancels,
                    **subject,
                )
            )
        )
    except InvalidInput as refusal:
        return _page(refusal), status_of(refusal)
    if cancels:
        flash(gettext("已停用；受影响的 %(count)s 项预约已处理并通知。", count=count))
    else:
        flash(gettext("已停用；时段内有 %(count)s 项预约仍保留。", count=count))
    return redirect(url_for(".list_closures"))


@pages.post("/closures/<int:closure_id>/reopen")
@requires(Permission.MANAGE_EQUIPMENT)
def open_again(closure_id: int) -> Response:
    row = db.session.get(Closure, closure_id)
    if row is None:
        raise NotFound("没有找到这一项，或您无权查看。")
    platform_id = row.platform_id
    if row.equipment_id is not None:
        platform_id = db.session.get_one(Equipment, row.equipment_id).platform_id
    bounds(Permission.MANAGE_EQUIPMENT).insist(platform_id=platform_id)
    person_id = current_user.id
    in_transaction(lambda session: reopen(session, closure_id, by=person_id, at=clock.now()).id)
    flash(gettext("已恢复开放。"))
    return redirect(url_for(".list_closures"))


def _subject() -> dict[str, int]:
    """``equipment:3`` or ``platform:1`` as an argument for the use case. Errors: ``NotFound`` outside the bounds."""
    kind, _, number = request.values.get("subject", "").partition(":")
    if kind not in ("equipment", "platform") or not number.isdecimal():
        raise InvalidInput("请选择一台设备或整个平台。", field="subject")
    platform_id: int | None = int(number)
    if kind == "equipment":
        platform_id = db.session.scalar(select(Equipment.platform_id).where(Equipment.id == int(number)))
    bounds(Permission.MANAGE_EQUIPMENT).insist(platform_id=platform_id)
    return {f"{kind}_id": int(number)}


def _kind() -> ClosureKind:
    try:
        return ClosureKind(request.form.get("kind", ""))
    except ValueError:
        raise InvalidInput("请选择停用或维护。", field="kind") from None


def _page(refusal: Refusal | None = None, *, affected: Any = None) -> str:
    session, now = db.session(), clock.now()
    ids = bounds(Permission.MANAGE_EQUIPMENT).platform_ids
    platforms = session.scalars(select(Platform).where(Platform.id.in_(ids)).order_by(Platform.id)).all()
    equipment = session.scalars(
        select(Equipment).where(Equipment.platform_id.in_(ids)).order_by(Equipment.platform_id, Equipment.code)
    ).all()
    closures = session.scalars(
        select(Closure)
        .where(
            or_(Closure.platform_id.in_(ids), Closure.equipment_id.in_([one.id for one in equipment])),
            func.upper(Closure.during) > now,
            Closure.ended_at.is_(None),
        )
        .order_by(func.lower(Closure.during), Closure.id)
    ).all()
    errors = {refusal.field: sentence(refusal)} if refusal is not None and refusal.field else {}
    return render_template(
        "closures.html",
        platforms=platforms,
        equipment=equipment,
        closures=closures,
        subjects={one.id: one for one in equipment},
        platform_by_id={one.id: one for one in platforms},
        kinds=list(ClosureKind),
        told=request.values,
        affected=affected,
        errors=errors,
        refused=sentence(refusal) if refusal is not None and not errors else "",
    )
