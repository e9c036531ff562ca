"""Register a meter, change it, give and take its password."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any, TypeVar

from flask import Blueprint, current_app, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from flask_login import current_user
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from app.catalogue.models import Equipment
from app.identity.rules.permission import Permission
from app.kernel import clock
from app.kernel.db import db, in_transaction
from app.kernel.errors import InvalidInput, Refusal
from app.kernel.secrets import key_for
from app.web.access import bounds, requires
from app.web.errors import sentence, status_of
from app.web.pages.meters import meter_page, visible_meter
from devices import registering
from devices.accounts import meter_password
from devices.models import Meter
from devices.registering import LEAST, SUGGESTED
from devices.rules.evidence import Dialect
from devices.rules.power import FailSafe
from devices.rules.setup import about

pages = Blueprint("meter_settings", __name__)
Word = TypeVar("Word", bound=StrEnum)


@pages.get("/meters/new")
@requires(Permission.MANAGE_METERS)
def new() -> str:
    return _form()


@pages.post("/meters/new")
@requires(Permission.MANAGE_METERS)
def register() -> Response | tuple[str, int]:
    """Registers, and shows the password this once where the meter has one."""
    by = current_user.id
    try:
        equipment_id = request.form.get("equipment_id", type=int) or 0
        if equipment_id not in {one.id for one in _own_equipment()}:
            raise InvalidInput("请选择设备。", field="equipment_id")
        dialect, profile = _word(Dialect, "dialect"), {name: _whole(name) for name in LEAST}

        def work(session: Session) -> str:
            return registering.register_meter(
                session,
                code=request.form.get("code", "").strip(),
                equipment_id=equipment_id,
                dialect=dialect,
                carrier=request.form.get("carrier") or None,
                channel=request.form.get("channel", ""),
                profile=profile,
                by=by,
                at=clock.now(),
            ).code

        code = in_transaction(work)
    except Refusal as refusal:
        return _form(refusal), status_of(refusal)
    flash(gettext("已登记电表 %(code)s。", code=code))
    one = visible_meter(code, Permission.MANAGE_METERS)
    if one.carrier_id is not None:
        return redirect(url_for("meters.meter", code=code))
    return _shown_once(one)


@pages.post("/meters/<code>/settings")
@requires(Permission.MANAGE_METERS)
def save(code: str) -> Response | tuple[str, int]:
    one, by = visible_meter(code, Permission.MANAGE_METERS), current_user.id
    meter_id = one.id
    try:
        changes: dict[str, Any] = {
            "carrier": request.form.get("carrier") or None,
            "channel": request.form.get("channel", ""),
            "interlocked": "interlocked" in request.form,
            "fail_safe": _word(FailSafe, "fail_safe"),
            "signed_only": "signed_only" in request.form,
        }
        in_transaction(lambda session: registering.change_meter(session, meter_id, changes, by=by, at=clock.now()))
    except Refusal as refusal:
        return meter_page(visible_meter(code, Permission.MANAGE_METERS), refusal=refusal), status_of(refusal)
    flash(gettext("已保存。"))
    return redirect(url_for("meters.meter", code=code))


@pages.post("/meters/<code>/credentials")
@requires(Permission.MANAGE_METERS)
def credentials(code: str) -> Response | tuple[str, int]:
    """A new password, shown this once; the one before stops working."""
    return _done(code, registering.renew_credentials, then=_shown_once)


@pages.post("/meters/<code>/revoke")
@requires(Permission.MANAGE_METERS)
def revoke(code: str) -> Response | tuple[str, int]:
    return _done(code, registering.revoke_credentials, said=gettext("已撤销 %(code)s 的密码并停用。", code=code))


@pages.post("/meters/<code>/retire")
@requires(Permission.MANAGE_METERS)
def retire(code: str) -> Response | tuple[str, int]:
    return _done(code, registering.retire, said=gettext("已停用 %(code)s。", code=code))


@pages.post("/meters/<code>/activate")
@requires(Permission.MANAGE_METERS)
def activate(code: str) -> Response | tuple[str, int]:
    return _done(code, registering.activate, said=gettext("已启用 %(code)s。", code=code))


def _done(
    code: str, deed: Callable[..., object], *, said: str = "", then: Callable[[Meter], Response] | None = None
) -> Response | tuple[str, int]:
    one, by = visible_meter(code, Permission.MANAGE_METERS), current_user.id
    meter_id = one.id
    try:
        in_transaction(lambda session: deed(session, meter_id, by=by, at=clock.now()))
    except Refusal as refusal:
        return meter_page(visible_meter(code, Permission.MANAGE_METERS), refusal=refusal), status_of(refusal)
    if then is not None:
        return then(visible_meter(code, Permission.MANAGE_METERS))
    flash(said)
    return redirect(url_for("meters.meter", code=code))


def _shown_once(one: Meter) -> Response:
    """The meter's page with its password; no cache keeps it."""
    key = key_for("meters", master=current_app.config["MASTER_KEY"])
    answer = current_app.make_response(meter_page(one, password=meter_password(key, one.code, one.credential_version)))
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _form(refusal: Refusal | None = None) -> str:
    errors = {refusal.field: sentence(refusal)} if refusal is not None and refusal.field else {}
    platforms = bounds(Permission.MANAGE_METERS).platform_ids
    return render_template(
        "meter_new.html",
        equipment=_own_equipment(),
        carriers=db.session.scalars(
            select(Meter)
            .join(Equipment)
            .where(Equipment.platform_id.in_(platforms), Meter.carrier_id.is_(None), Meter.dialect != Dialect.NATIVE)
            .order_by(Meter.code)
        ).all(),
        dialects=list(Dialect),
        about=about,
        told=request.values,
        suggested=SUGGESTED,
        errors=errors,
        refused=sentence(refusal) if refusal is not None and not errors else "",
    )


def _own_equipment() -> list[Equipment]:
    platforms = bounds(Permission.MANAGE_METERS).platform_ids
    return list(
        db.session.scalars(
            select(Equipment)
            .where(Equipment.platform_id.in_(platforms))
            .order_by(Equipment.platform_id, Equipment.code)
        )
    )


def _whole(name: str) -> int:
    text = request.form.get(name, "").strip()
    if not text.isdecimal() or len(text) > 8:
        raise InvalidInput("请填写整数。", field=name)
    return int(text)


def _word(kind: type[Word], name: str) -> Word:
    try:
        return kind(request.form.get(name, ""))
    except ValueError:
        raise InvalidInput("请从列表中选择。", field=name) from None
